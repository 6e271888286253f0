"""Rates with n and interval, time to decision, and the good-faith guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from compliance.cases.outcomes import (
    BROKEN,
    EMPTY,
    FINE,
    NEAR,
    Filed,
    acceptance,
    acceptance_by,
    decision_times,
    judge_good_faith,
    wilson,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)
BASE = Filed("complaint", "ebay_vero", NOW - timedelta(days=10), NOW - timedelta(days=8), "removed", False, True)


def cases(good: int, bad: int, **changes):
    return [replace(BASE, **changes)] * good + [replace(BASE, outcome="rejected", **changes)] * bad


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Published values of the Wilson score interval at 95 %.
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (90, 100, 0.8256, 0.9448),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_wilson_interval(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (2, 1), (-1, 3)])
def test_wilson_refuses_what_is_no_count(k, n):
    with pytest.raises(ValueError):
        wilson(k, n)


def test_only_decided_cases_count():
    undecided = replace(BASE, outcome="", decided_at=None)
    rate = acceptance([*cases(3, 1), undecided])
    assert (rate.k, rate.n, rate.share) == (3, 4, 0.75)
    assert acceptance([undecided]).share is None


def test_a_case_counts_once_under_each_of_its_keys():
    both = replace(BASE, reasons=frozenset({"a", "b"}))
    rates = acceptance_by(
        [both, replace(BASE, reasons=frozenset({"a"}), outcome="rejected")], lambda case: case.reasons
    )
    assert {key: (rate.k, rate.n) for key, rate in rates.items()} == {"a": (1, 2), "b": (1, 1)}
    assert next(iter(rates)) == "a"


def test_time_to_the_first_decision():
    slow = replace(BASE, decided_at=BASE.submitted_at + timedelta(hours=100))
    found = decision_times([BASE, BASE, slow])
    assert (found.n, found.median_h, found.longest_h) == (3, 48.0, 100.0)
    assert decision_times([replace(BASE, decided_at=None)]) is None


@pytest.mark.parametrize(
    ("good", "bad", "state"),
    [
        (0, 0, EMPTY),
        (20, 0, FINE),
        (20, 1, FINE),
        (19, 1, FINE),
        (18, 1, FINE),
        (17, 1, NEAR),
        (18, 2, NEAR),
        (17, 2, BROKEN),
    ],
)
def test_the_guard_warns_before_the_rate_falls_under_90(good, bad, state):
    assert judge_good_faith(cases(good, bad), NOW).success_state == state


@pytest.mark.parametrize(
    ("countered", "all_", "state"), [(0, 20, FINE), (0, 18, NEAR), (1, 20, NEAR), (1, 40, FINE), (2, 20, BROKEN)]
)
def test_the_guard_warns_before_counters_rise_over_5(countered, all_, state):
    rows = cases(countered, 0, was_countered=True) + cases(all_ - countered, 0)
    assert judge_good_faith(rows, NOW).countered_state == state


def test_old_cases_and_defences_leave_the_guard():
    old = cases(0, 5, submitted_at=NOW - timedelta(days=91))
    defences = cases(0, 5, kind="defence")
    assert judge_good_faith([*old, *defences], NOW).state == EMPTY


def test_few_cases_raise_no_alarm_on_the_first_page():
    assert judge_good_faith(cases(1, 1), NOW).state == BROKEN
    assert not judge_good_faith(cases(1, 1), NOW).is_pressing
    assert judge_good_faith(cases(8, 2), NOW).is_pressing
