"""Do two pictures agree pixel by pixel, once one is laid over the other? Tells a copy from another photo of the thing.

The query is warped into the frame of the reference's portrait and compared by normalised correlation in windows of
15 pixels, which ignores brightness and contrast. Flat areas say nothing and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ledger.imaging.features import Grey

WINDOW = (15, 15)
# Variance, in grey levels squared, from which a window has texture: about three levels of noise or JPEG ringing.
TEXTURED = 12.0
TEXTURED_BOTH = 4.0
AGREES = 0.7
AGREES_WELL = 0.9
OUTSIDE_SIDE = 128
# What a Gaussian of 1.5 px takes away of the portrait: weave, grain, the rims of letters. A second photograph never has
# them in quite the same place, a copy does until it is blurred.
DETAIL_SIGMA = 1.5

Floats32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """What the pixels say, in the reference portrait's frame (height, width).

    correlation float32 -1..1 per pixel, detail the same of the finest structure alone; textured bool; inside bool:
    where the query covers the reference; warped uint8: the query as it lies over the portrait. Shares 0..1: overlap =
    of the reference seen in the query, texture = of the frame that can be judged, agreeing and agreeing_well = of the
    textured part above .7 and .9, explained = of the query's textured area that the reference covers. median: of the
    correlation; overall: one correlation over all.
    """

    correlation: Floats32
    detail: Floats32
    textured: Mask
    inside: Mask
    warped: Grey
    overlap: float
    texture: float
    agreeing: float
    agreeing_well: float
    median: float
    overall: float
    explained: float

    @property
    def cover(self) -> float:
        """The larger of: the share of the reference that is seen, the share of the query that it explains."""
        return max(self.overlap, self.explained)


def agree(query: Grey, portrait: Grey, matrix: Floats) -> Agreement:
    """Compare a query's working frame with a portrait; matrix (3, 3) takes portrait places to query places."""
    height, width = portrait.shape
    zoom = zoom_of(matrix, width, height)
    warped, inside = warp(query, matrix, (width, height), zoom)
    a, b = portrait.astype(np.float32), warped.astype(np.float32)
    if zoom < 0.9:
        # The query holds the picture smaller than the portrait does: it cannot show the finest detail.
        a = cv2.GaussianBlur(a, (0, 0), 0.5 / max(zoom, 0.15))
    a, b = cv2.GaussianBlur(a, (0, 0), 0.8), cv2.GaussianBlur(b, (0, 0), 0.8)
    correlation, weak, strong = _correlate(a, b, inside)
    detail, _, _ = _correlate(_detail(a), _detail(b), inside)
    textured = inside & (strong > TEXTURED)
    comparable = textured & (weak > TEXTURED_BOTH)
    count = max(1, int(textured.sum()))
    return Agreement(
        correlation=correlation,
        detail=detail,
        textured=textured,
        inside=inside,
        warped=warped,
        overlap=float(inside.mean()),
        texture=float(textured.mean()),
        agreeing=float((comparable & (correlation > AGREES)).sum()) / count,
        agreeing_well=float((comparable & (correlation > AGREES_WELL)).sum()) / count,
        median=float(np.median(correlation[textured])) if textured.any() else 0.0,
        overall=_overall(a, b, inside),
        explained=_explained(query, matrix, (width, height)),
    )


def zoom_of(matrix: Floats, width: int, height: int) -> float:
    """Query pixels per portrait pixel in the middle of the portrait, kept within .05..20."""
    x, y, depth = matrix @ np.array([width / 2, height / 2, 1.0])
    if abs(depth) < 1e-9:
        return 20.0
    here = np.array([x, y]) / depth
    linear = (matrix[:2, :2] - np.outer(here, matrix[2, :2])) / depth
    return float(np.clip(np.sqrt(abs(np.linalg.det(linear))), 0.05, 20.0))


def warp(query: Grey, matrix: Floats, size: tuple[int, int], zoom: float) -> tuple[Grey, Mask]:
    """The query in a frame of `size` (width, height), and where it has pixels there."""
    height, width = query.shape
    if zoom > 1.5:
        # Averaging comes first: a warp alone would pick single pixels out of the larger picture.
        small = (max(8, round(width / zoom)), max(8, round(height / zoom)))
        query = cv2.resize(query, small, interpolation=cv2.INTER_AREA)
        factors = np.array([small[0] / width, small[1] / height])
        matrix = between_centres(factors) @ matrix
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(query, matrix, size, flags=flags)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    inside = cv2.warpPerspective(np.full(query.shape, 255, np.uint8), matrix, size, flags=flags) > 0
    return warped, inside


def between_centres(factors: NDArray[np.float64]) -> Floats:
    """(3, 3): places of a frame in the frame resized by (x, y) factors; places count from the middle of a pixel."""
    x, y = factors
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])


def _correlate(a: Floats32, b: Floats32, inside: Mask) -> tuple[Floats32, Floats32, Floats32]:
    """Local correlation, and the smaller and larger variance of the two, over the inside part of each window."""
    seen = inside.astype(np.float32)
    count = cv2.boxFilter(seen, -1, WINDOW)
    weight = 1 / np.maximum(count, 1e-6)
    a, b = a * seen, b * seen
    mean_a, mean_b = cv2.boxFilter(a, -1, WINDOW) * weight, cv2.boxFilter(b, -1, WINDOW) * weight
    var_a = np.maximum(cv2.boxFilter(a * a, -1, WINDOW) * weight - mean_a**2, 0)
    var_b = np.maximum(cv2.boxFilter(b * b, -1, WINDOW) * weight - mean_b**2, 0)
    shared = cv2.boxFilter(a * b, -1, WINDOW) * weight - mean_a * mean_b
    correlation = shared / np.sqrt(var_a * var_b + 1e-3)
    # A window of which less than 60 % is covered is judged by its inner neighbours.
    covered = count > 0.6
    return correlation, np.minimum(var_a, var_b) * covered, np.maximum(var_a, var_b) * covered


def _detail(grey: Floats32) -> Floats32:
    soft: Floats32 = cv2.GaussianBlur(grey, (0, 0), DETAIL_SIGMA)
    return grey - soft


def _overall(a: Floats32, b: Floats32, inside: Mask) -> float:
    if inside.sum() < 50:
        return 0.0
    left, right = a[inside].astype(np.float64), b[inside].astype(np.float64)
    left, right = left - left.mean(), right - right.mean()
    spread = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / spread if spread > len(left) else 0.0


def _explained(query: Grey, matrix: Floats, size: tuple[int, int]) -> float:
    """The share of the query's textured area under the reference; of the whole query if it has no texture."""
    height, width = query.shape
    factor = min(1.0, OUTSIDE_SIDE / max(height, width))
    small_size = (max(8, round(width * factor)), max(8, round(height * factor)))
    small = cv2.resize(query, small_size, interpolation=cv2.INTER_AREA).astype(np.float32)
    variance = cv2.boxFilter(small * small, -1, (9, 9)) - cv2.boxFilter(small, -1, (9, 9)) ** 2
    textured = variance > TEXTURED
    factors = np.array([small_size[0] / width, small_size[1] / height])
    moved = between_centres(factors) @ matrix
    paper = np.full((size[1], size[0]), 255, np.uint8)
    covered = cv2.warpPerspective(paper, moved, small_size, flags=cv2.INTER_NEAREST) > 0
    return float((textured & covered).sum()) / max(1, int(textured.sum()))
