"""Where a hidden image differs from its main image: the overlays that were removed, and what is said outside them.

A difference in light or tone is taken off first, so that a pair in another light still shows where its overlays were.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.pair import Floats, Mask, Pair, Pixels
from compliance.checks.ssim import WINDOW, grey, mean_ssim, ssim_map
from compliance.checks.tone import apply_grade, grade_between

Box = tuple[int, int, int, int]

# Levels of the largest channel from which a pixel differs: this many times the typical difference of the pair, since
# edges differ that much more than flat areas, within these bounds. Files saved alike agree exactly beside the overlays, and then a faint watermark shows; others differ everywhere.
TYPICAL_TIMES = 10
FAINTEST, PLAINEST = 4.0, 10.0
# When most of the frame differs by no more, there is no grade: what differs is an overlay, even if it is wide and plain.
QUIET = 1.5
# Letters of one caption become one place; what JPEG spreads around an overlay belongs to it. Pixels at 1000 px.
GAP, MARGIN = 15, 19
SMALLEST_PIXELS = 60
# Sobel slope from which a pixel of the hidden image shows structure.
TEXTURED = 40
FEWEST_TEXTURED = 200
# Structure is there when a window scores above this; stronger compression alone takes it down to .7.
PRESENT = 0.6
# With less than this of the frame outside the overlays, nothing can be said of the outside alone.
LEAST_OUTSIDE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Two pictures compared in the working frame (height, width).

    similarity: SSIM per pixel. labels: int32, which change a pixel belongs to, 0 for none; boxes: of changes 1, 2, ...
    outside: bool, beyond all changes and their margin. typical: median difference of the pair in levels, 0 where the
    files agree beside their overlays. overlay_share: of the frame. ssim: whole picture; ssim_masked:
    outside the changes, whole where hardly anything is outside. present: share of the hidden image's structure that the
    main image shows too, unchanged: share of it outside the changes that is the same; both 1 without structure.
    """

    similarity: Floats
    labels: NDArray[np.int32]
    boxes: tuple[Box, ...]
    outside: Mask
    typical: float
    overlay_share: float
    ssim: float
    ssim_masked: float
    present: float
    unchanged: float


def changes_of(pair: Pair) -> Changes:
    """The comparison of a pair, shared by all rules; ValueError below 7 px."""
    return pair.once(compare)


def compare(pair: Pair) -> Changes:
    """The comparison itself; ask `changes_of`, which makes it once."""
    main, hidden = pair.main_work, pair.hidden_work
    luma = grey(hidden)
    similarity = ssim_map(grey(main), luma)
    ssim = mean_ssim(similarity)
    labels, boxes, outside, typical = _changed(main, hidden)
    inner = np.zeros_like(outside)
    rim = WINDOW // 2
    inner[rim:-rim, rim:-rim] = True
    judged = outside & inner
    is_enough = judged.mean() >= LEAST_OUTSIDE
    structure = structure_of(luma)
    return Changes(
        similarity=similarity,
        labels=labels,
        boxes=boxes,
        outside=outside,
        typical=typical,
        overlay_share=float((labels > 0).mean()),
        ssim=ssim,
        ssim_masked=float(similarity[judged].mean(dtype=np.float64)) if is_enough else ssim,
        present=share_above(similarity, structure, PRESENT),
        unchanged=share_above(similarity, structure & outside, PRESENT),
    )


def structure_of(luma: Floats) -> Mask:
    """Where a picture shows structure at all; flat areas agree with everything."""
    slope = cv2.magnitude(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    return np.asarray(slope > TEXTURED)


def share_above(similarity: Floats, structure: Mask, limit: float) -> float:
    """The share of structure whose windows score above the limit, 0..1; 1 where there is too little to judge."""
    count = int(structure.sum())
    return float((similarity[structure] > limit).sum()) / count if count >= FEWEST_TEXTURED else 1.0


def _difference(main: Pixels, hidden: Pixels) -> Floats:
    """The largest difference of any channel, in levels, as means of 3 x 3 pixels."""
    red, green, blue = cv2.split(cv2.absdiff(main, hidden))
    return np.asarray(cv2.blur(cv2.max(cv2.max(red, green), blue).astype(np.float32), (3, 3)), np.float32)


def _changed(main: Pixels, hidden: Pixels) -> tuple[NDArray[np.int32], tuple[Box, ...], Mask, float]:
    """Labels and boxes of the changes, what lies beyond all of them, and the median difference."""
    size = _difference(main, hidden)
    typical = float(np.median(size))
    if typical > QUIET:
        grade = grade_between(main, hidden)
        size = size if grade is None else _difference(apply_grade(main, grade), hidden)
    limit = float(np.clip(TYPICAL_TIMES * np.median(size), FAINTEST, PLAINEST))
    differs = (size > limit).astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    scale = max(main.shape[:2]) / 1000
    gap, margin = max(3, round(GAP * scale)) | 1, max(3, round(MARGIN * scale)) | 1
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    )
    kept = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_PIXELS
    kept[0] = False
    order = np.zeros(count, np.int32)
    order[kept] = np.arange(1, kept.sum() + 1)
    numbered = order[labels]
    boxes = tuple((int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in stats[kept])
    near = cv2.dilate((numbered > 0).astype(np.uint8), np.ones((margin, margin), np.uint8))
    return numbered, boxes, np.asarray(near == 0), typical
