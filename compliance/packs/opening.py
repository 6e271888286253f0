"""Bytes to pixels for the pack maker, or a refusal that names the file and the reason. For the limited child only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.packs.errors import FileRefused
from ledger.imaging.decode import Picture, decode_layer, decode_picture
from ledger.imaging.errors import ImagingError
from ledger.imaging.scan import scan_picture

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A given file and what it shows: pixels uint8 (height, width, 3), sRGB, upright; flags of ledger.imaging.decode."""

    data: bytes
    format: str
    pixels: Pixels
    flags: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def is_plain(self) -> bool:
        """Whether the stored pixels are the shown ones, in sRGB: nothing was turned, converted or flattened."""
        return not {"rotated", "icc_converted", "alpha_flattened", "cmyk", "sixteen_bit"} & set(self.flags)


def open_source(data: bytes, side: str) -> Source:
    """The picture of that file, or FileRefused. side: original, main or hidden."""
    picture = _open(data, side, as_layer=False)
    return Source(data, picture.format, picture.pixels, picture.flags)


def open_layer(data: bytes) -> Image.Image:
    """An overlay as it came, mode RGBA or RGB, or FileRefused."""
    return _open(data, "overlay", as_layer=True).image


def _open(data: bytes, side: str, *, as_layer: bool) -> Picture:
    try:
        scan_picture(data, file_name="")
        return decode_layer(data) if as_layer else decode_picture(data)
    except ImagingError as error:
        raise FileRefused(side, error.code, error.detail) from error
