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

SAMPLES = 40_000
PER_COLOUR = 64  # of each of 512 colours
FEWEST = 200
ROUNDS = 8
STRIP_ROWS = 256
# Levels below which a difference weighs fully; about what JPEG at quality 85 leaves.
SOFT = 2.0
# Values at the ends of the scale may have been cut and say nothing about the curve.
LOWEST, HIGHEST = 4, 251
# Grading is believed when it takes the typical difference down by a third and by a level: JPEG alone moves flat colours
# by one.
GAIN, GAIN_LEVELS = 0.67, 1.0
# Keeps weights near those of no change where the picture has no such colours: constant, channels, squares and cubes.
RIDGE = (1e-7,) * 4 + (1e-5,) * 6
# A model is good enough when it leaves at most a tenth and a quarter of a level more than the best one.
ENOUGH, ENOUGH_LEVELS = 1.1, 0.25
# Terms of each channel, simplest first: gain and offset; a curve; a mixture of channels; a mixture of curves.
MODELS = (
    tuple((0, 1 + channel) for channel in range(3)),
    tuple((0, 1 + channel, 4 + channel, 7 + channel) for channel in range(3)),
    ((0, 1, 2, 3),) * 3,
    (tuple(range(10)),) * 3,
)


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
    """The grading that takes most of source to target, both uint8 (height, width, 3) of one frame.

    Of the models the simplest that explains about as much as the best is taken: it also holds for colours that the
    picture hardly shows.
    """
    known, seen = _samples(source, target)
    if len(known) < FEWEST:
        return UNCHANGED
    before = float(np.median(np.abs(known - seen).max(axis=1))) * 255
    if before <= GAIN_LEVELS:
        return UNCHANGED
    terms = _terms(known)
    fitted = [_fit(terms, seen, model) for model in MODELS]
    misses = [float(np.median(np.abs(terms @ weights - seen).max(axis=1))) * 255 for weights in fitted]
    enough = ENOUGH * min(misses) + ENOUGH_LEVELS
    weights, after = next(pair for pair in zip(fitted, misses, strict=True) if pair[1] <= enough)
    is_better = after < GAIN * before and after < before - GAIN_LEVELS
    return Tone(weights) if is_better else UNCHANGED


def _samples(source: Pixels, target: Pixels) -> tuple[Floats, Floats]:
    """Values 0..1 of both at the same places, (n, 3), after a small blur that takes out grain and scaling kernels.

    Every colour of the source counts about the same: a wide background must not decide about the product.
    """
    soft, seen = cv2.blur(source, (5, 5)), cv2.blur(target, (5, 5))
    step = max(1, round((soft.shape[0] * soft.shape[1] / SAMPLES) ** 0.5))
    known, there = (np.asarray(each[::step, ::step].reshape(-1, 3)) for each in (soft, seen))
    usable = ((there >= LOWEST) & (there <= HIGHEST)).all(axis=1)
    known, there = known[usable], there[usable]
    colour = (known >> 5).astype(np.int64) @ np.array([64, 8, 1])
    order = np.argsort(colour, kind="stable")
    starts = np.flatnonzero(np.diff(colour[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    kept = order[rank % np.repeat(np.maximum(1, counts // PER_COLOUR), counts) == 0]
    return known[kept] / 255, there[kept] / 255


def _fit(terms: Floats, seen: Floats, model: tuple[tuple[int, ...], ...]) -> Floats:
    """weights (10, 3) of a model, which lists the terms of each channel; differences weigh less the larger they are."""
    weights = np.zeros((terms.shape[1], 3))
    weights[1:4] = np.eye(3)
    for _ in range(ROUNDS):
        miss = np.abs(terms @ weights - seen).max(axis=1) * 255
        trust = 1 / np.maximum(miss, SOFT) ** 1.5
        trust /= trust.sum()
        for channel, used in enumerate(model):
            weights[:, channel] = _solve(terms, seen[:, channel], channel, list(used), trust)
    return weights


def _solve(terms: Floats, seen: Floats, channel: int, used: list[int], trust: Floats) -> Floats:
    """Weights (10,) of one channel by weighted least squares, drawn a little towards no change."""
    identity = np.zeros(terms.shape[1])
    identity[1 + channel] = 1
    part = terms[:, used]
    normal = (part * trust[:, None]).T @ part + np.diag([RIDGE[term] for term in used])
    goal = (part * trust[:, None]).T @ (seen - terms @ identity)
    identity[used] += np.linalg.solve(normal, goal)
    return identity


def _terms(values: Floats) -> Floats:
    ones = np.ones((len(values), 1))
    terms: Floats = np.hstack([ones, values, values**2, values**3])
    return terms
