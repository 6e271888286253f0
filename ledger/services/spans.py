"""Which log a row belongs to: the present log and the ended ones before it lie in the same tables, one after another.

Keys of entries and indexes of tree nodes count through all epochs. Everything that is hashed, signed or shown counts in
its own log, which begins at `first`. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ledger.models import Entry, LogHead, PastEpoch, TreeNode
from ledger.tlog.merkle import TILE_HEIGHT

ReadHashes = Callable[[int, int, int], list[bytes]]


@dataclass(frozen=True, slots=True)
class Span:
    """One log of this site: its number in the order of epochs, its name, and which entries are its own."""

    number: int
    origin: str
    parameters: bytes
    first: int
    size: int
    past: PastEpoch | None = None  # None for the present log

    @property
    def end(self) -> int:
        return self.first + self.size

    def seq(self, key: int) -> int:
        """An entry's number in this log."""
        return key - self.first


def spans(head: LogHead) -> list[Span]:
    """Every log, in order; the present one is the last."""
    past = [_of(row) for row in PastEpoch.objects.order_by("number")]
    return [*past, Span(len(past) + 1, head.origin, bytes(head.parameters), head.first, head.size)]


def _of(row: PastEpoch) -> Span:
    return Span(row.number, row.origin, bytes(row.parameters), row.first, row.size, row)


def span_of(key: int, head: LogHead) -> Span:
    """The log that the entry of this key is in."""
    return next(span for span in reversed(spans(head)) if span.first <= key)


def parameters_of(key: int, head: LogHead) -> bytes:
    """The parameter file of the log that the entry of this key is in; no query for the present one."""
    return bytes(head.parameters) if key >= head.first else span_of(key, head).parameters


def key_of(origin: str, seq: int, head: LogHead) -> int | None:
    """The key of a log's entry; of the one that repeats it, where the log was ended before it was signed."""
    if origin == head.origin:
        return head.first + seq
    past = PastEpoch.objects.filter(origin=origin).first()
    if past is None or seq >= past.size:
        return None
    return past.first + seq if seq < past.covered else past.again_at + seq - past.covered


def node_offset(level: int, first: int) -> int:
    """How many tree nodes of a level stand before those of the log that begins at `first`."""
    if level == 0 or first == 0:
        return first if level == 0 else 0
    sizes = PastEpoch.objects.filter(first__lt=first).values_list("size", flat=True)
    return sum(size >> (TILE_HEIGHT * level) for size in sizes)


def hashes_of(first: int) -> ReadHashes:
    """Reads stored hashes of the log that begins at `first`, as proofs want them: (level, start, stop).

    Leaf hashes for level 0, roots of complete 256-fold subtrees above.
    """

    def read(level: int, start: int, stop: int) -> list[bytes]:
        before = node_offset(level, first)
        start, stop = before + start, before + stop
        if level == 0:
            entries = Entry.objects.filter(seq__gte=start, seq__lt=stop).order_by("seq")
            return [bytes(row) for row in entries.values_list("leaf_hash", flat=True)]
        nodes = TreeNode.objects.filter(level=level, index__gte=start, index__lt=stop).order_by("index")
        return [bytes(row) for row in nodes.values_list("hash", flat=True)]

    return read
