"""What is taken from one query picture: its fingerprints in the eight positions a sheet of paper can lie in.

A mirrored or turned copy has another fingerprint, so the query is turned instead of every stored picture. The
upright view equals the recorded fingerprints bit for bit; the other seven are computed from the same three reduced
pictures, which may differ by single bits from hashing the turned full-size picture (the resampling rounds between
its two passes).
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

HASH_SIDE = 8
_DCT_SIDE = 4 * HASH_SIDE
VIEW_NAMES = (
    "upright",
    "rotated_90",
    "rotated_180",
    "rotated_270",
    "mirrored",
    "mirrored_rotated_90",
    "mirrored_rotated_180",
    "mirrored_rotated_270",
)

Grey = NDArray[np.uint8]


def fingerprint_views(picture: Image.Image) -> tuple[tuple[int, int], ...]:
    """(phash, dhash) of the eight views in the order of VIEW_NAMES, as unsigned 64-bit numbers.

    picture: upright, sRGB. Rotations are counter-clockwise and, where both apply, come after the mirroring.
    """
    grey = picture.convert("L")
    square = _reduced(grey, _DCT_SIDE, _DCT_SIDE)
    wide = _reduced(grey, HASH_SIDE + 1, HASH_SIDE)
    tall = _reduced(grey, HASH_SIDE, HASH_SIDE + 1)
    views = []
    for number in range(len(VIEW_NAMES)):
        mirrored, turns = divmod(number, 4)
        p_source, d_source = square, (wide, tall)[turns % 2]
        if mirrored:
            p_source, d_source = p_source[:, ::-1], d_source[:, ::-1]
        views.append((_phash(np.rot90(p_source, turns)), _dhash(np.rot90(d_source, turns))))
    return tuple(views)


def _reduced(grey: Image.Image, width: int, height: int) -> Grey:
    return np.asarray(grey.resize((width, height), Image.Resampling.LANCZOS))


def _phash(square: Grey) -> int:
    """Sign of the 64 lowest DCT-II coefficients against their median; the unnormalised transform of imagehash."""
    spectrum = scipy.fft.dct(scipy.fft.dct(square.astype(np.float64), axis=0), axis=1)
    low = spectrum[:HASH_SIDE, :HASH_SIDE]
    return as_number(low > np.median(low))


def _dhash(wide: Grey) -> int:
    """Whether each pixel is lighter than its left neighbour."""
    return as_number(wide[:, 1:] > wide[:, :-1])


def as_number(bits: NDArray[np.bool_]) -> int:
    """64 bits, row by row, most significant first: the order of imagehash and of the stored 8-byte fingerprints."""
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
