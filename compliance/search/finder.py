"""The whole search for copies, cheapest evidence first, and its answer.

1. Equal files and equal pixels are proved by digests. 2. Pictures with nearly the same fingerprint are laid over the
query as a whole; if the pixels settle it, nothing else is computed. 3. Features nominate, geometry and pixels decide.
The same query over the same pictures gives the same answer, order included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compliance.search.compare import Comparison, QueryPicture, compare
from compliance.search.copy_score import (
    COPIES,
    SCORE_SAME_FILE,
    SCORE_SAME_PIXELS,
    THRESHOLD,
    CopyWeights,
    Verdict,
    shipped_copy_weights,
    verdict_of,
)
from compliance.search.hints import Hint, check_hint
from compliance.search.index import EVERYTHING, Filter, Index, Probe
from compliance.search.nominate import nominate
from compliance.search.segments import SegmentIndex
from ledger.imaging.agreement import Agreement
from ledger.imaging.edits import Edits, read_edits, tint_change
from ledger.imaging.feature_blob import Reference
from ledger.imaging.features import Grey

ENGINE = "copies"
ENGINE_VERSION = 1
DEFAULT_LIMIT = 5
# Fingerprints that near are laid over each other: few enough that the look costs less than the features it may save.
HINTS = 3
HINT_DISTANCE = 24


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One answer. score 0..100; inliers: features in place (0 where pixels or digests decided); edits None for equal
    files and for pictures that are not called copies; comparison and agreement: the evidence to draw."""

    image_id: int
    score: float
    verdict: Verdict
    inliers: int = 0
    edits: Edits | None = None
    view: str = ""
    agreement: Agreement | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Gallery:
    """What is searched: digests and fingerprints, codes of features, and the references behind them by image id."""

    hashes: Index
    features: SegmentIndex
    reference: Callable[[int], Reference | None]


@dataclass(frozen=True, slots=True)
class CopyQuery:
    """What is asked: digests and fingerprints; a coarse look at the picture; and its features, made when needed.

    tint: uint8 (side, side, 2), see ledger/imaging/edits.py.
    """

    probe: Probe
    grey: Grey
    tint: NDArray[np.uint8]
    picture: Callable[[], QueryPicture]


def find_copies(
    gallery: Gallery,
    query: CopyQuery,
    where: Filter = EVERYTHING,
    allowed: NDArray[np.int64] | None = None,
    limit: int = DEFAULT_LIMIT,
    *,
    threshold: float = THRESHOLD,
    weights: CopyWeights | None = None,
    is_thorough: bool = False,
) -> list[Candidate]:
    """At most `limit` candidates, best first, ties by image id. `where` and `allowed` must mean the same pictures.

    With is_thorough a settled answer does not end the search while there is room for more: beside the same file there
    may be a changed copy. Without it one proof is enough.
    """
    settled = _settled(gallery, query, where, limit, threshold)
    if len(settled) >= limit or (settled and not is_thorough):
        return _ranked(settled, limit)
    weights = weights or shipped_copy_weights()
    picture = query.picture()
    found = {candidate.image_id: candidate for candidate in settled}
    for nominee in nominate(gallery.features, picture.views, allowed):
        known = found.get(nominee.image_id)
        reference = gallery.reference(nominee.image_id) if known is None or known.comparison else None
        if reference is None:
            continue
        comparison = compare(picture, reference, nominee.view, nominee.votes)
        if comparison is None:
            continue
        candidate = judge(query, reference, comparison, nominee.image_id, weights, threshold)
        kept = found.get(nominee.image_id)
        if candidate.score > 0 and (kept is None or candidate.score > kept.score):
            found[nominee.image_id] = candidate
    return _ranked(list(found.values()), limit)


def judge(
    query: CopyQuery,
    reference: Reference,
    comparison: Comparison,
    image_id: int,
    weights: CopyWeights,
    threshold: float = THRESHOLD,
) -> Candidate:
    """Score, edits and verdict of one comparison."""
    score = weights.score(comparison.measures)
    edits = None
    if score >= threshold:
        edits = _edits(query, reference, comparison.agreement, comparison.matrix, comparison.view, comparison.frame)
    inliers = comparison.placement.inliers
    verdict = verdict_of(score, edits, inliers, threshold)
    return Candidate(image_id, score, verdict, inliers, edits, comparison.view, comparison.agreement, comparison)


def called_from(candidate: Candidate, threshold: float) -> Candidate:
    """The candidate where copies are called so from another score on than usual: below it nothing is said of edits."""
    if candidate.score >= threshold or candidate.verdict not in COPIES:
        return candidate
    return replace(candidate, verdict=verdict_of(candidate.score, None, candidate.inliers, threshold), edits=None)


def _settled(gallery: Gallery, query: CopyQuery, where: Filter, limit: int, threshold: float) -> list[Candidate]:
    """What digests prove and what fingerprints and pixels settle together."""
    out = []
    hints = HINTS
    for hit in gallery.hashes.query(query.probe, where, max(limit, HINTS)):
        if hit.same_file:
            out.append(Candidate(hit.item_id, SCORE_SAME_FILE, Verdict.IDENTICAL_FILE))
        elif hit.same_pixels:
            out.append(Candidate(hit.item_id, SCORE_SAME_PIXELS, Verdict.SAME_PICTURE))
        elif hints and hit.distance <= HINT_DISTANCE and hit.view >= 0:
            hints -= 1
            reference = gallery.reference(hit.item_id)
            hint = check_hint(query.grey, reference, hit.view) if reference else None
            if reference is not None and hint is not None and hint.score >= threshold:
                out.append(_hinted(query, reference, hint, hit.item_id, threshold))
    return out


def _hinted(query: CopyQuery, reference: Reference, hint: Hint, image_id: int, threshold: float) -> Candidate:
    edits = _edits(query, reference, hint.agreement, hint.matrix, hint.view, query.grey.shape)
    verdict = verdict_of(hint.score, edits, 0, threshold)
    return Candidate(image_id, hint.score, verdict, 0, edits, hint.view, hint.agreement)


def _edits(
    query: CopyQuery,
    reference: Reference,
    agreement: Agreement,
    matrix: NDArray[np.float64],
    view: str,
    frame: tuple[int, ...],
) -> Edits:
    """Edits of a copy; frame is the (height, width) that the matrix leads to."""
    portrait = reference.decode_portrait()
    height, width = frame
    tint = query.tint[:, ::-1] if view == "mirrored" else query.tint
    unit = np.diag([1 / width, 1 / height, 1.0]) @ matrix
    change = tint_change(tint, reference.tint, unit, (portrait.shape[1], portrait.shape[0]))
    return read_edits(agreement, portrait, matrix, (width, height), view, change)


def _ranked(candidates: Sequence[Candidate], limit: int) -> list[Candidate]:
    return sorted(candidates, key=lambda one: (-one.score, one.image_id))[:limit]
