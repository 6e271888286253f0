"""A supervisor with one real cluster and a clock on a given database, for test_cluster.py: what `up` runs, minus the web.

    python -m tests.ledger.management.cluster_process DATABASE_NAME QUEUE...

Its kinds of job do what real ones do at their worst.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.conf import settings


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    settings.DATABASES["default"]["NAME"] = sys.argv[1]
    django.setup()
    from ledger.management.clock import run_clock
    from ledger.management.cluster import run_cluster
    from ledger.management.supervisor import Child, Supervisor

    register_kinds()
    children = [Child(queue, partial(run_cluster, queue, 2)) for queue in sys.argv[2:]]
    Supervisor([*children, Child("clock", run_clock)], report=say).run()
    say("returned")


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def register_kinds() -> None:
    """Also called by the tests, which add such jobs."""
    from ledger.services.job_registry import job

    job("test.note")(note)
    job("test.wait")(wait)
    job("test.die")(die)
    job("test.slow", timeout_s=1)(slow)
    job("test.stuck", timeout_s=1)(stuck)
    job("test.polite")(polite)


def note(ctx: Any) -> dict[str, int]:
    return {"pid": os.getpid()}


def wait(ctx: Any, path: str) -> dict[str, int]:
    """Until the file is there."""
    while not Path(path).exists():
        time.sleep(0.02)
    return {"pid": os.getpid()}


def die(ctx: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def slow(ctx: Any) -> None:
    while True:
        time.sleep(0.1)


def stuck(ctx: Any) -> None:
    """Like slow native code: no signal handler runs until it returns."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
    time.sleep(600)


def polite(ctx: Any) -> None:
    while not ctx.cancelled():
        time.sleep(0.02)


if __name__ == "__main__":
    main()
