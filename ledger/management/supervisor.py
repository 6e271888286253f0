"""Keeping a few child processes alive: started in groups of their own, restarted when they end, gone when we are.

Linux only: PR_SET_PDEATHSIG makes the kernel kill a child whose parent died, so that a `kill -9` of anything leaves
nothing behind. Nothing here knows Django.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1
QUICK_DEATH_S = 5.0  # a child that lived shorter than this is restarted with a growing pause
MAX_PAUSE_S = 30.0
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as its parent is dead."""
    parent = os.getppid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died between the fork and the call
        os._exit(1)


@dataclass(slots=True)
class Child:
    """One kind of process: how to start it, and the running one with its whole group."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0
    not_before: float = 0.0

    def start(self, now: float) -> None:
        self.process = subprocess.Popen(
            list(self.argv),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.started_at = now

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        """Kill the whole group at once and reap its leader."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()


class Supervisor:
    """Restarts children that end. report gets one line per event, on_exit the child whose group is gone."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        report: Callable[[str], None],
        on_exit: Callable[[Child], None] = lambda child: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.children = list(children)
        self._report = report
        self._on_exit = on_exit
        self._clock = clock

    def start(self) -> None:
        for child in self.children:
            child.start(self._clock())

    def look_after(self) -> None:
        """Restart what has ended; call it a few times a second."""
        now = self._clock()
        for child in self.children:
            if child.has_ended():
                assert child.process is not None  # noqa: S101 - it ended, so it was there
                self._report(f"{child.name} ended with status {child.process.returncode}")
                self._bury(child, now)
            if child.process is None and now >= child.not_before:
                child.start(now)
                self._report(f"{child.name} started again")

    def age_s(self, child: Child) -> float:
        """How long a child has been running; 0 for one that is not."""
        return self._clock() - child.started_at if child.process is not None else 0.0

    def replace(self, child: Child, why: str) -> None:
        """Kill a child's group; the next look starts it again."""
        self._report(f"{child.name}: {why}; replacing it")
        self._bury(child, self._clock())

    def _bury(self, child: Child, now: float) -> None:
        quick = now - child.started_at < QUICK_DEATH_S
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        child.not_before = now + (min(2.0 ** (child.quick_deaths - 1) * 0.25, MAX_PAUSE_S) if quick else 0.0)
        child.kill()  # its leader is dead, the rest of the group may not be
        child.process = None
        self._on_exit(child)

    def stop(self, timeout_s: float) -> None:
        """Ask every child to end, wait, then kill what is left."""
        for child in self.children:
            child.terminate()
        deadline = self._clock() + timeout_s
        for child in self.children:
            if child.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.1, deadline - self._clock()))
                child.kill()
