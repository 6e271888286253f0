"""Many sellers' indexes in one process, each an exact scan that follows the database.

SQL rows are the truth. Every change of a seller's pictures raises that seller's generation in the same transaction;
each process compares generations before it answers and loads what it has not seen, so an add is searchable everywhere
as soon as it is committed and asked for. Rows may be delivered twice. Nothing here knows Django: the two questions to
the database are callables. The generation must be raised under a lock on the seller's row, so that numbers become
visible in order; otherwise a late commit with a low number would be skipped.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compliance.search.index import EVERYTHING, MAX_RADIUS, Drift, Filter, Hit, Item, Probe, ScanIndex

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
# Rows are taken in portions so that loading a million of them does not hold them all as objects.
_LOAD_ROWS = 1 << 15


@dataclass(frozen=True, slots=True)
class Change:
    """One picture as it is now: its row, or None when it has been deleted (or may no longer be searched)."""

    item_id: int
    item: Item | None


class Source(Protocol):
    """One seller's rows. Generations start at 0 (nothing yet) and only rise."""

    def current_generation(self) -> int:
        """The number of the newest committed change."""

    def load_since(self, generation: int) -> Iterable[Change]:
        """Every picture changed after `generation`, deletions included; 0 = every picture there is."""

    def forgotten_generation(self) -> int:
        """Deletions up to this number may not be told any more; 0 = all still are."""


@dataclass(frozen=True, slots=True)
class CallableSource:
    """A Source out of two functions."""

    generation: Callable[[], int]
    load: Callable[[int], Iterable[Change]]

    def current_generation(self) -> int:
        """See Source."""
        return self.generation()

    def load_since(self, generation: int) -> Iterable[Change]:
        """See Source."""
        return self.load(generation)

    def forgotten_generation(self) -> int:
        """See Source; two functions tell every deletion."""
        return 0


class HashScan:
    """One seller's index. `refresh` catches up with the source; `query` answers from what is loaded.

    upsert and delete change this copy only: they let the process that has just committed a row skip one load.
    """

    exact = True

    def __init__(self, source: Source) -> None:
        self._source = source
        self._scan = ScanIndex()
        self._generation = 0
        self._loading = threading.Lock()

    def __len__(self) -> int:
        return len(self._scan)

    @property
    def size_bytes(self) -> int:
        """See Index."""
        return self._scan.size_bytes

    @property
    def generation(self) -> int:
        """The newest change this copy is known to hold."""
        return self._generation

    def upsert(self, items: Iterable[Item]) -> int:
        """See Index."""
        return self._scan.upsert(items)

    def delete(self, item_ids: Iterable[int]) -> int:
        """See Index."""
        return self._scan.delete(item_ids)

    def query(self, probe: Probe, where: Filter = EVERYTHING, k: int = 10, radius: int = MAX_RADIUS) -> list[Hit]:
        """See Index."""
        return self._scan.query(probe, where, k, radius)

    def matching(self, where: Filter) -> NDArray[np.int64]:
        """Ids of the rows that the filter lets through."""
        return self._scan.matching(where)

    def refresh(self) -> None:
        """Load what has been committed before this call. Several callers at once load once."""
        if self._source.current_generation() == self._generation:
            return
        with self._loading:
            # Asked again: while we waited another thread may have gone further than the number we saw.
            self._follow(self._source.current_generation())

    def verify(self, truth: Iterable[Item] | None = None) -> Drift:
        """See Index; without an argument the source is asked for everything."""
        return self._scan.verify(self._everything() if truth is None else truth)

    def rebuild(self, truth: Iterable[Item] | None = None) -> None:
        """See Index; without an argument the source is asked for everything."""
        with self._loading:
            generation = self._source.current_generation()
            self._scan.rebuild(self._everything() if truth is None else truth)
            self._generation = generation

    def _follow(self, wanted: int) -> None:
        if wanted == self._generation:
            return
        # Again where deletions were forgotten while they were read.
        while (forgotten := self._source.forgotten_generation()) != self._read_upto(wanted, forgotten):
            pass
        # `wanted` was read before the rows: changes that came in between are loaded again next time, never missed.
        self._generation = wanted

    def _read_upto(self, wanted: int, forgotten: int) -> int:
        """Take in the changes, or everything where some may not be told any more; what is forgotten afterwards."""
        if wanted < self._generation or self._generation < forgotten:
            # The database went back in time (a restored backup), or nobody remembers all that was deleted since.
            fresh = ScanIndex()
            self._load(fresh, 0)
            self._scan = fresh
        else:
            self._load(self._scan, self._generation)
        return self._source.forgotten_generation()

    def _load(self, scan: ScanIndex, since: int) -> None:
        batch: dict[int, Item | None] = {}
        for change in self._source.load_since(since):
            batch[change.item_id] = change.item
            if len(batch) == _LOAD_ROWS:
                _apply(scan, batch)
                batch = {}
        _apply(scan, batch)

    def _everything(self) -> Iterable[Item]:
        return (change.item for change in self._source.load_since(0) if change.item is not None)


def _apply(scan: ScanIndex, batch: dict[int, Item | None]) -> None:
    scan.upsert(item for item in batch.values() if item is not None)
    scan.delete(item_id for item_id, item in batch.items() if item is None)


@dataclass(slots=True)
class _Slot:
    index: HashScan
    checked_at: float = -1e9
    lock: threading.Lock = field(default_factory=threading.Lock)


class SellerIndexes:
    """The sellers' indexes of this process, the least recently used dropped when they grow past max_bytes.

    source_of: seller id -> Source. max_age_s: how long an answer may go without asking for the generation; 0 asks
    every time. At least the index in use stays, however large.
    """

    def __init__(
        self,
        source_of: Callable[[int], Source],
        *,
        max_bytes: int = DEFAULT_CACHE_BYTES,
        max_age_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source_of = source_of
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: OrderedDict[int, _Slot] = OrderedDict()

    def get(self, seller_id: int) -> HashScan:
        """That seller's index, holding everything committed before this call (or max_age_s ago)."""
        slot = self._slot(seller_id)
        with slot.lock:
            now = self._clock()
            if now - slot.checked_at >= self._max_age_s:
                slot.index.refresh()
                slot.checked_at = now
        self._evict(keep=seller_id)
        return slot.index

    def drop(self, seller_id: int) -> None:
        """Forget one seller, for example after its pictures were erased."""
        with self._lock:
            self._slots.pop(seller_id, None)

    @property
    def size_bytes(self) -> int:
        """Memory of all indexes held."""
        with self._lock:
            return sum(slot.index.size_bytes for slot in self._slots.values())

    @property
    def sellers(self) -> tuple[int, ...]:
        """Sellers held, least recently used first."""
        with self._lock:
            return tuple(self._slots)

    def _slot(self, seller_id: int) -> _Slot:
        with self._lock:
            slot = self._slots.get(seller_id)
            if slot is None:
                slot = self._slots[seller_id] = _Slot(HashScan(self._source_of(seller_id)))
            self._slots.move_to_end(seller_id)
            return slot

    def _evict(self, keep: int) -> None:
        """A query that still runs on a dropped index finishes undisturbed; then the memory goes."""
        with self._lock:
            held = sum(slot.index.size_bytes for slot in self._slots.values())
            for seller_id in [s for s in self._slots if s != keep]:
                if held <= self._max_bytes:
                    return
                held -= self._slots.pop(seller_id).index.size_bytes
