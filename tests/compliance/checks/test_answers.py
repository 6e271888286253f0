"""Answers applied to a report: what counts, what it is judged by, and where an answer holds."""

from dataclasses import replace

import pytest

from compliance.checks.answers import (
    entry_levels,
    is_same_kind,
    is_same_place,
    open_questions,
    relative_place,
    with_answers,
)
from compliance.checks.base import Finding, Level, Verdict, overall
from compliance.checks.check import PairReport, check_pair
from tests.compliance.checks.pictures import PROFILE, encode, product

PICTURE = encode(product(), "JPEG")


def finding(level: Level, rule: str = "H12", box=(10, 10, 60, 30)) -> Finding:
    return Finding(rule, "ERR_IMG_HID_TEXT", level, box, 1, 0, "marks")


@pytest.fixture(scope="module")
def clean() -> PairReport:
    return check_pair(PICTURE, PICTURE, main_name="m", hidden_name="h", profile=PROFILE)


def with_findings(report: PairReport, *findings: Finding, unknown: str = "") -> PairReport:
    """The report as if these had been found; a rule without any stays as it was."""
    rules = {each.rule for each in findings}
    outcomes = tuple(
        replace(
            each,
            findings=tuple(found for found in findings if found.rule == each.rule),
            verdict=Verdict.FAILED
            if any(found.level is Level.ERROR and found.rule == each.rule for found in findings)
            else Verdict.INDETERMINATE,
        )
        if each.rule in rules or each.rule == unknown
        else each
        for each in report.outcomes
    )
    return replace(report, findings=findings, outcomes=outcomes, verdict=overall(outcomes))


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({}, "INDETERMINATE"),
        ({1: "product"}, "INDETERMINATE"),
        ({1: "product", 2: "product"}, "PASSED"),
        ({1: "product", 2: "added"}, "FAILED"),
        ({1: "added"}, "FAILED"),
    ],
)
def test_the_verdict_follows_from_all_answers(clean, answers, verdict):
    report = with_findings(clean, finding(Level.CONFIRM), finding(Level.CONFIRM, "H17"))
    settled = with_answers(report, answers)
    assert settled.verdict.value == verdict
    assert len(settled.findings) == len(report.findings)
    assert report.verdict is Verdict.INDETERMINATE


def test_no_answer_mends_an_error(clean):
    report = with_findings(clean, finding(Level.ERROR), finding(Level.CONFIRM))
    assert open_questions(report) == (2,)
    assert with_answers(report, {1: "product", 2: "product"}).verdict is Verdict.FAILED


def test_a_rule_that_could_not_tell_still_cannot(clean):
    report = with_findings(clean, finding(Level.CONFIRM), unknown="H10")
    assert with_answers(report, {1: "product"}).verdict is Verdict.INDETERMINATE


def test_an_entry_says_what_rests_on_an_answer(clean):
    report = with_findings(
        clean, finding(Level.ERROR), finding(Level.CONFIRM), finding(Level.CONFIRM), finding(Level.CONFIRM)
    )
    assert entry_levels(report, {2: "product", 3: "added"}) == ("ERROR", "ANSWERED", "ERROR", "CONFIRM")


def test_a_place_is_a_share_of_the_picture():
    assert relative_place(finding(Level.CONFIRM, box=(10, 20, 110, 60)), 200, 400) == [500, 500, 5500, 1500]
    assert relative_place(finding(Level.CONFIRM, box=None), 200, 400) is None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ((0, 0, 100, 40), True),
        ((20, 5, 110, 45), True),
        ((60, 0, 160, 40), False),
        ((200, 0, 300, 40), False),
        ((0, 0, 0, 0), False),
    ],
)
def test_half_of_what_two_boxes_cover_makes_one_place(other, same):
    assert is_same_place((0, 0, 100, 40), other) is same


def test_lettering_is_one_kind_and_a_price_another():
    assert is_same_kind("ERR_IMG_HID_TEXT", "ERR_IMG_HID_WATERMARK")
    assert not is_same_kind("ERR_IMG_HID_TEXT", "ERR_IMG_HID_PRICE")
    assert is_same_kind("ERR_IMG_HID_GRAPHIC", "ERR_IMG_HID_GRAPHIC")
