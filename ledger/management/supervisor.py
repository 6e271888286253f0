"""Keeping a few child processes alive: forked in groups of their own, restarted when they end, gone when we are.

Children are forked, not started anew: everything is imported once, so that a restart costs milliseconds and the
memory is shared. On Linux the kernel kills a child whose parent died (PR_SET_PDEATHSIG), at every level below, so that
a `kill -9` of anything leaves nothing behind; and orphans come to us to be reaped. Nothing here knows Django.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
QUICK_DEATH_S = 5.0  # a child that lived shorter than this is restarted with a growing pause
MAX_PAUSE_S = 5.0
LOOK_S = 0.5  # a signal wakes us at once; this only bounds what signals do not tell
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as its parent is dead."""
    parent = os.getppid()
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died between the fork and the call
        os._exit(1)


@dataclass(slots=True)
class Child:
    """One kind of process: what it runs, and the running one."""

    name: str
    main: Callable[[], None]
    pid: int = 0  # 0 while none runs; also the number of its process group
    started_at: float = 0.0
    quick_deaths: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs children until a stop signal; a second one does not wait for them.

    report gets one line per event; clock is monotonic seconds.
    """

    children: Sequence[Child]
    report: Callable[[str], None]
    stop_timeout_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    _stop_signals: int = field(default=0, init=False)
    _wakeup: tuple[int, int] = field(default=(-1, -1), init=False)

    def run(self) -> None:
        """Start all, restart what ends, and return once a stop signal came and nothing runs any more."""
        if sys.platform == "linux":
            _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        gc.collect()
        gc.freeze()  # what is imported stays on pages that all children share
        with self._signals():
            while not self._stop_signals:
                self._reap()
                self._start_missing()
                self._sleep(LOOK_S)
            self.report("stopping")
            self._stop()

    def _start_missing(self) -> None:
        for child in self.children:
            if not child.pid and self.clock() >= child.not_before and not self._stop_signals:
                self._fork(child)
                self.report(f"{child.name} started, process {child.pid}")

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        child.started_at = self.clock()
        parent = os.getpid()
        child.pid = os.fork()
        if child.pid == 0:
            self._become(child, parent)

    def _become(self, child: Child, parent: int) -> None:
        """The child's whole life."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (*STOP_SIGNALS, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()  # Ctrl-C reaches us alone, and the whole group can be killed at once
            os.register_at_fork(after_in_child=die_with_parent)
            die_with_parent()
            if os.getppid() != parent:
                os._exit(1)
            child.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            if sys.exc_info()[0] is not None:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> bool:
        """Bury every process that ended, orphans of our children included; say whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            for child in self.children:
                if child.pid == pid:
                    self._bury(child, os.waitstatus_to_exitcode(status))

    def _bury(self, child: Child, code: int) -> None:
        now = self.clock()
        _kill_group(child.pid)  # its leader is dead, the rest of the group may not be yet
        quick = now - child.started_at < QUICK_DEATH_S
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        child.not_before = now + (min(0.25 * 2.0 ** (child.quick_deaths - 1), MAX_PAUSE_S) if quick else 0.0)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        self.report(f"{child.name} {how}, process {child.pid}")
        child.pid = 0

    def _stop(self) -> None:
        """Ask every child to end, wait, then kill what is left."""
        for child in self.children:
            if child.pid:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)
        self._wait_for_children(patient=True)
        for child in self.children:
            if child.pid:
                self.report(f"{child.name} did not stop by itself; killing it")
                _kill_group(child.pid)
        self._wait_for_children(patient=False)
        self._wait_for_orphans()

    def _wait_for_children(self, *, patient: bool) -> None:
        deadline = self.clock() + self.stop_timeout_s
        self._reap()
        while any(child.pid for child in self.children) and self.clock() < deadline:
            if patient and self._stop_signals > 1:
                return
            self._sleep(0.1)
            self._reap()

    def _wait_for_orphans(self) -> None:
        """Whoever sees us end may rely on it that nothing of ours is left."""
        deadline = self.clock() + self.stop_timeout_s
        while self._reap() and self.clock() < deadline:
            self._sleep(0.1)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals write a byte into a pipe, which ends the sleep: none is lost between a look and a sleep."""
        self._wakeup = os.pipe()
        for end in self._wakeup:
            os.set_blocking(end, False)
        numbers = [*STOP_SIGNALS, signal.SIGCHLD]
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # `nohup` started us, and means it
            numbers.remove(signal.SIGHUP)
        earlier = {number: signal.signal(number, self._on_signal) for number in numbers}
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in earlier.items():
                signal.signal(number, handler)
            for end in self._wakeup:
                os.close(end)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number in STOP_SIGNALS:
            self._stop_signals += 1

    def _sleep(self, seconds: float) -> None:
        select.select([self._wakeup[0]], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._wakeup[0], 512)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
