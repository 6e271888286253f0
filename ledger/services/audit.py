"""Auditing the whole log in the database: what is stored, held against itself and against what was signed.

Every entry's bytes and link, every tree node, the head, every checkpoint with its signatures, the signer's memory, and
each statement against the hashes in its entry. Nothing is repaired. Rows are read under the ORM, a piece of 65,536 at a
time, by several processes if asked: the ORM alone would cost more than all hashing.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection, connections
from django.db.models import Max, Min

from ledger import append_only
from ledger.models import Checkpoint, Entry, LogHead, TreeNode
from ledger.services import keys
from ledger.services.entry_scan import EntryScan, WrongEntryError
from ledger.services.log import cosigned_note, full_policy, log_head
from ledger.services.spans import Span, node_offset, spans
from ledger.tlog.audit import PIECE, Piece, TreeWalk, hash_piece
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.entry import genesis_prev, parse_entry, parse_utc_ms
from ledger.tlog.errors import SignatureUncheckable, TlogError
from ledger.tlog.merkle import TILE_HEIGHT, TileNode
from ledger.tlog.note import parse_note, verify_note
from ledger.tlog.report import Verdict

REPORT_VERSION = 1
ROWS = 2048  # rows fetched at a time: a few hundred kB, which stays in the processor's cache
MAX_PROBLEMS = 100  # of each part; what follows the first hundred is counted only

Progress = Callable[[str, int, int], None]  # part, done, total


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that disagrees. seq names an entry where it is about one."""

    part: str
    item: str
    code: str
    detail: str
    seq: int | None = None

    def to_dict(self) -> dict[str, object]:
        return {"part": self.part, "item": self.item, "code": self.code, "detail": self.detail, "seq": self.seq}


@dataclass(slots=True)
class Part:
    """One part of the audit: how many things were looked at, what disagrees, what could not be told."""

    name: str
    checked: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    unknown: list[str] = field(default_factory=list)

    def wrong(self, item: str, code: str, detail: str, seq: int | None = None) -> None:
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.name, item, code, detail, seq))

    @property
    def verdict(self) -> Verdict:
        if self.problem_count:
            return Verdict.FAILED
        return Verdict.INDETERMINATE if self.unknown else Verdict.PASSED


@dataclass(slots=True)
class Audit:
    """An audit under way and, afterwards, its result."""

    origin: str
    size: int
    spans: list[Span]  # every log in order; origin, size and root are those of the present one
    root: bytes | None = None
    parts: dict[str, Part] = field(default_factory=dict)

    def part(self, name: str) -> Part:
        return self.parts.setdefault(name, Part(name))

    @property
    def problems(self) -> list[Problem]:
        return [problem for part in self.parts.values() for problem in part.problems]

    @property
    def verdict(self) -> Verdict:
        found = {part.verdict for part in self.parts.values()}
        if Verdict.FAILED in found:
            return Verdict.FAILED
        return Verdict.INDETERMINATE if Verdict.INDETERMINATE in found else Verdict.PASSED

    @property
    def first_wrong_entry(self) -> int | None:
        """The lowest number of an entry that any part found wrong."""
        return min((problem.seq for problem in self.problems if problem.seq is not None), default=None)

    def to_dict(self) -> dict[str, object]:
        """The report as stable JSON: every field always present."""
        return {
            "audit": REPORT_VERSION,
            "verdict": self.verdict.value,
            "origin": self.origin,
            "size": self.size,
            "root": self.root.hex() if self.root is not None else None,
            "first_wrong_entry": self.first_wrong_entry,
            "epochs": [_epoch(span) for span in self.spans if span.past is not None],
            "parts": [
                {
                    "name": part.name,
                    "verdict": part.verdict.value,
                    "checked": part.checked,
                    "problems": part.problem_count,
                    "unknown": part.unknown,
                }
                for part in self.parts.values()
            ],
            "problems": [problem.to_dict() for problem in self.problems],
        }


def _epoch(span: Span) -> dict[str, object]:
    """An ended log: how many entries are held, are under a signed head that is held, and were signed."""
    assert span.past is not None  # noqa: S101
    return {
        "number": span.number,
        "origin": span.origin,
        "first": span.first,
        "size": span.size,
        "covered": span.past.covered,
        "signed": span.past.signed_size,
        "lost": span.past.lost,
    }


def audit_log(
    *,
    processes: int = 1,
    progress: Progress = lambda part, done, total: None,
    extra_parts: Sequence[Callable[[Audit, Progress], None]] = (),
) -> Audit:
    """Audit the log that the database holds; raises LogNotReadyError without one. Writes nothing.

    Entries appended while it runs are left to the next audit. processes > 1 must not be used inside a transaction.
    extra_parts look at more (statements, blobs, tiles, tokens) and record into parts of their own.
    """
    head = log_head()
    audit = Audit(head.origin, head.size, spans(head))
    for name in ("entries", "tree_nodes", "head", "checkpoints", "signer"):
        audit.part(name)
    for span in audit.spans:
        if span.parameters:  # of a log that is lost whole there is nothing to look at
            _TreeAudit(audit, span, head).run(processes, progress)
    _audit_triggers(audit)
    for extra in extra_parts:
        extra(audit, progress)
    return audit


# Entries and the tree ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """One piece of entries for a process to check: from `start` up to `stop`; cuts as hash_piece takes them.

    Numbers are those of the log; the key of its entry 0 is `first`.
    """

    first: int
    origin: str
    genesis: bytes
    start: int
    stop: int
    cuts: tuple[int, ...]


def check_piece(task: _Task) -> Piece:
    """Read and check the entries of one piece; raises WrongEntryError."""
    scan = EntryScan(task.origin, task.genesis, task.start)
    if task.start:
        # Checked by whoever has the piece before; entries do not change meanwhile.
        before = Entry.objects.filter(seq=task.first + task.start - 1).first()
        if before is None:
            raise WrongEntryError(task.start - 1, "audit.missing", "is not stored")
        scan.prev = bytes(before.leaf_hash)
        scan.resume_after(bytes(before.body))
    leaves: list[bytes] = []
    with connection.cursor() as cursor:
        for low in range(task.start, task.stop, ROWS):
            high = min(low + ROWS, task.stop)
            cursor.execute(
                "SELECT seq - %s, body, leaf_hash FROM ledger_entry WHERE seq >= %s AND seq < %s ORDER BY seq",
                (task.first, task.first + low, task.first + high),
            )
            rows = cursor.fetchall()
            if rows:
                seqs, bodies, stored = zip(*rows, strict=True)
                leaves += scan.check(seqs, *(_as_bytes(column) for column in (bodies, stored)))
            if scan.seq < high:
                raise WrongEntryError(scan.seq, "audit.missing", "is not stored")
    return hash_piece(leaves, task.cuts)


def _as_bytes(column: Sequence[object]) -> Sequence[bytes]:
    """What the driver gave: bytes, a view of them, or text where somebody stored text."""
    if set(map(type, column)) == {bytes}:
        return column  # type: ignore[return-value]
    return [value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value) for value in column]  # type: ignore[call-overload]


def _in_child() -> None:
    """A forked process must not share its parent's database connection, and reads everything once: no cache is needed."""
    connections.close_all()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA cache_size=-1000")


class _TreeAudit:
    """One pass over the entries of one log in order, holding nodes, checkpoints, signer and head against their tree."""

    def __init__(self, audit: Audit, span: Span, head: LogHead) -> None:
        self._audit = audit
        self._span = span
        self._head = head
        self._of = f" of epoch {span.number}" if len(audit.spans) > 1 else ""
        self._walk = TreeWalk()
        self._signed = keys.read_signer_state(span.origin)
        self._keys = [log.key for log in full_policy().logs]
        self._agreed = 0  # entries that a signature covers and that agree with it

    def run(self, processes: int, progress: Progress) -> None:
        entries, first = self._audit.part("entries"), self._span.first
        try:
            for piece in self._pieces(processes):
                start = self._walk.size
                nodes = self._walk.add(piece)
                entries.checked = first + self._walk.size
                self._nodes(nodes)
                self._checkpoints(start)
                progress("entries", entries.checked, self._head.end)
        except WrongEntryError as error:
            entries.checked = first + error.seq
            entries.wrong(f"entry {error.seq}{self._of}", error.code, error.detail, first + error.seq)
            self._after_a_wrong_entry(error.seq)
            return
        self._signer()
        if self._span.past is None:
            self._audit.root = self._walk.root()
            self._beyond()
            self._compare_head()

    def _pieces(self, processes: int) -> Iterator[Piece]:
        tasks = (self._task(start) for start in range(0, self._span.size, PIECE))
        if processes <= 1 or self._span.size <= PIECE:
            yield from map(check_piece, tasks)
            return
        connections.close_all()
        gc.freeze()  # a child that collects garbage would copy every page of ours that it looks at
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(processes, context, initializer=_in_child) as pool:
            waiting: list[Future[Piece]] = [pool.submit(check_piece, task) for task in islice(tasks, processes + 1)]
            while waiting:
                piece = waiting.pop(0).result()
                waiting += [pool.submit(check_piece, task) for task in islice(tasks, 1)]
                yield piece

    def _task(self, start: int) -> _Task:
        stop, first = min(start + PIECE, self._span.size), self._span.first
        rows = Checkpoint.objects.filter(tree_size__gt=first + start, tree_size__lte=first + stop)
        sizes = {key - first for key in rows.values_list("pk", flat=True)}
        if self._signed and start < self._signed.tree_size <= stop:
            sizes.add(self._signed.tree_size)
        genesis = genesis_prev(self._span.parameters)
        return _Task(first, self._span.origin, genesis, start, stop, tuple(size - start for size in sorted(sizes)))

    def _nodes(self, nodes: Sequence[TileNode]) -> None:
        part = self._audit.part("tree_nodes")
        for level in sorted({node.tile_level for node in nodes}):
            before = node_offset(level, self._span.first)
            ours = {before + node.index: node.hash for node in nodes if node.tile_level == level}
            rows = TreeNode.objects.filter(level=level, index__gte=min(ours), index__lte=max(ours))
            stored = {index: bytes(value) for index, value in rows.values_list("index", "hash")}
            part.checked += len(ours)
            for index, value in ours.items():
                first = self._span.first + ((index - before) << (TILE_HEIGHT * level))
                if index not in stored:
                    part.wrong(f"node {level}/{index}", "audit.node_missing", f"subtree of entry {first} on", first)
                elif stored[index] != value:
                    detail = f"stored {stored[index].hex()}, the entries from {first} on give {value.hex()}"
                    part.wrong(f"node {level}/{index}", "audit.node", detail, first)

    def _checkpoints(self, start: int) -> None:
        first = self._span.first
        rows = Checkpoint.objects.filter(tree_size__gt=first + start, tree_size__lte=first + self._walk.size)
        for row in rows.order_by("tree_size").iterator():
            self._check_checkpoint(row, row.tree_size - first, self._walk.root_at(row.tree_size - first))
        signed = self._signed
        if signed and start < signed.tree_size <= self._walk.size:
            part = self._audit.part("signer")
            part.checked = 1
            if self._walk.root_at(signed.tree_size) != signed.root_hash:
                part.wrong("signer state", "audit.rewritten", self._since(signed.tree_size), self._suspect)

    @property
    def _suspect(self) -> int:
        """The first entry that no agreeing signature covers."""
        return self._span.first + self._agreed

    def _check_checkpoint(self, row: Checkpoint, size: int, root: bytes) -> None:
        part, item = self._audit.part("checkpoints"), f"checkpoint {size}{self._of}"
        part.checked += 1
        try:
            signed = parse_note(cosigned_note(row))
            said = parse_checkpoint(signed.text)
            verify_note(signed, self._keys)
        except SignatureUncheckable as error:
            part.unknown.append(f"{item}: {error.message}")
            return
        except TlogError as error:
            part.wrong(item, error.code, error.message)
            return
        if (said.origin, said.size, said.root) != (self._span.origin, size, bytes(row.root_hash)):
            part.wrong(item, "audit.checkpoint", "the signed text differs from the columns beside it")
        elif said.root != root:
            part.wrong(item, "audit.rewritten", self._since(size), self._suspect)
        else:
            self._agreed = size

    def _since(self, size: int) -> str:
        return f"the first {size} entries are not those that were signed; the first {self._agreed} agree"

    def _beyond(self) -> None:
        """Rows outside what the head counts. Appends under way make the head grow, so it is read again."""
        span = Entry.objects.aggregate(low=Min("seq"), high=Max("seq"))
        now = log_head()
        size = now.end
        entries = self._audit.part("entries")
        if span["low"] is not None and span["low"] < 0:
            entries.wrong(f"entry {span['low']}", "audit.extra", "entries are counted from 0", span["low"])
        if span["high"] is not None and span["high"] >= size:
            entries.wrong(f"entry {size}", "audit.extra", f"is stored, but the head counts {size}", size)
        for level in TreeNode.objects.order_by().values_list("level", flat=True).distinct():
            full = node_offset(level, now.first) + (now.size >> (TILE_HEIGHT * level)) if level > 0 else 0
            extra = TreeNode.objects.filter(level=level).exclude(index__gte=0, index__lt=full).first()
            if extra is not None:
                detail = f"the tree of {size} entries has no such node"
                self._audit.part("tree_nodes").wrong(f"node {level}/{extra.index}", "audit.node_extra", detail)
        late = Checkpoint.objects.filter(tree_size__gt=size).order_by("tree_size").first()
        if late is not None:
            detail = f"the head counts {size}: entries are missing at the end"
            self._audit.part("checkpoints").wrong(f"checkpoint {late.tree_size}", "audit.cut", detail, size)

    def _compare_head(self) -> None:
        part, head = self._audit.part("head"), self._head
        part.checked = 1
        last = genesis_prev(bytes(head.parameters))
        ts = 0
        if head.size:
            row = Entry.objects.get(seq=head.end - 1)
            last = bytes(row.leaf_hash)
            ts = _milliseconds(bytes(row.body))
        if bytes(head.prev) != last:
            part.wrong(
                "head", "audit.head_prev", f"prev is {bytes(head.prev).hex()}, the last entry gives {last.hex()}"
            )
        if bytes(head.frontier) != self._walk.frontier():
            part.wrong("head", "audit.head_frontier", "the frontier is not that of the entries")
        if head.last_ms != ts:
            part.wrong("head", "audit.head_time", f"last_ms is {head.last_ms}, the last entry has {ts}")

    def _signer(self) -> None:
        part, signed, past = self._audit.part("signer"), self._signed, self._span.past
        if past is not None:  # what is missing was told when it ended
            if signed is not None and signed.tree_size != past.signed_size:
                detail = f"{signed.tree_size} entries were signed, the ended log says {past.signed_size}"
                part.wrong(f"signer state{self._of}", "audit.epoch", detail)
        elif signed is None and Checkpoint.objects.filter(tree_size__gt=self._span.first).exists():
            part.wrong("signer state", "audit.signer_missing", "checkpoints exist, but the signer remembers none")
        elif signed and signed.tree_size > self._span.size:
            detail = f"{signed.tree_size} entries were signed, {self._span.size} are stored"
            part.wrong("signer state", "audit.cut", detail, self._head.end)

    def _after_a_wrong_entry(self, seq: int) -> None:
        """What stands behind a wrong entry cannot be compared with anything."""
        for name in ("tree_nodes", "head", "checkpoints", "signer"):
            self._audit.part(name).unknown.append(f"not compared beyond entry {seq}{self._of}")


def _milliseconds(body: bytes) -> int:
    return parse_utc_ms(parse_entry(body).ts)


def _audit_triggers(audit: Audit) -> None:
    part = audit.part("triggers")
    missing = append_only.missing(connection)
    part.checked = 1
    for name in missing:
        part.wrong(name, "audit.trigger", "the trigger that refuses changes is missing")
