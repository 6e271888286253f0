"""What JPEG cannot have done: the difference from an expected picture that quantisation leaves unexplained.

An encoder turns each number of a block's cosine transform into the nearest multiple of a step. So all that a file tells
is a cell as wide as the step, and a picture inside the cell is a picture that the file may have been made from. Where
the expected picture lies in the cell, the files agree, however different the pixels look; only what lies outside counts.
Source: ITU-T T.81, annex A; sampling and upsampling as in libjpeg's jcsample.c and jdsample.c.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.jpeg import JpegMake
from compliance.checks.pair import Floats, Pixels

BLOCK = 8
# Rounding to whole levels and clipping to 0..255 move a coefficient by about this much.
ROUNDING = 1.0
# A block has texture when its coefficients beside the mean add up to this many levels; noise is measured there.
TEXTURED = 12.0
# The share of textured blocks that are taken to show the noise of the expected picture alone.
CLEAN_SHARE = 0.9
FEWEST_BLOCKS = 60
# The noise of so many blocks, spread over the picture, is that of all.
SAMPLED_BLOCKS = 2_000
# Rounds in which the smoothing of a decoder's chroma is undone; what is left of it is (1/2) ** ROUNDS at most.
ROUNDS = 4
UPSAMPLING = np.array([1 / 8, 3 / 4, 1 / 8], np.float32)
ONE = np.ones(1, np.float32)
SUPPORTED = frozenset({(1, 1), (2, 1), (2, 2)})

# The orthonormal cosine transform of eight values.
_PLACES = np.arange(BLOCK)
TRANSFORM = (
    np.cos((2 * _PLACES[None] + 1) * _PLACES[:, None] * np.pi / 16) * np.where(_PLACES[:, None] == 0, 0.5**0.5, 1) / 2
).astype(np.float32)
# Everything in a block but its mean.
BESIDE_MEAN = np.ones(BLOCK * BLOCK, np.float32)
BESIDE_MEAN[0] = 0
# Luma and the two colour differences (ITU-R BT.601, JFIF); the constant 128 cancels in differences.
LUMA_CHROMA = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32
)


def planes_of(pixels: Pixels) -> list[Floats]:
    """Luma and two chroma planes, float32 (height, width), of uint8 (height, width, 3)."""
    levels = pixels.astype(np.float32)
    return [np.asarray(cv2.transform(levels, row[None]), np.float32) for row in LUMA_CHROMA]


def unexplained(expected: Sequence[Floats], hidden: Sequence[Floats], make: JpegMake) -> list[Floats] | None:
    """Hidden minus expected in luma and two chroma levels, zero where quantisation explains it; planes of planes_of().

    The hidden image was decoded from a file of this make. None for a make whose cells cannot be told: grey files,
    unusual sampling, missing tables.
    """
    if make.chroma not in SUPPORTED or len(make.tables) != 3 or expected[0].shape != hidden[0].shape:
        return None
    height, width = hidden[0].shape
    planes = []
    for number, (wanted, seen, table) in enumerate(zip(expected, hidden, make.tables, strict=True)):
        sampling = make.chroma if number else (1, 1)
        steps = np.array(table, np.float32).reshape(BLOCK, BLOCK)
        sharp = _sharpened(_sampled(seen, sampling), sampling)
        planes.append(_outside_cells(_sampled(wanted, sampling), sharp, steps, sampling)[:height, :width])
    return planes


def _sampled(plane: Floats, sampling: tuple[int, int]) -> Floats:
    """The plane as the encoder samples it: edges repeated up to whole blocks, means of (across, down) pixels."""
    across, down = sampling
    height, width = plane.shape
    below, right = -height % (BLOCK * down), -width % (BLOCK * across)
    padded = cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REPLICATE)
    if sampling == (1, 1):
        return np.asarray(padded, np.float32)
    size = (padded.shape[1] // across, padded.shape[0] // down)
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32)


def _sharpened(plane: Floats, sampling: tuple[int, int]) -> Floats:
    """The samples before the decoder's triangle filter, which sampling again has left as a slight smoothing."""
    kernels = [UPSAMPLING if factor == 2 else ONE for factor in sampling]
    if sampling == (1, 1):
        return plane
    found = left = plane
    for _ in range(ROUNDS):
        left = left - cv2.sepFilter2D(left, -1, kernels[0], kernels[1], borderType=cv2.BORDER_REPLICATE)
        found = found + left
    return found


def _outside_cells(wanted: Floats, seen: Floats, steps: Floats, sampling: tuple[int, int]) -> Floats:
    """The part of seen - wanted whose coefficients lie outside their cells, at full size."""
    difference = _coefficients(seen - wanted)
    limit = steps / 2 + _slack(_coefficients(wanted), difference, steps)
    # Just outside a cell little is certain, far outside all of it is: between the limit and twice the limit a
    # coefficient fades in (Gao and Bruce 1997, "firm shrinkage").
    beyond = 2 * (difference - np.clip(difference, -limit, limit))
    kept = np.where(np.abs(beyond) < np.abs(difference), beyond, difference)
    plane = _from_coefficients(kept)
    across, down = sampling
    return plane if sampling == (1, 1) else np.asarray(plane.repeat(down, axis=0).repeat(across, axis=1))


def _slack(texture: Any, difference: Any, steps: Floats) -> Floats:
    """How far beyond its cell each coefficient (8, 8) may lie: what rounding and the expected picture's noise do."""
    slack = np.full((BLOCK, BLOCK), ROUNDING, np.float32)
    flat = np.abs(texture.reshape(-1, BLOCK * BLOCK))
    textured = np.flatnonzero(flat @ BESIDE_MEAN > TEXTURED)
    if len(textured) < FEWEST_BLOCKS:
        return slack
    few = textured[:: max(1, len(textured) // SAMPLED_BLOCKS)]
    # One coefficient after the other in memory: sorting across blocks takes three times as long.
    by_place = np.ascontiguousarray(np.abs(difference.reshape(-1, BLOCK * BLOCK)[few]).T)
    noise = np.quantile(by_place, CLEAN_SHARE, axis=1).reshape(BLOCK, BLOCK) - steps / 2
    return np.asarray(np.clip(noise, ROUNDING, ROUNDING + steps), np.float32)


def _coefficients(plane: Floats) -> Any:
    """(rows, columns, 8, 8): the cosine transform of every block."""
    height, width = plane.shape
    blocks = plane.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(0, 2, 1, 3)
    return TRANSFORM @ blocks @ TRANSFORM.T


def _from_coefficients(coefficients: NDArray[np.float32]) -> Floats:
    rows, columns = coefficients.shape[:2]
    blocks = TRANSFORM.T @ coefficients @ TRANSFORM
    return np.asarray(blocks.transpose(0, 2, 1, 3).reshape(rows * BLOCK, columns * BLOCK), np.float32)
