"""Perceptual fingerprints: 64 bits that stay close when a picture is scaled or re-encoded. Hints, never verdicts.

phash and dhash are bit for bit those of the imagehash library under Pillow 13 (older ones round differently where a
picture is more than twice as tall as wide), so what the ledger records can be checked with other tools. Here the grey
picture is made once, both reductions come out of one pass over it, and mirrored or turned views are derived from the
reductions instead of from the pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fftpack
from numpy.typing import NDArray
from PIL import Image

from ledger.imaging.results import Fingerprint
from ledger.imaging.threads import use_one_thread

use_one_thread()

VERSION = 1
PHASH = "phash64"
DHASH = "dhash64"

PHASH_SIDE = 32
HASH_SIDE = 8
DHASH_WIDTH = HASH_SIDE + 1

LANCZOS_SUPPORT = 3.0
WEIGHT_BITS = 22  # Pillow's resampling of 8-bit samples: weights are integers of 2**-22, each pass rounds to 8 bits
BLOCK_ROWS = 64  # rows turned into floats at a time: at 6,000 pixels a row 3 MB, which stays in the cache
FULL_QUALITY_STEP = 12  # mean step between neighbours of the 32 x 32 reduction that counts as full quality

# The eight ways to hold a picture: turned by 0, 90, 180, 270 degrees, then the same mirrored left to right.
DIHEDRAL_NAMES = ("upright", "rot90", "rot180", "rot270", "mirror", "mirror_rot90", "mirror_rot180", "mirror_rot270")

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reductions:
    """The grey picture at 32 x 32 for phash and at 9 x 8 for dhash, uint8."""

    square: Grey
    strip: Grey


def fingerprint(pixels: Image.Image | Grey) -> tuple[Fingerprint, ...]:
    """phash64 and dhash64 of an upright sRGB picture: a Pillow image or uint8 (height, width[, 3])."""
    return _encode(_reduce(_grey(pixels)))


def dihedral_fingerprints(pixels: Image.Image | Grey) -> tuple[tuple[Fingerprint, ...], ...]:
    """The fingerprints of the eight views in the order of DIHEDRAL_NAMES; the first equals `fingerprint(pixels)`.

    Turns are counter-clockwise. One bit may differ from the fingerprint of the turned pixels themselves.
    """
    return tuple(_encode(view) for view in _views(_grey(pixels)))


def hamming_distance(left: bytes, right: bytes) -> int:
    """Number of bits in which two values of equal length differ."""
    if len(left) != len(right):
        raise ValueError(f"{len(left)} bytes against {len(right)}")
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).bit_count()


def _grey(pixels: Image.Image | Grey) -> Grey:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    return np.asarray(image.convert("L"))


def _encode(reductions: Reductions) -> tuple[Fingerprint, ...]:
    quality = _quality(reductions.square)
    return (
        Fingerprint(PHASH, VERSION, _phash(reductions.square), quality),
        Fingerprint(DHASH, VERSION, _dhash(reductions.strip), quality),
    )


def _phash(square: Grey) -> bytes:
    # The library's own transform: another DCT would differ in the last place, and flips bits of symmetric pictures.
    spectrum = scipy.fftpack.dct(scipy.fftpack.dct(square, axis=0), axis=1)[:HASH_SIDE, :HASH_SIDE]
    return np.packbits(spectrum > np.median(spectrum)).tobytes()


def _dhash(strip: Grey) -> bytes:
    return np.packbits(strip[:, 1:] > strip[:, :-1]).tobytes()


def _quality(square: Grey) -> int:
    levels = square.astype(np.int16)
    steps = np.abs(np.diff(levels, axis=0)).mean() + np.abs(np.diff(levels, axis=1)).mean()
    return int(min(100.0, steps * 100 / (2 * FULL_QUALITY_STEP)))


def _views(grey: Grey) -> Iterator[Reductions]:
    upright, turned = _reduce(grey), _reduce(grey.T)
    # A transpose mirrored top to bottom is a turn by 90 degrees counter-clockwise.
    rotations = (
        upright,
        Reductions(turned.square[::-1], turned.strip[::-1]),
        Reductions(upright.square[::-1, ::-1], upright.strip[::-1, ::-1]),
        Reductions(turned.square[:, ::-1], turned.strip[:, ::-1]),
    )
    yield from rotations
    for view in rotations:
        yield Reductions(view.square[:, ::-1], view.strip[:, ::-1])


def _reduce(grey: Grey) -> Reductions:
    """Both reductions, equal to Pillow's Lanczos `resize` to (32, 32) and to (9, 8)."""
    height, width = grey.shape
    if _is_tall(grey, PHASH_SIDE, PHASH_SIDE) or _is_tall(grey, DHASH_WIDTH, HASH_SIDE):
        return Reductions(_resize(grey, PHASH_SIDE, PHASH_SIDE), _resize(grey, DHASH_WIDTH, HASH_SIDE))
    # One pass over the pixels for both: this is where the time goes.
    across = _pass(grey, np.hstack([_weights(width, PHASH_SIDE), _weights(width, DHASH_WIDTH)]))
    square = _round(_weights(height, PHASH_SIDE).T @ across[:, :PHASH_SIDE])
    strip = _round(_weights(height, HASH_SIDE).T @ across[:, PHASH_SIDE:])
    return Reductions(square.astype(np.uint8), strip.astype(np.uint8))


def _resize(grey: Grey, columns: int, rows: int) -> Grey:
    height, width = grey.shape
    if _is_tall(grey, columns, rows):
        down = _pass(grey.T, _weights(height, rows)).T
        return _round(down @ _weights(width, columns)).astype(np.uint8)
    across = _pass(grey, _weights(width, columns))
    return _round(_weights(height, rows).T @ across).astype(np.uint8)


def _is_tall(grey: Grey, columns: int, rows: int) -> bool:
    """Whether Pillow reduces the height before the width; each pass rounds, so the order can show in the result."""
    height, width = grey.shape
    return bool(height > rows and height - rows > 2 * (width - columns))


def _pass(grey: Grey, weights: Floats) -> Floats:
    """Each row of pixels times the weights, rounded: float64 (rows, weights.shape[1]) holding 0..255."""
    reduced = np.empty((grey.shape[0], weights.shape[1]))
    for top in range(0, grey.shape[0], BLOCK_ROWS):
        reduced[top : top + BLOCK_ROWS] = _round(grey[top : top + BLOCK_ROWS].astype(np.float64) @ weights)
    return reduced


def _round(sums: Floats) -> Floats:
    """Weighted sums to 0..255. Exact: weights are integers, so every sum is an integer far below 2**53."""
    sums *= 2.0**-WEIGHT_BITS
    sums += 0.5
    np.floor(sums, out=sums)
    return np.clip(sums, 0.0, 255.0, out=sums)


@lru_cache(maxsize=64)
def _weights(size: int, reduced: int) -> Floats:
    """Integer Lanczos weights as floats (size, reduced), computed step by step as Pillow's `precompute_coeffs` does."""
    scale = size / reduced
    filter_scale = max(scale, 1.0)
    support = LANCZOS_SUPPORT * filter_scale
    weights = np.zeros((size, reduced))
    for column in range(reduced):
        centre = (column + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size)
        taps = _lanczos((np.arange(first, last) - centre + 0.5) * (1.0 / filter_scale))
        taps /= taps.sum()
        weights[first:last, column] = np.trunc(taps * (1 << WEIGHT_BITS) + np.where(taps < 0, -0.5, 0.5))
    return weights


def _lanczos(distance: NDArray[np.floating[Any]]) -> Floats:
    taps: Floats = np.sinc(distance) * np.sinc(distance / LANCZOS_SUPPORT)
    return np.where((distance >= -LANCZOS_SUPPORT) & (distance < LANCZOS_SUPPORT), taps, 0.0)
