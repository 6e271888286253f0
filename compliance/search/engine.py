"""One search: a query's features against one seller's index, as scored candidates in a fixed order.

The index nominates by distance, the score decides what to say. Nothing here reads pixels; worker_tasks.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compliance.search.index import EVERYTHING, Filter, Hit, Index, Probe
from compliance.search.query import VIEW_NAMES, Query
from compliance.search.score import THRESHOLD, MatchKind, Weights, kind_of, score_hit

ENGINE = "fingerprints"
ENGINE_VERSION = 1
DEFAULT_LIMIT = 5
# The index ranks by the plain sum of distances, the score weighs them: over 8,128 queries of the benchmark the best
# five of the score lay within the best 33 of the sum.
NOMINATED = 40


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer. score 0..100; distances in bits (64 = not compared); view names how the query had to be turned."""

    item_id: int
    score: float
    kind: MatchKind
    phash_distance: int
    dhash_distance: int
    view: str


def search(
    index: Index,
    query: Query,
    where: Filter = EVERYTHING,
    limit: int = DEFAULT_LIMIT,
    *,
    threshold: float = THRESHOLD,
    weights: Weights | None = None,
) -> list[Candidate]:
    """At most `limit` candidates, best first; the same index content gives the same answer, order included.

    Ties: originals before listings, then the oldest, then the lowest id. Rows with score 0 are no candidates.
    """
    probe = Probe(query.sha256, query.pixel_sha256, query.views)
    hits = index.query(probe, where, max(NOMINATED, limit))
    scored = sorted(((score_hit(hit, weights), hit) for hit in hits), key=_order)
    return [_candidate(hit, score, threshold) for score, hit in scored[:limit] if score > 0]


def strongest_kind(candidates: Sequence[Candidate]) -> MatchKind:
    """The kind of the best candidate; NONE without any."""
    return candidates[0].kind if candidates else MatchKind.NONE


def _order(scored: tuple[float, Hit]) -> tuple[float, int, bool, int, int]:
    score, hit = scored
    return (-score, hit.distance, not hit.is_original, hit.first_seen, hit.item_id)


def _candidate(hit: Hit, score: float, threshold: float) -> Candidate:
    return Candidate(
        item_id=hit.item_id,
        score=score,
        kind=kind_of(hit, score, threshold),
        phash_distance=hit.phash_distance,
        dhash_distance=hit.dhash_distance,
        view=VIEW_NAMES[hit.view] if 0 <= hit.view < len(VIEW_NAMES) else "",
    )
