"""The process that does what is due: gives back lost jobs, seals checkpoints, and each app's own chores.

Apart from the supervisor, so that a database that hangs cannot keep it from restarting anybody.
"""

from __future__ import annotations

import signal
import threading

from ledger.services.periodic import run_due_chores

TICK_S = 0.5


def run_clock() -> None:
    """Tick until SIGTERM; a tick under way is finished first."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    while not stopping.is_set():
        run_due_chores()
        stopping.wait(TICK_S)
