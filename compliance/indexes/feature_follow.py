"""One seller's local features in this process: sealed segments from disk, and the newest pictures from their blobs.

The same follow-the-generation rule as hash_scan.py: SQL rows are the truth, each process compares generation numbers
before it answers and takes in what it has not seen. A sealed segment holds every picture up to its generation, so
opening a site's index maps files instead of reading blobs. Whatever is wrong with a segment, it is left out and its
pictures come from their blobs: slower, never wrong. Nothing here knows Django.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from typing import Protocol

from compliance.search.errors import BadSegmentError
from compliance.search.segments import Segment, SegmentIndex
from ledger.imaging.features import Features

logger = logging.getLogger(__name__)

DEFAULT_CACHE_BYTES = 512 * 1024 * 1024
# Blobs taken in at a time: 25 MB of features.
LOAD_IMAGES = 500


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment on disk: pictures of generations up to `generation` that no earlier segment holds."""

    number: int
    generation: int
    folder: Path


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """One picture as it is now: whether it may be found, and how to read its features when they are needed."""

    item_id: int
    is_alive: bool
    read: Callable[[], Features | None]


class FeatureSource(Protocol):
    """One seller's pictures and segments."""

    def current_generation(self) -> int:
        """The number of the newest committed change."""

    def segments(self) -> Sequence[SealedSegment]:
        """What is sealed, oldest first."""

    def deleted_ids(self) -> Iterable[int]:
        """Pictures that may not be found although a segment may hold them."""

    def changes_since(self, generation: int) -> Iterable[FeatureChange]:
        """Every picture changed after `generation`."""

    def forgotten_generation(self) -> int:
        """Deletions up to this number may not be told any more; 0 = all still are."""


class FeatureFollower:
    """One seller's SegmentIndex, kept up to date by `refresh`."""

    def __init__(self, source: FeatureSource) -> None:
        self._source = source
        self._index = SegmentIndex()
        self._opened: tuple[int, ...] = ()
        self._generation = 0
        self._lock = threading.Lock()

    @property
    def index(self) -> SegmentIndex:
        """What can be searched now."""
        return self._index

    @property
    def size_bytes(self) -> int:
        """Memory and mapped files."""
        return self._index.size_bytes

    def refresh(self) -> SegmentIndex:
        """Take in what was committed before this call."""
        with self._lock:
            generation = self._source.current_generation()
            if generation != self._generation:
                # Again where deletions were forgotten while they were read.
                while (forgotten := self._source.forgotten_generation()) != self._read_upto(generation, forgotten):
                    pass
                self._generation = generation
            return self._index

    def _read_upto(self, generation: int, forgotten: int) -> int:
        """Take in the changes, or everything where some may not be told any more; what is forgotten afterwards."""
        sealed = self._source.segments()
        known = tuple(segment.number for segment in sealed)
        if known != self._opened or generation < self._generation or self._generation < forgotten:
            self._open(sealed)
        self._take_in(self._generation)
        return self._source.forgotten_generation()

    def _open(self, sealed: Sequence[SealedSegment]) -> None:
        """Begin anew with what is on disk; from the first segment that cannot be read on, blobs are read instead."""
        opened = []
        generation = 0
        for one in sealed:
            try:
                opened.append(Segment.open(one.folder))
            except BadSegmentError as error:
                logger.warning("segment %d of the search index cannot be read: %s", one.number, error)
                break
            generation = one.generation
        index = SegmentIndex(opened)
        if opened:
            index.delete(self._source.deleted_ids())
        self._index, self._generation = index, generation
        self._opened = tuple(one.number for one in sealed)

    def _take_in(self, generation: int) -> None:
        changes = iter(self._source.changes_since(generation))
        while batch := list(islice(changes, LOAD_IMAGES)):
            self._index.delete(change.item_id for change in batch if not change.is_alive)
            alive = [change for change in batch if change.is_alive]
            held = self._index.holds([change.item_id for change in alive])
            fresh = ((change.item_id, change.read()) for change in compress(alive, ~held))
            self._index.add((item_id, features) for item_id, features in fresh if features is not None)


class SellerFeatures:
    """The followers of this process, the least recently used dropped when they grow past max_bytes."""

    def __init__(self, source_of: Callable[[int], FeatureSource], *, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._source_of = source_of
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._followers: OrderedDict[int, FeatureFollower] = OrderedDict()

    def get(self, seller_id: int) -> SegmentIndex:
        """That seller's features, holding everything committed before this call."""
        with self._lock:
            follower = self._followers.get(seller_id)
            if follower is None:
                follower = self._followers[seller_id] = FeatureFollower(self._source_of(seller_id))
            self._followers.move_to_end(seller_id)
        index = follower.refresh()
        self._evict(keep=seller_id)
        return index

    def drop(self, seller_id: int) -> None:
        """Forget one seller."""
        with self._lock:
            self._followers.pop(seller_id, None)

    @property
    def sellers(self) -> tuple[int, ...]:
        """Sellers held, least recently used first."""
        with self._lock:
            return tuple(self._followers)

    def _evict(self, keep: int) -> None:
        with self._lock:
            held = sum(follower.size_bytes for follower in self._followers.values())
            for seller_id in [seller_id for seller_id in self._followers if seller_id != keep]:
                if held <= self._max_bytes:
                    return
                held -= self._followers.pop(seller_id).size_bytes
