"""A registered original brought into a hidden image's frame.

Once its place is known to a fraction of a pixel, it is snapped to the cut of whole pixels and the resampling that an
export tool would have used, and graded as the hidden image is. That makes the comparison sharp: a cut of whole pixels
is copied, not interpolated.
"""

from typing import Any

import cv2
import numpy as np
from PIL import Image

from compliance.checks.aligning import Matrix, gain_of, grey_of, refine
from compliance.checks.pair import Laid, Mask, Pixels, fit
from compliance.checks.placing import find_place
from compliance.checks.tone import apply_grade, grade_between
from ledger.imaging.agreement import between_centres

Edges = tuple[float, float, float, float]

# The fit that finds the whole pixels is made at this size; it is good to a fiftieth of its pixels.
FINE_SIDES = (640,)
# A turn or slant that moves the corner of the frame by less than this is none: pictures of little texture leave it open
# by that much, and no export tool turns by so little.
STRAIGHT_PX = 0.6
# Repeated patterns, and lines that all run one way, leave it open by more: up to here both are tried, and the better fit counts.
LEANING_PX = 8.0
# Edges of a cut that lie this near to whole pixels are whole pixels.
WHOLE_PX = 0.3
# Resamplings are told apart on this many tiles of this side.
TILE = 96
TILES = 6
RESAMPLINGS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX)
OUTLIER = 24


class NotLaid(Exception):
    """The original could not be laid over the hidden image; `reason` is a key of codes.REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def lay_over(original: Pixels, hidden: Pixels) -> Laid:
    """The original brought into the hidden image's frame; both uint8 (height, width, 3). Raises NotLaid."""
    place = find_place(original, hidden)
    if place is None:
        raise NotLaid("original_not_found")
    if place.is_mirrored:
        original = np.ascontiguousarray(original[:, ::-1])
    matrix = refine(grey_of(original), grey_of(hidden), place.matrix, FINE_SIDES)
    pixels, inside, path = lay_at(original, hidden, matrix)
    grade = grade_between(pixels, hidden, inside)
    if grade is not None:
        pixels = apply_grade(pixels, grade)
        path += " graded"
    return Laid(pixels, inside, matrix, f"mirrored {path}" if place.is_mirrored else path)


def lay_at(original: Pixels, hidden: Pixels, matrix: Matrix) -> tuple[Pixels, Mask, str]:
    """The original in the frame under that transform, uint8; where it has pixels, bool; and what was done to it."""
    box = _straight_box(matrix, hidden, STRAIGHT_PX)
    if box is not None:
        return _cut(original, hidden, box)
    turned = (*_warp(original, matrix, hidden), "turned")
    box = _straight_box(matrix, hidden, LEANING_PX)
    if box is None:
        return turned
    straight = _cut(original, hidden, box)
    return min(straight, turned, key=lambda laid: _miss_of(laid[0], hidden))


def _miss_of(pixels: Pixels, hidden: Pixels) -> float:
    """How badly a whole frame fits on the hidden image's busiest tiles."""
    return float(np.mean([_miss(pixels[y : y + TILE, x : x + TILE], hidden, (x, y)) for x, y in _busy_tiles(hidden)]))


def _straight_box(matrix: Matrix, hidden: Pixels, limit: float) -> Edges | None:
    """The cut of the original that the frame shows, (left, top, right, bottom) of pixel edges; None when turned by more
    than the limit, in pixels at the corner of the frame."""
    height, width = hidden.shape[:2]
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    drift = max(abs(matrix[0, 1]) * height, abs(matrix[1, 0]) * width) / max(zoom, 1e-6)
    if drift > limit or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        return None
    # Places count from the middle of a pixel, edges lie half a pixel further out; the turn that is none is shared out.
    x = matrix[0, 2] + matrix[0, 1] * (height - 1) / 2 + 0.5
    y = matrix[1, 2] + matrix[1, 0] * (width - 1) / 2 + 0.5
    left, top = x - matrix[0, 0] / 2, y - matrix[1, 1] / 2
    return (left, top, left + matrix[0, 0] * width, top + matrix[1, 1] * height)


def _cut(original: Pixels, hidden: Pixels, box: Edges) -> tuple[Pixels, Mask, str]:
    """The original's cut at the frame's size, where it has pixels, and what was done: same, scaled or cropped."""
    height, width = hidden.shape[:2]
    tall, wide = original.shape[:2]
    box = _snapped(box, hidden, original)
    is_whole = box == (0, 0, wide, tall)
    path = ("same" if (wide, tall) == (width, height) else "scaled") if is_whole else "cropped"
    is_within = box[0] >= 0 and box[1] >= 0 and box[2] <= wide and box[3] <= tall
    is_copy = (box[2] - box[0], box[3] - box[1]) == (width, height) and box[0] % 1 == 0 and box[1] % 1 == 0
    if is_within and is_copy:
        left, top = int(box[0]), int(box[1])
        return original[top : top + height, left : left + width], np.ones((height, width), bool), path
    if is_within:
        return _resample(original, hidden, box), np.ones((height, width), bool), path
    across, down = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    matrix = np.array([[across, 0, box[0] + across / 2 - 0.5], [0, down, box[1] + down / 2 - 0.5], [0, 0, 1]])
    pixels, inside = _warp(original, matrix, hidden)
    return pixels, inside, "cropped"


def _snapped(box: Edges, hidden: Pixels, original: Pixels) -> Edges:
    """Edges on whole pixels where all four lie near them, a cut of the frame's own size where that fits."""
    height, width = hidden.shape[:2]
    across, down = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    if abs(across - 1) * width < WHOLE_PX and abs(down - 1) * height < WHOLE_PX:
        # Without a change of size the middle of the frame is known best.
        left = (box[0] + box[2] - width) / 2
        top = (box[1] + box[3] - height) / 2
        if abs(left - round(left)) < WHOLE_PX and abs(top - round(top)) < WHOLE_PX:
            return (round(left), round(top), round(left) + width, round(top) + height)
        return (left, top, left + width, top + height)
    limit = WHOLE_PX * max(1.0, across)
    if all(abs(edge - round(edge)) < limit for edge in box):
        return (round(box[0]), round(box[1]), round(box[2]), round(box[3]))
    # A hair over the edge of the original is the error of the fit, not a margin somebody added.
    tall, wide = original.shape[:2]
    lowest = (max(0.0, box[0]) if box[0] > -limit else box[0], max(0.0, box[1]) if box[1] > -limit else box[1])
    highest = (
        min(float(wide), box[2]) if box[2] < wide + limit else box[2],
        min(float(tall), box[3]) if box[3] < tall + limit else box[3],
    )
    return (*lowest, *highest)


def _resample(original: Pixels, hidden: Pixels, box: Edges) -> Pixels:
    """The cut at the frame's size, by whichever resampling comes nearest to the hidden image on its busiest tiles."""
    image = Image.fromarray(original)
    size = (hidden.shape[1], hidden.shape[0])
    tiles = _busy_tiles(hidden)
    scores = [_miss(_tile_of(image, box, size, tile, kind), hidden, tile) for kind in RESAMPLINGS for tile in tiles]
    by_kind = np.array(scores).reshape(len(RESAMPLINGS), -1).mean(axis=1)
    best = np.asarray(image.resize(size, RESAMPLINGS[int(by_kind.argmin())], box=box))
    if any(edge % 1 for edge in box):
        return best
    left, top, right, bottom = map(int, box)
    cut = original[top:bottom, left:right]
    for interpolation in (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC):
        other = np.asarray(cv2.resize(cut, size, interpolation=interpolation), np.uint8)
        score = float(np.mean([_miss(other[y : y + TILE, x : x + TILE], hidden, (x, y)) for x, y in tiles]))
        if score < by_kind.min():
            by_kind, best = np.array([score]), other
    return best


def _busy_tiles(hidden: Pixels) -> list[tuple[int, int]]:
    """Left and top of the tiles with the most texture, spread over the frame."""
    grey: Any = cv2.cvtColor(hidden, cv2.COLOR_RGB2GRAY)
    steep = cv2.blur(cv2.Laplacian(grey, cv2.CV_32F) ** 2, (TILE, TILE), borderType=cv2.BORDER_REFLECT)
    height, width = grey.shape
    spots = [
        (float(steep[min(height - 1, y + TILE // 2), min(width - 1, x + TILE // 2)]), x, y)
        for y in range(0, max(1, height - TILE), TILE)
        for x in range(0, max(1, width - TILE), TILE)
    ]
    return [(x, y) for _, x, y in sorted(spots, reverse=True)[:TILES]]


def _tile_of(
    image: Image.Image,
    box: Edges,
    size: tuple[int, int],
    tile: tuple[int, int],
    kind: Image.Resampling,
) -> Pixels:
    """What one tile of the resized cut looks like, without resizing the whole."""
    across, down = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    wide, tall = min(TILE, size[0] - tile[0]), min(TILE, size[1] - tile[1])
    part = (
        box[0] + tile[0] * across,
        box[1] + tile[1] * down,
        min(box[2], box[0] + (tile[0] + wide) * across),
        min(box[3], box[1] + (tile[1] + tall) * down),
    )
    return np.asarray(image.resize((wide, tall), kind, box=part))


def _miss(tile: Pixels, hidden: Pixels, at: tuple[int, int]) -> float:
    """Mean difference of a tile from the hidden image once brightness and contrast are fitted, outliers cut."""
    goal = hidden[at[1] : at[1] + tile.shape[0], at[0] : at[0] + tile.shape[1]].reshape(-1).astype(np.float64)
    seen = tile.reshape(-1).astype(np.float64)
    gain, offset = gain_of(seen, goal)
    return float(np.minimum(np.abs(goal - gain * seen - offset), OUTLIER).mean())


def _warp(original: Pixels, matrix: Matrix, hidden: Pixels) -> tuple[Pixels, Mask]:
    """The original under a general transform, and where it has pixels."""
    height, width = hidden.shape[:2]
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    source = original
    if zoom > 1:
        # Averaging comes first: a warp alone would pick single pixels out of the larger picture.
        small = (max(8, round(original.shape[1] / zoom)), max(8, round(original.shape[0] / zoom)))
        source = fit(original, small)
        matrix = between_centres(np.array([small[0] / original.shape[1], small[1] / original.shape[0]])) @ matrix
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    pixels: Any = cv2.warpPerspective(source, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    paper = np.full(source.shape[:2], 255, np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    inside: Any = cv2.warpPerspective(paper, matrix, (width, height), flags=flags)
    return np.asarray(pixels), np.asarray(inside == 255)
