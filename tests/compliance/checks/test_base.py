"""Findings to verdicts: the table of compliance checks, and the rule that a broken check never passes."""

from dataclasses import replace

import cv2
import pytest

from compliance.checks.base import Answer, Finding, Level, Registry, RuleOutcome, Verdict, judge, overall, run_rule
from compliance.checks.errors import DuplicateRule, UnknownRule
from compliance.checks.profile import load_profile
from compliance.checks.rules import NOT_LOOKED_AT, RULES
from tests.compliance.checks.pictures import PROFILE, encode, pair_of, product

E, W, C = Level.ERROR, Level.WARNING, Level.CONFIRM
PASSED, FAILED, INDETERMINATE = Verdict.PASSED, Verdict.FAILED, Verdict.INDETERMINATE


def finding(level: Level) -> Finding:
    return Finding("H99", "ERR_IMG_TEST", level, None, 1, 0, "px")


def outcome(verdict: Verdict) -> RuleOutcome:
    return RuleOutcome("H99", verdict, (), None, None, "", "")


@pytest.mark.parametrize(
    ("levels", "is_unknown", "verdict"),
    [
        ((), False, PASSED),
        ((W,), False, PASSED),
        ((W, W), False, PASSED),
        ((C,), False, INDETERMINATE),
        ((W, C), False, INDETERMINATE),
        ((), True, INDETERMINATE),
        ((W,), True, INDETERMINATE),
        ((E,), False, FAILED),
        ((E,), True, FAILED),
        ((E, W, C), True, FAILED),
    ],
)
def test_levels_make_the_verdict_of_a_rule(levels, is_unknown, verdict):
    assert judge([finding(level) for level in levels], is_unknown=is_unknown) is verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), INDETERMINATE),
        ((PASSED,), PASSED),
        ((PASSED, INDETERMINATE), INDETERMINATE),
        ((PASSED, INDETERMINATE, FAILED), FAILED),
        ((FAILED, PASSED), FAILED),
    ],
)
def test_rules_make_the_verdict_of_the_pair(verdicts, expected):
    assert overall([outcome(verdict) for verdict in verdicts]) is expected


@pytest.mark.parametrize(
    "error", [ValueError("x"), ZeroDivisionError(), IndexError(), cv2.error("x"), MemoryError(), TypeError()]
)
def test_a_check_that_breaks_is_not_checked(error):
    def break_down(rule, pair, profile):
        raise error

    pair = pair_of(encode(product()), encode(product()))
    found = run_rule(replace(RULES["H10"], check=break_down), pair, PROFILE)
    assert found.verdict is INDETERMINATE
    assert found.reason == f"check_broke:{type(error).__name__}"


def test_a_rule_whose_limit_an_old_profile_lacks_cannot_tell():
    pair = pair_of(encode(product()), encode(product()))
    found = run_rule(RULES["H08"], pair, load_profile("aliexpress-seed-2024", 1))
    assert (found.verdict, found.reason) == (INDETERMINATE, "limit_missing")


def test_a_note_explains_and_does_not_undo_a_pass():
    def nothing_to_measure(rule, pair, profile):
        return Answer(None, 5, "RGB levels", note="no_plain_background")

    pair = pair_of(encode(product()), encode(product()))
    found = run_rule(replace(RULES["H10"], check=nothing_to_measure), pair, PROFILE)
    assert (found.verdict, found.reason) == (PASSED, "no_plain_background")


def test_an_id_cannot_be_taken_twice():
    with pytest.raises(DuplicateRule) as error:
        Registry((RULES["H03"], RULES["H04"], RULES["H03"]))
    assert error.value.rule_id == "H03"


def test_an_unknown_id_is_named():
    with pytest.raises(UnknownRule) as error:
        RULES["H99"]
    assert error.value.rule_id == "H99"


def test_the_ids_of_this_version_are_stable():
    listed = "H03 H04 H05 H06 H07 H08 H09 H10 H11 H12 H13 H14 H15 H16 H17 H18 H19 H20 H21 H22 H24 Q01 T01"
    assert " ".join(rule.id for rule in RULES) == listed


def test_no_rule_is_both_answered_and_not_looked_at():
    assert not {rule.id for rule in RULES} & set(NOT_LOOKED_AT)
