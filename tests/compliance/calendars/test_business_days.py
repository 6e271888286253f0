"""Business days against announced days: notices of the State Council, US federal holidays, TARGET closing days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from compliance.calendars.business_days import CALENDARS, load_calendar

CN, US, EU, WEEKENDS = (load_calendar(name) for name in ("CN", "US", "EU", "WEEKENDS"))
# The General Office of the State Council, 2024-11-12 (for 2025) and 2025-11-04 (for 2026).
CN_OFF = [
    *("2025-01-01", "2025-01-28/2025-02-04", "2025-04-04/2025-04-06", "2025-05-01/2025-05-05", "2025-05-31/2025-06-02"),
    *("2025-10-01/2025-10-08", "2026-01-01/2026-01-03", "2026-02-15/2026-02-23", "2026-04-04/2026-04-06"),
    *("2026-05-01/2026-05-05", "2026-06-19/2026-06-21", "2026-09-25/2026-09-27", "2026-10-01/2026-10-07"),
]
CN_WORKED = [
    *("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11", "2026-01-04", "2026-02-14", "2026-02-28"),
    *("2026-05-09", "2026-09-20", "2026-10-10"),
]


def days(first: str, last: str) -> list[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def test_china_is_what_the_state_council_announced():
    off = {day for span in CN_OFF for day in days(*(span.split("/") * 2)[:2])}
    worked = {date.fromisoformat(day) for day in CN_WORKED}
    for day in days("2025-01-01", "2026-12-31"):
        expected = day in worked or (day.weekday() < 5 and day not in off)
        assert CN.is_business_day(day) == expected, day


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-07-03", False),  # Independence Day falls on a Saturday
        ("2026-11-26", False),  # Thanksgiving
        ("2026-11-27", True),
        ("2026-11-11", False),
        ("2026-10-12", False),
        ("2026-06-19", False),
        ("2027-01-18", False),
        ("2028-11-23", False),
    ],
)
def test_federal_holidays_of_the_us(day, works):
    assert US.is_business_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-04-03", False),  # Good Friday
        ("2026-04-06", False),  # Easter Monday
        ("2026-05-01", False),
        ("2026-12-25", False),
        ("2026-12-26", False),
        ("2026-05-14", True),  # Ascension Day: closed in many countries, open in TARGET
        ("2027-03-26", False),
        ("2027-03-29", False),
    ],
)
def test_target_closing_days(day, works):
    assert EU.is_business_day(date.fromisoformat(day)) is works


def test_china_beyond_the_last_notice_is_an_estimate():
    assert not CN.is_estimated(date(2026, 12, 31))
    assert CN.is_estimated(date(2027, 1, 1))
    assert not US.is_estimated(date(2027, 1, 1))
    assert WEEKENDS.is_estimated(date(2026, 1, 1))


def test_weekends_only_knows_no_holiday():
    assert WEEKENDS.is_business_day(date(2026, 12, 25))
    assert not WEEKENDS.is_business_day(date(2026, 12, 26))


def test_the_order_of_questions_changes_no_answer():
    """A library object that fills itself as it is asked must not show."""
    later = [CN.is_business_day(day) for day in days("2026-12-20", "2027-03-01")]
    earlier = [CN.is_business_day(day) for day in reversed(days("2026-12-20", "2027-03-01"))]
    assert later == earlier[::-1]


@pytest.mark.parametrize("name", CALENDARS)
def test_every_calendar_says_where_it_comes_from(name):
    assert load_calendar(name).source


def test_an_unknown_calendar_is_refused():
    with pytest.raises(KeyError):
        load_calendar("../CN")
