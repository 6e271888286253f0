"""Deadlines over golden weeks, worked weekends, Thanksgiving and Easter; which rules an event starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from compliance.cases.deadlines import add_months, due_after, load_rules, rules_after, rules_for
from compliance.cases.target import load_targets

RULES = load_rules()
SHANGHAI, NEW_YORK, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")


def due(rule_id: str, start: str, zone: ZoneInfo = SHANGHAI):
    return due_after(RULES[rule_id], datetime.fromisoformat(start), zone)


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        # Three business days in an ordinary week; over a weekend.
        ("alibaba.counter1", "2026-11-23T10:00+08:00", "2026-11-26T10:00+08:00"),
        ("alibaba.counter1", "2026-11-27T18:30+08:00", "2026-12-02T18:30+08:00"),
        # The golden week of National Day 2026: 30 September, then 8, 9 and the worked Saturday 10 October.
        ("alibaba.counter1", "2026-09-30T09:00+08:00", "2026-10-10T09:00+08:00"),
        ("alibaba.counter1", "2026-10-03T09:00+08:00", "2026-10-10T09:00+08:00"),
        # Spring Festival 2026: Saturdays 14 and 28 February are worked, 15 to 23 February are off.
        ("alibaba.counter1", "2026-02-13T09:00+08:00", "2026-02-25T09:00+08:00"),
        ("alibaba.counter2", "2026-02-14T09:00+08:00", "2026-03-03T09:00+08:00"),
        # Late in the evening in UTC it is the next day in China.
        ("alibaba.counter1", "2026-11-22T17:00+00:00", "2026-11-26T01:00+08:00"),
        # Ten and fourteen business days over Veterans Day and Thanksgiving.
        ("dmca.putback_min", "2026-11-10T12:00-05:00", "2026-11-25T12:00-05:00"),
        ("dmca.putback_max", "2026-11-10T12:00-05:00", "2026-12-02T12:00-05:00"),
        ("dmca.putback_min", "2026-11-20T12:00-05:00", "2026-12-07T12:00-05:00"),
        # Calendar days do not care for holidays.
        ("cn.ecl43", "2026-09-25T09:00+08:00", "2026-10-10T09:00+08:00"),
        ("amazon.counter_restore", "2026-11-20T09:00-05:00", "2026-11-30T09:00-05:00"),
        ("meli.seller_reply", "2026-11-27T09:00+08:00", "2026-12-01T09:00+08:00"),
        ("tiktok.appeal1", "2026-11-27T09:00+08:00", "2026-12-27T09:00+08:00"),
        # Six months end on the last day of a month that is too short.
        ("dsa.art20_complaint", "2026-08-31T09:00+08:00", "2027-02-28T09:00+08:00"),
    ],
)
def test_a_term_ends_on_the_right_day(rule, start, expected):
    assert due(rule, start).at == datetime.fromisoformat(expected)


def test_a_clock_change_keeps_the_time_of_day():
    found = due("us.tro", "2026-10-25T09:00-04:00").at
    assert found.astimezone(NEW_YORK) == datetime(2026, 11, 8, 9, 0, tzinfo=NEW_YORK)
    assert found == datetime(2026, 11, 8, 14, 0, tzinfo=UTC)


def test_business_days_over_target_easter():
    rule = replace(RULES["alibaba.counter1"], calendar="EU")
    found = due_after(rule, datetime(2026, 4, 2, 10, tzinfo=BERLIN), BERLIN)
    assert found.at == datetime(2026, 4, 9, 10, tzinfo=BERLIN)


def test_a_year_without_a_notice_is_an_estimate():
    assert due("alibaba.counter1", "2026-12-30T09:00+08:00").is_estimated
    assert not due("alibaba.counter1", "2026-12-28T09:00+08:00").is_estimated
    assert not due("cn.ecl43", "2026-12-30T09:00+08:00").is_estimated  # calendar days need no notice


def test_hours_are_hours():
    rule = replace(RULES["alibaba.counter1"], unit="h", amount=72)
    start = datetime(2026, 10, 1, tzinfo=UTC)
    assert due_after(rule, start, SHANGHAI).at == datetime(2026, 10, 4, tzinfo=UTC)


def test_add_months_over_a_year():
    assert add_months(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert add_months(date(2027, 8, 31), 6) == date(2028, 2, 29)
    assert add_months(date(2026, 12, 1), 12) == date(2027, 12, 1)


def names(event: str, target: str, kind: str, known=()) -> list[str]:
    return [rule.id for rule in rules_after(event, target=target, kind=kind, known=known)]


def test_a_notice_starts_the_clock_of_who_answers():
    assert names("notice_received", "alibaba_ipp", "defence") == ["alibaba.counter1"]
    assert names("notice_received", "alibaba_ipp", "complaint") == []
    assert names("notice_received", "amazon_report", "defence") == ["amazon.inventory_removal"]
    assert names("notice_received", "tiktok_ippc", "counter_notice") == ["tiktok.appeal1"]


def test_each_refusal_starts_the_next_round_until_there_is_none():
    had = ["alibaba.counter1"]
    assert names("rejected", "alibaba_ipp", "counter_notice", had) == ["alibaba.counter2"]
    had.append("alibaba.counter2")
    assert names("rejected", "alibaba_ipp", "counter_notice", had) == ["alibaba.counter3"]
    had.append("alibaba.counter3")
    assert names("rejected", "alibaba_ipp", "counter_notice", had) == []


def test_a_counter_notice_starts_the_clock_of_who_complained():
    assert names("countered", "dmca_512c3", "complaint") == ["dmca.putback_min", "dmca.putback_max"]
    assert names("countered", "cn_ecl42", "complaint") == ["cn.ecl43"]
    assert names("countered", "amazon_report", "complaint") == ["amazon.counter_restore"]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_rules_are_whole(rule):
    assert rule.unit in ("h", "d", "bd", "mo")
    assert rule.unit != "bd" or rule.calendar
    assert set(rule.targets) <= load_targets().keys()
    assert rule.source.zh
    assert rule.source.en
    assert rule.status in ("published", "reported", "unverified")
    assert rule.words.zh
    assert rule.words.en


def test_a_restraining_order_can_be_added_to_any_case():
    assert "us.tro" in [rule.id for rule in rules_for("ebay_vero")]
