"""Limited child processes that do whatever touches hostile bytes, kept alive between pictures.

The child is started by exec, so it may be used from threads, from daemonic queue workers and after a fork. It has a
CPU, memory and file limit, no environment, no terminal; it is replaced after a crash, after a timeout and after a
number of jobs. Nobody needs a thread to feed it: whoever waits for an answer also collects the answers of the others.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.imaging import wire
from ledger.imaging.errors import DecodeCrashed, DecodeError, DecodeTimeout, ImagingError, parse_error
from ledger.imaging.wire import Blob

# Only functions whose name ends in `_task`, in modules below these, run in a child.
OPERATION_PREFIXES = (
    "ledger.admission.",
    "ledger.imaging.",
    "compliance.checks.",
    "compliance.packs.",
    "compliance.search.",
)
WALL_TIMEOUT_S = 20.0
START_TIMEOUT_S = 30.0  # added to the first job of a child: starting Python and importing on a loaded machine
CPU_S = 15
ADDRESS_SPACE_BYTES = 640 << 20  # 50 MP: pixels 200 MB, turned upright another 200 MB, a profile's tables, the file
MAX_JOBS = 2_000  # then the child is replaced: bounds what fragmentation and slow leaks can add up to
MAX_WAITING = 16  # jobs handed to one child and not answered; each holds a descriptor in the socket
RECEIVE_BYTES = 1 << 20
SOURCE_ROOT = Path(__file__).resolve().parents[2]

# One thread per library: the pool's size decides about cores. One arena: threads would reserve 64 MiB each.
CHILD_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": str(SOURCE_ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "MALLOC_ARENA_MAX": "1",
    # Keep up to 256 MiB between pictures: asking the kernel for zeroed pages again costs a third of a large decode.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What an operation returned: JSON values and blobs."""

    values: dict[str, Any]
    blobs: list[bytes]


class PendingJob:
    """A job on its way. `result()` waits for it, however many others are answered first."""

    __slots__ = ("_pool", "blobs", "child", "operation", "outcome", "params")

    def __init__(self, pool: "PixelPool", operation: str, blobs: Sequence[Blob], params: dict[str, Any]) -> None:
        self._pool = pool
        self.operation = operation
        self.blobs = blobs
        self.params = params
        self.child: _Child | None = None
        self.outcome: TaskResult | ImagingError | None = None

    def result(self) -> TaskResult:
        """The answer, or the ImagingError that stands for it."""
        outcome = self.wait()
        if isinstance(outcome, ImagingError):
            raise outcome
        return outcome

    def wait(self) -> TaskResult | ImagingError:
        """The answer, or the error as a value."""
        while self.outcome is None:
            self._pool._advance(self)
        return self.outcome


class PixelPool:
    """`size` limited children. Safe to share between threads; forked copies start children of their own."""

    def __init__(
        self,
        size: int = 1,
        *,
        wall_timeout_s: float = WALL_TIMEOUT_S,
        cpu_s: int = CPU_S,
        address_space_bytes: int = ADDRESS_SPACE_BYTES,
        max_jobs: int = MAX_JOBS,
        prefixes: tuple[str, ...] = OPERATION_PREFIXES,
    ) -> None:
        self._size = size
        self._wall_timeout_s = wall_timeout_s
        self._cpu_s = cpu_s
        self._address_space_bytes = address_space_bytes
        self._max_jobs = max_jobs
        self._prefixes = prefixes
        self._children: list[_Child] = []
        self._lock = threading.Lock()
        _POOLS.add(self)

    def run(self, operation: str, blobs: Sequence[Blob] = (), params: dict[str, Any] | None = None) -> TaskResult:
        """Run `package.module:function_task` on blobs and JSON params in a child, or raise the ImagingError it met."""
        return self.submit(operation, blobs, params).result()

    def submit(self, operation: str, blobs: Sequence[Blob] = (), params: dict[str, Any] | None = None) -> PendingJob:
        """Hand the job over and return at once; the child works on it while the caller does something else."""
        job = PendingJob(self, operation, blobs, params or {})
        while not self._try_send(job):
            self._make_room()
        return job

    def map(
        self, operation: str, jobs: Iterable[tuple[Sequence[Blob], dict[str, Any]]], *, ahead: int = 2
    ) -> Iterator[TaskResult | ImagingError]:
        """Answers in the order of the jobs, errors as values; `ahead` jobs per child wait while one is worked on."""
        waiting: deque[PendingJob] = deque()
        for blobs, params in jobs:
            waiting.append(self.submit(operation, blobs, params))
            if len(waiting) > min(ahead, MAX_WAITING - 1) * self._size:
                yield waiting.popleft().wait()
        while waiting:
            yield waiting.popleft().wait()

    def close(self) -> None:
        """End the children. Jobs not yet answered end as decode_crashed."""
        with self._lock:
            children, self._children = self._children, []
        for child in children:
            with child.lock:
                child.end(DecodeCrashed("pool closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def child_pids(self) -> tuple[int, ...]:
        """Process ids of the children alive now."""
        return tuple(child.pid for child in self._children)

    def _try_send(self, job: PendingJob) -> bool:
        """Give the job to the least busy child, starting one where there is room; False when all are full."""
        with self._lock:
            child = min(self._children, key=lambda item: len(item.jobs), default=None)
            if child is None or (child.jobs and len(self._children) < self._size):
                child = _Child(self._limits(), self._wall_timeout_s)
                self._children.append(child)
        with child.lock:
            if child.ended or child.died_idle():
                self._forget(child)
                return False
            if len(child.jobs) >= MAX_WAITING:
                return False
            child.send(job)
            if child.sent >= self._max_jobs:
                self._forget(child)  # takes no more work, and ends with its last answer
                child.retiring = True
        return True

    def _make_room(self) -> None:
        with self._lock:
            child = min(self._children, key=lambda item: len(item.jobs), default=None)
        if child is not None and child.jobs:
            self._pump(child)

    def _advance(self, job: PendingJob) -> None:
        child = job.child
        if child is not None:
            self._pump(child, job)

    def _pump(self, child: "_Child", wanted: PendingJob | None = None) -> None:
        """Take one answer from the child. When it is lost, jobs it had not begun go to another one."""
        with child.lock:
            if wanted is not None and (wanted.outcome is not None or wanted.child is not child):
                return
            unbegun = child.receive()
            if child.ended:
                self._forget(child)
        for job in unbegun:
            while not self._try_send(job):
                self._make_room()

    def _forget(self, child: "_Child") -> None:
        with suppress(ValueError):
            self._children.remove(child)

    def _limits(self) -> dict[str, Any]:
        return {
            "cpu_s": self._cpu_s,
            "address_space_bytes": self._address_space_bytes,
            "prefixes": list(self._prefixes),
            # The kernel sends this signal when the *thread* that started the child ends, so only the main thread's
            # children may ask for it; the others notice within half a second that their parent has changed.
            "signal_on_parent_exit": threading.current_thread() is threading.main_thread(),
        }

    def _after_fork(self) -> None:
        """In a forked copy the children belong to the original: let go of them, touch nothing they use."""
        children, self._children = self._children, []
        self._lock = threading.Lock()
        for child in children:
            child.abandon()


class _Child:
    """One process and the jobs it has been given, in order. Every method but `__init__` wants `lock` held."""

    def __init__(self, limits: dict[str, Any], wall_timeout_s: float) -> None:
        self.lock = threading.Lock()
        self.jobs: deque[PendingJob] = deque()
        self.sent = 0
        self.ended = False
        self.retiring = False
        self._wall_timeout_s = wall_timeout_s
        self._reader = wire.ReplyReader()
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = _start(theirs, limits)
        self._connection.setblocking(False)
        self._deadline = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    def died_idle(self) -> bool:
        """Whether the process was lost while it had nothing to do; then no job is to blame."""
        if self.jobs or self._process.poll() is None:
            return False
        self.end(DecodeCrashed("idle"))
        return True

    def send(self, job: PendingJob) -> None:
        descriptor, header = wire.write_job(job.operation, job.blobs, job.params)
        try:
            wire.send_job(self._connection, descriptor, header)
        except OSError:  # the child is gone; receive() will find out how, and this job goes to another one
            pass
        finally:
            os.close(descriptor)
        if not self.jobs:
            self._deadline = time.monotonic() + self._wall_timeout_s + (0 if self.sent else START_TIMEOUT_S)
        job.child = self
        self.jobs.append(job)
        self.sent += 1

    def receive(self) -> list[PendingJob]:
        """Wait for one answer and give it to its job. Returns the jobs that another child has to do, if this one ended.

        The clock of a job runs from the answer before it: what was waiting in the socket counts as in time.
        """
        poller = select.poll()
        poller.register(self._connection, select.POLLIN)
        while self.jobs:
            try:
                piece = self._connection.recv(min(self._reader.missing, RECEIVE_BYTES))
            except BlockingIOError:
                remaining_s = self._deadline - time.monotonic()
                if remaining_s <= 0:
                    return self.end(DecodeTimeout(f"{self._wall_timeout_s:g} s"))
                poller.poll(remaining_s * 1000 + 1)
                continue
            except OSError as error:
                return self.end(DecodeCrashed(type(error).__name__))
            if not piece:
                return self.end(self._cause_of_death())
            try:
                reply = self._reader.feed(piece)
                if reply is None:
                    continue
                outcome = _read_outcome(*reply)
            except wire.ProtocolError as error:
                return self.end(DecodeCrashed(str(error)))
            self._settle(outcome)
            return []
        return []

    def end(self, error: DecodeError) -> list[PendingJob]:
        """Kill the process. The job it was at gets the error; the rest is returned, to be done elsewhere."""
        self.ended = True
        self._process.kill()
        self._connection.close()
        self._process.wait()
        unbegun = list(self.jobs)
        self.jobs.clear()
        if unbegun:
            _finish(unbegun.pop(0), error)
        for job in unbegun:
            job.child = None
        return unbegun

    def abandon(self) -> None:
        """After a fork: close our copy of the connection. The process is not ours to end or to wait for."""
        self.ended = True
        self._connection.close()
        self._process.returncode = 0  # keeps subprocess from polling, at exit, a child it does not have
        for job in self.jobs:
            _finish(job, DecodeCrashed("forked"))

    def _settle(self, outcome: TaskResult | ImagingError) -> None:
        _finish(self.jobs.popleft(), outcome)
        self._deadline = time.monotonic() + self._wall_timeout_s
        if self.retiring and not self.jobs:
            self.end(DecodeCrashed("retired"))

    def _cause_of_death(self) -> DecodeError:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return DecodeCrashed("connection closed")
        if code == -signal.SIGXCPU:
            return DecodeTimeout("cpu")
        return DecodeCrashed(signal.Signals(-code).name if code < 0 else f"exit {code}")


def _finish(job: PendingJob, outcome: TaskResult | ImagingError) -> None:
    job.blobs = ()  # kept only for the case that another child has to do the job
    job.outcome = outcome


def _start(theirs: socket.socket, limits: dict[str, Any]) -> subprocess.Popen[bytes]:
    arguments = [str(theirs.fileno()), str(os.getpid()), json.dumps(limits)]
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "ledger.imaging.worker", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
        cwd="/",
        env=CHILD_ENVIRONMENT,
    )


def _read_outcome(fields: dict[str, Any], blobs: list[bytes]) -> TaskResult | ImagingError:
    error = fields.get("error")
    if isinstance(error, dict):
        return parse_error(error)
    values = fields.get("values")
    if not isinstance(values, dict):
        raise wire.ProtocolError("answer without values")
    return TaskResult(values, blobs)


_POOLS: "weakref.WeakSet[PixelPool]" = weakref.WeakSet()


def _reset_pools() -> None:
    for pool in list(_POOLS):
        pool._after_fork()


os.register_at_fork(after_in_child=_reset_pools)
