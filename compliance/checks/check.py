"""One pair in, one report out: decode both files once, ask every rule, draw the difference.

The stopwatch is an argument so that tests need no time to pass; nothing else of the world outside is touched.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from compliance.checks.base import Finding, Level, RuleOutcome, Value, Verdict, overall, run_rule
from compliance.checks.heatmap import pair_heatmap
from compliance.checks.opening import open_pair
from compliance.checks.pair import Pair, Side
from compliance.checks.profile import Profile
from compliance.checks.rules import NOT_LOOKED_AT, RULES
from ledger.categories import UnknownCategory, category_by_slug

REPORT_VERSION = 1
ORDER = (Level.ERROR, Level.CONFIRM, Level.WARNING)


@dataclass(frozen=True, slots=True)
class SideReport:
    """Facts about one file; width and height are upright."""

    name: str
    format: str
    width: int
    height: int
    size_bytes: int
    metadata: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PairReport:
    """All that is known about one pair.

    ssim is over the whole picture at ssim_scale_px on the long side; ssim_masked stays None until overlays are found.
    background_deviation is in RGB levels, None without a plain background. heatmap is a PNG.
    """

    verdict: Verdict
    outcomes: tuple[RuleOutcome, ...]
    findings: tuple[Finding, ...]
    ssim: float | None
    ssim_masked: float | None
    ssim_scale_px: int
    background_deviation: float | None
    timings_ms: dict[str, float]
    heatmap: bytes
    main: SideReport
    hidden: SideReport
    profile_id: str
    profile_version: int
    category: str
    hidden_need: str
    not_looked_at: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values, without the heatmap. Keys are stable; new ones may be added."""
        return {
            "report_version": REPORT_VERSION,
            "verdict": self.verdict.value,
            "findings": [_finding_dict(finding) for finding in self.findings],
            "outcomes": [_outcome_dict(outcome) for outcome in self.outcomes],
            "ssim": self.ssim,
            "ssim_masked": self.ssim_masked,
            "ssim_scale_px": self.ssim_scale_px,
            "background_deviation": self.background_deviation,
            "timings_ms": self.timings_ms,
            "main": _side_dict(self.main),
            "hidden": _side_dict(self.hidden),
            "profile": {"id": self.profile_id, "version": self.profile_version},
            "category": self.category,
            "hidden_need": self.hidden_need,
            "not_looked_at": list(self.not_looked_at),
        }


def check_pair(
    main: bytes,
    hidden: bytes,
    *,
    main_name: str,
    hidden_name: str,
    profile: Profile,
    category: str = "",
    clock: Callable[[], float] = perf_counter,
) -> PairReport:
    """Check a main image and its hidden image against a profile.

    category is a slug or the seller's own words (then hidden_need is empty). Raises PictureRefused, naming the side
    and the cause, when a file is no picture that can be decoded. Runs on hostile bytes: call it in the limited child.
    """
    since = clock()
    pair = open_pair(
        main,
        hidden,
        main_name=main_name,
        hidden_name=hidden_name,
        long_side_px=profile.integer("ssim_long_side_px"),
    )
    return check_opened(pair, profile=profile, category=category, clock=clock, decode_ms=_elapsed_ms(clock, since))


def check_opened(
    pair: Pair, *, profile: Profile, category: str, clock: Callable[[], float], decode_ms: float
) -> PairReport:
    """The report on a pair that is decoded already; decode_ms is what that took."""
    timings = {"decode": decode_ms}
    outcomes = []
    for rule in RULES:
        since = clock()
        outcomes.append(run_rule(rule, pair, profile))
        timings[rule.id] = _elapsed_ms(clock, since)
    findings = sort_findings(outcomes)
    since = clock()
    heatmap = pair_heatmap(pair, findings)
    timings["heatmap"] = _elapsed_ms(clock, since)
    timings["total"] = round(sum(timings.values()), 2)
    return _report(pair, profile, category, tuple(outcomes), findings, timings, heatmap)


def sort_findings(outcomes: list[RuleOutcome]) -> tuple[Finding, ...]:
    """Errors first, then questions, then warnings; within a level by rule."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    return tuple(sorted(found, key=lambda finding: (ORDER.index(finding.level), finding.rule)))


def _report(
    pair: Pair,
    profile: Profile,
    category: str,
    outcomes: tuple[RuleOutcome, ...],
    findings: tuple[Finding, ...],
    timings: dict[str, float],
    heatmap: bytes,
) -> PairReport:
    measured = {outcome.rule: outcome.measured for outcome in outcomes}
    return PairReport(
        verdict=overall(outcomes),
        outcomes=outcomes,
        findings=findings,
        ssim=_number(measured["H07"]),
        ssim_masked=None,
        ssim_scale_px=pair.frame_px,
        background_deviation=_number(measured["H10"]),
        timings_ms=timings,
        heatmap=heatmap,
        main=_side_report(pair.main),
        hidden=_side_report(pair.hidden),
        profile_id=profile.id,
        profile_version=profile.version,
        category=category,
        hidden_need=_hidden_need(category),
        not_looked_at=NOT_LOOKED_AT,
    )


def _hidden_need(category: str) -> str:
    try:
        return category_by_slug(category).hidden
    except UnknownCategory:
        return ""


def _side_report(side: Side) -> SideReport:
    return SideReport(side.name, side.format, side.width, side.height, side.size_bytes, side.metadata)


def _side_dict(side: SideReport) -> dict[str, Any]:
    return {**asdict(side), "metadata": list(side.metadata)}


def _finding_dict(finding: Finding) -> dict[str, Any]:
    box = None if finding.bbox is None else list(finding.bbox)
    return {**asdict(finding), "level": finding.level.value, "bbox": box}


def _outcome_dict(outcome: RuleOutcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule,
        "verdict": outcome.verdict.value,
        "measured": outcome.measured,
        "allowed": outcome.allowed,
        "unit": outcome.unit,
        "reason": outcome.reason,
    }


def _number(value: Value | None) -> float | None:
    return None if value is None else float(value)


def _elapsed_ms(clock: Callable[[], float], since: float) -> float:
    return round((clock() - since) * 1000, 2)
