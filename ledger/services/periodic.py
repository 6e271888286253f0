"""What the supervisor does from time to time: each app registers its chores in its tasks.py.

A chore is short, safe to run twice and by two processes at once; it finds what an interrupted process left behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Chore:
    """run at most every interval_s seconds; due_at is on the monotonic clock."""

    name: str
    run: Callable[[], object]
    interval_s: float
    due_at: float = 0.0


CHORES: dict[str, Chore] = {}


def periodic(name: str, *, interval_s: float) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a chore under a name that shows up in the supervisor's log."""

    def register(function: Callable[[], object]) -> Callable[[], object]:
        CHORES[name] = Chore(name, function, interval_s)
        return function

    return register


def run_due_chores(now: Callable[[], float] = time.monotonic) -> list[str]:
    """Run what is due; one that fails is logged and tried again next time, and stops no other."""
    ran = []
    for chore in CHORES.values():
        if now() < chore.due_at:
            continue
        chore.due_at = now() + chore.interval_s
        try:
            chore.run()
        except Exception:
            logger.exception("chore %s failed", chore.name)
        ran.append(chore.name)
    return ran
