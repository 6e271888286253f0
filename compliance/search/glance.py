"""A first look at a stored picture: whether it can be a copy of one of these at all, told without opening its file.

The features, fingerprints and digests that were kept when it was analysed ask as a query's do, only with fewer and coarser
spots. What nothing resembles is refused here, which is nearly every picture of a feed; for the rest the full search
decides as if nobody had looked before, so a glance can lose a copy but never change what is said of one.

The other way round, an original names the listings it may be in without a search of its own: an original asked for in a
picture that holds others beside it scores too low to be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compliance.search.finder import HINT_DISTANCE, Gallery
from compliance.search.index import Filter, Probe
from compliance.search.nominate import nominate, views_of
from ledger.imaging.feature_blob import Reference
from ledger.imaging.geometry import locate

Ids = NDArray[np.int64]

# Spots of a nominee that have to lie together. Of 262 copies of the benchmark (seed 11, 68 + 12 attacks) one was not
# nominated, a picture among nine, and every other had 15 or more; of unlike pictures drawn by a program 3 in a hundred
# have 12.
LEAST_INLIERS = 12
# A picture with fewer is too plain to be refused by them: fingerprints and pixels may still settle it.
FEWEST_SPOTS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What is kept of an analysed picture: digests and upright fingerprint as a probe; features and portrait."""

    probe: Probe
    reference: Reference


def may_be_copy(gallery: Gallery, stored: Stored, where: Filter, allowed: Ids) -> bool:
    """Whether the full search is worth its time. `where` and `allowed` must mean the same pictures."""
    if len(stored.reference.features) < FEWEST_SPOTS or gallery.hashes.query(stored.probe, where, 1, HINT_DISTANCE):
        return True
    return next(_alike(gallery, stored, allowed), None) is not None


def resembling(gallery: Gallery, stored: Stored, where: Filter, allowed: Ids) -> list[int]:
    """Every picture that the stored one may be a copy of, or that may be a copy of it, however many, ids ascending.

    Few are nominated at a time, so it is asked again without those that were found until none is new.
    """
    found = {hit.item_id for hit in gallery.hashes.query(stored.probe, where, len(allowed), HINT_DISTANCE)}
    while True:
        allowed = np.setdiff1d(allowed, np.fromiter(found, np.int64))
        fresh = set(_alike(gallery, stored, allowed))
        if not fresh:
            return sorted(found)
        found |= fresh


def _alike(gallery: Gallery, stored: Stored, allowed: Ids) -> Iterator[int]:
    """Nominees with enough spots in place, the most voted for first."""
    features = stored.reference.features
    views = views_of(features)
    least = LEAST_INLIERS if len(features) >= FEWEST_SPOTS else 0
    for nominee in nominate(gallery.features, views, allowed):
        reference = gallery.reference(nominee.image_id)
        placement = locate(views[nominee.view], reference.features) if reference else None
        if placement is not None and placement.inliers >= least:
            yield nominee.image_id
