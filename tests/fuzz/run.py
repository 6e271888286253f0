"""Running one parser over many inputs in a process of its own, and saying what it did with them.

The process is limited in memory and forked from one that has everything imported. What it works on is written down before
each input, so that a crash or a hang names its seed: `python -m tests.bench.fuzz --target NAME --seed N --count 1` repeats it.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import random
import resource
import signal
import struct
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Target

HANG_S = 2.0  # of processor time: other programs on the machine are no fault of a parser
KILL_S = 60.0  # of the clock, for what does not even use the processor
MEMORY_BYTES = 3 << 30
FAULTS_TOLD = 20  # of each child


@dataclass(slots=True)
class Outcome:
    """What became of one target's inputs. faults: (seed, what happened)."""

    target: str
    inputs: int = 0
    accepted: int = 0
    crashes: int = 0
    hangs: int = 0
    unnamed: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.crashes or self.hangs or self.unnamed)


def input_of(target: Target, seed: int) -> bytes:
    """The input that a seed stands for."""
    return mutated(random.Random(f"{target.name} {seed}"), _seeds(target), target.aware)


_made: dict[str, list[bytes]] = {}
# Shared with the child, so that a crash loses no count: seed under way, when it was begun, and the four numbers.
SHARED = struct.Struct("<qdqqqqd")


def _seeds(target: Target) -> list[bytes]:
    if target.name not in _made:
        _made[target.name] = list(target.seeds())
    return _made[target.name]


@dataclass(slots=True)
class _Shared:
    """The numbers of one child, in memory that outlives it."""

    memory: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, SHARED.size))
    seed: int = 0
    begun: float = 0.0
    inputs: int = 0
    accepted: int = 0
    unnamed: int = 0
    hangs: int = 0
    slowest_s: float = 0.0

    def write(self) -> None:
        numbers = (self.seed, self.begun, self.inputs, self.accepted, self.unnamed, self.hangs, self.slowest_s)
        SHARED.pack_into(self.memory, 0, *numbers)

    def read(self) -> None:
        numbers = SHARED.unpack_from(self.memory)
        self.seed, self.begun, self.inputs, self.accepted, self.unnamed, self.hangs, self.slowest_s = numbers


def fuzz(target: Target, *, first: int, count: int, deadline: float = float("inf")) -> Outcome:
    """Inputs of the seeds first .. first + count - 1, or fewer when the monotonic deadline comes."""
    outcome = Outcome(target.name)
    started = time.monotonic()
    _seeds(target)
    seed, end = first, first + count
    while seed < end and time.monotonic() < deadline:
        shared = _Shared()
        status = _run_child(target, seed, end, deadline, shared, outcome)
        shared.read()
        outcome.inputs += shared.inputs
        outcome.accepted += shared.accepted
        outcome.unnamed += shared.unnamed
        outcome.hangs += shared.hangs
        outcome.slowest_s = max(outcome.slowest_s, shared.slowest_s)
        if status == 0:
            break
        outcome.inputs += 1
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            outcome.hangs += 1
            outcome.faults.append((shared.seed, "no answer within its time"))
        else:
            outcome.crashes += 1
            outcome.faults.append((shared.seed, f"the process ended with {status}"))
        seed = shared.seed + 1
    outcome.seconds = time.monotonic() - started
    return outcome


def _run_child(target: Target, seed: int, end: int, deadline: float, shared: _Shared, outcome: Outcome) -> int:
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(target, seed, end, deadline, shared, theirs))
    process.start()
    theirs.close()
    with contextlib.suppress(EOFError):
        while True:
            if not mine.poll(1.0):
                shared.read()
                if shared.begun and time.monotonic() - shared.begun > KILL_S:
                    process.kill()
                continue
            kind, news = mine.recv()
            if kind == "fault":
                outcome.faults.append(news)
            else:
                outcome.codes.update(news)
    process.join()
    return process.exitcode or 0


def _child(target: Target, seed: int, end: int, deadline: float, shared: _Shared, pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # libraries complain about what is wrong with a file, a million times
    codes: Counter[str] = Counter()

    def fault(what: str) -> None:
        if shared.unnamed + shared.hangs <= FAULTS_TOLD:
            pipe.send(("fault", (shared.seed, what[:300])))

    for number in range(seed, end):
        if time.monotonic() > deadline:
            break
        data = input_of(target, number)
        shared.seed, shared.begun = number, time.monotonic()
        shared.write()
        # The kernel ends a process that stays in C code for much too long; what only was slow is measured.
        used = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + HANG_S) + 20, resource.RLIM_INFINITY))
        _try(target, data, shared, codes, fault)
        took = time.process_time() - used
        shared.inputs += 1
        shared.slowest_s = max(shared.slowest_s, took)
        if took > HANG_S:
            shared.hangs += 1
            fault(f"took {took:.1f} s of processor time")
    shared.begun = 0.0
    shared.write()
    pipe.send(("codes", codes))
    pipe.close()


def _try(target: Target, data: bytes, shared: _Shared, codes: Counter[str], fault: Callable[[str], None]) -> None:
    try:
        target.parse(data)
        shared.accepted += 1
    except target.named as error:
        code = getattr(error, "code", "")
        codes[code] += 1
        if not code:
            shared.unnamed += 1
            fault(f"{type(error).__name__} has no code")
    except Exception as error:  # noqa: BLE001 - the find of this program
        shared.unnamed += 1
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault(f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}")
