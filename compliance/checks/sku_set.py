"""A collage and the hidden images of its SKUs: each hidden image by itself, and all of them together (H23, H01, H02).

A SKU's hidden image is no twin of the collage, so nothing is compared with it; what may stand on a hidden image, its
file and its size are asked as always.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from compliance.checks import report as reading
from compliance.checks.base import Finding, Level, Verdict, judge, overall, run_rule
from compliance.checks.check import OriginalReport, PairReport, SideReport, sort_findings
from compliance.checks.collage import Grid, find_grid, find_reused
from compliance.checks.need import CONDITIONAL, NONE, HiddenNeed, check_need
from compliance.checks.opening import open_pair, open_side
from compliance.checks.pair import Pair, Pixels, Side
from compliance.checks.profile import Profile
from compliance.checks.rules import RULES
from compliance.checks.settle import settle_outcomes
from compliance.checks.threeway import three_way

# What a hidden image is asked without its main image.
ALONE_RULES = ("H05", "H06", "H12", "H13", "H14", "H15", "H16", "H17", "H21", "H22", "Q01", "T01")
MAX_DETAIL = 200


@dataclass(frozen=True, slots=True)
class CollageReport:
    """The collage: its facts, its grid of cells, and what its category asks of a listing without hidden images."""

    side: SideReport
    grid: Grid
    need: HiddenNeed


def check_alone(
    hidden: bytes, *, name: str, profile: Profile, original: bytes | None = None, original_name: str = ""
) -> tuple[PairReport, Side]:
    """The report on one hidden image without a main image, with no similarity, and the opened picture.

    Raises PictureRefused. Runs on hostile bytes: call it in the limited child.
    """
    since = perf_counter()
    opened = open_pair(
        hidden,
        hidden,
        main_name=name,
        hidden_name=name,
        long_side_px=profile.integer("ssim_long_side_px"),
        original=original,
        original_name=original_name,
    )
    side = opened.hidden
    pair = Pair(side, side, opened.hidden_work, opened.hidden_work, opened.original)
    outcomes = settle_outcomes(pair, [run_rule(RULES[rule], pair, profile) for rule in ALONE_RULES])
    facts = _facts(side)
    report = PairReport(
        verdict=overall(outcomes),
        outcomes=tuple(outcomes),
        findings=sort_findings(outcomes),
        ssim=None,
        ssim_masked=None,
        ssim_scale_px=pair.frame_px,
        background_deviation=None,
        timings_ms={"total": round((perf_counter() - since) * 1000, 2)},
        heatmap=b"",
        main=facts,
        hidden=facts,
        profile_id=profile.id,
        profile_version=profile.version,
        category="",
        hidden_need="",
        not_looked_at=(),
        original=_original(pair),
    )
    return report, side


def _facts(side: Side) -> SideReport:
    return SideReport(side.name, side.format, side.width, side.height, side.size_bytes, side.metadata)


def _original(pair: Pair) -> OriginalReport | None:
    view = pair.original
    if view is None:
        return None
    found = three_way(pair)
    return OriginalReport(view.name, view.width, view.height, found.path, found.reason)


def check_collage(main: bytes, *, name: str, category: str) -> tuple[CollageReport, Side]:
    """The collage by itself. Raises PictureRefused; for the limited child."""
    side = open_side("main", main, name)
    return CollageReport(_facts(side), find_grid(side.preview), check_need(side, category)), side


def parse_collage(values: Mapping[str, Any]) -> CollageReport:
    """What the child said about a collage; ReportMalformed names a wrong value."""
    grid = Grid(reading.read_integer(values, "rows"), reading.read_integer(values, "columns"))
    need = HiddenNeed(reading.read_text(values, "need"), reading.read_findings(values))
    return CollageReport(reading.read_side(reading.read_mapping(values, "side")), grid, need)


def judge_skus(
    skus: Sequence[str], shots: Mapping[str, Pixels], earlier: Mapping[str, Sequence[str]], collage: CollageReport
) -> tuple[Finding, ...]:
    """What is wrong with the hidden images as a set; detail names the SKUs.

    shots: of each SKU that has a hidden image. earlier: other SKUs that a SKU's pixels were used for before.
    """
    findings = list(_missing(skus, shots, collage.need))
    for group in find_reused(shots):
        findings.append(_reused(len(group), ", ".join(group)))
    for sku, others in earlier.items():
        findings.append(_reused(len(others) + 1, f"{sku}: {', '.join(others)}"))
    if collage.grid.cells > max(1, len(skus)):
        cells, detail = collage.grid.cells, f"{collage.grid.rows} x {collage.grid.columns}"
        findings.append(Finding("H23", "ERR_IMG_HID_SKU", Level.CONFIRM, None, len(skus), cells, "SKUs", detail))
    return tuple(findings)


def _missing(skus: Sequence[str], shots: Mapping[str, Pixels], need: HiddenNeed) -> list[Finding]:
    """A SKU without a hidden image; where the category needs none at all, none may be missing."""
    missing = [sku for sku in skus if sku not in shots]
    if not missing or (not shots and need.word in (CONDITIONAL, NONE) and not need.findings):
        return []
    found = [Finding("H23", "ERR_IMG_HID_SKU", Level.ERROR, None, 0, 1, "files", sku) for sku in missing]
    return found + ([] if shots else list(need.findings))


def _reused(number: int, detail: str) -> Finding:
    return Finding("H23", "ERR_IMG_HID_REUSED", Level.ERROR, None, number, 1, "SKUs", detail[:MAX_DETAIL])


def judge_set(findings: Sequence[Finding], reports: Sequence[PairReport]) -> Verdict:
    """Any error fails the set; an open question anywhere leaves it undecided."""
    verdicts = {report.verdict for report in reports} | {judge(findings, is_unknown=False)}
    if Verdict.FAILED in verdicts:
        return Verdict.FAILED
    return Verdict.INDETERMINATE if Verdict.INDETERMINATE in verdicts else Verdict.PASSED
