"""The pair under check: facts about two files, and both pictures in one working frame, shared by every rule.

The full-size pixels are let go as soon as the working copies exist, so that two 50-megapixel files fit into the
memory of the limited child one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

T = TypeVar("T")

LOSSY_FORMATS = frozenset({"JPEG", "WEBP"})


@dataclass(frozen=True, slots=True)
class Side:
    """One file of the pair: width and height are upright; metadata: kinds of blocks found.

    generator_marks: what in its metadata says that it was generated, by name.

    preview: uint8 (height, width, 3), sRGB, upright, in the file's own shape, long side at most 1024 px.
    detail: the same with a long side of at most 2400 px, for what is small: letters, codes, edges.
    """

    name: str
    size_bytes: int
    format: str
    width: int
    height: int
    metadata: tuple[str, ...]
    has_gps: bool
    generator_marks: tuple[str, ...]
    preview: Pixels
    detail: Pixels
    _seen: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, look: Callable[[], T]) -> T:
        """What `look` finds on this side, looked at on the first call under that name: several rules need one sight."""
        if name not in self._seen:
            self._seen[name] = look()
        found: T = self._seen[name]
        return found

    def from_detail(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """A box of `detail` in pixels of the file, (left, top, right, bottom)."""
        across, down = self.width / self.detail.shape[1], self.height / self.detail.shape[0]
        return (
            int(box[0] * across),
            int(box[1] * down),
            min(self.width, round(box[2] * across)),
            min(self.height, round(box[3] * down)),
        )

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
