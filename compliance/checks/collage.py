"""Rule H23, as far as pixels tell it: is a picture a collage of several products, and is one hidden image used twice.

Which pictures belong to which SKU is known where they are uploaded. A shot is a picture at SIDE_PX in both directions,
enough to tell whether two are the same; its small copy finds the few that may be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.base import Finding, Level, ListingRule, RuleOutcome, Verdict
from compliance.checks.pair import Pixels, fit
from compliance.checks.words import gettext_noop

SKU_CODES = ("ERR_IMG_HID_SKU", "ERR_IMG_HID_REUSED")
# Seams are looked for at this size: fine enough for a line of 4 px in 1000, coarse enough to be quick.
SIDE_PX = 320
CELLS_MAX = 4
# A seam lies where equal cells would meet, give or take this share of the side.
TOLERANCE = 0.03
# A seam runs from edge to edge: this share of its length shows a step of that many levels across it.
COVERED_SHARE, STEP, STANDS_OUT = 0.8, 24, 0.3
# Two pictures are the same shot when a 32 x 32 copy differs by no more than recompression does (mean levels).
SAME_PX, SAME_LEVELS = 32, 2.0
MAX_DETAIL = 200
LEVEL_REACH = round(SAME_LEVELS * 10) + 1  # a mean difference of 2 levels moves the mean by 2 levels at most
# Mean levels of a block of 20 x 20 px: quality 50 against the original stays below 10, another colour is 40 and more.
SAME_BLOCK_LEVELS = 20.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows and columns of a collage; 1 x 1 is a single picture."""

    rows: int
    columns: int

    @property
    def cells(self) -> int:
        return self.rows * self.columns


def find_grid(pixels: Pixels) -> Grid:
    """The grid of equal cells whose seams run through the whole picture; uint8 (height, width, 3), sRGB, upright.

    Products that stand side by side on one sheet have no seam between them and are a single picture.
    """
    small = fit(pixels, (SIDE_PX, SIDE_PX)).astype(np.int16)
    across = np.abs(small[:, 2:] - small[:, :-2]).max(axis=2)
    down = np.abs(small[2:] - small[:-2]).max(axis=2).T
    return Grid(rows=_cells(down), columns=_cells(across))


def _cells(steps: NDArray[np.int16]) -> int:
    """How many equal cells the seams of one direction make; steps (length of a seam, positions)."""
    covered = (steps > STEP).mean(axis=0)
    # A picture that is steep everywhere has steps everywhere; a seam stands out.
    seams = covered >= max(COVERED_SHARE, float(np.median(covered)) + STANDS_OUT)
    for count in range(CELLS_MAX, 1, -1):
        if all(_has_seam(seams, part / count) for part in range(1, count)):
            return count
    return 1


def _has_seam(seams: NDArray[np.bool_], place: float) -> bool:
    middle, reach = place * SIDE_PX, TOLERANCE * SIDE_PX
    return bool(seams[max(0, round(middle - reach)) : round(middle + reach) + 1].any())


def shot_of(pixels: Pixels) -> Pixels:
    """The picture as two of them are compared: uint8 (320, 320, 3)."""
    return fit(pixels, (SIDE_PX, SIDE_PX))


def small_of(shot: Pixels) -> Pixels:
    """Its copy of uint8 (32, 32, 3): pictures that differ here are not the same."""
    return fit(shot, (SAME_PX, SAME_PX))


def level_of(small: Pixels) -> int:
    """Mean of all values in tenths: the same picture lies within LEVEL_REACH of it."""
    return round(float(small.mean()) * 10)


def find_same_small(small: Pixels, others: Sequence[Pixels]) -> list[int]:
    """Places in `others` of small copies that may be the same picture."""
    if not others:
        return []
    difference = np.abs(np.stack(others).astype(np.int16) - small.astype(np.int16)).mean(axis=(1, 2, 3))
    return [int(place) for place in np.flatnonzero(difference <= SAME_LEVELS)]


def is_same_shot(first: Pixels, second: Pixels) -> bool:
    """Whether two shots show the same pixels, recompression and scaling aside."""
    thumbs = (small_of(each).astype(np.int16) for each in (first, second))
    return _is_same(*thumbs) and _is_same_closely(first, second)


def find_reused(hidden_images: Mapping[str, Pixels]) -> tuple[tuple[str, ...], ...]:
    """Groups of SKUs whose hidden images show the same pixels, recompression and scaling aside; SKUs in their order."""
    groups: list[list[str]] = []
    thumbs: list[NDArray[np.int16]] = []
    for sku, pixels in hidden_images.items():
        thumb = fit(pixels, (SAME_PX, SAME_PX)).astype(np.int16)
        for known, group in zip(thumbs, groups, strict=True):
            if _is_same(thumb, known) and _is_same_closely(pixels, hidden_images[group[0]]):
                group.append(sku)
                break
        else:
            groups.append([sku])
            thumbs.append(thumb)
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _is_same(first: NDArray[np.int16], second: NDArray[np.int16]) -> bool:
    return float(np.abs(first - second).mean()) <= SAME_LEVELS


def _is_same_closely(first: Pixels, second: Pixels) -> bool:
    """At 320 px no place of 20 x 20 px may differ: another colour of the same product is another picture."""
    size = (SIDE_PX, SIDE_PX)
    difference: Any = cv2.absdiff(fit(first, size), fit(second, size))
    blocks = cv2.resize(difference, (16, 16), interpolation=cv2.INTER_AREA)
    return float(blocks.max()) <= SAME_BLOCK_LEVELS


def check_sku_images(hidden_images: Mapping[str, Pixels], skus: tuple[str, ...]) -> tuple[Finding, ...]:
    """Findings about a listing's hidden images: a SKU without one, and one used for several SKUs."""
    missing = [sku for sku in skus if sku not in hidden_images]
    findings = [Finding("H23", "ERR_IMG_HID_SKU", Level.ERROR, None, 0, 1, "files", sku) for sku in missing]
    for group in find_reused(hidden_images):
        detail = ", ".join(group)
        findings.append(Finding("H23", "ERR_IMG_HID_REUSED", Level.ERROR, None, len(group), 1, "SKUs", detail))
    return tuple(findings)


def judge_reuse(others: Sequence[str]) -> RuleOutcome:
    """The outcome of H23 for one hidden image: `others` are further SKUs that the same pixels were used for."""
    findings: tuple[Finding, ...] = ()
    if others:
        detail = ", ".join(others)[:MAX_DETAIL]
        findings = (Finding("H23", "ERR_IMG_HID_REUSED", Level.ERROR, None, len(others) + 1, 1, "SKUs", detail),)
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    return RuleOutcome("H23", verdict, findings, len(others) + 1, 1, "SKUs", "")


RULES = (
    ListingRule(
        id="H23",
        title=gettext_noop("One hidden image per SKU"),
        requires=gettext_noop("Each SKU has a hidden image of its own, and none is used for two."),
        measured_as=gettext_noop(
            "Asked where the SKU is known: with the pixels of all hidden images of the same order and of the seller's "
            "earlier checks, recompression and scaling aside."
        ),
        codes=SKU_CODES,
    ),
)
