"""Descriptors of many pictures, searched together: sealed segments that never change, and one that still grows.

A descriptor costs 16 bytes of code (product quantisation, Jegou et al., PAMI 2011), 8 of number and 4 of geometry;
350 of them make a picture. Codes are sorted into 65,536 leaves, 16 under each of 4,096 lists; the more
pictures there are, the fewer leaves are visited. The number of a descriptor is its picture's slot times 512 plus its rank, so that a bitmap
of pictures is a bitmap of descriptors and deletions and filters act inside the search. The growing segment holds the
same codes, so sealing it changes no answer. Everything here can be rebuilt from the blobs of features.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from compliance.search.codebook import (
    LEAVES,
    LISTS,
    PIECES,
    Codebook,
    coarse_search,
    nearest_leaves,
    shipped_codebook,
    transformed_leaf,
)
from compliance.search.errors import BadSegmentError
from ledger.imaging.features import DIMENSIONS, Features
from ledger.imaging.threads import use_one_thread

# FAISS brings pools of its own.
use_one_thread()

VERSION = 2
# Of the 400 spots kept: 28 bytes each, 9.8 KB a picture.
DESCRIPTORS_PER_IMAGE = 350
SLOT_BITS = 9
SLOT_SPAN = 1 << SLOT_BITS
BITMAP_BYTES_PER_SLOT = SLOT_SPAN // 8
NEIGHBOURS = 8
PROBES = 4
# Leaves that a descriptor looks into, of the 64 under its nearest lists, by how many pictures there are. 64, 16 and 8
# nominated 407, 407 and 407 of 408 edited pictures among 1,100, and 4 of them 406.
LEAVES_VISITED = ((100_000, 16), (250_000, 8))
FEWEST_LEAVES = 6
# Geometry in the index is for voting only: 1/256 of the frame, sixteenth octaves of size, 1/256 turn.
SIZE_STEPS = 16
GRID = 256
# Header, pieces and lengths of the lists stand in the first 0.7 MB of the file; what follows is codes and numbers.
CODES_HEAD_BYTES = 1 << 20

Floats32 = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Query features with their neighbours in the index, one row per pair.

    view: which of the asked views; spot: feature number in it; image_ids; squared: distance of the codes; geometry
    float32 (n, 4) as in Features, roughly; frame float32 (n, 2): width and height of the neighbour's working frame.
    """

    view: NDArray[np.int64]
    spot: NDArray[np.int64]
    image_ids: Ids
    squared: Floats32
    geometry: Floats32
    frame: Floats32


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One view of a query: its features, and which member of its class each descriptor has become (see codebook)."""

    features: Features
    member: int


class Segment:
    """Codes of a fixed order of pictures; deleted ones are only marked."""

    def __init__(self, codebook: Codebook) -> None:
        self.codebook = codebook
        self._lists = _empty_lists(codebook)
        self.image_ids: Ids = np.zeros(0, np.int64)
        self.frames: NDArray[np.uint16] = np.zeros((0, 2), np.uint16)
        self.starts: Ids = np.zeros(1, np.int64)
        self.geometry: NDArray[np.uint8] = np.zeros((0, 4), np.uint8)
        self.alive: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def size_bytes(self) -> int:
        """Codes, numbers and geometry, deleted pictures included; without the shared codebook."""
        side = (self.image_ids, self.frames, self.starts, self.geometry, self.alive)
        return int(self._lists.ntotal) * (PIECES + 8) + sum(array.nbytes for array in side)

    def append(self, image_ids: Sequence[int], features: Sequence[Features]) -> None:
        """Add pictures at the end."""
        cut = [one.first(DESCRIPTORS_PER_IMAGE) for one in features]
        counts = np.array([len(one) for one in cut], np.int64)
        slots = np.arange(len(self), len(self) + len(cut))
        numbers = np.concatenate([(slot << SLOT_BITS) + np.arange(n) for slot, n in zip(slots, counts, strict=True)])
        if len(numbers):
            _add(self.codebook, self._lists, np.concatenate([one.descriptors for one in cut]), numbers)
        self.image_ids = np.concatenate([self.image_ids, np.array(image_ids, np.int64)])
        self.frames = np.concatenate([self.frames, np.array([(one.width, one.height) for one in cut], np.uint16)])
        self.starts = np.concatenate([self.starts, self.starts[-1] + counts.cumsum()])
        self.geometry = np.concatenate([self.geometry, *(_pack(one) for one in cut)])
        self.alive = np.concatenate([self.alive, np.ones(len(cut), np.bool_)])

    def search(self, vectors: Floats32, lists: Ids, allowed: Ids | None) -> tuple[Floats32, Ids]:
        """(squared distance, number) of the nearest codes, each (n, 8); number -1 where there are no more."""
        count = len(vectors)
        squared = np.full((count, NEIGHBOURS), np.inf, np.float32)
        numbers = np.full((count, NEIGHBOURS), -1, np.int64)
        usable = self._usable(allowed)
        if usable is None or usable.any():
            _scan(self._lists, vectors, lists, (squared, numbers), usable)
        return squared, numbers

    def _usable(self, allowed: Ids | None) -> NDArray[np.bool_] | None:
        """bool per slot, or None when every slot may answer."""
        if allowed is None:
            return None if self.alive.all() else self.alive
        usable: NDArray[np.bool_] = self.alive & np.isin(self.image_ids, allowed)
        return usable

    def describe(self, numbers: Ids) -> tuple[Ids, Floats32, Floats32]:
        """(image ids, geometry, frames) of descriptor numbers."""
        slots = numbers >> SLOT_BITS
        rows = self.starts[slots] + (numbers & (SLOT_SPAN - 1))
        frames = self.frames[slots].astype(np.float32)
        return self.image_ids[slots], _unpack(self.geometry[rows], frames), frames

    def absorb(self, other: Segment) -> None:
        """Take over another segment's pictures, behind the own ones; the other is empty afterwards."""
        first = len(self)
        # The lists alone: FAISS would compare quantizers, and ours are empty. The numbers say how many codes there are.
        self._lists.invlists.merge_from(other._lists.invlists, first << SLOT_BITS)
        self._lists.ntotal += other._lists.ntotal
        self.image_ids = np.concatenate([self.image_ids, other.image_ids])
        self.frames = np.concatenate([self.frames, other.frames])
        self.starts = np.concatenate([self.starts, self.starts[-1] + other.starts[1:]])
        self.geometry = np.concatenate([self.geometry, other.geometry])
        self.alive = np.concatenate([self.alive, other.alive])

    def without(self, image_ids: Iterable[int]) -> Segment:
        """A copy that holds no byte of these pictures, the others in their order."""
        keep = ~np.isin(self.image_ids, np.fromiter(image_ids, np.int64))
        slots = np.cumsum(keep) - 1
        rest = Segment(self.codebook)
        _copy_codes(self._lists, rest._lists, keep, slots)
        lengths = np.diff(self.starts)
        rest.image_ids, rest.frames, rest.alive = self.image_ids[keep], self.frames[keep], self.alive[keep]
        rest.starts = np.concatenate([np.zeros(1, np.int64), lengths[keep].cumsum()])
        rest.geometry = np.asarray(self.geometry[np.repeat(keep, lengths)])
        return rest

    def save(self, folder: Path) -> None:
        """codes.faiss, geometry.npy and pictures.npz into an existing folder, which the caller makes appear whole."""
        faiss.write_index(self._lists, str(folder / "codes.faiss"))
        head = {**self._head(), "codes": _codes_fact(folder)}
        out = io.BytesIO()
        np.savez(
            out,
            head=np.frombuffer(json.dumps(head).encode(), np.uint8),
            image_ids=self.image_ids,
            frames=self.frames,
            starts=self.starts,
            alive=self.alive,
        )
        (folder / "pictures.npz").write_bytes(out.getvalue())
        np.save(folder / "geometry.npy", self.geometry)

    @classmethod
    def open(cls, folder: Path, codebook: Codebook | None = None, *, mapped: bool = True) -> Segment:
        """A saved segment, its codes mapped into memory (shared between processes) or read; or BadSegmentError."""
        segment = cls(codebook or shipped_codebook())
        try:
            with np.load(folder / "pictures.npz", allow_pickle=False) as arrays:
                head = json.loads(arrays["head"].tobytes())
                for name in ("image_ids", "frames", "starts", "alive"):
                    setattr(segment, name, arrays[name])
            segment._check(head, folder)
            segment.geometry = np.load(folder / "geometry.npy", mmap_mode="r" if mapped else None, allow_pickle=False)
            segment._lists = faiss.read_index(str(folder / "codes.faiss"), faiss.IO_FLAG_MMAP_IFC if mapped else 0)
        except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
            raise BadSegmentError(f"{type(error).__name__}: {error}"[:160]) from error
        if segment._lists.ntotal != segment.starts[-1]:
            raise BadSegmentError(f"{segment._lists.ntotal} codes where {segment.starts[-1]} were expected")
        if segment.geometry.shape != (segment.starts[-1], 4) or segment.geometry.dtype != np.uint8:
            raise BadSegmentError(f"geometry of shape {segment.geometry.shape}, {segment.geometry.dtype}")
        return segment

    def _head(self) -> dict[str, Any]:
        return {"version": VERSION, "codebook": self.codebook.digest.hex(), "descriptors": int(self.starts[-1])}

    def _check(self, head: dict[str, Any], folder: Path) -> None:
        expected = {**self._head(), "codes": _codes_fact(folder)}
        if head != expected:
            raise BadSegmentError(f"{head} where {expected} was expected")
        if not len(self.image_ids) == len(self.frames) == len(self.starts) - 1 == len(self.alive):
            raise BadSegmentError("columns of unequal length")


class SegmentIndex:
    """Pictures of one seller: sealed segments and a growing one. An id that is added again replaces the old picture."""

    def __init__(self, segments: Iterable[Segment] = (), codebook: Codebook | None = None) -> None:
        self.codebook = codebook or shipped_codebook()
        self.sealed = list(segments)
        self.tail = Segment(self.codebook)

    def __len__(self) -> int:
        return sum(int(segment.alive.sum()) for segment in self._all())

    @property
    def size_bytes(self) -> int:
        """Memory or mapped files of all segments."""
        return sum(segment.size_bytes for segment in self._all())

    def holds(self, image_ids: Sequence[int]) -> NDArray[np.bool_]:
        """Which of these pictures can be found, bool (n,)."""
        wanted = np.asarray(image_ids, np.int64)
        found = np.zeros(len(wanted), np.bool_)
        for segment in self._all():
            found |= np.isin(wanted, segment.image_ids[segment.alive])
        return found

    def image_ids(self) -> Ids:
        """Ids of the pictures that can be found, ascending."""
        return np.sort(np.concatenate([segment.image_ids[segment.alive] for segment in self._all()]))

    def add(self, pictures: Iterable[tuple[int, Features]]) -> None:
        """Add or replace pictures; they can be found at once."""
        newest = dict(pictures)
        self.delete(newest)
        if newest:
            self.tail.append(list(newest), list(newest.values()))

    def delete(self, image_ids: Iterable[int]) -> int:
        """Mark pictures as deleted; how many there were."""
        wanted = np.fromiter(image_ids, np.int64)
        count = 0
        for segment in self._all():
            gone = segment.alive & np.isin(segment.image_ids, wanted)
            if gone.any():
                # A new array, not a change: a search in another thread keeps what it began with.
                segment.alive = segment.alive & ~gone
                count += int(gone.sum())
        return count

    def seal(self) -> Segment:
        """The growing segment becomes one that never grows; a new one starts empty."""
        segment, self.tail = self.tail, Segment(self.codebook)
        self.sealed.append(segment)
        return segment

    def neighbours(self, asks: Sequence[Ask], allowed: Ids | None = None) -> Pairs:
        """The nearest codes of every descriptor of every view, at most 8 each; only pictures in `allowed` if given.

        The first view must be the original one: its leaves are searched, those of the others looked up.
        """
        vectors, leaves = self._leaves_of(asks)
        views = np.concatenate([np.full(len(ask.features), n, np.int64) for n, ask in enumerate(asks)])
        spots = np.concatenate([np.arange(len(ask.features), dtype=np.int64) for ask in asks])
        parts = [_found(s, *s.search(vectors, leaves, allowed)) for s in self._all() if len(s) and len(vectors)]
        if not parts:
            return _no_pairs()
        rows, squared, image_ids, geometry, frames = (np.concatenate(column) for column in zip(*parts, strict=True))
        if len(parts) > 1:
            keep = _nearest(rows, squared, image_ids)
            rows, squared, image_ids = rows[keep], squared[keep], image_ids[keep]
            geometry, frames = geometry[keep], frames[keep]
        return Pairs(views[rows], spots[rows], image_ids, squared, geometry, frames)

    def _leaves_of(self, asks: Sequence[Ask]) -> tuple[Floats32, Ids]:
        vectors = [np.ascontiguousarray(ask.features.descriptors, np.float32) for ask in asks]
        if not len(vectors[0]):
            return np.zeros((0, DIMENSIONS), np.float32), np.zeros((0, FEWEST_LEAVES), np.int64)
        lists = coarse_search(self.codebook).search(vectors[0], PROBES)[1]
        leaves = nearest_leaves(self.codebook, vectors[0], lists, leaves_visited(len(self)))
        return np.concatenate(vectors), np.concatenate(
            [transformed_leaf(leaves[: len(ask.features)], ask.member) for ask in asks]
        )

    def _all(self) -> list[Segment]:
        return [*self.sealed, self.tail]


def leaves_visited(pictures: int) -> int:
    """How many leaves a descriptor looks into among that many pictures."""
    return next((leaves for upto, leaves in LEAVES_VISITED if pictures <= upto), FEWEST_LEAVES)


def _codes_fact(folder: Path) -> str:
    """Size and digest of all that steers a reader of codes.faiss: FAISS trusts it, and a wrong length ends the process."""
    path = folder / "codes.faiss"
    with path.open("rb") as file:
        return f"{path.stat().st_size}:{hashlib.blake2b(file.read(CODES_HEAD_BYTES), digest_size=16).hexdigest()}"


def _empty_lists(codebook: Codebook) -> Any:
    """FAISS's inverted lists with our codebook, a list being one of our leaves; which is nearest is our affair, so its
    own quantizer stays empty. Codes are of whole vectors, not of residuals: the table of distances is then made once
    per query instead of once per list, and no table of 1 GB per process is precomputed."""
    lists = faiss.IndexIVFPQ(faiss.IndexFlatL2(DIMENSIONS), DIMENSIONS, LISTS * LEAVES, PIECES, 8)
    lists.by_residual = False
    lists.use_precomputed_table = -1
    faiss.copy_array_to_vector(codebook.pieces.ravel(), lists.pq.centroids)
    lists.is_trained = True
    return lists


def _copy_codes(source: Any, target: Any, keep: NDArray[np.bool_], slots: Ids) -> None:
    """Codes of the slots to keep, under the numbers of their new slots."""
    for leaf in range(source.nlist):
        if not (count := source.invlists.list_size(leaf)):
            continue
        numbers = faiss.rev_swig_ptr(source.invlists.get_ids(leaf), count).copy()
        codes = faiss.rev_swig_ptr(source.invlists.get_codes(leaf), count * PIECES).reshape(count, PIECES)
        stay = keep[numbers >> SLOT_BITS]
        numbers = (slots[numbers >> SLOT_BITS] << SLOT_BITS | numbers & (SLOT_SPAN - 1))[stay]
        codes = np.ascontiguousarray(codes[stay])
        if len(numbers):
            target.invlists.add_entries(leaf, len(numbers), faiss.swig_ptr(numbers), faiss.swig_ptr(codes))
            target.ntotal += len(numbers)


def _add(codebook: Codebook, lists: Any, descriptors: NDArray[np.uint8], numbers: Ids) -> None:
    """Sort descriptors (n, 128) into the leaf that is nearest to each."""
    vectors = np.ascontiguousarray(descriptors, np.float32)
    leaves = nearest_leaves(codebook, vectors, coarse_search(codebook).search(vectors, 1)[1], 1)
    leaves = np.ascontiguousarray(leaves[:, 0])
    lists.add_core(len(vectors), *(faiss.swig_ptr(array) for array in (vectors, numbers, leaves)))


def _scan(
    lists: Any,
    vectors: Floats32,
    assigned: Ids,
    out: tuple[Floats32, Ids],
    usable: NDArray[np.bool_] | None,
) -> None:
    assigned = np.ascontiguousarray(assigned)
    zeros = np.zeros(assigned.shape, np.float32)
    options, bitmap = faiss.SearchParametersIVF(nprobe=assigned.shape[1]), None
    if usable is not None:
        bitmap = np.repeat(np.where(usable, 255, 0).astype(np.uint8), BITMAP_BYTES_PER_SLOT)
        selector = faiss.IDSelectorBitmap(len(bitmap), faiss.swig_ptr(bitmap))
        options = faiss.SearchParametersIVF(sel=selector, nprobe=assigned.shape[1])
    pointers = [faiss.swig_ptr(array) for array in (assigned, zeros, *out)]
    lists.search_preassigned_c(len(vectors), faiss.swig_ptr(vectors), NEIGHBOURS, *pointers, False, options)


def _found(segment: Segment, squared: Floats32, numbers: Ids) -> tuple[Ids, Floats32, Ids, Floats32, Floats32]:
    rows, columns = np.nonzero(numbers >= 0)
    return rows, squared[rows, columns], *segment.describe(numbers[rows, columns])


def _nearest(rows: Ids, squared: Floats32, image_ids: Ids) -> Ids:
    """Positions of the nearest 8 of each row, in the order of rows; equal distances go to the lower image id."""
    order = np.lexsort((image_ids, squared, rows))
    rank = np.arange(len(rows)) - np.searchsorted(rows[order], rows[order])
    return order[rank < NEIGHBOURS]


def _no_pairs() -> Pairs:
    none = np.zeros(0, np.int64)
    return Pairs(none, none, none, np.zeros(0, np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32))


def _pack(features: Features) -> NDArray[np.uint8]:
    geometry = features.geometry
    x = geometry[:, 0] * GRID / max(1, features.width)
    y = geometry[:, 1] * GRID / max(1, features.height)
    size = np.rint(np.log2(np.maximum(geometry[:, 2], 1)) * SIZE_STEPS)
    angle = np.rint(geometry[:, 3] * GRID / 360) % GRID
    packed: NDArray[np.uint8] = np.clip(np.column_stack([x, y, size, angle]), 0, 255).astype(np.uint8)
    return packed


def _unpack(packed: NDArray[np.uint8], frames: Floats32) -> Floats32:
    geometry = packed.astype(np.float32)
    geometry[:, :2] = (geometry[:, :2] + 0.5) * frames / GRID
    geometry[:, 2] = np.exp2(geometry[:, 2] / SIZE_STEPS)
    geometry[:, 3] *= 360 / GRID
    return geometry
