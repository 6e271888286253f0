"""The seller's answers to questions, applied to a stored report: what belongs to the product counts no more, what was
added counts as an error. The report itself stays as it is.
"""

from collections.abc import Mapping
from dataclasses import replace

from compliance.checks.base import Box, Finding, Level, RuleOutcome, judge, overall
from compliance.checks.check import PairReport

PRODUCT, ADDED = "product", "added"
# What a finding weighs in an entry once the seller has said that it belongs to the product.
ANSWERED_LEVEL = "ANSWERED"
PLACE_UNITS = 10_000
# Compression decides which of these one and the same lettering is called.
LETTERING = frozenset({"ERR_IMG_HID_TEXT", "ERR_IMG_HID_LOGO", "ERR_IMG_HID_WATERMARK"})
# Boxes of one print in two exports of a photo share far more than half of what they cover together.
SAME_PLACE = 0.5


def open_questions(report: PairReport) -> tuple[int, ...]:
    """Numbers, from 1, of the findings that ask the seller."""
    return tuple(number for number, each in enumerate(report.findings, start=1) if each.level is Level.CONFIRM)


def with_answers(report: PairReport, answers: Mapping[int, str]) -> PairReport:
    """The report with levels, outcomes and verdict as the answers make them; answers: PRODUCT or ADDED by number.

    Every finding keeps its number, also one that counts no more. Answers to what is no question are ignored.
    """
    asked = {number: answers[number] for number in open_questions(report) if number in answers}
    if not asked:
        return report
    findings = tuple(
        replace(each, level=Level.ERROR) if asked.get(number) == ADDED else each
        for number, each in enumerate(report.findings, start=1)
    )
    counting = [each for number, each in enumerate(findings, start=1) if asked.get(number) != PRODUCT]
    outcomes = tuple(_rejudged(outcome, counting) for outcome in report.outcomes)
    return replace(report, findings=findings, outcomes=outcomes, verdict=overall(outcomes))


def entry_levels(report: PairReport, answers: Mapping[int, str]) -> tuple[str, ...]:
    """The level of every finding as an entry states it."""
    questions = open_questions(report)
    settled = with_answers(report, answers)
    return tuple(
        ANSWERED_LEVEL if number in questions and answers.get(number) == PRODUCT else each.level.value
        for number, each in enumerate(settled.findings, start=1)
    )


def relative_place(finding: Finding, width: int, height: int) -> list[int] | None:
    """The finding's box in ten thousandths of the picture's sides; None for the whole file."""
    if finding.bbox is None:
        return None
    sides = (width, height, width, height)
    return [round(PLACE_UNITS * edge / max(1, side)) for edge, side in zip(finding.bbox, sides, strict=True)]


def is_same_kind(code: str, other: str) -> bool:
    """Whether an answer about the one says something about the other: the same code, or lettering of any name."""
    return code == other or {code, other} <= LETTERING


def is_same_place(first: Box, second: Box) -> bool:
    """Whether two boxes share at least half of what they cover together."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0, across) * max(0, down)
    together = _area(first) + _area(second) - shared
    return together > 0 and shared >= SAME_PLACE * together


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _rejudged(outcome: RuleOutcome, counting: list[Finding]) -> RuleOutcome:
    """Only rules that asked change: what could not tell for another reason still cannot."""
    if not any(finding.level is Level.CONFIRM for finding in outcome.findings):
        return outcome
    kept = tuple(finding for finding in counting if finding.rule == outcome.rule)
    return replace(outcome, findings=kept, verdict=judge(kept, is_unknown=False))
