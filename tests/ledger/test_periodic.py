"""Chores: each in its time, and one that fails stops no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial

import pytest
from django.db import OperationalError

from ledger.services.periodic import CHORES, periodic, run_due_chores

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_other_chores() -> Iterator[None]:
    before = dict(CHORES)
    CHORES.clear()
    yield
    CHORES.clear()
    CHORES.update(before)


def test_a_chore_runs_at_its_interval():
    periodic("count", interval_s=5)(lambda: None)
    ran = [step for step in range(12) if run_due_chores(partial(float, step))]
    assert ran == [0, 5, 10]


@pytest.mark.parametrize("error", [ZeroDivisionError("bug"), OperationalError("away")])
def test_a_chore_that_fails_stops_no_other_and_is_tried_again(error, caplog):
    ran = []

    def failing():
        ran.append("failing")
        raise error

    periodic("failing", interval_s=1)(failing)
    periodic("sound", interval_s=1)(lambda: ran.append("sound"))
    with caplog.at_level(logging.WARNING):
        assert run_due_chores(lambda: 0.0) == ["failing", "sound"]
        run_due_chores(lambda: 1.0)
    assert ran == ["failing", "sound"] * 2
    assert "chore failing" in caplog.text


def test_a_database_that_is_away_is_one_line_in_the_log(caplog):
    def away():
        raise OperationalError("connection refused\n")

    periodic("away", interval_s=1)(away)
    with caplog.at_level(logging.WARNING):
        run_due_chores(lambda: 0.0)
    assert [record.exc_info for record in caplog.records] == [None]


def test_a_name_stands_for_one_chore():
    periodic("count", interval_s=5)(lambda: None)
    with pytest.raises(ValueError, match="twice"):
        periodic("count", interval_s=5)(lambda: None)
