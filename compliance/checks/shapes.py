"""Flat, hard-edged shapes: what arrows, badges and logos are, and what photographed surfaces hardly ever are.

A drawn shape has one colour to within the noise of JPEG and an edge of one or two pixels all the way round. Lit
surfaces change their colour across a few centimetres, and lenses soften edges.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.background import Background
from compliance.checks.pair import Pixels

Labels = NDArray[np.int32]
Region = tuple[int, int, int, int]

# Largest step (8-bit Lab, 3 x 3, averaged) inside a drawn shape; JPEG at quality 80 makes 3 to 4.
QUIET_STEP = 5.0
# Shapes below this share of the frame are specks, above it they are walls, sheets and sleeves.
AREA_MIN, AREA_MAX = 0.0002, 0.12
SIDE_MIN_PX = 5
# Standard deviation of the colour inside, levels, after JPEG. On 194 clean photos nothing below 1.3 had a hard edge, and
# 6 had something below 2.0; of drawn shapes 80 % and 89 % lie below.
FLAT_DEVIATION = 2.0
SURE_DEVIATION = 1.3
INNER_MIN_PX = 40
# A step across the edge that an eye sees as one, and the share of the outline that has it.
EDGE_STEP = 40
HARD_SHARE = 0.85
# Pixels this near the shape's colour belong to it; how far the region may grow beyond its quiet core.
SAME_COLOUR = 18
GROWTH_MAX, GROWTH_PX = 2.2, 400
MARGIN_PX = 12
# As near as this to the background's colour it is the background, seen through a handle.
BACKGROUND_NEAR = 24
CANDIDATES_MAX = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """A flat shape: box (left, top, right, bottom) in pixels of the picture, colour RGB.

    deviation: levels inside; hardness: share of the outline that is a hard edge, 0..1.
    """

    box: Region
    colour: tuple[int, int, int]
    deviation: float
    hardness: float

    @property
    def is_sure(self) -> bool:
        """Flatter than parts of products are found to be."""
        return self.deviation < SURE_DEVIATION

    def scaled(self, across: float, down: float) -> "Shape":
        """The shape with its box in pixels of a picture that is larger by these factors."""
        left, top, right, bottom = self.box
        box = (int(left * across), int(top * down), round(right * across), round(bottom * down))
        return replace(self, box=box)


def find_shapes(pixels: Pixels, background: Background) -> tuple[Shape, ...]:
    """Flat shapes of a picture of about 1000 px, uint8 (height, width, 3), sRGB, upright; none contains another."""
    step = _steps(pixels)
    ground = _ground_colour(background)
    found: list[Shape] = []
    for region, core in _quiet_regions(step):
        shape = _measure(pixels, step, region, core)
        if shape is not None and not _is_ground(shape.colour, ground):
            found.append(shape)
    return tuple(_outermost(found))


def _steps(pixels: Pixels) -> Pixels:
    """Largest difference between neighbours, any Lab channel, uint8 (height, width)."""
    lab: Any = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    gradient: Any = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    first, second, third = cv2.split(gradient)
    return np.asarray(cv2.max(cv2.max(first, second), third))


def _quiet_regions(step: Pixels) -> Iterator[tuple[Region, Pixels]]:
    """(left, top, width, height) and mask of each connected quiet region of a shape's size, largest first."""
    quiet = (cv2.blur(step.astype(np.float32), (3, 3)) <= QUIET_STEP).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(quiet, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    sized = (areas > AREA_MIN * step.size) & (areas < AREA_MAX * step.size)
    sized &= stats[:, 2:4].min(axis=1) >= SIDE_MIN_PX
    sized[0] = False
    order = [int(index) for index in np.argsort(-areas, kind="stable") if sized[index]]
    for index in order[:CANDIDATES_MAX]:
        left, top, width, height = (int(value) for value in stats[index, :4])
        core = (labels[top : top + height, left : left + width] == index).astype(np.uint8)
        yield (left, top, width, height), core


def _measure(pixels: Pixels, step: Pixels, region: Region, core: Pixels) -> Shape | None:
    """The shape around a quiet core, or None when it is not flat or not hard-edged."""
    left, top, width, height = region
    inside = pixels[top : top + height, left : left + width][_inner(core) > 0].astype(np.float32)
    colour = np.median(inside, axis=0)
    deviation = _deviation(inside, colour)
    if deviation > FLAT_DEVIATION:
        return None
    window = (
        slice(max(0, top - MARGIN_PX), top + height + MARGIN_PX),
        slice(max(0, left - MARGIN_PX), left + width + MARGIN_PX),
    )
    shape = _grow(pixels[window], colour, core, (left - window[1].start, top - window[0].start))
    if shape is None:
        return None
    x, y, across, down = cv2.boundingRect(shape)
    rim = cv2.dilate(shape, np.ones((5, 5), np.uint8)) - shape
    around = cv2.dilate(np.ascontiguousarray(step[window]), np.ones((3, 3), np.uint8))[rim > 0]
    hardness = float((around > EDGE_STEP).mean()) if around.size else 0.0
    if hardness < HARD_SHARE:
        return None
    corner = window[1].start + x, window[0].start + y
    if _touches_frame((*corner, corner[0] + across, corner[1] + down), pixels):
        return None
    return Shape(
        box=(corner[0], corner[1], corner[0] + across, corner[1] + down),
        colour=(int(colour[0]), int(colour[1]), int(colour[2])),
        deviation=round(deviation, 2),
        hardness=round(hardness, 3),
    )


def _inner(core: Pixels) -> Pixels:
    """The core without its outer pixels, to which JPEG brings ringing from the edge; thin cores stay whole."""
    framed = cv2.copyMakeBorder(core, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    inner = np.asarray(cv2.erode(framed, np.ones((5, 5), np.uint8)), dtype=np.uint8)[2:-2, 2:-2]
    return inner if int(inner.sum()) >= INNER_MIN_PX else core


def _deviation(inside: NDArray[np.float32], colour: NDArray[np.float32]) -> float:
    """Standard deviation around the colour, largest channel, without the tenth of the pixels that is farthest off."""
    off = (inside - colour) ** 2
    kept = off[off.sum(axis=1).argsort()[: max(1, round(0.9 * len(off)))]]
    return float(np.sqrt(kept.mean(axis=0).max()))


def _grow(window: Pixels, colour: NDArray[np.float32], core: Pixels, corner: tuple[int, int]) -> Pixels | None:
    """All connected pixels of the colour, when they are hardly more than the core: else the core is part of more."""
    same = (np.abs(window.astype(np.float32) - colour).max(axis=2) < SAME_COLOUR).astype(np.uint8)
    same = np.asarray(cv2.morphologyEx(same, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), dtype=np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(same)
    left, top = corner
    below = labels[top : top + core.shape[0], left : left + core.shape[1]][core > 0]
    votes = np.bincount(below, minlength=count)
    votes[0] = 0
    best, area = int(votes.argmax()), int(core.sum())
    if votes[best] < 0.6 * area or stats[best, cv2.CC_STAT_AREA] > GROWTH_MAX * area + GROWTH_PX:
        return None
    return np.asarray(labels == best).astype(np.uint8)


def _touches_frame(box: Region, pixels: Pixels) -> bool:
    """Whether the frame cuts the shape, so that a part of its outline cannot be judged."""
    return box[0] <= 1 or box[1] <= 1 or box[2] >= pixels.shape[1] - 1 or box[3] >= pixels.shape[0] - 1


def _ground_colour(background: Background) -> NDArray[np.float32] | None:
    if not background.is_plain:
        return None
    return np.asarray(np.median(background.cells[background.mask], axis=0), dtype=np.float32)


def _is_ground(colour: tuple[int, int, int], ground: NDArray[np.float32] | None) -> bool:
    return ground is not None and bool(np.abs(np.asarray(colour, np.float32) - ground).max() < BACKGROUND_NEAR)


def _outermost(shapes: list[Shape]) -> list[Shape]:
    kept: list[Shape] = []
    for shape in sorted(shapes, key=lambda item: -(item.box[2] - item.box[0]) * (item.box[3] - item.box[1])):
        if not any(_contains(other.box, shape.box) for other in kept):
            kept.append(shape)
    return kept


def _contains(outer: Region, inner: Region) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]
