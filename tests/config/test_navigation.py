"""How far it is from anywhere to a search: one click, on every page of somebody who is signed in."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from tests import test_matrix
from tests.matrix.rows import OWNER, Row
from tests.matrix.world import ROWS

PAGES = sorted(name for name, row in ROWS.items() if isinstance(row, Row) and row.answers.get("GET") == 200)


world = test_matrix.world  # the fixture with a person in each role


def test_every_page_of_the_site_leads_to_the_search(world):
    client = Client(headers={"accept-language": "en"})
    client.force_login(world.people[OWNER])
    looked_at, without = 0, []
    for name in PAGES:
        row = ROWS[name]
        assert isinstance(row, Row)
        if row.public:
            continue
        kwargs = row.make(world) if row.make else {}
        answer = client.get(reverse(name, kwargs=dict(kwargs)), row.query)
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            looked_at += 1
            if f'href="{reverse("compliance:search")}"' not in answer.content.decode():
                without.append(name)
    assert looked_at > 25
    assert without == []
