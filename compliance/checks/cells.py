"""What JPEG cannot have done: the difference from an expected picture that quantisation leaves unexplained.

An encoder turns each number of a block's cosine transform into the nearest multiple of a step. So all that a file tells
is a cell as wide as the step, and a picture inside the cell is a picture that the file may have been made from. Where
the expected picture lies in the cell, the files agree, however different the pixels look; only what lies outside counts.
Source: ITU-T T.81, annex A; sampling and upsampling as in libjpeg's jcsample.c and jdsample.c.
"""

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
# Luma and the two colour differences (ITU-R BT.601, JFIF); the constant 128 cancels in differences.
LUMA_CHROMA = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32
)


def unexplained(expected: Pixels, hidden: Pixels, make: JpegMake) -> Floats | None:
    """Hidden minus expected in luma and two chroma levels, float32 (height, width, 3), zero where quantisation explains it.

    Both uint8 (height, width, 3), the hidden image decoded from a file of this make. None for a make whose cells cannot
    be told: grey files, unusual sampling, missing tables.
    """
    if make.chroma not in SUPPORTED or len(make.tables) != 3 or expected.shape != hidden.shape:
        return None
    seen = cv2.split(cv2.transform(hidden.astype(np.float32), LUMA_CHROMA))
    wanted = cv2.split(cv2.transform(expected.astype(np.float32), LUMA_CHROMA))
    planes = []
    for number, table in enumerate(make.tables):
        sampling = make.chroma if number else (1, 1)
        pair = (_sampled(np.asarray(each[number], np.float32), sampling) for each in (wanted, seen))
        steps = np.array(table, np.float32).reshape(BLOCK, BLOCK)
        planes.append(_outside_cells(next(pair), _sharpened(next(pair), sampling), steps, sampling))
    height, width = hidden.shape[:2]
    return np.stack([plane[:height, :width] for plane in planes], axis=2)


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
    texture = _coefficients(wanted)
    difference = _coefficients(seen) - texture
    texture = np.abs(texture)
    texture[..., 0, 0] = 0
    is_textured = texture.sum(axis=(2, 3)) > TEXTURED
    size = np.abs(difference)
    slack = np.full((BLOCK, BLOCK), ROUNDING, np.float32)
    if is_textured.sum() >= FEWEST_BLOCKS:
        # One coefficient after the other in memory: sorting across blocks takes three times as long.
        by_place = np.ascontiguousarray(size[is_textured].reshape(-1, BLOCK * BLOCK).T)
        noise = np.quantile(by_place, CLEAN_SHARE, axis=1).reshape(BLOCK, BLOCK) - steps / 2
        slack = np.clip(noise, ROUNDING, ROUNDING + steps).astype(np.float32)
    limit = steps / 2 + slack
    # Just outside a cell little is certain, far outside all of it is: between the limit and twice the limit a
    # coefficient fades in (Gao and Bruce 1997, "firm shrinkage").
    kept = np.sign(difference) * np.minimum(size, 2 * np.maximum(size - limit, 0))
    plane = _from_coefficients(kept)
    across, down = sampling
    return plane if sampling == (1, 1) else np.asarray(plane.repeat(down, axis=0).repeat(across, axis=1))


def _coefficients(plane: Floats) -> Any:
    """(rows, columns, 8, 8): the cosine transform of every block."""
    height, width = plane.shape
    blocks = plane.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(0, 2, 1, 3)
    return TRANSFORM @ blocks @ TRANSFORM.T


def _from_coefficients(coefficients: NDArray[np.float32]) -> Floats:
    rows, columns = coefficients.shape[:2]
    blocks = TRANSFORM.T @ coefficients @ TRANSFORM
    return np.asarray(blocks.transpose(0, 2, 1, 3).reshape(rows * BLOCK, columns * BLOCK), np.float32)
