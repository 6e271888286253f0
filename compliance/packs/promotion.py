"""Where a main image shows more than the clean picture in its frame: found generously, with a soft rim.

The mask decides what the pack's main image takes over from the given one. What is missed here is lost from the new main
image and never left in the hidden one, because the hidden image is made from the original alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

# Mean difference over 5 x 5 px, in levels. JPEG at quality 75 and a wrong scaling kernel stay below 5 on even ground.
QUIET = 6.0
# On texture both leave more; per level of local spread.
ON_TEXTURE = 0.35
# A single speck of fewer pixels than this (of a 1000 px frame) is noise; a dot of a caption has 12.
SPECK = 9
# Letters and their glow become one place, and the rim lies on ground that agrees.
JOIN = 15
MARGIN = 6
SOFT_RIM = 5
MOST_BOXES = 50
WINDOW = 9
STRIP_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Promotion:
    """opacity float32 (height, width) 0..1, soft at the rim; boxes (left, top, right, bottom), largest first."""

    opacity: Floats32
    boxes: tuple[Box, ...]

    @property
    def touched(self) -> Mask:
        """Where the promotion has any effect."""
        return self.opacity > 0


def find_promotion(main: Pixels, clean: Pixels) -> Promotion:
    """Compare the main image with the clean picture, both uint8 (height, width, 3) of one frame."""
    scale = max(1.0, max(main.shape[:2]) / 1000)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_differs(main, clean), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= SPECK * scale * scale
    kept[0] = False
    join, margin, rim = (round(size * scale) | 1 for size in (JOIN, 2 * MARGIN + 1, 2 * SOFT_RIM + 1))
    closed = cv2.morphologyEx(kept[labels].astype(np.uint8), cv2.MORPH_CLOSE, np.ones((join, join), np.uint8))
    solid = cv2.dilate(closed, np.ones((margin, margin), np.uint8))
    opacity = cv2.blur(cv2.dilate(solid, np.ones((rim, rim), np.uint8)).astype(np.float32), (rim, rim))
    return Promotion(np.clip(opacity, 0, 1), _boxes(solid))


def _differs(main: Pixels, clean: Pixels) -> NDArray[np.uint8]:
    """1 where the pictures differ by more than the ground explains, (height, width); in strips, to stay small."""
    height = len(main)
    found = np.empty(main.shape[:2], np.uint8)
    for start in range(0, height, STRIP_ROWS):
        top, bottom = max(0, start - WINDOW), min(height, start + STRIP_ROWS + WINDOW)
        different = _differs_strip(main[top:bottom], clean[top:bottom])
        stop = min(height, start + STRIP_ROWS)
        found[start:stop] = different[start - top : stop - top]
    return found


def _differs_strip(main: Pixels, clean: Pixels) -> NDArray[np.uint8]:
    signed = cv2.blur(cv2.subtract(main, clean, dtype=cv2.CV_32F), (5, 5))
    off = np.abs(signed).max(axis=2)
    grey = cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(grey, (WINDOW, WINDOW))
    spread = np.sqrt(np.maximum(cv2.blur(grey * grey, (WINDOW, WINDOW)) - mean * mean, 0))
    return np.asarray(off > QUIET + ON_TEXTURE * spread, np.uint8)


def take_over(main: Pixels, clean: Pixels, promotion: Promotion) -> Pixels:
    """The clean picture with the main image's promotion in its places; elsewhere its exact pixels."""
    taken = clean.copy()
    for start in range(0, len(main), STRIP_ROWS):
        rows = slice(start, start + STRIP_ROWS)
        opacity = promotion.opacity[rows, :, None]
        mixed = clean[rows] * (1 - opacity) + main[rows] * opacity
        np.copyto(taken[rows], np.rint(mixed).astype(np.uint8), where=opacity > 0)
    return taken


def boxes_of(touched: Mask) -> tuple[Box, ...]:
    """The places of an overlay's pixels, near ones joined."""
    size = round(JOIN * max(1.0, max(touched.shape) / 1000)) | 1
    return _boxes(cv2.morphologyEx(touched.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((size, size), np.uint8)))


def _boxes(solid: NDArray[np.uint8]) -> tuple[Box, ...]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    rows = sorted(stats[1:].tolist(), key=lambda row: (-row[4], row[0], row[1]))
    return tuple((left, top, left + width, top + height) for left, top, width, height, _ in rows[:MOST_BOXES])
