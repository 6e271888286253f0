"""Check history: one list of registrations, queries and checks; filters, pages, CSV."""

from __future__ import annotations

import csv
import io

import pytest

from ledger.models import Original, Statement
from ledger.views.common import plain_cell
from ledger.views.history import COLUMNS
from tests.factories import register, register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

URL, CSV = "/history/", "/history.csv"


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice)


def many(seller, count: int) -> list[int]:
    register(seller, *(jpeg_bytes(product_photo(seed, (32, 24))) for seed in range(100, 100 + count)))
    return list(Statement.objects.of(seller).order_by("-entry").values_list("entry_id", flat=True))


def rows_of(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def entries(response) -> list[int]:
    return [row.entry_id for row in response.context["page"]]


# Who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [URL, CSV])
def test_strangers_are_sent_to_sign_in_and_posts_refused(client_of, bob, url):
    assert client_of().get(url).headers["Location"].startswith("/accounts/login/")
    assert client_of(bob).get(url).status_code == 200
    assert client_of(bob).post(url).status_code == 405


def test_only_the_sellers_own_lines(client_of, original, mallory, other_seller):
    register_one(other_seller, 9)
    client = client_of(mallory)
    assert original.number not in client.get(URL).content.decode()
    assert [row["proof_number"].replace("-", "") for row in rows_of(client.get(CSV))] != [original.number]


# The list ---------------------------------------------------------------------------------------------------------


def test_an_empty_history_says_what_to_do(client_of, alice, bob):
    assert "/originals/register/" in client_of(alice).get(URL).content.decode()
    assert "om-empty" in client_of(bob).get(URL).content.decode()


def test_every_line_leads_to_the_thing_and_its_pdf(client_of, original, bob):
    page = client_of(bob).get(URL).content.decode()
    assert f'href="/originals/{original.number}/"' in page
    assert f'href="/originals/{original.number}/certificate.pdf"' in page


def test_pages_of_fifty_lead_through_everything_and_back(client_of, seller, bob):
    expected = many(seller, 120)
    client, url, seen = client_of(bob), URL, []
    while url:
        response = client.get(url)
        seen.append(entries(response))
        url = response.context["page"].older_url
    assert [len(part) for part in seen] == [50, 50, 20]
    assert [entry for part in seen for entry in part] == expected
    assert entries(client.get(client.get(f"{URL}?before={seen[1][-1]}").context["page"].newer_url)) == seen[1]


def test_the_very_first_entry_has_a_newer_page(client_of, seller, bob):
    many(seller, 3)
    page = client_of(bob).get(f"{URL}?before=1").context["page"]
    assert page.newer_url == f"{URL}?after=0"


def test_filters(client_of, original, bob, seller):
    Statement.objects.filter(pk=original.statement_id).update(label="绿色_50%.jpg", outcome="needs-you")
    many(seller, 1)
    client, mine = client_of(bob), original.statement.entry_id
    day = f"{original.statement.logged_at:%Y-%m-%d}"
    for query, expected in [
        ({"kind": "image.registered"}, True),
        ({"kind": "query.recorded"}, False),
        ({"kind": "nonsense"}, True),
        ({"outcome": "needs-you"}, True),
        ({"outcome": "failed"}, False),
        ({"q": "绿色"}, True),
        ({"q": "50%"}, True),
        ({"q": "%"}, True),
        ({"q": "60%"}, False),
        ({"since": day, "until": day}, True),
        ({"since": "2999-01-01"}, False),
        ({"until": "2000-01-01"}, False),
        ({"since": "2026-02-30"}, True),
        ({"since": "yesterday"}, True),
        ({"until": "9999-12-31"}, True),
        ({"since": "0001-01-01"}, True),
    ]:
        assert (mine in entries(client.get(URL, query))) is expected, query


@pytest.mark.parametrize(
    "query", [{"before": "²"}, {"after": "9" * 30}, {"q": "a\0b"}, {"since": "\0"}, {"kind": "\0"}]
)
def test_whatever_the_address_says_there_is_a_page(client_of, original, bob, query):
    assert client_of(bob).get(URL, query).status_code == 200


def test_chips_keep_the_other_filters(client_of, original, bob):
    chips = client_of(bob).get(URL, {"q": "photo", "before": "5"}).context["chips"]
    assert all("q=photo" in chip["url"] and "before" not in chip["url"] for chip in chips)


def test_the_list_costs_the_same_for_one_and_for_fifty(client_of, original, seller, bob, django_assert_num_queries):
    client = client_of(bob)
    client.get(URL)
    for _ in range(2):
        with django_assert_num_queries(5):
            client.get(URL)
        many(seller, 60)


# CSV --------------------------------------------------------------------------------------------------------------


def test_csv_has_every_line_with_its_hash(client_of, original, bob):
    (row,) = rows_of(client_of(bob).get(CSV))
    assert list(row) == COLUMNS
    assert row["leaf_hash"] == bytes(original.statement.entry.leaf_hash).hex()
    assert row["proof_number"].replace("-", "") == original.number
    assert row["logged_at_utc"].endswith("+00:00")
    assert row["by"] == "alice@example.org"


def test_csv_goes_beyond_a_page_and_obeys_the_filters(client_of, seller, bob):
    many(seller, 60)
    client = client_of(bob)
    assert len(rows_of(client.get(CSV))) == 60
    assert rows_of(client.get(CSV, {"kind": "query.recorded"})) == []


def test_csv_opens_in_a_spreadsheet(client_of, original, bob):
    response = client_of(bob).get(CSV)
    assert response.headers["Content-Disposition"] == 'attachment; filename="originmark-history.csv"'
    assert b"".join(response.streaming_content).startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"])
def test_no_cell_runs_as_a_formula(client_of, original, bob, text):
    Statement.objects.filter(pk=original.statement_id).update(label=text)
    (row,) = rows_of(client_of(bob).get(CSV))
    assert row["label"] == plain_cell(text) == "'" + text


def test_csv_costs_two_queries_beyond_the_frame(client_of, seller, bob, django_assert_num_queries):
    many(seller, 60)
    client = client_of(bob)
    client.get(CSV)
    with django_assert_num_queries(4):
        rows_of(client.get(CSV))
