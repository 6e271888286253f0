"""Colours of one picture brought to those of another that shows the same: exposure, contrast, white balance, saturation.

A cubic in each channel and a mixture of the channels, fitted so that most pixels agree: promotion, which only a part
of the frame shows, is outvoted. Where nothing was graded the fit is left out, so that exact pixels stay exact.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

SAMPLES = 10_000
ROUNDS = 10
STRIP_ROWS = 256
# Levels below which a difference weighs fully; about what JPEG at quality 85 leaves.
SOFT = 2.0
# Values at the ends of the scale may have been cut and say nothing about the curve.
LOWEST, HIGHEST = 4, 251
# Grading is believed when it takes the typical difference down by a third and by a level: JPEG alone moves flat colours
# by one.
GAIN, GAIN_LEVELS = 0.67, 1.0
# Keeps the curve near a plain gain where the picture has no such colours: constant, channels, squares and cubes.
RIDGE = (1e-7,) * 4 + (1e-5,) * 6


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """weights float64 (10, 3): constant, channels, their squares and cubes (0..1) to channels; None = no change."""

    weights: Floats | None

    @property
    def is_change(self) -> bool:
        return self.weights is not None

    def apply(self, pixels: Pixels) -> Pixels:
        """The picture in those colours, uint8 of the same shape."""
        if self.weights is None:
            return pixels
        # Every term depends on one channel, so the sum is three looked-up triples.
        powers = (np.arange(256)[:, None] / 255) ** np.array([1, 2, 3])
        tables = [(255 * powers @ self.weights[1 + channel :: 3]).astype(np.float32) for channel in range(3)]
        out = np.empty_like(pixels)
        for start in range(0, len(pixels), STRIP_ROWS):
            strip = pixels[start : start + STRIP_ROWS]
            values = tables[0][strip[..., 0]] + tables[1][strip[..., 1]] + tables[2][strip[..., 2]]
            values += np.float32(255 * self.weights[0] + 0.5)
            out[start : start + STRIP_ROWS] = np.clip(values, 0, 255)
        return out


UNCHANGED = Tone(None)


def find_tone(source: Pixels, target: Pixels) -> Tone:
    """The grading that takes most of source to target, both uint8 (height, width, 3) of one frame."""
    known, seen = _samples(source), _samples(target)
    usable = ((seen >= LOWEST) & (seen <= HIGHEST)).all(axis=1)
    if usable.sum() < 500:
        return UNCHANGED
    known, seen = known[usable] / 255, seen[usable] / 255
    before = float(np.median(np.abs(known - seen).max(axis=1))) * 255
    if before <= GAIN_LEVELS:
        return UNCHANGED
    terms = _terms(known)
    identity = np.zeros((terms.shape[1], 3))
    identity[1:4] = np.eye(3)
    weights = identity
    for _ in range(ROUNDS):
        miss = np.abs(terms @ weights - seen).max(axis=1) * 255
        weights = _solve(terms, seen, identity, 1 / np.maximum(miss, SOFT) ** 1.5)
    after = float(np.median(np.abs(terms @ weights - seen).max(axis=1))) * 255
    is_better = after < GAIN * before and after < before - GAIN_LEVELS
    return Tone(weights) if is_better else UNCHANGED


def _samples(pixels: Pixels) -> Floats:
    """Evenly spread values after a small blur, which takes out grain and the difference of scaling kernels."""
    soft = cv2.blur(pixels, (5, 5))
    step = max(1, round((soft.shape[0] * soft.shape[1] / SAMPLES) ** 0.5))
    return np.asarray(soft[::step, ::step].reshape(-1, 3), np.float64)


def _terms(values: Floats) -> Floats:
    ones = np.ones((len(values), 1))
    terms: Floats = np.hstack([ones, values, values**2, values**3])
    return terms


def _solve(terms: Floats, seen: Floats, identity: Floats, weights: Floats) -> Floats:
    weights = weights / weights.sum()
    normal = (terms * weights[:, None]).T @ terms + np.diag(RIDGE)
    goal = (terms * weights[:, None]).T @ (seen - terms @ identity)
    solved: Floats = identity + np.asarray(np.linalg.solve(normal, goal))
    return solved
