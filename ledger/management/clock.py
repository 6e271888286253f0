"""The process that does what is due: gives back lost jobs, seals checkpoints, and each app's own chores.

Apart from the supervisor, so that a database that hangs cannot keep it from restarting anybody.
"""

from __future__ import annotations

import logging
import signal
import time

from django.db import InterfaceError, OperationalError, connections

from ledger.services.jobs import release_dead_workers, sweep_jobs
from ledger.services.periodic import run_due_chores

logger = logging.getLogger(__name__)
TICK_S = 1.0


def run_clock() -> None:
    """Tick until SIGTERM; a tick under way is finished first."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda received, frame: stopping.append(received))
    while not stopping:
        try:
            release_dead_workers()
            sweep_jobs()
            run_due_chores()
        except (OperationalError, InterfaceError) as error:
            logger.warning("the database cannot be reached: %s", error)
            connections.close_all()
        due = time.monotonic() + TICK_S
        while not stopping and time.monotonic() < due:
            time.sleep(0.1)
