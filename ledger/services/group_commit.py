"""Group commit: writers of one process that come at the same time share one transaction, and so one fsync.

The first to come leads: it takes the head, does everybody's work in order, commits, and then wakes them; whoever comes
meanwhile waits for the next round, led by one of them. Across processes the locked head keeps the rounds in one line, on
SQLite with a file lock before it.
Writers that do the same to different things (in_batch) are done by one call, with one statement per table for all.
A result is handed out only after COMMIT. What one writer's work raises is that writer's alone; what the database
itself reports (full disk, lost connection, lock timeout) ends the round for all of them, and nothing of it is kept.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction

from ledger.models import LogHead
from ledger.services.log import lock_head

T = TypeVar("T")
ItemT = TypeVar("ItemT")
Work = Callable[[LogHead], T]
# Does the same for several items and returns one result for each; may be called again after its savepoint is undone.
BatchWork = Callable[[LogHead, Sequence[ItemT]], Sequence[T]]
LINE_FILE = "writers.lock"  # in the data directory; always empty
MAX_ROUND = 64  # writers of one round: bounds how long the head is held, and how much one bad disk can refuse


@dataclass(slots=True, eq=False)
class _Ticket:
    """One writer's work, done for its item together with that of others, and what became of it."""

    work: BatchWork[Any, Any]
    item: Any
    turn: threading.Event = field(default_factory=threading.Event)  # done, or now the leader
    is_done: bool = False
    result: Any = None
    error: BaseException | None = None


class _Line:
    """The writers of this process, in the order in which they came."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._has_leader = False

    def run(self, work: BatchWork[ItemT, T], item: ItemT) -> T:
        ticket = _Ticket(work, item)
        with self._mutex:
            self._waiting.append(ticket)
            leads = not self._has_leader
            self._has_leader = True
        if not leads:
            self._await_turn(ticket)
        if not ticket.is_done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        result: T = ticket.result
        return result

    def _await_turn(self, ticket: _Ticket) -> None:
        try:
            ticket.turn.wait()
        except BaseException:  # this thread is being stopped: the others must not wait for it to lead
            with self._mutex:
                appointed = ticket.turn.is_set() and not ticket.is_done
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                if appointed:
                    self._appoint()
            raise

    def _appoint(self) -> None:
        """Let the next in line lead. Called with the mutex held."""
        self._has_leader = bool(self._waiting)
        if self._waiting:
            self._waiting[0].turn.set()

    def _lead(self) -> None:
        """One round, with our own ticket in it; then the next in line leads."""
        with self._mutex:
            members, self._waiting = self._waiting[:MAX_ROUND], self._waiting[MAX_ROUND:]
        try:
            _commit(members)
        except BaseException as error:  # noqa: BLE001 - it is raised again in every thread it concerns
            for ticket in members:
                ticket.error = ticket.error or error
        finally:
            for ticket in members:
                ticket.is_done = True
                ticket.turn.set()
            with self._mutex:
                self._appoint()


def _commit(members: list[_Ticket]) -> None:
    """Everybody's work in one transaction; raises what spoils the round for all."""
    with _turn_among_processes(), transaction.atomic():
        head = lock_head()
        if len(members) == 1:
            _do(members, head)
            return
        for run in _runs(members):
            head = _do_apart(run, head)


@contextmanager
def _turn_among_processes() -> Iterator[None]:
    """Wait for the writers of other processes where the database does not keep a line itself.

    SQLite's writers sleep and try again: among many a writer can miss every gap until its patience ends. The kernel wakes
    whoever waits for a file lock, and ends the lock with its process. Without one we are where SQLite alone would be.
    """
    descriptor = None
    if connection.vendor == "sqlite":
        with suppress(OSError):
            descriptor = os.open(Path(settings.DATA_DIR) / LINE_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if descriptor is not None:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _runs(members: list[_Ticket]) -> Iterator[list[_Ticket]]:
    """Neighbours with the same work."""
    for _work, run in groupby(members, key=lambda ticket: ticket.work):
        yield list(run)


def _do_apart(run: list[_Ticket], head: LogHead) -> LogHead:
    """One run in a savepoint of its own; when it fails, each of its members alone. Returns the head to go on with."""
    try:
        with transaction.atomic():
            _do(run, head)
    except IntegrityError as error:
        failure: Exception = error
    except DatabaseError:
        # SQLite may have rolled everything back by itself: nothing after this could be relied on.
        raise
    except Exception as error:  # noqa: BLE001 - the writer's own, raised again in its thread
        failure = error
    else:
        return head
    head = lock_head()  # the failed work may have moved ours
    if len(run) == 1:
        run[0].error = failure
        return head
    for ticket in run:
        head = _do_apart([ticket], head)
    return head


def _do(run: list[_Ticket], head: LogHead) -> None:
    results = run[0].work(head, [ticket.item for ticket in run])
    for ticket, result in zip(run, results, strict=True):
        ticket.result = result


_line = _Line()


def in_group(work: Work[T]) -> T:
    """Do work(head) with the log's head locked, committed when this returns; others may share the transaction.

    Inside a transaction of the caller's own it is simply done there: the caller commits.
    """
    return in_batch(lambda head, _items: [work(head)], None)


def in_batch(work: BatchWork[ItemT, T], item: ItemT) -> T:
    """The same for work that takes the items of several writers at once; the result for this item.

    Writers that pass the same function share its call. When that raises, its changes are undone and each item is done
    alone, so the error meets the writer whose item it is.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return work(lock_head(), [item])[0]
    return _line.run(work, item)
