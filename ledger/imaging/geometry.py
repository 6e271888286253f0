"""How one picture lies in another: matched features, the transform most of them agree on, and what it leaves over.

Every match knows two places, sizes and directions, so it proposes a whole similarity transform (shift, scale, turn) by
itself, and all matches vote on all proposals: nothing is drawn at random, the same two pictures give the same bits.
The winner is refined to an affine transform by least squares, and to a homography where that explains clearly more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.imaging.features import Features

# Bytes of RootSIFT. Between unrelated product photos the nearest descriptors are 181..341 apart (5th to 95th
# percentile, 25 pairs), between a photo and a smaller JPEG of it 25..150: this bound decides nothing, it saves work.
FARTHEST = 320.0
SPREAD = 130.0
RATIO = 0.9
# Pixels a match may miss its predicted place by, in the query's working frame.
TOLERANCE = 5.0
PROPOSALS = 200
FEWEST = 3
# Fewer matches than this are explained by a similarity transform; an affine one has too many freedoms for them.
FEWEST_AFFINE = 6
FEWEST_PERSPECTIVE = 12
# A homography has two more freedoms than an affine transform: it must explain at least 2 % more matches.
PERSPECTIVE_GAIN = 1.02
# Or it must explain as many and leave clearly less over: a slight slant stays within the tolerance of an affine
# transform, but the pixels laid over each other by it miss by two or three.
SAME_COUNT = 0.98
FINER = 0.75
STEEPEST = 2e-3

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of features: indices into query and reference, and a weight 0..1 each (close and unrivalled = heavy)."""

    query: Indices
    reference: Indices
    weights: Floats

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The reference found in the query.

    matrix float64 (3, 3) takes a homogeneous (x, y, 1) of the reference's working frame to the query's. inliers:
    pairs (query, reference) of feature indices that agree, each reference feature once. matched: pairs before the
    transform was known. residual: root mean square distance of the inliers in query pixels.
    """

    matrix: Floats
    query: Indices
    reference: Indices
    matched: int
    residual: float

    @property
    def inliers(self) -> int:
        """How many features agree."""
        return len(self.query)

    @property
    def share(self) -> float:
        """Which share of all matched pairs agrees, 0..1."""
        return self.inliers / max(1, self.matched)


def locate(query: Features, reference: Features) -> Placement | None:
    """Where the reference lies in the query, or None when fewer than three features agree."""
    matches = match(query, reference)
    if len(matches) < FEWEST:
        return None
    source = reference.geometry[matches.reference].astype(np.float64)
    target = query.geometry[matches.query].astype(np.float64)
    agreed = vote(source, target, matches.weights)
    found = _refine(source, target, agreed)
    if found is None:
        return None
    matrix, agreed = _perspective(source[:, :2], target[:, :2], *found)
    return _placement(matrix, agreed, source[:, :2], target[:, :2], matches)


def match(query: Features, reference: Features) -> Matches:
    """Pairs that are each other's nearest, or clearly nearer than the second nearest (ratio .9)."""
    if len(query) < FEWEST or len(reference) < FEWEST:
        nothing = np.zeros(0, np.intp)
        return Matches(nothing, nothing, np.zeros(0))
    squared = squared_distances(query.descriptors, reference.descriptors)
    rows = np.arange(len(query))
    nearest = squared.argmin(axis=1)
    best = squared[rows, nearest]
    is_mutual = squared.argmin(axis=0)[nearest] == rows
    squared[rows, nearest] = np.inf
    second = squared.min(axis=1)
    keep = np.flatnonzero((best < FARTHEST**2) & (is_mutual | (best < RATIO**2 * second)))
    best, second = best[keep].astype(np.float64), second[keep].astype(np.float64)
    rivalry = np.sqrt(np.clip(best / np.maximum(second, 1), 0, 1))
    return Matches(keep, nearest[keep], np.exp(-best / (2 * SPREAD**2)) * (1.1 - rivalry))


def squared_distances(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 (n, m): squared Euclidean distances of bytes (n, 128) and (m, 128).

    All terms are whole numbers below 2**24, so float32 holds them exactly and the order of summation does not show.
    """
    a, b = left.astype(np.float32), right.astype(np.float32)
    product = a @ b.T
    product *= -2
    product += np.einsum("ij,ij->i", a, a)[:, None]
    product += np.einsum("ij,ij->i", b, b)[None]
    result: NDArray[np.float32] = product
    return result


def vote(source: Floats, target: Floats, weights: Floats) -> Mask:
    """Which pairs agree with the best proposal: bool (n,). source, target: geometry (n, 4) of the pairs."""
    scale = target[:, 2] / source[:, 2]
    turn = np.deg2rad(target[:, 3] - source[:, 3])
    # As complex numbers a similarity transform is one product and one sum.
    places, seen = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    factor = scale * np.exp(1j * turn)
    shift = seen - factor * places
    proposals = np.argsort(-weights, kind="stable")[:PROPOSALS]
    miss = factor[proposals, None] * places + shift[proposals, None] - seen
    near = miss.real**2 + miss.imag**2 < (3 * TOLERANCE) ** 2
    growth = np.abs(np.log(scale)[None] - np.log(scale)[proposals, None]) < 0.55
    swing = np.abs((turn[None] - turn[proposals, None] + np.pi) % (2 * np.pi) - np.pi) < 0.5
    agreed: NDArray[np.bool_] = near & growth & swing
    best: Mask = agreed[np.argmax(agreed @ weights)]
    return best


def _refine(source: Floats, target: Floats, agreed: Mask) -> tuple[Floats, Mask] | None:
    """Affine transform (3, 3) by least squares, pairs chosen anew after each step until they stay the same."""
    if agreed.sum() < FEWEST:
        return None
    alike = _alike(source, target, agreed)
    matrix = np.eye(3)
    for step in range(6):
        matrix = fit_affine(source[agreed, :2], target[agreed, :2])
        limit = 2 * TOLERANCE if step < 2 else TOLERANCE
        chosen = alike & (distances(matrix, source[:, :2], target[:, :2]) < limit)
        if chosen.sum() < FEWEST:
            return None
        if step >= 2 and np.array_equal(chosen, agreed):
            break
        agreed = chosen
    return matrix, agreed


def _alike(source: Floats, target: Floats, agreed: Mask) -> Mask:
    """Pairs whose change of size and direction is near the median of those that agreed."""
    growth = np.log(target[:, 2] / source[:, 2])
    turn = np.deg2rad(target[:, 3] - source[:, 3])
    middle = np.angle(np.exp(1j * turn[agreed]).sum())
    swing = np.abs((turn - middle + np.pi) % (2 * np.pi) - np.pi)
    alike: Mask = (np.abs(growth - np.median(growth[agreed])) < 0.7) & (swing < 0.6)
    return alike


def fit_affine(source: Floats, target: Floats) -> Floats:
    """(3, 3): least squares affine transform of points (n, 2), a similarity transform for fewer than six."""
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    a, b = source - middle, target - goal
    if len(source) >= FEWEST_AFFINE:
        linear = np.linalg.lstsq(a, b, rcond=None)[0].T
    else:
        spread = float((a * a).sum()) + 1e-9
        cosine = float((a * b).sum()) / spread
        sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
        linear = np.array([[cosine, -sine], [sine, cosine]])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, goal - linear @ middle
    return matrix


def _perspective(source: Floats, target: Floats, matrix: Floats, agreed: Mask) -> tuple[Floats, Mask]:
    """The homography if it explains enough more pairs, else what came in. The net is drawn in step by step."""
    if agreed.sum() < FEWEST_PERSPECTIVE:
        return matrix, agreed
    bent = matrix
    for factor in (6.0, 4.0, 2.5, 1.5, 1.0, 1.0):
        miss = distances(bent, source, target)
        chosen = miss < factor * TOLERANCE
        if chosen.sum() < FEWEST_PERSPECTIVE:
            return matrix, agreed
        # Wrong pairs near the border of a wide net must not bend the transform: they weigh little (Cauchy).
        found = fit_homography(source[chosen], target[chosen], 1 / (1 + (miss[chosen] / TOLERANCE) ** 2))
        if found is None:
            return matrix, agreed
        bent = found
    chosen = distances(bent, source, target) < TOLERANCE
    is_sane = max(abs(bent[2, 0]), abs(bent[2, 1])) < STEEPEST and np.linalg.det(bent[:2, :2]) > 1e-4
    is_fuller = chosen.sum() >= PERSPECTIVE_GAIN * agreed.sum()
    is_finer = chosen.sum() >= SAME_COUNT * agreed.sum() and _middle_miss(
        bent, source, target, chosen
    ) < FINER * _middle_miss(matrix, source, target, agreed)
    return (bent, chosen) if is_sane and (is_fuller or is_finer) else (matrix, agreed)


def _middle_miss(matrix: Floats, source: Floats, target: Floats, chosen: Mask) -> float:
    return float(np.median(distances(matrix, source[chosen], target[chosen])))


def fit_homography(source: Floats, target: Floats, weights: Floats) -> Floats | None:
    """(3, 3) with a one at the end: weighted direct linear transform of points (n, 2), n >= 4 (Hartley 1997)."""
    normal_s, normal_t = _normalise(source), _normalise(target)
    a, b = apply(normal_s, source), apply(normal_t, target)
    ones, zeros = np.ones((len(a), 1)), np.zeros((len(a), 3))
    full = np.hstack([a, ones])
    across = np.hstack([full, zeros, -b[:, :1] * full])
    down = np.hstack([zeros, full, -b[:, 1:] * full])
    rows = np.vstack([across, down]) * np.sqrt(np.concatenate([weights, weights]))[:, None]
    # The smallest eigenvector of a 9 x 9 matrix: the time does not grow with the number of points.
    vector = np.linalg.eigh(rows.T @ rows)[1][:, 0]
    matrix: Floats = np.linalg.inv(normal_t) @ vector.reshape(3, 3) @ normal_s
    if abs(matrix[2, 2]) < 1e-12:
        return None
    matrix /= matrix[2, 2]
    return matrix


def _normalise(points: Floats) -> Floats:
    """(3, 3): points moved to the origin at a mean distance of about one."""
    middle = points.mean(axis=0)
    scale = 1 / max(1e-9, float(np.sqrt(((points - middle) ** 2).sum(axis=1).mean())))
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])


def apply(matrix: Floats, points: NDArray[Any]) -> Floats:
    """Points (n, 2) under a matrix (3, 3). Points on the horizon come out far away, never as NaN."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    depth = moved[:, 2:]
    return moved[:, :2] / np.where(np.abs(depth) < 1e-9, 1e-9, depth)


def distances(matrix: Floats, source: Floats, target: Floats) -> Floats:
    """How far each point (n, 2) lands from its target."""
    miss: Floats = np.linalg.norm(apply(matrix, source) - target, axis=1)
    return miss


def _placement(matrix: Floats, agreed: Mask, source: Floats, target: Floats, matches: Matches) -> Placement | None:
    pairs = np.flatnonzero(agreed)
    miss = distances(matrix, source[pairs], target[pairs])
    # Each reference feature once, with its nearest pair: a striped query matches one spot many times.
    order = np.lexsort((miss, matches.reference[pairs]))
    _, first = np.unique(matches.reference[pairs][order], return_index=True)
    pairs, miss = pairs[order[first]], miss[order[first]]
    if len(pairs) < FEWEST:
        return None
    residual = float(np.sqrt((miss**2).mean()))
    return Placement(matrix, matches.query[pairs], matches.reference[pairs], len(matches), residual)
