"""The pair under check: facts about two files, and both pictures in one working frame, shared by every rule.

The full-size pixels are let go as soon as the working copies exist, so that two 50-megapixel files fit into the
memory of the limited child one after the other.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

LOSSY_FORMATS = frozenset({"JPEG", "WEBP"})


@dataclass(frozen=True, slots=True)
class Side:
    """One file of the pair: width and height are upright; metadata: kinds of blocks found.

    preview: uint8 (height, width, 3), sRGB, upright, in the file's own shape, long side at most 1024 px.
    """

    name: str
    size_bytes: int
    format: str
    width: int
    height: int
    metadata: tuple[str, ...]
    has_gps: bool
    preview: Pixels

    @property
    def is_lossy(self) -> bool:
        """WebP counts as lossy: its lossless kind cannot be told from the pixels, and the wider band is the safe one."""
        return self.format in LOSSY_FORMATS


@dataclass(frozen=True, slots=True)
class Pair:
    """Main and hidden image; working copies uint8 (height, width, 3) have one size, that of the main image's frame."""

    main: Side
    hidden: Side
    main_work: Pixels
    hidden_work: Pixels

    @property
    def frame_px(self) -> int:
        """Long side of the working frame: the scale at which figures are stated."""
        return int(max(self.main_work.shape[:2]))

    @property
    def is_stretched(self) -> bool:
        """Whether the hidden image had to be resized to lie in the main image's frame."""
        return (self.main.width, self.main.height) != (self.hidden.width, self.hidden.height)

    def to_hidden(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """A box of the working frame in pixels of the hidden image, (left, top, right, bottom)."""
        height, width = self.hidden_work.shape[:2]
        across, down = self.hidden.width / width, self.hidden.height / height
        return (
            int(box[0] * across),
            int(box[1] * down),
            min(self.hidden.width, round(box[2] * across)),
            min(self.hidden.height, round(box[3] * down)),
        )


def frame_size(width: int, height: int, long_side_px: int) -> tuple[int, int]:
    """(width, height) scaled down, never up, to that long side."""
    shrink = min(1.0, long_side_px / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def fit(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture at (width, height): area means when it shrinks, so that no detail aliases; bilinear when it grows."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    is_smaller = size[0] * size[1] <= pixels.shape[0] * pixels.shape[1]
    resized: Any = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)
