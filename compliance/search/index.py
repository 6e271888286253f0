"""What an index of fingerprints promises, and the exact scan that keeps the promise.

An index is a cache: SQL rows are the truth and every index can be rebuilt from them. One instance holds one
seller, so nothing can cross. A row's code is its phash and dhash side by side (128 bits); the distance between a
query and a row is the smallest Hamming distance over the query's views. Ranking and radius mean that distance in
every engine; calibrated scores are made one floor up, in score.py. Country and category are small integers here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compliance.search.errors import BadFilterError, BadItemError

RECENT_DAYS = 90
CODE_BITS = 128
MAX_RADIUS = CODE_BITS
# A picture with structure has 32 of 64 DCT coefficients above the median by construction; fewer than this means that
# most coefficients are equal, i.e. a flat or near-flat picture whose fingerprint says nothing about its content.
MIN_PHASH_BITS = 24
_U32_MAX = 2**32 - 1
_U64_MAX = 2**64 - 1
# Two columns of 32 Ki 8-byte words stay in the second-level cache while all views pass over them.
_BLOCK_ROWS = 1 << 15
_OUT_OF_RANGE = CODE_BITS + 1

U64 = NDArray[np.uint64]


class Scope(StrEnum):
    """Which of the seller's pictures are searched."""

    ALL = "all"
    RECENT = "90d"
    REGISTERED = "registered"
    LISTINGS = "listings"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of one seller as the index sees it.

    id: 0..2**63-1, chosen by the caller and unique within the seller (see `pack_id`).
    sha256, pixel_sha256: 32 bytes; pixel_sha256 is b"" while the picture is not decoded, and then the row can only be
    found by its file digest. phash, dhash: unsigned 64 bit, most significant bit first as in the 8-byte fingerprints.
    Times are epoch seconds, 0 = unknown (listed_at, delisted_at). category, country: 0 = unknown.
    """

    id: int
    sha256: bytes
    pixel_sha256: bytes = b""
    phash: int = 0
    dhash: int = 0
    is_original: bool = False
    listed_at: int = 0
    first_seen: int = 0
    delisted_at: int = 0
    category: int = 0
    country: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be stored without loss, naming the field."""
        if len(self.sha256) != 32 or len(self.pixel_sha256) not in (0, 32):
            raise BadItemError(f"item {self.id}: digests are 32 bytes")
        if not 0 <= self.id < 2**63:
            raise BadItemError(f"item id {self.id} is outside 0..2**63-1")
        if not (0 <= self.phash <= _U64_MAX and 0 <= self.dhash <= _U64_MAX):
            raise BadItemError(f"item {self.id}: fingerprints are unsigned 64-bit numbers")
        if not all(0 <= t <= _U32_MAX for t in (self.listed_at, self.first_seen, self.delisted_at)):
            raise BadItemError(f"item {self.id}: times are epoch seconds")
        if not (0 <= self.category < 2**16 and 0 <= self.country < 2**16):
            raise BadItemError(f"item {self.id}: category and country are unsigned 16-bit numbers")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows a query may return; the default is everything.

    since: epoch seconds; a row counts by listed_at, else by first_seen. Scope.RECENT needs it (`recent` makes one).
    category, country: None = any. listed_only leaves out pictures whose listing is gone.
    """

    scope: Scope = Scope.ALL
    since: int = 0
    category: int | None = None
    country: int | None = None
    listed_only: bool = False

    def __post_init__(self) -> None:
        """A recent scope without a date would silently search everything."""
        if self.scope is Scope.RECENT and self.since <= 0:
            raise BadFilterError("scope 90d needs `since`")


EVERYTHING = Filter()


def recent(now_s: int, *, category: int | None = None, country: int | None = None) -> Filter:
    """The filter of "last 90 days" as seen at now_s (epoch seconds)."""
    return Filter(Scope.RECENT, max(1, now_s - RECENT_DAYS * 86_400), category, country)


def pack_id(row_id: int, *, is_original: bool) -> int:
    """One number space for two tables: originals get even ids, listing images odd ones."""
    return row_id * 2 + (0 if is_original else 1)


def unpack_id(item_id: int) -> tuple[int, bool]:
    """The table row behind an item id: (row id, is_original)."""
    return item_id >> 1, item_id & 1 == 0


def country_number(code: str) -> int:
    """An ISO 3166-1 alpha-2 code as a number; anything else is 0 (unknown)."""
    code = code.strip().upper()
    if len(code) != 2 or not (code.isascii() and code.isalpha()):
        return 0
    return (ord(code[0]) - 64) * 32 + ord(code[1]) - 64


def country_code(number: int) -> str:
    """The code behind `country_number`; "" for unknown."""
    return chr(64 + (number >> 5)) + chr(64 + (number & 31)) if number else ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a query offers: file digest, pixel digest, and (phash, dhash) of each view, the upright one first.

    Any part may be missing: b"" for a digest, () for the views.
    """

    sha256: bytes = b""
    pixel_sha256: bytes = b""
    views: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of an answer: what is equal and how far the codes are apart in the best view.

    view is the index into Probe.views, or -1 when only a digest matched; the distances are then 64 each.
    """

    item_id: int
    same_file: bool
    same_pixels: bool
    phash_distance: int
    dhash_distance: int
    view: int
    is_original: bool
    first_seen: int

    @property
    def distance(self) -> int:
        """Hamming distance of the 128-bit code."""
        return self.phash_distance + self.dhash_distance


@dataclass(frozen=True, slots=True)
class Drift:
    """How an index differs from the rows it should hold: item ids, ascending."""

    missing: tuple[int, ...] = ()
    surplus: tuple[int, ...] = ()
    different: tuple[int, ...] = ()

    @property
    def is_clean(self) -> bool:
        """True when index and rows agree."""
        return not (self.missing or self.surplus or self.different)


class Index(Protocol):
    """One seller's pictures, searchable. Every engine passes tests/compliance/indexes/contract.py."""

    @property
    def exact(self) -> bool:
        """True: answers equal brute force. False: the engine declares a recall floor instead."""

    @property
    def size_bytes(self) -> int:
        """Memory held, for the cache's accounts."""

    def __len__(self) -> int:
        """Rows that a query with the default filter can return."""

    def upsert(self, items: Iterable[Item]) -> int:
        """Insert or replace by id; the same call again changes nothing. Returns how many rows changed."""

    def delete(self, item_ids: Iterable[int]) -> int:
        """Forget rows; unknown ids are not an error. Returns how many there were."""

    def query(self, probe: Probe, where: Filter = EVERYTHING, k: int = 10, radius: int = MAX_RADIUS) -> list[Hit]:
        """The k best rows within radius: equal files, equal pixels, then distance; ties: originals, oldest, lowest id.

        Digest matches are returned whatever their distance.
        """

    def refresh(self) -> None:
        """After this returns, queries see every write that was acknowledged before it was called."""

    def verify(self, truth: Iterable[Item]) -> Drift:
        """Compare with the rows that should be here; changes nothing."""

    def rebuild(self, truth: Iterable[Item]) -> None:
        """Replace the whole content; readers see the old rows or the new ones, never a mixture."""


def is_featureless(phash: int, dhash: int) -> bool:
    """A fingerprint of a flat picture: it equals that of every other flat picture, so it proves nothing."""
    return phash.bit_count() < MIN_PHASH_BITS or dhash == 0


@dataclass(slots=True)
class _Columns:
    """Rows as parallel arrays. Rows below `used` never change except `alive`, which readers copy."""

    ids: NDArray[np.int64]
    sha256: NDArray[np.uint8]
    pixel_sha256: NDArray[np.uint8]
    sha_head: U64
    pixel_head: U64
    phash: U64
    dhash: U64
    coded: NDArray[np.bool_]
    decoded: NDArray[np.bool_]
    is_original: NDArray[np.bool_]
    listed_at: NDArray[np.uint32]
    first_seen: NDArray[np.uint32]
    delisted_at: NDArray[np.uint32]
    category: NDArray[np.uint16]
    country: NDArray[np.uint16]

    @classmethod
    def empty(cls, capacity: int) -> _Columns:
        return cls(
            ids=np.zeros(capacity, np.int64),
            sha256=np.zeros((capacity, 32), np.uint8),
            pixel_sha256=np.zeros((capacity, 32), np.uint8),
            sha_head=np.zeros(capacity, np.uint64),
            pixel_head=np.zeros(capacity, np.uint64),
            phash=np.zeros(capacity, np.uint64),
            dhash=np.zeros(capacity, np.uint64),
            coded=np.zeros(capacity, np.bool_),
            decoded=np.zeros(capacity, np.bool_),
            is_original=np.zeros(capacity, np.bool_),
            listed_at=np.zeros(capacity, np.uint32),
            first_seen=np.zeros(capacity, np.uint32),
            delisted_at=np.zeros(capacity, np.uint32),
            category=np.zeros(capacity, np.uint16),
            country=np.zeros(capacity, np.uint16),
        )

    def arrays(self) -> list[NDArray[Any]]:
        return [getattr(self, name) for name in self.__slots__]

    def grown(self, capacity: int, keep: NDArray[np.intp] | slice) -> _Columns:
        """A larger copy that starts with the rows `keep`; the old arrays stay as they are for running readers."""
        out = _Columns.empty(capacity)
        for old, new in zip(self.arrays(), out.arrays(), strict=True):
            kept = old[keep]
            new[: len(kept)] = kept
        return out

    def write(self, start: int, items: Sequence[Item]) -> None:
        stop = start + len(items)
        none = bytes(32)
        sha = b"".join(i.sha256 for i in items)
        pixel = b"".join(i.pixel_sha256 or none for i in items)
        self.ids[start:stop] = [i.id for i in items]
        self.sha256[start:stop] = np.frombuffer(sha, np.uint8).reshape(-1, 32)
        self.pixel_sha256[start:stop] = np.frombuffer(pixel, np.uint8).reshape(-1, 32)
        self.sha_head[start:stop] = _heads(sha)
        self.pixel_head[start:stop] = _heads(pixel)
        self.phash[start:stop] = [i.phash for i in items]
        self.dhash[start:stop] = [i.dhash for i in items]
        self.decoded[start:stop] = [bool(i.pixel_sha256) for i in items]
        self.coded[start:stop] = [bool(i.pixel_sha256) and not is_featureless(i.phash, i.dhash) for i in items]
        self.is_original[start:stop] = [i.is_original for i in items]
        self.listed_at[start:stop] = [i.listed_at for i in items]
        self.first_seen[start:stop] = [i.first_seen for i in items]
        self.delisted_at[start:stop] = [i.delisted_at for i in items]
        self.category[start:stop] = [i.category for i in items]
        self.country[start:stop] = [i.country for i in items]

    def read(self, row: int) -> Item:
        return Item(
            id=int(self.ids[row]),
            sha256=self.sha256[row].tobytes(),
            pixel_sha256=self.pixel_sha256[row].tobytes() if self.decoded[row] else b"",
            phash=int(self.phash[row]),
            dhash=int(self.dhash[row]),
            is_original=bool(self.is_original[row]),
            listed_at=int(self.listed_at[row]),
            first_seen=int(self.first_seen[row]),
            delisted_at=int(self.delisted_at[row]),
            category=int(self.category[row]),
            country=int(self.country[row]),
        )


def _heads(digests: bytes) -> U64:
    """The first eight bytes of each 32-byte digest as one number: one comparison instead of 32."""
    return np.frombuffer(digests, ">u8")[::4].astype(np.uint64)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What one reader looks at: rows that cannot change under it, and a copy of the alive marks."""

    columns: _Columns
    alive: NDArray[np.bool_]


@dataclass(slots=True)
class _Table:
    columns: _Columns = field(default_factory=lambda: _Columns.empty(0))
    alive: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    used: int = 0
    living: int = 0


class ScanIndex:
    """The exact scan: every row is compared with every view, filters first.

    Safe for any number of readers and writers in one process. Readers work on a snapshot and hold the lock only while
    taking it.
    """

    exact = True

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._lock = threading.RLock()
        self._table = _Table()
        self.upsert(items)

    def __len__(self) -> int:
        return self._table.living

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays, spare capacity included."""
        table = self._table
        return sum(a.nbytes for a in table.columns.arrays()) + table.alive.nbytes

    def upsert(self, items: Iterable[Item]) -> int:
        """See Index.upsert. Within one call the last row of an id wins."""
        wanted = {item.id: item for item in items}
        with self._lock:
            old_rows = self._rows_of(wanted)
            changed = [item for i, item in wanted.items() if i not in old_rows or self._read(old_rows[i]) != item]
            if not changed:
                return 0
            # Appended before the old rows are marked dead, both under the lock: no snapshot can miss the item.
            self._append(changed)
            self._bury([old_rows[item.id] for item in changed if item.id in old_rows])
            self._compact_when_sparse()
        return len(changed)

    def delete(self, item_ids: Iterable[int]) -> int:
        """See Index.delete."""
        with self._lock:
            rows = list(self._rows_of(dict.fromkeys(item_ids)).values())
            self._bury(rows)
            self._compact_when_sparse()
        return len(rows)

    def refresh(self) -> None:
        """Nothing to do: a write is visible when it returns."""

    def items(self) -> list[Item]:
        """All living rows, ids ascending."""
        shot = self._snapshot()
        rows = np.flatnonzero(shot.alive)
        rows = rows[np.argsort(shot.columns.ids[rows], kind="stable")]
        return [shot.columns.read(int(row)) for row in rows]

    def verify(self, truth: Iterable[Item]) -> Drift:
        """See Index.verify."""
        wanted = {item.id: item for item in truth}
        held = {item.id: item for item in self.items()}
        return Drift(
            missing=tuple(sorted(wanted.keys() - held.keys())),
            surplus=tuple(sorted(held.keys() - wanted.keys())),
            different=tuple(sorted(i for i in wanted.keys() & held.keys() if wanted[i] != held[i])),
        )

    def rebuild(self, truth: Iterable[Item]) -> None:
        """See Index.rebuild."""
        fresh = ScanIndex(truth)
        with self._lock:
            self._table = fresh._table

    def query(self, probe: Probe, where: Filter = EVERYTHING, k: int = 10, radius: int = MAX_RADIUS) -> list[Hit]:
        """See Index.query. Cost: 2 x views x rows that pass the filter, at about a nanosecond each."""
        if k <= 0:
            return []
        shot = self._snapshot()
        mask = _mask(shot, where)
        same_file = _digest_rows(shot.columns.sha_head, shot.columns.sha256, mask, probe.sha256)
        decoded = mask & shot.columns.decoded[: len(mask)]
        same_pixels = _digest_rows(shot.columns.pixel_head, shot.columns.pixel_sha256, decoded, probe.pixel_sha256)
        best = _nearest(shot.columns, mask, probe.views, k, radius)
        hits = [
            _hit(shot.columns, r, probe, r in same_file, r in same_pixels) for r in {*same_file, *same_pixels, *best}
        ]
        return sorted(hits, key=_order)[:k]

    def matching(self, where: Filter) -> NDArray[np.int64]:
        """Ids of the rows that the filter lets through, int64, in no order."""
        shot = self._snapshot()
        ids: NDArray[np.int64] = shot.columns.ids[: len(shot.alive)][_mask(shot, where)]
        return ids

    def _snapshot(self) -> _Snapshot:
        with self._lock:
            return _Snapshot(self._table.columns, self._table.alive[: self._table.used].copy())

    def _read(self, row: int) -> Item:
        return self._table.columns.read(row)

    def _rows_of(self, wanted: dict[int, Any]) -> dict[int, int]:
        """Living row of each wanted id that is present."""
        table = self._table
        if not wanted or not table.used:
            return {}
        asked = np.fromiter(wanted, np.int64, len(wanted))
        ids = table.columns.ids[: table.used]
        found = np.isin(ids, asked) if len(asked) > 1 else ids == asked[0]
        rows = np.flatnonzero(found & table.alive[: table.used])
        return dict(zip(ids[rows].tolist(), rows.tolist(), strict=True))

    def _append(self, items: Sequence[Item]) -> None:
        table = self._table
        need = table.used + len(items)
        if need > len(table.alive):
            self._move(max(need, 2 * len(table.alive), 64), slice(0, table.used))
        table.columns.write(table.used, items)
        table.alive[table.used : need] = True
        table.used = need
        table.living += len(items)

    def _bury(self, rows: Sequence[int]) -> None:
        self._table.alive[list(rows)] = False
        self._table.living -= len(rows)

    def _compact_when_sparse(self) -> None:
        table = self._table
        if table.used > 256 and table.living * 2 < table.used:
            keep = np.flatnonzero(table.alive[: table.used])
            self._move(max(64, len(keep) + len(keep) // 4), keep)

    def _move(self, capacity: int, keep: NDArray[np.intp] | slice) -> None:
        """Give the table new arrays; snapshots keep reading the old ones."""
        table = self._table
        alive = np.zeros(capacity, np.bool_)
        kept = table.alive[keep]
        alive[: len(kept)] = kept
        table.columns = table.columns.grown(capacity, keep)
        table.alive = alive
        table.used = len(kept)


def _mask(shot: _Snapshot, where: Filter) -> NDArray[np.bool_]:
    """Rows the filter lets through."""
    n = len(shot.alive)
    columns = shot.columns
    mask = shot.alive
    if where.scope is Scope.REGISTERED:
        mask = mask & columns.is_original[:n]
    if where.scope is Scope.LISTINGS:
        mask = mask & ~columns.is_original[:n]
    if where.since:
        seen_at = np.where(columns.listed_at[:n] > 0, columns.listed_at[:n], columns.first_seen[:n])
        mask = mask & (seen_at >= min(where.since, _U32_MAX))
    if where.category is not None:
        mask = mask & (columns.category[:n] == where.category)
    if where.country is not None:
        mask = mask & (columns.country[:n] == where.country)
    if where.listed_only:
        mask = mask & (columns.delisted_at[:n] == 0)
    return mask


def _digest_rows(heads: U64, digests: NDArray[np.uint8], mask: NDArray[np.bool_], digest: bytes) -> set[int]:
    """Rows within the mask whose digest equals the given one."""
    if len(digest) != 32:
        return set()
    head = np.uint64(int.from_bytes(digest[:8], "big"))
    near = np.flatnonzero((heads[: len(mask)] == head) & mask)
    return {int(row) for row in near if digests[row].tobytes() == digest}


def _nearest(
    columns: _Columns, mask: NDArray[np.bool_], views: Sequence[tuple[int, int]], k: int, radius: int
) -> list[int]:
    """The k rows with the smallest code distance <= radius, ties broken as in Index.query."""
    usable = [view for view in views if not is_featureless(*view)]
    mask = mask & columns.coded[: len(mask)]
    candidates = int(np.count_nonzero(mask))
    if not usable or not candidates:
        return []
    # Comparing everything and masking afterwards is cheaper than gathering once the filter lets a third through.
    if candidates * 3 > len(mask):
        rows = np.arange(len(mask))
        distance = scan_distances(columns.phash[: len(mask)], columns.dhash[: len(mask)], usable)
        np.copyto(distance, _OUT_OF_RANGE, where=~mask)
    else:
        rows = np.flatnonzero(mask)
        distance = scan_distances(columns.phash[rows], columns.dhash[rows], usable)
    near = np.flatnonzero(distance <= _limit(distance, k, radius))
    picked = rows[near]
    order = np.lexsort((columns.ids[picked], columns.first_seen[picked], ~columns.is_original[picked], distance[near]))
    return [int(row) for row in picked[order[:k]]]


def _limit(distance: NDArray[np.uint8], k: int, radius: int) -> int:
    """The smallest distance within which at least k rows lie, or the radius."""
    within = np.cumsum(np.bincount(distance, minlength=_OUT_OF_RANGE + 1))
    return min(int(np.searchsorted(within, k)), radius, MAX_RADIUS)


def scan_distances(phash: U64, dhash: U64, views: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Smallest phash + dhash distance of each row over the views; uint8 (rows,), 0..128."""
    out = np.empty(len(phash), np.uint8)
    codes = [(np.uint64(p), np.uint64(d)) for p, d in views]
    for start in range(0, len(phash), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        p_block, d_block, best = phash[part], dhash[part], out[part]
        word = np.empty(len(best), np.uint64)
        p_bits = np.empty(len(best), np.uint8)
        d_bits = np.empty(len(best), np.uint8)
        best[:] = CODE_BITS
        for p, d in codes:
            np.bitwise_count(np.bitwise_xor(p_block, p, out=word), out=p_bits)
            np.bitwise_count(np.bitwise_xor(d_block, d, out=word), out=d_bits)
            np.minimum(best, np.add(p_bits, d_bits, out=p_bits), out=best)
    return out


def _hit(columns: _Columns, row: int, probe: Probe, same_file: bool, same_pixels: bool) -> Hit:
    """Measure one row against every view; the first of equally near views is named."""
    phash, dhash, view = 64, 64, -1
    if columns.coded[row]:
        p_row, d_row = int(columns.phash[row]), int(columns.dhash[row])
        for number, (p, d) in enumerate(probe.views):
            p_bits, d_bits = (p ^ p_row).bit_count(), (d ^ d_row).bit_count()
            if not is_featureless(p, d) and (view < 0 or p_bits + d_bits < phash + dhash):
                phash, dhash, view = p_bits, d_bits, number
    return Hit(
        item_id=int(columns.ids[row]),
        same_file=same_file,
        same_pixels=same_pixels or same_file,
        phash_distance=phash,
        dhash_distance=dhash,
        view=view,
        is_original=bool(columns.is_original[row]),
        first_seen=int(columns.first_seen[row]),
    )


def _order(hit: Hit) -> tuple[bool, bool, int, bool, int, int]:
    return (not hit.same_file, not hit.same_pixels, hit.distance, not hit.is_original, hit.first_seen, hit.item_id)
