"""What the ink of a lettering tells: how strongly it covers what lies below it, and whether it was drawn.

With I = (1 - a) B + a C for ink of colour C and opacity a over a ground B, the slope of I on B is 1 - a where the ground
varies. On an even ground only a lower bound is known: no colour reaches I from B with less than that opacity.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.pair import Floats, Pixels

Mask = NDArray[np.bool_]

# The ground has to vary this much (standard deviation, levels) before a slope means anything, and to explain the ink.
GROUND_DEVIATION = 8.0
CORRELATION_MIN = 0.7
INK_MIN_PX = 40
# How far around a stroke the ground is averaged, in heights of the line.
REACH = 0.6


def measure_opacity(pixels: Pixels, box: tuple[int, int, int, int]) -> float | None:
    """Opacity 0..1 of the lettering in a box, at least; None where strokes cannot be told from the ground."""
    left, top, right, bottom = box
    line = pixels[top:bottom, left:right].astype(np.float32)
    if min(line.shape[:2]) < 6:
        return None
    ink = _strokes(line)
    if int(ink.sum()) < INK_MIN_PX:
        return None
    ground = _ground_below(line, ink)
    letters, below = line[ink], ground[ink]
    slope = _slope(letters, below)
    bound = _least_opacity(np.median(letters, axis=0), np.median(below, axis=0))
    return round(bound if slope is None else max(bound, 1 - slope), 2)


def measure_flatness(pixels: Pixels, box: tuple[int, int, int, int]) -> float | None:
    """How much the ink of a lettering varies, standard deviation in levels without the farthest fifth; None as above.

    Drawn letters have one colour; print under light, seen by a lens, has many.
    """
    left, top, right, bottom = box
    line = pixels[top:bottom, left:right].astype(np.float32)
    if min(line.shape[:2]) < 6:
        return None
    letters = line[_strokes(line)]
    if len(letters) == 0:
        return None
    off = (letters - np.median(letters, axis=0)) ** 2
    kept = off[off.sum(axis=1).argsort()[: max(1, round(0.8 * len(off)))]]
    return float(np.sqrt(kept.mean(axis=0).max()))


def _strokes(line: Floats) -> Mask:
    """Pixels well inside strokes: farther from the colour of the box's edge than Otsu's threshold."""
    edge = np.concatenate([line[0], line[-1], line[:, 0], line[:, -1]])
    distance = np.abs(line - np.median(edge, axis=0)).max(axis=2)
    _, strokes = cv2.threshold(distance.astype(np.uint8), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    core: Any = cv2.erode(strokes, np.ones((3, 3), np.uint8))
    return np.asarray(core if int(core.sum()) >= INK_MIN_PX else strokes, dtype=bool)


def _ground_below(line: Floats, ink: Mask) -> Floats:
    """What lies below the strokes: the mean of the pixels around them that are no stroke."""
    near = np.asarray(cv2.dilate(ink.astype(np.uint8), np.ones((5, 5), np.uint8)), dtype=bool)
    free = (~near).astype(np.float32)
    reach = 2 * round(REACH * min(line.shape[:2])) + 1
    weight = cv2.blur(free, (reach, reach))[..., None]
    total = cv2.blur(line * free[..., None], (reach, reach))
    return np.asarray(total / np.maximum(weight, 1e-3), dtype=np.float32)


def _slope(letters: Floats, below: Floats) -> float | None:
    """Slope of ink on ground, 0..1, over all channels, or None where the ground is even or explains nothing."""
    x, y = below - below.mean(axis=0), letters - letters.mean(axis=0)
    if float(x.std()) < GROUND_DEVIATION:
        return None
    covariance, variance = float((x * y).mean()), float((x * x).mean())
    correlation = covariance / max(1e-6, float(np.sqrt(variance * (y * y).mean())))
    return None if correlation < CORRELATION_MIN else float(np.clip(covariance / variance, 0, 1))


def _least_opacity(letters: Floats, below: Floats) -> float:
    """The opacity with which the extreme colour would do: black for darker ink, white for lighter."""
    darker = (below - letters) / np.maximum(below, 1)
    lighter = (letters - below) / np.maximum(255 - below, 1)
    return float(np.clip(np.maximum(darker, lighter).max(), 0, 1))
