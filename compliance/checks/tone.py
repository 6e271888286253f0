"""The grade between two pictures that lie over each other: gains and offsets, a mix of channels, a curve per channel.

Each step is fitted so that a minority of pixels that differ for other reasons (a caption left over, a retouched spot)
does not bend it, and is kept only when it explains clearly more than doing without.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.pair import Floats, Mask, Pixels, fit

Doubles = NDArray[np.float64]

# A pixel that misses by this many levels counts no more than one that misses by far: overlays are such pixels.
OUTLIER = 24.0
# Scales of the robust weights in levels, from "everything counts" down to what JPEG does to equal pictures. They do
# not follow the data: on a sheet of white the typical miss is nil, and the product would count as an outlier.
SCALES = (40.0, 20.0, 10.0, 6.0, 6.0, 6.0)
# A step must explain this share of what is left over; otherwise noise is fitted.
WORTH = 0.93
# Where so little is left over, in levels, there is no grade to look for.
QUIET = 0.6
# A grade moves some step of levels or of colours, this many levels wide, by more than a trace.
STEP_OF_VALUE, FEWEST_OF_STEP, TRACE = 16, 40, 0.4
# How strongly factors are drawn to "nothing changes", as a share of the weight of all pixels.
STEADY = 2e-5
# Steps of each channel in which colours count as one.
COLOUR_CELLS = 16
# Levels at which a curve may bend, closer where a gamma is steep, and how much its bends weigh: soft enough for a gamma,
# too stiff for the colours of one caption.
KNOTS = np.array([0, 4, 8, 16, 24, *range(32, 225, 16), 240, 248, 255], np.float64)
STIFF = 2e-3
# Levels beyond these are clipped, and a clipped value says nothing about a gain.
BLACK, WHITE = 2, 253
# A channel this near to its end, in a colour of which another channel is this far from that end, is out of the gamut.
GAMUT_NEAR, GAMUT_FAR = 20, 100
FEWEST = 200
# Sides of the cells in pixels, and how many of them the fit uses.
CELL = 4
SAMPLES = 8_000


@dataclass(frozen=True, slots=True, eq=False)
class Grade:
    """mix: float32 (3, 4), channels and an offset to channels; curves: float32 (3, 256), corrections in levels, or None
    where the mix alone explains the grade."""

    mix: Floats
    curves: Floats | None


def fit_grade(source: Floats, target: Floats) -> Grade | None:
    """The grade from pixels (n, 3) to pixels (n, 3) in levels 0..255, or None when there is none worth the name.

    Iteratively reweighted least squares (Holland and Welsch 1977) with Cauchy weights.
    """
    if len(source) < FEWEST:
        return None
    start = _left_over(source, target)
    if start < QUIET or not _is_graded(source, target):
        return None
    # A mix of channels can stand in for a curve on the colours that are common, and then misses the rare ones: it has
    # to explain more than gains and curves together do.
    best, left = None, start
    for fit_mix in (_fit_gains, _fit_mix):
        grade, now = _with_curves(source, target, fit_mix(source, target), start)
        if now < WORTH * left:
            best, left = grade, now
    return best


def _with_curves(source: Floats, target: Floats, mix: Floats, start: float) -> tuple[Grade, float]:
    """The grade of that mix, with curves where they are worth it, and what is left over; start: without any grade."""
    moved = _mixed(source, mix)
    left = _left_over(moved, target)
    if left > WORTH * start:
        mix, moved, left = np.eye(3, 4, dtype=np.float32), source, start
    if left > QUIET:
        curves = _fit_curves(moved, target)
        if (now := _left_over(_curved(moved, curves), target)) < WORTH * left:
            return Grade(mix, curves), now
    return Grade(mix, None), left


def grade_between(source: Pixels, target: Pixels, inside: Mask | None = None) -> Grade | None:
    """The grade from a picture to another one in the same frame, fitted on means of small cells, which have little noise.

    inside: bool (height, width), where the two can be compared; everywhere by default.
    """
    height, width = source.shape[:2]
    size = max(1, width // CELL), max(1, height // CELL)
    seen, goal = fit(source, size).reshape(-1, 3), fit(target, size).reshape(-1, 3)
    if inside is not None:
        chosen = (fit(inside.astype(np.uint8) * 255, size) == 255).ravel()
        seen, goal = seen[chosen], goal[chosen]
    step = max(1, len(seen) // SAMPLES)
    return fit_grade(seen[::step].astype(np.float32), goal[::step].astype(np.float32))


def apply_grade(pixels: Pixels, grade: Grade) -> Pixels:
    """The picture under the grade, uint8 (height, width, 3)."""
    mixed: Any = cv2.transform(pixels, grade.mix)
    if grade.curves is None:
        return np.asarray(mixed)
    levels = np.arange(256, dtype=np.float32) + grade.curves
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8).T[None]
    return np.asarray(cv2.LUT(mixed, np.ascontiguousarray(table)))


def _is_graded(source: Floats, target: Floats) -> bool:
    """Whether what is left over depends on the level or on the colour at all; noise of a codec does not."""
    miss = target - source
    colour = source - source.mean(axis=1, keepdims=True)
    return any(_depends(miss[:, channel], of[:, channel]) for channel in range(3) for of in (source, colour))


def _depends(miss: Floats, on: Floats) -> bool:
    """Whether the mean miss of some step of the other value is more than a trace."""
    steps = np.asarray((on + 256) / STEP_OF_VALUE, np.intp)
    counts = np.bincount(steps)
    means = np.bincount(steps, weights=miss) / np.maximum(counts, 1)
    return bool((np.abs(means[counts >= FEWEST_OF_STEP]) > TRACE).any())


def _fit_gains(source: Floats, target: Floats) -> Floats:
    """(3, 4): one gain and one offset for each channel."""
    mix = np.zeros((3, 4), np.float32)
    for channel in range(3):
        seen, goal = source[:, channel], target[:, channel]
        inner = _unclipped(seen) & _unclipped(goal)
        gain, offset = 1.0, 0.0
        if inner.sum() >= FEWEST:
            rows = np.stack([seen[inner] / 255, np.ones(int(inner.sum()))], axis=1).astype(np.float64)
            start = np.array([[255.0], [0.0]])
            gain, offset = _solve(rows, goal[inner].astype(np.float64)[:, None], start, np.eye(2))[:, 0]
            gain /= 255
        mix[channel, channel], mix[channel, 3] = gain, offset
    return mix


def _fit_mix(source: Floats, target: Floats) -> Floats:
    """(3, 4): every channel from all three, as a change of saturation does it."""
    inner = (_unclipped(source) & _unclipped(target)).all(axis=1)
    if inner.sum() < FEWEST:
        return np.eye(3, 4, dtype=np.float32)
    rows = np.hstack([source[inner] / 255, np.ones((int(inner.sum()), 1))]).astype(np.float64)
    goal, mix = target[inner], np.zeros((3, 4))
    for channel in range(3):
        wanted, start = goal[:, channel].astype(np.float64), np.eye(4, 3)[:, [channel]] * 255
        mix[channel] = _solve(rows, wanted[:, None], start, np.eye(4), _side_of_gamut(goal, channel))[:, 0]
    mix[:, :3] /= 255
    return mix.astype(np.float32)


def _side_of_gamut(levels: Floats, channel: int) -> NDArray[np.int8]:
    """Where a channel of a bright colour has run out, -1 below and 1 above, else 0: what more was asked for is not seen.

    A codec leaves such a channel some levels off the end.
    """
    of = levels[:, channel]
    below = (of < GAMUT_NEAR) & (levels.max(axis=1) > GAMUT_FAR)
    above = (of > 255 - GAMUT_NEAR) & (levels.min(axis=1) < 255 - GAMUT_FAR)
    return np.asarray(above.astype(np.int8) - below.astype(np.int8), np.int8)


def _fit_curves(source: Floats, target: Floats) -> Floats:
    """Corrections in levels (3, 256): straight lines between knots, drawn to have few bends."""
    levels, bends = _hats(np.arange(256)), np.diff(np.eye(len(KNOTS)), 2, axis=0)
    stiff = np.eye(len(KNOTS)) + STIFF / STEADY * bends.T @ bends
    curves = np.zeros((3, 256), np.float32)
    for channel in range(3):
        seen, goal = source[:, channel], target[:, channel]
        miss = (goal - seen).astype(np.float64)[:, None]
        curves[channel] = levels @ _solve(_hats(seen), miss, np.zeros((len(KNOTS), 1)), stiff)[:, 0]
    return curves


def _hats(levels: NDArray[Any]) -> Doubles:
    """(n, knots): how much each knot weighs at each level; two neighbours share it."""
    flat = np.asarray(levels, np.float64)
    return np.stack([np.interp(flat, KNOTS, row) for row in np.eye(len(KNOTS))], axis=1)


def _solve(
    rows: Doubles, goal: Doubles, prior: Doubles, stiff: Doubles, ends: NDArray[np.int8] | None = None
) -> Doubles:
    """Factors (k, 1) with rows @ factors near goal, drawn a little to the prior; stiff (k, k) says in which directions.

    ends: where the goal is only a bound, which factors may pass: -1 downwards, 1 upwards, else 0.

    A picture of few colours leaves factors open: there the prior, "nothing changes", decides.
    """
    steady = STEADY * len(rows) * stiff
    factors, weights, rarity = prior, np.ones(len(rows)), _rarity(rows)
    for scale in SCALES:
        weighted = rows * (weights * rarity)[:, None]
        factors = np.asarray(
            np.linalg.solve(weighted.T @ rows + steady, weighted.T @ goal + steady @ prior), np.float64
        )
        miss = (rows @ factors - goal)[:, 0]
        weights = 1 / (1 + (miss / scale) ** 2)
        if ends is not None:
            weights[miss * ends > 0] = 0
    return factors


def _rarity(rows: Doubles) -> Doubles:
    """Weights (n,) with mean 1: a sheet of white with a thousand times the pixels shall not have all the say."""
    cells = np.rint(rows * COLOUR_CELLS).astype(np.int64)
    mixed = cells @ (np.int64(31) ** np.arange(rows.shape[1], dtype=np.int64))  # a rare collision costs nothing
    _, where, count = np.unique(mixed, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(count[where])
    return np.asarray(weights / weights.mean())


def _unclipped(levels: Floats) -> NDArray[np.bool_]:
    return (levels > BLACK) & (levels < WHITE)


def _mixed(source: Floats, mix: Floats) -> Floats:
    return np.asarray(np.clip(source @ mix[:, :3].T + mix[:, 3], 0, 255), np.float32)


def _curved(source: Floats, curves: Floats) -> Floats:
    levels = np.rint(source).astype(np.intp)
    return np.asarray(
        np.clip(source + np.stack([curves[c][levels[:, c]] for c in range(3)], axis=1), 0, 255), np.float32
    )


def _left_over(source: Floats, target: Floats) -> float:
    """Mean difference in levels of the worst channel, what is far off counted as OUTLIER."""
    return float(np.minimum(np.abs(source - target).max(axis=1), OUTLIER).mean())
