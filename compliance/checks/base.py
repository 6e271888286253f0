"""Rule, finding, verdict: the vocabulary every family of checks speaks, and how findings become a verdict.

The verdict has three values (ETSI EN 319 102-1): a check that could not run is never counted as passed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import cv2

from compliance.checks.errors import DuplicateRule, UnknownRule
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile

Value = int | float | str
Box = tuple[int, int, int, int]

# What numpy, Pillow and OpenCV raise on pixels nobody foresaw. Anything else is a fault of the program and stops the
# job, which is also "not checked"; no kind of exception can turn into a pass.
PIXEL_FAULTS: tuple[type[BaseException], ...] = (
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    cv2.error,
)


class Level(StrEnum):
    """How much one finding weighs: ERROR fails the pair, CONFIRM waits for the seller's answer, WARNING only tells."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    CONFIRM = "CONFIRM"


class Verdict(StrEnum):
    """What is known about one rule or about the whole pair."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: which rule, how bad, where, and what was measured against what is allowed.

    bbox is (left, top, right, bottom) in pixels of the upright hidden image, or None for the whole file.
    detail is a stable word or a list of facts ("EXIF, XMP"); sentences for people come from codes.py.
    """

    rule: str
    code: str
    level: Level
    bbox: Box | None
    measured: Value
    allowed: Value
    unit: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check function says: its measurement, its findings, and why it cannot tell, if it cannot.

    `unknown` and `note` are keys of codes.REASONS. An unknown answer is INDETERMINATE; a note only explains, for
    example that a rule about plain backgrounds has nothing to measure on a street scene.
    """

    measured: Value | None
    allowed: Value | None
    unit: str
    findings: tuple[Finding, ...] = ()
    unknown: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement with a stable id; the codes its findings may carry, and the profile limits it reads."""

    id: str
    family: str
    title: str
    requires: str
    measured_as: str
    codes: tuple[str, ...]
    limits: tuple[str, ...]
    check: Callable[["Rule", Pair, Profile], Answer]

    @property
    def code(self) -> str:
        """The code of the rule's ordinary finding."""
        return self.codes[0]

    def finding(
        self,
        level: Level,
        measured: Value,
        allowed: Value,
        unit: str,
        *,
        code: str = "",
        bbox: Box | None = None,
        detail: str = "",
    ) -> Finding:
        """A finding of this rule, with the rule's first code unless told otherwise."""
        return Finding(self.id, code or self.code, level, bbox, measured, allowed, unit, detail)


@dataclass(frozen=True, slots=True)
class ListingRule:
    """A requirement on what belongs together in a listing, asked where that is known instead of on a pair alone."""

    id: str
    title: str
    requires: str
    measured_as: str
    codes: tuple[str, ...]
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """The three-valued answer of one rule for one pair."""

    rule: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    measured: Value | None
    allowed: Value | None
    unit: str
    reason: str


class Registry:
    """The rules of this version in order of their ids; an id can be taken once only."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules: dict[str, Rule] = {}
        for rule in rules:
            if rule.id in self._rules:
                raise DuplicateRule(rule.id)
            self._rules[rule.id] = rule

    def __iter__(self) -> Iterator[Rule]:
        return iter(sorted(self._rules.values(), key=lambda rule: rule.id))

    def __len__(self) -> int:
        return len(self._rules)

    def __getitem__(self, rule_id: str) -> Rule:
        if rule_id not in self._rules:
            raise UnknownRule(rule_id)
        return self._rules[rule_id]


def run_rule(rule: Rule, pair: Pair, profile: Profile) -> RuleOutcome:
    """The outcome of one rule; a check that breaks on these pixels is "not checked", never passed."""
    if not all(profile.has(name) for name in rule.limits):
        return _outcome(rule, Answer(None, None, "", unknown="limit_missing"))
    try:
        answer = rule.check(rule, pair, profile)
    except PIXEL_FAULTS as error:
        answer = Answer(None, None, "", unknown=f"check_broke:{type(error).__name__}")
    return _outcome(rule, answer)


def _outcome(rule: Rule, answer: Answer) -> RuleOutcome:
    verdict = judge(answer.findings, is_unknown=bool(answer.unknown))
    return RuleOutcome(
        rule.id,
        verdict,
        answer.findings,
        answer.measured,
        answer.allowed,
        answer.unit,
        answer.unknown or answer.note,
    )


def judge(findings: Iterable[Finding], *, is_unknown: bool) -> Verdict:
    """Any ERROR fails; otherwise an open question leaves it undecided; warnings alone pass."""
    levels = {finding.level for finding in findings}
    if Level.ERROR in levels:
        return Verdict.FAILED
    if is_unknown or Level.CONFIRM in levels:
        return Verdict.INDETERMINATE
    return Verdict.PASSED


def overall(outcomes: Iterable[RuleOutcome]) -> Verdict:
    """The verdict on the pair: one failed rule fails it, one undecided rule leaves it undecided.

    No outcomes at all is INDETERMINATE: nothing was looked at.
    """
    verdicts = [outcome.verdict for outcome in outcomes]
    if Verdict.FAILED in verdicts:
        return Verdict.FAILED
    if Verdict.INDETERMINATE in verdicts or not verdicts:
        return Verdict.INDETERMINATE
    return Verdict.PASSED
