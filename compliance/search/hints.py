"""A fingerprint's hint, checked: the whole query laid over the whole reference, turned as the fingerprint says.

A picture that was only saved again, scaled, relit, turned by a right angle or mirrored needs no features: its pixels
agree everywhere, down to the weave. Whatever is less clear than that is left to the features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger.imaging.agreement import Agreement, agree
from ledger.imaging.feature_blob import Reference
from ledger.imaging.features import Grey, Profile, grey_frame

# Settled only above all of these. Of 1,266 wrong pairs with a near fingerprint in the benchmark (seed 1), photographs
# of the same scene moments later included, the best had .62, .84 and .57; half of the right ones 1.00, .99 and .96.
LEAST_AGREEING = 0.95
LEAST_MEDIAN = 0.93
LEAST_DETAIL = 0.7
LEAST_COVER = 0.97
LEAST_TEXTURE = 0.05
SCORE_FLOOR = 90.0
SCORE_CEILING = 99.0

# Where a point of the view (u, v in 0..1) lies in the query, as rows of (u, v, 1); turns are counter-clockwise.
TURNS = (
    ((1, 0, 0), (0, 1, 0)),
    ((0, -1, 1), (1, 0, 0)),
    ((-1, 0, 1), (0, -1, 1)),
    ((0, 1, 0), (-1, 0, 1)),
)
MIRRORED = 4
# Twice the portrait's side: enough to see what the portrait shows.
LOOK = Profile(long_side=448, limit=0, enlarge_to=8)


@dataclass(frozen=True, slots=True, eq=False)
class Hint:
    """A settled hint. matrix (3, 3) takes places of the portrait to places of the view's frame, as in compare.py."""

    view: str
    matrix: NDArray[np.float64]
    agreement: Agreement
    score: float


def coarse_look(pixels: NDArray[np.uint8]) -> Grey:
    """The grey frame hints are checked on, of uint8 (height, width, 3) sRGB upright or grey pixels."""
    return grey_frame(pixels, LOOK)


def check_hint(query: Grey, reference: Reference, dihedral: int) -> Hint | None:
    """The hint if the pixels settle it, else None. dihedral: 0..7 in the order of fingerprint.DIHEDRAL_NAMES."""
    portrait = reference.decode_portrait()
    height, width = query.shape
    view = "mirrored" if dihedral >= MIRRORED else "upright"
    matrix = whole_frame(dihedral, (portrait.shape[1], portrait.shape[0]), (width, height))
    frame = np.ascontiguousarray(query[:, ::-1]) if view == "mirrored" else query
    agreement = agree(frame, portrait, matrix)
    if not is_settled(agreement):
        return None
    detail = float(np.median(agreement.detail[agreement.textured]))
    score = SCORE_FLOOR + (SCORE_CEILING - SCORE_FLOOR) * min(1.0, agreement.median * detail)
    return Hint(view, matrix, agreement, int(score * 10) / 10)


def is_settled(agreement: Agreement) -> bool:
    """Whether the pixels alone show a copy."""
    if agreement.texture < LEAST_TEXTURE or agreement.cover < LEAST_COVER:
        return False
    detail = float(np.median(agreement.detail[agreement.textured]))
    return agreement.agreeing >= LEAST_AGREEING and agreement.median >= LEAST_MEDIAN and detail >= LEAST_DETAIL


def whole_frame(dihedral: int, portrait: tuple[int, int], frame: tuple[int, int]) -> NDArray[np.float64]:
    """(3, 3) from the portrait (width, height) to the view's frame: the mirrored one for views 4..7."""
    turn = np.eye(3)
    turn[:2] = TURNS[dihedral % MIRRORED]
    if dihedral >= MIRRORED:
        # The fingerprint turned first and mirrored then; the features mirror first. Both of these flips are left-right.
        flip = np.diag([-1.0, 1.0, 1.0])
        flip[0, 2] = 1.0
        turn = flip @ turn @ flip
    to_unit = np.array([[1 / portrait[0], 0, 0.5 / portrait[0]], [0, 1 / portrait[1], 0.5 / portrait[1]], [0, 0, 1]])
    to_frame = np.array([[frame[0], 0, -0.5], [0, frame[1], -0.5], [0, 0, 1.0]])
    matrix: NDArray[np.float64] = to_frame @ turn @ to_unit
    return matrix
