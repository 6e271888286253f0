"""The supervisor with children of a few lines, in a process of its own: it takes over signals and reaps everything."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")

PROGRAM = """
import os, signal, subprocess, sys, time
from ledger.management.supervisor import Child, Supervisor

def sleeper():
    time.sleep(600)

def parent():
    if os.fork() == 0:
        say(f"grandchild {os.getpid()}")
    time.sleep(600)

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def failing():
    raise SystemExit(3)

def orphaning():
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        time.sleep(600)
    time.sleep(600)

def say(line):
    os.write(1, f"{line}\\n".encode())  # one piece, whoever else writes

mains = {main.__name__: main for main in (sleeper, parent, stubborn, failing, orphaning)}
Supervisor([Child(name, mains[name]) for name in sys.argv[1:]], report=say, stop_timeout_s=1.0).run()
say("returned")
"""


class Running:
    def __init__(self, *children: str) -> None:
        command = [sys.executable, "-c", PROGRAM, *children]
        # Under `nohup` the tests' own SIGHUP is ignored, which a child inherits and the supervisor respects.
        inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        signal.signal(signal.SIGHUP, inherited)
        self.unread: list[str] = []

    def wait_for(self, beginning: str) -> str:
        """The next line that begins so; lines passed over are kept, because processes write in any order."""
        assert self.process.stdout is not None
        for line in self.unread:
            if line.startswith(beginning):
                self.unread.remove(line)
                return line
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line.strip()
            self.unread.append(line.strip())
        raise AssertionError(f"no line begins with {beginning!r}: {self.unread}")

    def number(self, beginning: str) -> int:
        return int(self.wait_for(beginning).split()[-1])


@pytest.fixture
def start():
    started: list[Running] = []

    def start(*children: str) -> Running:
        started.append(Running(*children))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


def is_gone(pid: int, within_s: float = 3.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_killed_child_is_started_again(start):
    running = start("sleeper")
    os.kill(running.number("sleeper started"), signal.SIGKILL)
    assert "killed by signal 9" in running.wait_for("sleeper was")
    assert running.number("sleeper started") > 0


def test_a_child_that_keeps_failing_is_started_at_growing_intervals(start):
    running = start("failing")
    times = []
    for _ in range(4):
        running.wait_for("failing started")
        times.append(time.monotonic())
    first, _second, third = (later - earlier for earlier, later in itertools.pairwise(times))
    assert third > first


def test_the_whole_group_of_a_killed_child_ends(start):
    running = start("parent")
    child = running.number("parent started")
    grandchild = running.number("grandchild")
    os.kill(child, signal.SIGKILL)
    assert is_gone(grandchild)


def test_nothing_survives_a_killed_supervisor(start):
    running = start("parent")
    child = running.number("parent started")
    grandchild = running.number("grandchild")
    running.process.kill()
    running.process.wait()
    assert is_gone(child)
    assert is_gone(grandchild)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_it_cleanly(start, number):
    running = start("sleeper", "parent")
    running.wait_for("parent started")
    running.process.send_signal(number)
    running.wait_for("returned")
    assert running.process.wait(5) == 0


def test_a_child_that_ignores_the_stop_is_killed(start):
    running = start("stubborn")
    child = running.number("stubborn started")
    time.sleep(0.2)
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("stubborn did not stop")
    running.wait_for("returned")
    assert is_gone(child)


def test_orphans_are_reaped(start):
    running = start("orphaning")
    child = running.number("orphaning started")
    time.sleep(0.3)
    os.kill(child, signal.SIGKILL)
    running.number("orphaning started")
    time.sleep(0.3)
    states = [
        path.read_text().rpartition(") ")[2].split()[:2] for path in Path("/proc").glob("[0-9]*/stat") if path.exists()
    ]
    assert ["Z", str(running.process.pid)] not in states
