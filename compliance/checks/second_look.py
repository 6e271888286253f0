"""Differences that the original itself explains: asked only where a residue seems to be, so a clean pair pays nothing.

Two things leave differences that no mark made. A grade that is fitted almost well misses by the same few levels wherever
the picture has that colour; and a resampling or a place that is almost right leaves what a small filter of the original
gives, along its edges. A mark is explained by neither: other places of the same colour do not have it, and a filter
whose weights sum to one changes no even ground and knows nothing of a caption's letters.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.pair import Floats, Mask, Pixels

# Width of a cell of colour in levels, how many pixels outside the residues make its mean one, and how far a grade is
# believed to miss.
CELL, FEWEST_OF_CELL, MISFIT_MOST = 12, 60, 6.0
STEPS = 255 // CELL + 1
# How far around a residue the filter is fitted, in pixels and in sides of the residue: what is not the mark decides.
REACH_PX, REACH_SIDES = 16, 0.75
# How strongly the filter is drawn to "nothing changes", as a share of what its inputs weigh.
STEADY = 1e-3
NEIGHBOURS = tuple((x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if (x, y) != (0, 0))


def regrade(expected: Pixels, seen: Pixels, seeming: Mask) -> Pixels:
    """The original laid over, each colour moved by what the hidden image makes of it outside the residues; uint8.

    seeming: bool (height, width), all residues together. The compression comes after this: in a coarse one half a level
    more or less is what a whole step hangs on.
    """
    steps = np.asarray(expected // CELL, np.int32)
    cells = (steps[..., 0] * STEPS + steps[..., 1]) * STEPS + steps[..., 2]
    outside = cells[~seeming]
    counts = np.bincount(outside, minlength=STEPS**3)
    moved = np.empty(expected.shape, np.float32)
    for channel in range(3):
        miss = seen[..., channel].astype(np.float32) - expected[..., channel]
        means = np.bincount(outside, weights=miss[~seeming], minlength=STEPS**3) / np.maximum(counts, 1)
        means[counts < FEWEST_OF_CELL] = 0
        moved[..., channel] = expected[..., channel] + np.clip(means, -MISFIT_MOST, MISFIT_MOST)[cells]
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def unfilter(
    levels: Sequence[Floats], planes: Sequence[Floats], seeming: Mask, window: tuple[int, int]
) -> list[Floats]:
    """The differences less what a small filter of the original gives, where residues seem to be.

    levels: float32 (height, width), averaged over the window. planes: luma and chroma of the original laid over.
    """
    left = [level.copy() for level in levels]
    count, _, stats, _ = cv2.connectedComponentsWithStats(_joined(seeming))
    for index in range(1, count):
        part = _around(stats[index], seeming.shape)
        for channel, plane in enumerate(planes):
            left[channel][part] = levels[channel][part] - _filtered(levels[channel][part], plane[part], window)
    return left


def _joined(seeming: Mask) -> NDArray[np.uint8]:
    """Residues near each other are fitted together."""
    return np.asarray(cv2.dilate(seeming.astype(np.uint8), np.ones((REACH_PX + 1, REACH_PX + 1), np.uint8)), np.uint8)


def _around(stats: NDArray[np.int32], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of the frame in which the filter is fitted."""
    left, top, width, height = (int(value) for value in stats[:4])
    reach = max(REACH_PX, round(REACH_SIDES * max(width, height)))
    return (
        slice(max(0, top - reach), min(shape[0], top + height + reach)),
        slice(max(0, left - reach), min(shape[1], left + width + reach)),
    )


def _filtered(level: Floats, plane: Floats, window: tuple[int, int]) -> Floats:
    """The part of a difference that a 3 x 3 filter of the original gives, its weights summing to one (least squares)."""
    padded = np.pad(plane, 1, mode="edge")
    height, width = plane.shape
    rows = np.stack(
        [cv2.blur(padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] - plane, window).ravel() for x, y in NEIGHBOURS]
    ).astype(np.float64)
    normal = rows @ rows.T
    normal[np.diag_indices(len(rows))] += STEADY * np.trace(normal) / len(rows) + 1e-9
    weights = np.linalg.solve(normal, rows @ level.ravel().astype(np.float64))
    return np.asarray((weights @ rows).reshape(plane.shape), np.float32)
