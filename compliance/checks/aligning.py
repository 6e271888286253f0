"""One picture laid over another to a fraction of a pixel, from a guess that is a few pixels off.

The strongest edges of every part of the frame are moved until they lie on each other (Lucas and Kanade 1981), with a
gain and an offset for the light, and with weights that let captions and retouched spots say little. Places are (x, y)
from the middle of the top left pixel; matrices float64 (3, 3) take places of the target to places of the reference.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.pair import Floats, Mask, Pixels, fit
from ledger.imaging.agreement import agree, between_centres
from ledger.imaging.features import Profile, grey_frame

Matrix = NDArray[np.float64]
Doubles = NDArray[np.float64]

# A guess is judged on small grey copies: what is a few pixels off is still near enough there.
COARSE = Profile(long_side=208, limit=0)
# Points of the fit, its rounds, and the change in pixels at which it stops.
POINTS = 5_000
ROUNDS = 12
STILL = 0.004
# Fewest points that determine a transform, and the slope in levels (Sobel) from which an edge is one.
FEWEST = 50
STEEP = 24


def grey_of(pixels: Pixels) -> Pixels:
    """Luma, uint8 (height, width)."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def refine(reference: Pixels, target: Pixels, matrix: Matrix, sides: Sequence[int]) -> Matrix:
    """The affine transform that lays edges on edges best, on copies of these long sides, coarse to fine; grey uint8."""
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    for side_px in sides:
        shrink = min(1.0, side_px / max(target.shape))
        goal, sheet = resized(target, shrink), resized(reference, min(1.0, shrink / zoom))
        down, side = _resizing(target, goal), _resizing(reference, sheet)
        found = _align(sheet, goal, side @ matrix @ np.linalg.inv(down))
        matrix = np.linalg.inv(side) @ found @ down
    return matrix


def agreement(reference: Pixels, target: Pixels, matrix: Matrix) -> float:
    """Share of textured windows that agree well, on small copies, 0..1."""
    small, sheet = grey_frame(target, COARSE), grey_frame(reference, COARSE)
    # The target is the portrait: what it shows must be found in the reference, not the other way round.
    moved = _resizing(reference, sheet) @ matrix @ np.linalg.inv(_resizing(target, small))
    return agree(sheet, small, moved).agreeing_well


def _resizing(before: NDArray[Any], after: NDArray[Any]) -> Matrix:
    """Places of a picture in its resized copy."""
    return between_centres(np.array([after.shape[1] / before.shape[1], after.shape[0] / before.shape[0]]))


def resized(grey: Pixels, factor: float) -> Floats:
    """The grey copy by that factor, float32, its grain smoothed."""
    size = max(8, round(grey.shape[1] * factor)), max(8, round(grey.shape[0] * factor))
    return np.asarray(cv2.GaussianBlur(fit(grey, size), (0, 0), 0.8), np.float32)


def _align(reference: Floats, target: Floats, matrix: Matrix) -> Matrix:
    """Lucas-Kanade with a gain, an offset and robust weights; matrix takes places of target to places of reference."""
    ys, xs = _edge_points(target)
    if len(xs) < FEWEST:
        return matrix
    goal = target[ys, xs].astype(np.float64)
    slope_x, slope_y = cv2.Sobel(reference, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(reference, cv2.CV_32F, 0, 1) / 8
    places = np.stack([xs, ys, np.ones(len(xs))]).astype(np.float64)
    centre = np.array([target.shape[1] / 2, target.shape[0] / 2])
    reach = max(target.shape) / 2
    unit = np.stack([(xs - centre[0]) / reach, (ys - centre[1]) / reach, np.ones(len(xs))])
    to_unit = np.array([[1 / reach, 0, -centre[0] / reach], [0, 1 / reach, -centre[1] / reach], [0, 0, 1]])
    for _ in range(ROUNDS):
        moved = (matrix @ places)[:2].astype(np.float32)
        seen, along, down = (_sample(each, moved) for each in (reference, slope_x, slope_y))
        is_inside = (
            (moved[0] >= 1)
            & (moved[1] >= 1)
            & (moved[0] < reference.shape[1] - 2)
            & (moved[1] < reference.shape[0] - 2)
        )
        if is_inside.sum() < FEWEST:
            return matrix
        step = _step(seen, along, down, goal, unit, is_inside)
        matrix = matrix.copy()
        matrix[:2] += step @ to_unit
        if np.abs(step).sum(axis=1).max() < STILL:
            break
    return matrix


def _edge_points(target: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the strongest edges of every part of the picture, at most POINTS of them."""
    steep = cv2.magnitude(cv2.Sobel(target, cv2.CV_32F, 1, 0), cv2.Sobel(target, cv2.CV_32F, 0, 1))
    # In every cell only what stands out there: one printed area must not outvote the rest of the frame.
    local = cv2.blur(steep, (63, 63), borderType=cv2.BORDER_REFLECT)
    ys, xs = np.nonzero((steep > local) & (steep > STEEP))
    step = max(1, len(xs) // POINTS)
    return ys[::step], xs[::step]


def _sample(values: Floats, places: NDArray[np.float32]) -> Doubles:
    # remap takes no more than 32,767 columns, and needs two dimensions.
    across, down = places[0].reshape(-1, 1), places[1].reshape(-1, 1)
    return np.asarray(cv2.remap(values, across, down, cv2.INTER_LINEAR), np.float64).ravel()


def _step(
    seen: Doubles,
    along: Doubles,
    down: Doubles,
    goal: Doubles,
    unit: Doubles,
    is_inside: Mask,
) -> Matrix:
    """The change (2, 3) of the transform, in unit places, that one round of weighted least squares asks for."""
    gain, offset = gain_of(seen[is_inside], goal[is_inside])
    miss = (goal - gain * seen - offset)[is_inside]
    spread = max(0.3, 1.4826 * float(np.median(np.abs(miss))))
    weights = 1 / (1 + (miss / (2 * spread)) ** 2)
    inside = unit[:, is_inside]
    rows = np.vstack([gain * along[is_inside] * inside, gain * down[is_inside] * inside, seen[None, is_inside] / 255])
    rows = np.vstack([rows, np.ones((1, rows.shape[1]))]).T
    weighted = rows * weights[:, None]
    normal = weighted.T @ rows
    normal[np.diag_indices(8)] += 1e-6 * np.trace(normal)
    change = np.linalg.solve(normal, weighted.T @ miss)
    return np.asarray(change[:6].reshape(2, 3), np.float64)


def gain_of(seen: Doubles, goal: Doubles) -> tuple[float, float]:
    """The gain and offset from levels (n,) to levels (n,), little bent by what is far off."""
    weights = np.ones(len(seen))
    gain, offset = 1.0, 0.0
    for _ in range(3):
        total = weights.sum()
        a, b = (weights * seen).sum() / total, (weights * goal).sum() / total
        gain = float((weights * (seen - a) * (goal - b)).sum() / max(1e-6, (weights * (seen - a) ** 2).sum()))
        offset = float(b - gain * a)
        miss = np.abs(goal - gain * seen - offset)
        weights = 1 / (1 + (miss / max(1.0, 2 * float(np.median(miss)))) ** 2)
    return gain, offset
