"""Which pictures to compare closely: every pair of similar features votes for a picture and for a way to lie in it.

A Hough vote (Lowe, IJCV 2004): pairs of one copy agree on scale, turn and on where the picture's middle comes to lie,
pairs found by chance are spread over everything. The vote only orders candidates; geometry and pixels decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compliance.search.segments import Ask, Pairs, SegmentIndex
from ledger.imaging.features import Features, inverted, mirrored

FARTHEST = 320.0
SPREAD = 130.0
TURNS = 12
OCTAVES = 16
CELLS = 64
# Side of a cell for the middle, in query pixels: a quarter of a typical frame at the candidate's scale.
CELL = 110.0
SMALLEST_CELL = 40.0
NOMINEES = 8
# How many spots are asked for upright, mirrored and inverted. Inversion is rare and changes every part of a picture
# alike, so few suffice to notice it. Among very many pictures fewer are asked for, to answer in time: 177 of 180
# collages, new backgrounds and combined edits were nominated with the smaller numbers and 6 leaves, 180 with the others.
SPOTS = (800, 500, 250)
SPOTS_AMONG_MANY = (500, 250, 125)
MANY = 250_000
# Below this many votes a picture is not worth a comparison: the best of a query without a copy has 2.7 at the median,
# a true copy 47 at the median and 4.7 at the first percentile (204 copies, seed 1).
FEWEST_VOTES = 2.0

VIEWS = ("upright", "mirrored", "inverted")
View = str


@dataclass(frozen=True, slots=True)
class Nominee:
    """A picture worth comparing: votes (sum of weights that agree), and the view of the query that found it."""

    image_id: int
    votes: float
    view: View


def views_of(query: Features) -> dict[View, Features]:
    """The query as it is, mirrored, and with its tones inverted."""
    return {"upright": query, "mirrored": mirrored(query), "inverted": inverted(query)}


def nominate(
    index: SegmentIndex, views: dict[View, Features], allowed: NDArray[np.int64] | None = None, limit: int = NOMINEES
) -> list[Nominee]:
    """At most `limit` nominees, most votes first; a picture may be nominated once per view."""
    asks = asks_of(index, views)
    pairs = index.neighbours(asks, allowed)
    return vote(pairs, asks, limit)


def asks_of(index: SegmentIndex, views: dict[View, Features]) -> list[Ask]:
    """What is asked of an index of that size."""
    counts = SPOTS if len(index) <= MANY else SPOTS_AMONG_MANY
    return [
        Ask(views[view].first(count), member) for member, (view, count) in enumerate(zip(VIEWS, counts, strict=True))
    ]


def vote(pairs: Pairs, asks: Sequence[Ask], limit: int) -> list[Nominee]:
    """Nominees out of pairs; deterministic, ties go to the lower image id and the earlier view."""
    pairs = _one_per_picture(pairs)
    if not len(pairs.spot):
        return []
    seen = _geometry_seen(pairs, asks)
    weights = _weights(pairs)
    known, images = np.unique(pairs.image_ids, return_inverse=True)
    owners = images * len(asks) + pairs.view
    best = np.zeros(len(known) * len(asks))
    for offset in (0.0, 0.5):
        keys = owners * (OCTAVES * TURNS * CELLS * CELLS) + _cells(pairs, seen, offset)
        cells, inverse = np.unique(keys, return_inverse=True)
        sums = np.bincount(inverse, weights=weights)
        np.maximum.at(best, cells // (OCTAVES * TURNS * CELLS * CELLS), sums)
    order = np.argsort(-best, kind="stable")[:limit]
    return [
        Nominee(int(known[n // len(asks)]), float(best[n]), VIEWS[n % len(asks)])
        for n in order.tolist()
        if best[n] >= FEWEST_VOTES
    ]


def _one_per_picture(pairs: Pairs) -> Pairs:
    """The nearest pair of each query feature with each picture: a repeated pattern must not vote many times."""
    order = np.lexsort((pairs.squared, pairs.image_ids, pairs.spot, pairs.view))
    order = order[pairs.squared[order] < FARTHEST**2]
    view, spot, image = pairs.view[order], pairs.spot[order], pairs.image_ids[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (view[1:] != view[:-1]) | (spot[1:] != spot[:-1]) | (image[1:] != image[:-1])
    keep = order[is_first]
    columns: list[Any] = [pairs.view, pairs.spot, pairs.image_ids, pairs.squared, pairs.geometry, pairs.frame]
    return Pairs(*(column[keep] for column in columns))


def _weights(pairs: Pairs) -> NDArray[np.float64]:
    """Near pairs weigh more; a feature that resembles many pictures weighs less for each of them."""
    _, inverse, counts = np.unique(pairs.view * (1 << 20) + pairs.spot, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = np.exp(-pairs.squared.astype(np.float64) / (2 * SPREAD**2))
    weights /= np.sqrt(counts[inverse])
    return weights


def _geometry_seen(pairs: Pairs, asks: Sequence[Ask]) -> NDArray[np.float32]:
    starts = np.cumsum([0, *(len(ask.features) for ask in asks)])
    every = np.concatenate([ask.features.geometry for ask in asks])
    return every[starts[pairs.view] + pairs.spot]


def _cells(pairs: Pairs, seen: NDArray[np.float32], offset: float) -> NDArray[np.int64]:
    """One number per pair for octave of scale, twelfth of a turn, and place of the picture's middle."""
    known = pairs.geometry
    octave = np.log2(seen[:, 2] / known[:, 2])
    turn = np.deg2rad((seen[:, 3] - known[:, 3]) % 360)
    scale = np.exp2(octave)
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    dx, dy = pairs.frame[:, 0] / 2 - known[:, 0], pairs.frame[:, 1] / 2 - known[:, 1]
    side = np.maximum(SMALLEST_CELL, CELL * scale)
    x = (seen[:, 0] + cosine * dx - sine * dy) / side
    y = (seen[:, 1] + sine * dx + cosine * dy) / side
    parts = (np.floor(octave + offset) + OCTAVES // 2, np.floor(turn * TURNS / (2 * np.pi) + offset), x, y)
    key = np.zeros(len(known), np.int64)
    for part, size in zip(parts, (OCTAVES, TURNS, CELLS, CELLS), strict=True):
        key = key * size + np.floor(part + (offset if size == CELLS else 0)).astype(np.int64) % size
    return key
