"""A short run of tests/bench/tamper.py: every kind of change to a sound log is named with the right entry."""

from __future__ import annotations

import pytest
from django.db import connection

from ledger import append_only
from tests.tamper.changes import make_site
from tests.tamper.run import run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


def test_every_change_is_named_and_sound_copies_pass(log, seller):
    if connection.vendor != "sqlite":
        pytest.skip("its changes are written for SQLite; the audit's own tests run on both")
    site = make_site(seller)
    try:
        tally = run(site, count=2 * len(site.changes), seed=3, sound_every=9)
    finally:
        append_only.install(connection)
    assert tally.problems == []
    assert tally.named == tally.changes == 2 * len(site.changes)
    assert (tally.sound, tally.false_alarms) == (4, 0)
