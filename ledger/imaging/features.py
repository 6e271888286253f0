"""Local features: small distinctive spots of a picture, each with place, size, direction and 128 numbers (SIFT).

Descriptors are RootSIFT (Arandjelovic and Zisserman, CVPR 2012) as bytes. Because a SIFT descriptor is a grid of 4 x 4
cells with 8 directions, mirroring a picture or inverting its tones only permutes the 128 numbers: both are derived
here, not extracted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ledger.imaging.threads import use_one_thread

use_one_thread()

DIMENSIONS = 128
# Weak spots are kept (OpenCV's default is .04) because soft textiles have few strong ones; the strongest are chosen
# afterwards. Edge spots up to a curvature ratio of 20 (default 10): hems and prints are mostly edges.
CONTRAST = 0.01
EDGE = 20.0
# RootSIFT of a unit histogram times 510 fits a byte while no bin holds over a quarter of it: true of every descriptor
# of 100 photos of the benchmark. A larger bin is cut.
BYTE_SCALE = 510.0
# Places are kept on a grid of 1/64 pixel, sizes of 1/128 pixel, directions of 1/65536 turn: far below what SIFT
# resolves, exact in float32, and 2 bytes each in a blob.
PLACE_STEPS = 64
SIZE_STEPS = 128
ANGLE_STEPS = 65536
LARGEST_U16 = 65535
# OpenCV enlarges the picture twofold before it looks, and reports places half as large as there: a quarter pixel to
# the right of and below where they are. Unnoticed in one picture, half a pixel between a picture and its mirror image.
OPENCV_SHIFT = 0.25

Grey = NDArray[np.uint8]
Bytes2D = NDArray[np.uint8]
Floats32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Profile:
    """How a picture is prepared: longest side in pixels at most `long_side`, at least `enlarge_to`; `limit` spots are
    chosen from the strongest `pool`."""

    long_side: int
    limit: int
    pool: int = 0
    enlarge_to: int = 256


# A query needs more spots than a reference, because it may hold other pictures beside the copied one.
REFERENCE = Profile(long_side=512, limit=400, pool=2000)
QUERY = Profile(long_side=640, limit=800, pool=2400)
# Spots are chosen fairly: of any k times 72 of them, each of 6 x 6 parts of the picture has its k strongest, the rest
# are the strongest of all. Otherwise the loudest part of a picture takes them all: of 60 collages and products on new
# backgrounds the right picture was nominated for 52 by strength alone, for 60 so.
FAIR_GRID = 6
FAIR_SHARE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Spots of one picture, in the order in which to give them up, last first.

    geometry float32 (n, 4): x, y in pixels of the working frame from the middle of its top left pixel, size in pixels,
    direction in degrees 0..360. descriptors uint8 (n, 128). width, height: the working frame.
    """

    geometry: Floats32
    descriptors: Bytes2D
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.geometry)

    def first(self, count: int) -> Features:
        """The first `count` spots."""
        return Features(self.geometry[:count], self.descriptors[:count], self.width, self.height)


def grey_frame(pixels: NDArray[np.uint8], profile: Profile) -> Grey:
    """The grey working frame, uint8 (height, width), of upright sRGB uint8 (height, width, 3) or grey pixels."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    factor = profile.long_side / longest if longest > profile.long_side else max(1.0, profile.enlarge_to / longest)
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    if size != (width, height):
        # Colours are reduced before they become grey: fewer pixels to convert.
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels


def extract(pixels: NDArray[np.uint8], profile: Profile) -> Features:
    """Features of a picture, uint8 (height, width, 3) sRGB upright or grey, prepared as the profile says."""
    return extract_grey(grey_frame(pixels, profile), profile)


def extract_grey(grey: Grey, profile: Profile) -> Features:
    """The features of a working frame that grey_frame made; the same pixels give the same bytes."""
    height, width = grey.shape
    spots = _sift(profile.pool).detect(grey, None)
    if not spots:
        return Features(np.zeros((0, 4), np.float32), np.zeros((0, DIMENSIONS), np.uint8), width, height)
    table = np.array([(*spot.pt, spot.size, spot.angle, spot.response) for spot in spots], np.float64)
    table[:, :2] -= OPENCV_SHIFT
    geometry = snap(table[:, :4])
    # Equal strengths are ordered by place: OpenCV's own order among them is an accident of its sorting.
    order = np.lexsort((*geometry.T[::-1], -table[:, 4]))
    order = order[_fair_order(geometry[order], width, height)[: profile.limit]]
    return Features(geometry[order], root_sift(_describe(grey, profile, spots, order)), width, height)


def _describe(grey: Grey, profile: Profile, spots: Sequence[Any], order: NDArray[np.intp]) -> NDArray[Any]:
    """SIFT histograms (n, 128) of the chosen spots alone: three quarters of the time for all of them would be for nothing.

    OpenCV begins its pyramid at the finest octave among the spots it is given. Where none of the chosen lies in the
    enlarged one, describing them alone would be of other pixels, so all are described as they were found.
    """
    chosen = [spots[place] for place in order.tolist()]
    sift = _sift(profile.pool)
    if any(_octave(spot) < 0 for spot in chosen):
        _, raw = sift.compute(grey, chosen)
        return np.asarray(raw)
    _, raw = sift.detectAndCompute(grey, None)
    return np.asarray(raw[order])


def _octave(spot: Any) -> int:
    """OpenCV packs it into the lowest byte, -1 being the picture enlarged twofold."""
    octave = int(spot.octave) & 255
    return octave - 256 if octave > 127 else octave


def _fair_order(geometry: Floats32, width: int, height: int) -> NDArray[np.intp]:
    """Positions of spots, given strongest first, in the order of a fair choice."""
    across = np.clip(geometry[:, 0] * (FAIR_GRID / width), 0, FAIR_GRID - 1).astype(np.intp)
    down = np.clip(geometry[:, 1] * (FAIR_GRID / height), 0, FAIR_GRID - 1).astype(np.intp)
    part = down * FAIR_GRID + across
    by_part = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[by_part], part[by_part])
    rank_in_part = np.empty(len(part), np.intp)
    rank_in_part[by_part] = np.arange(len(part)) - starts
    place = np.minimum(np.arange(len(part)), rank_in_part * FAIR_GRID * FAIR_GRID * FAIR_SHARE)
    return np.argsort(place, kind="stable")


def snap(geometry: NDArray[Any]) -> Floats32:
    """Geometry on the grid in which it is stored."""
    codes = encode_geometry(geometry)
    return decode_geometry(codes)


def encode_geometry(geometry: NDArray[Any]) -> NDArray[np.uint16]:
    """uint16 (n, 4): geometry in steps of the grid."""
    steps = np.array([PLACE_STEPS, PLACE_STEPS, SIZE_STEPS, ANGLE_STEPS / 360])
    codes = np.rint(np.asarray(geometry, np.float64) * steps)
    codes[:, 3] %= ANGLE_STEPS
    stored: NDArray[np.uint16] = np.clip(codes, 0, LARGEST_U16).astype(np.uint16)
    return stored


def decode_geometry(codes: NDArray[np.uint16]) -> Floats32:
    """float32 (n, 4): the inverse of `encode_geometry`, exact."""
    steps = np.array([1 / PLACE_STEPS, 1 / PLACE_STEPS, 1 / SIZE_STEPS, 360 / ANGLE_STEPS])
    geometry: Floats32 = (codes * steps).astype(np.float32)
    return geometry


def root_sift(raw: NDArray[Any]) -> Bytes2D:
    """RootSIFT as bytes, uint8 (n, 128), of SIFT histograms (n, 128) at any scale."""
    total = np.maximum(raw.sum(axis=1, keepdims=True, dtype=np.float32), 1e-6)
    rooted: Bytes2D = np.rint(np.minimum(np.sqrt(raw / total) * BYTE_SCALE, 255)).astype(np.uint8)
    return rooted


def mirrored(features: Features) -> Features:
    """The features of the picture with left and right exchanged."""
    geometry = features.geometry.copy()
    geometry[:, 0] = features.width - 1 - geometry[:, 0]
    geometry[:, 3] = (180 - geometry[:, 3]) % 360
    return Features(geometry, features.descriptors[:, MIRROR], features.width, features.height)


def inverted(features: Features) -> Features:
    """The features of the picture with light and dark exchanged: every gradient, so every direction, turns around."""
    geometry = features.geometry.copy()
    geometry[:, 3] = (geometry[:, 3] + 180) % 360
    return Features(geometry, features.descriptors[:, INVERT], features.width, features.height)


def _permutations() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each number comes from: MIRROR reverses the rows and the sense of rotation, INVERT rows and columns."""
    cells = np.arange(DIMENSIONS).reshape(4, 4, 8)
    backwards = [0, 7, 6, 5, 4, 3, 2, 1]
    return cells[::-1][:, :, backwards].ravel(), cells[::-1, ::-1].ravel()


MIRROR, INVERT = _permutations()


@lru_cache(maxsize=4)
def _sift(limit: int) -> Any:
    return cv2.SIFT.create(nfeatures=limit, contrastThreshold=CONTRAST, edgeThreshold=EDGE)
