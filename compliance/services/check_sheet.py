"""A check's report in the reader's language: what the result page shows and what the receipt prints.

Figures come from the stored report, so an old check reads as it was; where a limit comes from is looked up in the
profile version that the check used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from compliance.checks.answers import PRODUCT, with_answers
from compliance.checks.base import Box, Finding, Level, ListingRule, Rule, RuleOutcome, Value, Verdict
from compliance.checks.check import PairReport
from compliance.checks.codes import NOT_LOOKED_AT_TITLES, code_text, detail_text, forecast_share, reason_text
from compliance.checks.errors import ProfileUnknown, UnknownRule
from compliance.checks.profile import Limit, Profile, load_profile
from compliance.checks.rules import LISTING_RULES, RULES
from compliance.checks.words import gettext_noop

# Larger is better for these; for every other number smaller is.
AT_LEAST = frozenset({"H01", "H07", "H09", "Q01", "Q04"})
UNITS = {
    "RGB levels": gettext_noop("RGB levels"),
    "px": "px",
    "deg": "°",
    "slope": "",
    "log ratio": "",
    "mirrored": "",
    "steps": gettext_noop("steps"),
    "quality": gettext_noop("quality"),
    "files": gettext_noop("hidden images"),
}
# What was counted is named by the finding's detail.
COUNTS = frozenset({"blocks", "codes", "markers", "marks", "mirrored", "positions"})
ORIGINAL_RULE = "T01"  # in every report since originals are looked up
NOT_MEASURED = "—"
SSIM_FROM = 0.5  # where the drawn scale begins: below it pictures have nothing in common
MEGABYTE = 1_000_000
LEVEL_STATES = {Level.ERROR: "failed", Level.CONFIRM: "unknown", Level.WARNING: "needs-you"}
VERDICT_STATES = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.INDETERMINATE: "unknown"}


@dataclass(frozen=True, slots=True)
class Gauge:
    """Where the measured value and the allowed band lie on a scale of 0..100."""

    here: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Place:
    """A box on the hidden image, pixels from top left."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One finding in words; number is the one drawn on the picture, place None means the whole file.

    answer: what the seller said to a question, product or added; empty for an open question and for anything else.
    """

    number: int
    rule: str
    rule_title: str
    code: str
    level: str
    state: str
    title: str
    advice: str
    detail: str
    place: Place | None
    measured: str
    allowed: str
    gauge: Gauge | None
    answer: str = ""

    @property
    def is_open(self) -> bool:
        """A question that waits for the seller."""
        return self.level == Level.CONFIRM and not self.answer


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule's answer in words, with the limits it read and where they come from; numbers are its findings'."""

    rule: str
    title: str
    requires: str
    verdict: str
    state: str
    codes: tuple[str, ...]
    measured: str
    allowed: str
    reason: str
    limits: tuple[Limit, ...]
    numbers: tuple[int, ...] = ()
    gauge: Gauge | None = None

    @property
    def has_news(self) -> bool:
        """Something was found, or could not be told: what a reader in a hurry has to see."""
        return bool(self.numbers) or self.verdict != Verdict.PASSED

    @property
    def had_nothing_to_measure(self) -> bool:
        """The rule does not apply to these pictures: it broke nothing, which is less than passing."""
        return self.verdict == Verdict.PASSED and self.measured == NOT_MEASURED


@dataclass(frozen=True, slots=True)
class CheckSheet:
    """All that is said about one finished check."""

    verdict: str
    state: str
    findings: tuple[FindingLine, ...]
    rules: tuple[RuleLine, ...]
    not_looked_at: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    profile: Profile | None
    # Whether the registered original was looked for, and why it could not be compared when one was found.
    looked_for_original: bool
    original_reason: str

    @property
    def errors(self) -> int:
        return sum(line.level == Level.ERROR for line in self.findings)

    @property
    def questions(self) -> int:
        """How many findings wait for the seller's answer."""
        return sum(line.is_open for line in self.findings)

    @property
    def loud_rules(self) -> tuple[RuleLine, ...]:
        return tuple(line for line in self.rules if line.has_news)

    @property
    def quiet_rules(self) -> tuple[RuleLine, ...]:
        """Rules that passed without a finding, or had nothing to measure."""
        return tuple(line for line in self.rules if not line.has_news)


def check_sheet(report: PairReport, answers: Mapping[int, str] | None = None) -> CheckSheet:
    """The report in the language that is active now, with the seller's answers by the finding's number."""
    report, given = with_answers(report, answers or {}), answers or {}
    profile = used_profile(report.profile_id, report.profile_version)
    return CheckSheet(
        verdict=report.verdict.value,
        state=VERDICT_STATES[report.verdict],
        findings=finding_lines(report.findings, given),
        rules=tuple(_rule_line(outcome, profile, _numbers(report, outcome.rule)) for outcome in report.outcomes),
        not_looked_at=tuple((rule, _say(NOT_LOOKED_AT_TITLES.get(rule, rule))) for rule in report.not_looked_at),
        reasons=_reasons(report.outcomes),
        profile=profile,
        looked_for_original=any(outcome.rule == ORIGINAL_RULE for outcome in report.outcomes),
        original_reason=_say(reason_text(report.original.reason)) if report.original else "",
    )


def finding_lines(findings: Sequence[Finding], answers: Mapping[int, str] | None = None) -> tuple[FindingLine, ...]:
    """Findings in the language that is active now, numbered in their order."""
    return tuple(
        _finding_line(number, finding, (answers or {}).get(number, ""))
        for number, finding in enumerate(findings, start=1)
    )


def _numbers(report: PairReport, rule: str) -> tuple[int, ...]:
    return tuple(number for number, each in enumerate(report.findings, start=1) if each.rule == rule)


def used_profile(profile_id: str, version: int) -> Profile | None:
    """The limits a check was held against; None when this installation no longer carries that version."""
    try:
        return load_profile(profile_id, version)
    except ProfileUnknown:
        return None


def format_value(value: Value | None, unit: str) -> str:
    """A measured value as people read it, with its unit."""
    if value is None:
        return NOT_MEASURED
    if isinstance(value, str):
        return f"{value.replace('x', ' × ')} px" if unit == "px" else value
    if unit == "bytes":
        return _format_bytes(int(value))
    if unit in {"share", "opacity"}:
        return f"{value:.1%}".replace(".0%", "%")
    if unit == "ssim":
        return f"{value:.4f}".rstrip("0")
    if unit in COUNTS:
        return f"{value:g}" if value else gettext("none")
    return f"{value:g} {_say(UNITS.get(unit, unit))}".rstrip()


def _format_bytes(size: int) -> str:
    """Decimal units; near a limit in megabytes the exact number counts, so it is there."""
    if size < MEGABYTE:
        return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} B"
    return f"{size // MEGABYTE} MB" if size % MEGABYTE == 0 else f"{size / MEGABYTE:.2f} MB ({size:,} B)"


def format_allowed(rule: str, value: Value | None, unit: str) -> str:
    """The allowed value with its direction; text values (formats, sizes) stand for themselves."""
    words = format_value(value, unit)
    if value is None or isinstance(value, str):
        return words
    if unit in COUNTS and not value:
        return words
    return f"{'≥' if rule in AT_LEAST else '≤'} {words}"


def gauge_of(finding: Finding | RuleOutcome) -> Gauge | None:
    """What was measured on a scale; None where there is nothing to draw, for words and for "none allowed"."""
    measured, allowed = finding.measured, finding.allowed
    if not isinstance(measured, int | float) or not isinstance(allowed, int | float) or allowed <= 0:
        return None
    if finding.unit == "ssim":
        first, last = SSIM_FROM, 1.0
    else:
        first, last = 0.0, max(2.0 * allowed, 1.1 * measured)

    def at(value: float) -> float:
        return round(100 * min(1.0, max(0.0, (value - first) / (last - first))), 1)

    band = (at(allowed), 100.0) if finding.rule in AT_LEAST else (0.0, at(allowed))
    return Gauge(at(measured), *band)


def _finding_line(number: int, finding: Finding, answer: str) -> FindingLine:
    text = code_text(finding.code)
    rule = _rule(finding.rule)
    measured, detail = format_value(finding.measured, finding.unit), _say(detail_text(finding.detail))
    if finding.unit in COUNTS and detail:
        measured, detail = detail, ""
    elif share := forecast_share(finding.detail):
        detail = gettext("forecast of the whole picture; the removed promotion covers %(share)s of it") % {
            "share": share
        }
    elif finding.rule == "H03" and detail:
        detail = gettext("off by %(amount)s") % {"amount": detail}
    return FindingLine(
        number=number,
        rule=finding.rule,
        rule_title=_say(rule.title) if rule else finding.rule,
        code=finding.code,
        level=finding.level.value,
        state="passed" if answer == PRODUCT else LEVEL_STATES[finding.level],
        title=_say(text.title),
        advice=_say(text.advice),
        detail=detail,
        place=_place(finding.bbox),
        measured=measured,
        allowed=format_allowed(finding.rule, finding.allowed, finding.unit),
        gauge=gauge_of(finding),
        answer=answer,
    )


def _rule_line(outcome: RuleOutcome, profile: Profile | None, numbers: tuple[int, ...]) -> RuleLine:
    rule = _rule(outcome.rule)
    limits: tuple[Limit, ...] = ()
    if rule is not None and profile is not None:
        limits = tuple(profile.limit(name) for name in rule.limits if profile.has(name))
    return RuleLine(
        rule=outcome.rule,
        title=_say(rule.title) if rule else outcome.rule,
        requires=_say(rule.requires) if rule else "",
        verdict=outcome.verdict.value,
        state=VERDICT_STATES[outcome.verdict],
        codes=tuple(dict.fromkeys(finding.code for finding in outcome.findings)),
        measured=format_value(outcome.measured, outcome.unit),
        allowed=format_allowed(outcome.rule, outcome.allowed, outcome.unit),
        reason=_say(reason_text(outcome.reason)),
        limits=limits,
        numbers=numbers,
        gauge=gauge_of(outcome),
    )


def _rule(rule_id: str) -> Rule | ListingRule | None:
    """The rule of this version; a report of another version may name one that is not here."""
    try:
        return LISTING_RULES.get(rule_id) or RULES[rule_id]
    except UnknownRule:
        return None


def _place(box: Box | None) -> Place | None:
    return None if box is None else Place(box[0], box[1], box[2] - box[0], box[3] - box[1])


def _reasons(outcomes: Sequence[RuleOutcome]) -> tuple[str, ...]:
    """Why the check as a whole cannot tell, each reason once."""
    unknown = [outcome for outcome in outcomes if outcome.verdict is Verdict.INDETERMINATE and outcome.reason]
    return tuple(dict.fromkeys(_say(reason_text(outcome.reason)) for outcome in unknown))


def _say(message: str) -> str:
    """Translated; the empty message is not a message (gettext would answer with the catalogue's header)."""
    return gettext(message) if message else ""
