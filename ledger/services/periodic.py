"""What `manage.py up` does from time to time: each app registers its chores in its tasks.py.

A chore is short, safe to run twice and by two processes at once; it finds what an interrupted process left behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, close_old_connections, connections

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
    """Register a chore under a name that shows up in the log."""

    def register(function: Callable[[], object]) -> Callable[[], object]:
        known = CHORES.get(name)
        if known and known.run is not function:
            raise ValueError(f"chore {name} is registered twice")
        CHORES[name] = Chore(name, function, interval_s)
        return function

    return register


def run_due_chores(now: Callable[[], float] = time.monotonic) -> list[str]:
    """Run what is due and return its names; one that fails is logged, stops no other, and is tried again in time."""
    close_old_connections()
    due = [chore for chore in CHORES.values() if now() >= chore.due_at]
    for chore in due:
        chore.due_at = now() + chore.interval_s
        _run(chore)
    return [chore.name for chore in due]


def _run(chore: Chore) -> None:
    try:
        chore.run()
    except (OperationalError, InterfaceError) as error:  # the database is away: one line, not a page each second
        logger.warning("chore %s: the database cannot be reached: %s", chore.name, str(error).strip())
        connections.close_all()
    except Exception:
        logger.exception("chore %s failed", chore.name)
