"""The pair under check: facts about two files, and both pictures in one working frame, shared by every rule.

The full-size pixels are let go as soon as the working copies exist, so that 50-megapixel files fit into the memory of
the limited child one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.jpeg import JpegMake

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

T = TypeVar("T")

LOSSY_FORMATS = frozenset({"JPEG", "WEBP"})


@dataclass(frozen=True, slots=True)
class Side:
    """One file of the pair: width and height are upright; metadata: kinds of blocks found.

    preview and detail: uint8 (height, width, 3), sRGB, upright, in the file's own shape, long side at most 1024 and 2400
    px; detail is for what is small: letters, codes, edges. jpeg: tables and sampling, None for other formats.
    generator_marks: what in its metadata says that it was generated, by name.
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
    jpeg: JpegMake | None
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


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """The original in the hidden image's frame.

    pixels: uint8 (height, width, 3), what the hidden image should look like; inside: bool, where the original has
    pixels. matrix: float64 (3, 3), places of the frame (x, y, 1) to places of the original, from the middle of the top
    left pixel. path: same, scaled, cropped or turned, "mirrored" before it where that is so, "graded" after it.
    """

    pixels: Pixels
    inside: Mask
    matrix: NDArray[np.float64]
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class OriginalView:
    """The registered original as far as the pair needs it: laid in the frame of the hidden image's detail, or why not.

    reason is a key of codes.REASONS, empty when it was laid.
    """

    name: str
    width: int
    height: int
    laid: Laid | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Main and hidden image; working copies uint8 (height, width, 3) have one size, that of the main image's frame.

    original is None when none was given.
    """

    main: Side
    hidden: Side
    main_work: Pixels
    hidden_work: Pixels
    original: OriginalView | None = None
    derived: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    def once(self, derive: Callable[["Pair"], T]) -> T:
        """What `derive` makes of this pair, computed at the first call and shared by all rules that ask again."""
        if derive not in self.derived:
            self.derived[derive] = derive(self)
        result: T = self.derived[derive]
        return result

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
