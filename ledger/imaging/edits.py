"""What was done to a picture, read from how it lies in another one and from where the two disagree.

Every number is a measurement on the two frames, with the bound from which it is named an edit; none is a guess about
which program was used.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ledger.imaging.agreement import Agreement
from ledger.imaging.feature_blob import TINT_SIDE
from ledger.imaging.geometry import apply

# Below these, a second JPEG or another scaling could have done it.
LEAST_TURN = 1.0  # degrees
LEAST_STRETCH = 0.04
LEAST_CROP = 0.03
LEAST_BRIGHTNESS = 0.08
LEAST_TINT = 6.0  # mean change of Cr and Cb; JPEG quality 10 changed them by up to 3.1 in 100 photos
LEAST_LEAN = 0.02
# An added thing: a connected area without agreement of at least .4 % of the frame (a logo of 6 % of the side).
LEAST_ADDED = 0.004
DISAGREES = 0.3
MOST_ADDED = 8
TINT_SAMPLE = 64  # side of the reduction of a query

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Edits:
    """The edits of a copy. Shares and boxes 0..1; boxes are (left, top, right, bottom).

    turned: degrees clockwise, -180..180, after mirroring. scale: copy pixels per original pixel, of the two working
    frames. stretched: longer scale by shorter, minus 1. leaning: the perspective is not that of the original. kept:
    share of the original still seen, kept_box: where, in the original. place: the original's corners in the copy, from
    its top left clockwise. fills: share of the copy's content that is the original. brightness, contrast: factors.
    tint: mean change of colour, 0 = none. added: boxes in the original's frame where something else is seen.
    """

    mirrored: bool
    inverted: bool
    turned: float
    scale: float
    stretched: float
    leaning: bool
    kept: float
    kept_box: Box
    place: tuple[Point, Point, Point, Point]
    fills: float
    brightness: float
    contrast: float
    tint: float
    added: tuple[Box, ...]

    @property
    def is_turned(self) -> bool:
        return abs(self.turned) >= LEAST_TURN

    @property
    def is_stretched(self) -> bool:
        return self.stretched >= LEAST_STRETCH

    @property
    def is_cropped(self) -> bool:
        return self.kept < 1 - LEAST_CROP

    @property
    def is_relit(self) -> bool:
        return max(abs(self.brightness - 1), abs(self.contrast - 1)) >= LEAST_BRIGHTNESS

    @property
    def is_recoloured(self) -> bool:
        return self.tint >= LEAST_TINT

    @property
    def names(self) -> tuple[str, ...]:
        """Codes of the edits found, in a fixed order; () for a picture that was only scaled or saved again."""
        found = {
            "mirrored": self.mirrored,
            "inverted": self.inverted,
            "turned": self.is_turned,
            "stretched": self.is_stretched,
            "perspective": self.leaning,
            "cropped": self.is_cropped,
            "relit": self.is_relit and not self.inverted,
            "recoloured": self.is_recoloured and not self.inverted,
            "added": bool(self.added),
        }
        return tuple(name for name, is_found in found.items() if is_found)


def read_edits(
    agreement: Agreement, portrait: NDArray[np.uint8], matrix: Floats, frame: tuple[int, int], view: str, tint: float
) -> Edits:
    """Edits of a located copy.

    portrait uint8 (height, width) of the original; matrix (3, 3) from it to the view's frame of the query, frame its
    (width, height); view: upright, mirrored or inverted; tint as `tint_change` measures it.
    """
    height, width = portrait.shape
    is_mirrored = view == "mirrored"
    turn, large, small = _decompose(matrix, width, height)
    brightness, contrast = _light(agreement, portrait)
    return Edits(
        mirrored=is_mirrored,
        inverted=view == "inverted",
        turned=round(-turn if is_mirrored else turn, 1),
        scale=round(float(np.sqrt(large * small)), 4),
        stretched=round(large / small - 1, 3),
        leaning=bool(abs(matrix[2, 0]) * width + abs(matrix[2, 1]) * height > LEAST_LEAN),
        kept=round(agreement.overlap, 3),
        kept_box=_box_of(agreement.inside),
        place=_corners(matrix, (width, height), frame, mirrored=is_mirrored),
        fills=round(agreement.explained, 3),
        brightness=brightness,
        contrast=contrast,
        tint=round(tint, 1),
        added=_added(agreement),
    )


def tint_change(query: NDArray[np.uint8], tint: NDArray[np.uint8], matrix: Floats, portrait: tuple[int, int]) -> float:
    """Mean change of Cr and Cb where query and original overlap; 0 where they do not.

    query: uint8 (side, side, 2) as `feature_blob.make_tint` makes it of the view; tint: the original's (16, 16, 2);
    matrix (3, 3) from the portrait (width, height) to the unit square of the view.
    """
    side = query.shape[0]
    steps = (np.arange(TINT_SIDE) + 0.5) / TINT_SIDE
    grid = np.stack(np.meshgrid(steps * portrait[0], steps * portrait[1]), axis=-1).reshape(-1, 2) - 0.5
    places = np.floor(apply(matrix, grid) * side).astype(int)
    inside = ((places >= 0) & (places < side)).all(axis=1)
    if not inside.any():
        return 0.0
    seen = query[places[inside, 1], places[inside, 0]].astype(np.float64)
    known = tint.reshape(-1, 2)[inside].astype(np.float64)
    return float(np.abs(seen - known).mean())


def _decompose(matrix: Floats, width: int, height: int) -> tuple[float, float, float]:
    """Turn in degrees clockwise, and the larger and smaller scale, in the middle of the frame."""
    x, y, depth = matrix @ np.array([width / 2, height / 2, 1.0])
    linear = (matrix[:2, :2] - np.outer(np.array([x, y]) / depth, matrix[2, :2])) / depth
    left, sizes, right = np.linalg.svd(linear)
    rotation = left @ right
    turn = float(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0])))
    return turn, float(sizes[0]), float(max(sizes[1], 1e-6))


def _light(agreement: Agreement, portrait: NDArray[np.uint8]) -> tuple[float, float]:
    """Factors of mean brightness and of contrast where the two agree; (1, 1) where nothing does."""
    same = agreement.inside & ((agreement.correlation > 0.7) | ~agreement.textured)
    if same.sum() < 50:
        return 1.0, 1.0
    known, seen = portrait[same].astype(np.float64), agreement.warped[same].astype(np.float64)
    contrast = seen.std() / known.std() if known.std() > 1 else 1.0
    return round(float(seen.mean() / max(known.mean(), 1.0)), 2), round(float(contrast), 2)


def _box_of(mask: NDArray[np.bool_]) -> Box:
    """The box around a mask; the whole frame for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 1.0
    height, width = mask.shape
    box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return round(box[0], 3), round(box[1], 3), round(box[2], 3), round(box[3], 3)


def _corners(
    matrix: Floats, size: tuple[int, int], frame: tuple[int, int], *, mirrored: bool
) -> tuple[Point, Point, Point, Point]:
    width, height = size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64) - 0.5
    seen = (apply(matrix, corners) + 0.5) / np.array(frame)
    if mirrored:
        seen[:, 0] = 1 - seen[:, 0]
    a, b, c, d = ((round(float(x), 3), round(float(y), 3)) for x, y in seen)
    return a, b, c, d


def _added(agreement: Agreement) -> tuple[Box, ...]:
    """Boxes of connected areas that are seen but do not agree, largest first."""
    other = (agreement.inside & agreement.textured & (agreement.correlation < DISAGREES)).astype(np.uint8)
    other = cv2.morphologyEx(other, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    other = cv2.morphologyEx(other, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(other)
    height, width = other.shape
    found = sorted(stats[1:].tolist(), key=lambda row: (-row[4], row[0], row[1]))
    return tuple(
        (round(x / width, 3), round(y / height, 3), round((x + w) / width, 3), round((y + h) / height, 3))
        for x, y, w, h, area in found[:MOST_ADDED]
        if area >= LEAST_ADDED * other.size
    )
