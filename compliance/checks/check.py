"""One pair in, one report out: decode both files once, ask every rule, draw the difference.

The stopwatch is an argument so that tests need no time to pass; nothing else of the world outside is touched.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from compliance.checks.base import PIXEL_FAULTS, Finding, Level, RuleOutcome, Value, Verdict, overall, run_rule
from compliance.checks.changes import Changes, changes_of
from compliance.checks.heatmap import pair_heatmap
from compliance.checks.opening import open_pair
from compliance.checks.pair import Pair, Side
from compliance.checks.pairing import SSIM_DECIMALS
from compliance.checks.profile import Profile
from compliance.checks.rules import NOT_LOOKED_AT, RULES
from compliance.checks.settle import settle_outcomes
from compliance.checks.threeway import three_way
from ledger.categories import UnknownCategory, category_by_slug

REPORT_VERSION = 1
SHARED: tuple[tuple[str, Callable[[Pair], object]], ...] = (("compare", changes_of), ("three_way", three_way))
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
class OriginalReport:
    """The registered original that the hidden image was compared with: its upright size and how the hidden image came
    from it (same, scaled, cropped, turned, mirrored, graded); reason says why it could not be compared, if it could not.
    """

    name: str
    width: int
    height: int
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class PairReport:
    """All that is known about one pair.

    ssim is over the whole picture at ssim_scale_px on the long side, ssim_masked outside the overlays, overlay_share of
    the frame; all None when the pictures are too small. background_deviation is in RGB levels, None without a plain
    background. heatmap is a PNG. original is None when none was given.
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
    overlay_share: float | None = None
    original: OriginalReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values, without the heatmap. Keys are stable; new ones may be added."""
        return {
            "report_version": REPORT_VERSION,
            "verdict": self.verdict.value,
            "findings": [finding_dict(finding) for finding in self.findings],
            "outcomes": [_outcome_dict(outcome) for outcome in self.outcomes],
            "ssim": self.ssim,
            "ssim_masked": self.ssim_masked,
            "ssim_scale_px": self.ssim_scale_px,
            "background_deviation": self.background_deviation,
            "timings_ms": self.timings_ms,
            "main": side_dict(self.main),
            "hidden": side_dict(self.hidden),
            "profile": {"id": self.profile_id, "version": self.profile_version},
            "category": self.category,
            "hidden_need": self.hidden_need,
            "not_looked_at": list(self.not_looked_at),
            "overlay_share": self.overlay_share,
            "original": None if self.original is None else asdict(self.original),
        }


def check_pair(
    main: bytes,
    hidden: bytes,
    *,
    main_name: str,
    hidden_name: str,
    profile: Profile,
    category: str = "",
    original: bytes | None = None,
    original_name: str = "",
    clock: Callable[[], float] = perf_counter,
) -> PairReport:
    """Check a main image and its hidden image against a profile, and against the registered original if it is given.

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
        original=original,
        original_name=original_name,
    )
    return check_opened(pair, profile=profile, category=category, clock=clock, decode_ms=_elapsed_ms(clock, since))


def check_opened(
    pair: Pair, *, profile: Profile, category: str, clock: Callable[[], float], decode_ms: float
) -> PairReport:
    """The report on a pair that is decoded already; decode_ms is what that took."""
    timings = {"decode": decode_ms}
    # What rules share is computed by whichever asks first; done here, the time is seen where it belongs.
    for stage, derive in SHARED:
        since = clock()
        with suppress(*PIXEL_FAULTS):  # each rule that asks again meets the fault itself, and says so
            derive(pair)
        timings[stage] = _elapsed_ms(clock, since)
    outcomes = []
    for rule in RULES:
        since = clock()
        outcomes.append(run_rule(rule, pair, profile))
        timings[rule.id] = _elapsed_ms(clock, since)
    outcomes = settle_outcomes(pair, outcomes)
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
    changes = _changes(pair)
    return PairReport(
        verdict=overall(outcomes),
        outcomes=outcomes,
        findings=findings,
        ssim=None if changes is None else round(changes.ssim, SSIM_DECIMALS),
        ssim_masked=None if changes is None else round(changes.ssim_masked, SSIM_DECIMALS),
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
        overlay_share=None if changes is None else round(changes.overlay_share, 3),
        original=_original_report(pair),
    )


def _changes(pair: Pair) -> Changes | None:
    """The comparison, or None when these pixels cannot be compared; the rules have said why."""
    try:
        return changes_of(pair)
    except PIXEL_FAULTS:
        return None


def _original_report(pair: Pair) -> OriginalReport | None:
    original = pair.original
    if original is None:
        return None
    try:
        found = three_way(pair)
        path, reason = found.path, found.reason
    except PIXEL_FAULTS as error:
        path, reason = "", f"check_broke:{type(error).__name__}"
    return OriginalReport(original.name, original.width, original.height, path, reason)


def _hidden_need(category: str) -> str:
    try:
        return category_by_slug(category).hidden
    except UnknownCategory:
        return ""


def _side_report(side: Side) -> SideReport:
    return SideReport(side.name, side.format, side.width, side.height, side.size_bytes, side.metadata)


def side_dict(side: SideReport) -> dict[str, Any]:
    """As JSON values."""
    return {**asdict(side), "metadata": list(side.metadata)}


def finding_dict(finding: Finding) -> dict[str, Any]:
    """As JSON values."""
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
