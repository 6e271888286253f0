"""What failures lead to, by a simulated clock: weekends, announced holidays, DST, midnight where the store is."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from compliance.calendars.business_days import load_calendar
from compliance.standing.judge import day_bounds, judge_failures, local_day, penalty_from, standing_limits

CN, WEEKENDS = load_calendar("CN"), load_calendar("WEEKENDS")
SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def at(text, zone=SHANGHAI):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def judge(*moments, now, zone=SHANGHAI, calendar=CN):
    return judge_failures([at(text, zone) for text in moments], now=at(now, zone), zone=zone, calendar=calendar)


@pytest.mark.parametrize(("number", "state"), [(0, "fine"), (1, "fine"), (2, "warning"), (3, "alarm")])
def test_two_failures_warn_and_three_alarm(number, state):
    found = judge(*["2026-03-02T10:00"] * number, now="2026-03-02T11:00")
    assert (found.count, found.state, found.penalty is not None) == (number, state, number == 3)


@pytest.mark.parametrize(
    ("third", "last_day"),
    [
        ("2026-03-02T10:00", date(2026, 3, 9)),  # Monday: one weekend between
        ("2026-03-06T10:00", date(2026, 3, 13)),  # Friday
        ("2026-03-07T10:00", date(2026, 3, 13)),  # Saturday
        ("2026-02-12T10:00", date(2026, 2, 26)),  # spring festival: Fri 13, Sat 14 works, then 24, 25, 26
        ("2026-09-30T10:00", date(2026, 10, 13)),  # national day 1-7; 8, 9, Sat 10 works, 12, 13
        ("2026-12-28T10:00", date(2027, 1, 5)),  # 2027 is not announced; 1 January is a holiday by law
    ],
)
def test_five_business_days_follow_the_day_of_the_third_failure(third, last_day):
    assert penalty_from(at(third), zone=SHANGHAI, calendar=CN).last_frozen_day == last_day


def test_the_freeze_ends_at_the_store_s_midnight_and_72_hours_are_hours():
    penalty = penalty_from(at("2026-03-02T10:30"), zone=SHANGHAI, calendar=CN)
    assert penalty.delisted_until == datetime(2026, 3, 5, 2, 30, tzinfo=UTC)
    assert penalty.frozen_until == datetime(2026, 3, 9, 16, 0, tzinfo=UTC)


def test_what_is_not_announced_is_called_an_estimate():
    assert not penalty_from(at("2026-03-02T10:00"), zone=SHANGHAI, calendar=CN).is_estimated
    assert penalty_from(at("2026-12-28T10:00"), zone=SHANGHAI, calendar=CN).is_estimated
    assert penalty_from(at("2026-03-02T10:00"), zone=SHANGHAI, calendar=WEEKENDS).is_estimated


def test_72_hours_across_the_change_of_clocks_are_72_hours():
    third = at("2026-03-07T12:00", NEW_YORK)  # clocks go forward on the 8th
    penalty = penalty_from(third, zone=NEW_YORK, calendar=WEEKENDS)
    assert penalty.delisted_until - third == timedelta(hours=72)
    assert penalty.delisted_until.astimezone(NEW_YORK).hour == 13
    assert penalty.frozen_until.astimezone(NEW_YORK).isoformat() == "2026-03-14T00:00:00-04:00"


def test_the_day_is_that_of_the_store():
    moment = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)  # half past midnight on Saturday in Shanghai, Friday in New York
    assert local_day(moment, SHANGHAI) == date(2026, 3, 7)
    assert penalty_from(moment, zone=SHANGHAI, calendar=CN).last_frozen_day == date(2026, 3, 13)
    assert penalty_from(moment, zone=NEW_YORK, calendar=WEEKENDS).last_frozen_day == date(2026, 3, 13)
    assert local_day(moment, NEW_YORK) == date(2026, 3, 6)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)])
def test_a_day_is_as_long_as_the_clocks_make_it(day, hours):
    since, until = day_bounds(day, NEW_YORK)
    assert until - since == timedelta(hours=hours)


def test_the_alarm_lasts_until_both_parts_are_over_and_the_count_begins_anew():
    moments = ["2026-03-02T10:00"] * 3
    assert judge(*moments, now="2026-03-09T23:59").state == "alarm"
    over = judge(*moments, now="2026-03-10T00:00")
    assert (over.count, over.state, over.penalty) == (0, "fine", None)
    again = judge(*moments, "2026-03-11T09:00", "2026-03-12T09:00", now="2026-03-12T10:00")
    assert (again.count, again.state) == (2, "warning")


def test_the_order_of_records_does_not_matter():
    moments = ["2026-03-04T10:00", "2026-03-02T10:00", "2026-03-03T10:00"]
    assert judge(*moments, now="2026-03-04T11:00").penalty.began_at == at("2026-03-04T10:00").astimezone(UTC)


def test_every_limit_says_where_it_comes_from():
    assert all(limit.source and limit.status in ("unverified", "ours") for limit in standing_limits().values())


def test_a_calendar_nobody_wrote_is_refused():
    with pytest.raises(KeyError):
        load_calendar("../CN")
