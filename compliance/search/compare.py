"""One query against one reference, closely: geometry first, then pixels, and both put into numbers for the score.

Each number is a measurement of terms.py. Counts of agreeing features alone cannot decide: a
printed pack photographed again reached 186 of them, a true copy had as few as 54 (benchmark, seeds 1 and 7).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.search.nominate import View, views_of
from ledger.imaging.agreement import Agreement, agree, between_centres
from ledger.imaging.feature_blob import Reference
from ledger.imaging.features import QUERY, Features, Grey, extract_grey, grey_frame
from ledger.imaging.geometry import Placement, apply, locate

SPREAD_CELLS = 4
# A closer look: only at parts of up to half the frame, where something agrees but not yet beyond doubt.
FEWEST_TO_LOOK_AGAIN = 6
ENOUGH_INLIERS = 60
SMALLEST_PART = 48
LARGEST_PART = 0.5
PART_MARGIN = 0.08
HULL_AGREES = 0.8
HULL_AGREES_WELL = 0.95
FEWEST_TEXTURED = 30
OPEN_KERNEL = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class QueryPicture:
    """A query ready to be compared: its working frame and the features of its three views."""

    grey: Grey
    views: dict[View, Features]

    def frame(self, view: View) -> Grey:
        """The working frame, uint8 (height, width), as that view shows it."""
        if view == "mirrored":
            return np.ascontiguousarray(self.grey[:, ::-1])
        return 255 - self.grey if view == "inverted" else self.grey


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What was found. matrix (3, 3) takes places of the reference's portrait to places of the view's frame.

    measures: float64 (29,) in the order of terms.MEASURES. frame: its (height, width). lines: float64 (n, 4), for each pair of spots in place where
    it lies in the view's frame and in the reference, as shares 0..1 of width and height.
    """

    view: View
    votes: float
    placement: Placement
    agreement: Agreement
    matrix: NDArray[np.float64]
    measures: NDArray[np.float64]
    lines: NDArray[np.float64]
    frame: tuple[int, ...]


def make_query(pixels: NDArray[np.uint8]) -> QueryPicture:
    """A query from uint8 (height, width, 3) sRGB upright or grey pixels."""
    grey = grey_frame(pixels, QUERY)
    return QueryPicture(grey, views_of(extract_grey(grey, QUERY)))


def compare(query: QueryPicture, reference: Reference, view: View, votes: float = 0.0) -> Comparison | None:
    """The closest look at one pair, or None when no transform puts at least three features in place."""
    placement = locate(query.views[view], reference.features)
    if placement is None:
        return None
    placement = look_again(query.frame(view), reference.features, placement)
    portrait = reference.decode_portrait()
    matrix = placement.matrix @ np.linalg.inv(_to_portrait(reference.features, portrait))
    agreement = agree(query.frame(view), portrait, matrix)
    measures = describe(placement, agreement, reference, portrait)
    lines = _lines(placement, reference.features, query.grey)
    return Comparison(view, votes, placement, agreement, matrix, measures, lines, query.grey.shape)


def _lines(placement: Placement, reference: Features, frame: Grey) -> NDArray[np.float64]:
    places = reference.geometry[placement.reference, :2].astype(np.float64)
    seen = (apply(placement.matrix, places) + 0.5) / np.array([frame.shape[1], frame.shape[0]])
    known = (places + 0.5) / np.array([reference.width, reference.height])
    return np.hstack([seen, known])


def look_again(frame: Grey, reference: Features, placement: Placement) -> Placement:
    """The placement after a closer look at the part of the frame where the reference seems to be, if that finds more.

    In a collage the strongest features are shared out among all its pictures; the part alone yields several times as
    many. The result is in places of the whole frame, like the first one.
    """
    left, top, right, bottom = _part(frame, reference, placement)
    width, height = right - left, bottom - top
    is_worth_it = FEWEST_TO_LOOK_AGAIN <= placement.inliers < ENOUGH_INLIERS
    if not is_worth_it or min(width, height) < SMALLEST_PART or width * height > LARGEST_PART * frame.size:
        return placement
    part = grey_frame(np.ascontiguousarray(frame[top:bottom, left:right]), QUERY)
    closer = extract_grey(part, QUERY)
    geometry = closer.geometry.copy()
    factors = np.array([width / part.shape[1], height / part.shape[0]], np.float32)
    geometry[:, :2] = (geometry[:, :2] + 0.5) * factors - 0.5 + np.array([left, top], np.float32)
    geometry[:, 2] *= float(np.sqrt(factors[0] * factors[1]))
    found = locate(Features(geometry, closer.descriptors, frame.shape[1], frame.shape[0]), reference)
    return placement if found is None or found.inliers <= placement.inliers else found


def _part(frame: Grey, reference: Features, placement: Placement) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) around the place of the reference with a margin, within the frame."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * np.array([reference.width, reference.height])
    seen = apply(placement.matrix, corners)
    margin = PART_MARGIN * (seen.max(axis=0) - seen.min(axis=0))
    bounds = np.array([frame.shape[1], frame.shape[0]])
    low = np.clip(seen.min(axis=0) - margin, 0, bounds).astype(int)
    high = np.clip(seen.max(axis=0) + margin, 0, bounds).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def describe(placement: Placement, agreement: Agreement, reference: Reference, portrait: Grey) -> NDArray[np.float64]:
    """The measurements of one comparison, float64 (29,) in the order of terms.MEASURES, all finite."""
    features = reference.features
    count, share = float(np.log1p(placement.inliers)), placement.share
    scale, stretch, bend = _shape(placement.matrix, features)
    inside_hull = _inside_hull(placement, agreement, features)
    detail = _median(agreement.detail[agreement.textured])
    region, repeats = _largest_region(agreement), repetition(portrait)
    return np.array(
        [
            count,
            share,
            _spread(placement, features),
            agreement.agreeing,
            agreement.median,
            agreement.agreeing_well,
            min(placement.residual, 5.0),
            agreement.agreeing * count,
            share * agreement.agreeing,
            abs(scale),
            stretch,
            agreement.overlap,
            agreement.texture,
            agreement.cover,
            agreement.cover * agreement.agreeing,
            agreement.overall,
            bend,
            agreement.explained,
            *inside_hull,
            detail,
            detail * agreement.agreeing,
            region,
            region * count,
            repeats,
            repeats * agreement.agreeing_well,
        ]
    )


def _to_portrait(features: Features, portrait: Grey) -> NDArray[np.float64]:
    factors = np.array([portrait.shape[1] / features.width, portrait.shape[0] / features.height])
    return between_centres(factors)


def _shape(matrix: NDArray[np.float64], features: Features) -> tuple[float, float, float]:
    """Log of the scale, how unequal the two scales are (0 = equal, at most 2), how much the picture leans."""
    sizes = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    scale = float(np.log(np.clip(np.sqrt(sizes[0] * sizes[1]), 0.02, 50)))
    stretch = float(min(sizes[0] / max(sizes[1], 1e-6), 3.0) - 1)
    return scale, stretch, float(abs(matrix[2, 0]) * features.width + abs(matrix[2, 1]) * features.height)


def _spread(placement: Placement, features: Features) -> float:
    """Which share of a 4 x 4 grid over the reference holds inliers, among cells that hold features."""
    size = np.array([features.width, features.height]) / SPREAD_CELLS
    cells = np.clip(features.geometry[:, :2] // size, 0, SPREAD_CELLS - 1).astype(int) @ np.array([1, SPREAD_CELLS])
    return float(len(np.unique(cells[placement.reference])) / max(1, len(np.unique(cells))))


def _inside_hull(placement: Placement, agreement: Agreement, features: Features) -> tuple[float, ...]:
    """Of the area between the inliers: its share of the frame, and how well the pixels agree there (4 numbers).

    A product cut out and put on another background agrees there and nowhere else.
    """
    height, width = agreement.textured.shape
    factors = np.array([width / features.width, height / features.height])
    points = (features.geometry[placement.reference, :2] * factors).astype(np.int32)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), 1)
    area = cv2.erode(mask, OPEN_KERNEL) > 0
    judged = agreement.correlation[area & agreement.textured]
    if len(judged) < FEWEST_TEXTURED:
        return float(area.mean()), 0.0, 0.0, 0.0, 0.0
    return (
        float(area.mean()),
        float((judged > HULL_AGREES).mean()),
        float((judged > HULL_AGREES_WELL).mean()),
        float(np.median(judged)),
        _median(agreement.detail[area & agreement.textured]),
    )


def _median(values: NDArray[np.float32]) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _largest_region(agreement: Agreement) -> float:
    """The share of the frame in its largest connected part whose pixels agree."""
    good = ((agreement.correlation > HULL_AGREES) & agreement.textured).astype(np.uint8)
    good = cv2.morphologyEx(good, cv2.MORPH_OPEN, OPEN_KERNEL)
    _, _, stats, _ = cv2.connectedComponentsWithStats(good)
    return float(stats[1:, cv2.CC_STAT_AREA].max(initial=0) / good.size)


def repetition(portrait: Grey) -> float:
    """How much a picture resembles itself when shifted, 0..1: knit, lace and woven cloth come near 1.

    The highest peak of the autocorrelation of the fine detail at half size, outside its own middle (radius 6 px).
    """
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = half - cv2.GaussianBlur(half, (0, 0), 4)
    height, width = detail.shape
    padded = cv2.copyMakeBorder(detail, 0, 256 - height, 0, 256 - width, cv2.BORDER_CONSTANT)
    spectrum = cv2.dft(padded)
    power = cv2.idft(cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True), flags=cv2.DFT_SCALE)
    # Shifts up to a third of the frame, so that at least 4/9 of it overlaps.
    far_y, far_x = height // 3, width // 3
    middle = np.roll(power, (far_y, far_x), (0, 1))[: 2 * far_y + 1, : 2 * far_x + 1]
    y, x = np.arange(-far_y, far_y + 1)[:, None], np.arange(-far_x, far_x + 1)[None]
    overlap = (1 - np.abs(y) / height) * (1 - np.abs(x) / width)
    peak = float(np.where(y**2 + x**2 > 36, middle / overlap, 0).max())
    return float(np.clip(peak / max(float(power[0, 0]), 1e-6), 0, 1))
