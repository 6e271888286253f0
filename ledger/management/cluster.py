"""One queue's cluster of django-q2 workers, guarded against the ways in which a killed process can block it.

A process killed while it reads from a shared pipe takes the pipe's lock with it, and everybody else waits for ever
(django-q2 issue 23). So when a process of the cluster dies by a signal at a moment when it may hold such a lock, the whole
cluster ends and the supervisor starts a new one; only a worker that died at work is replaced alone. Should that miss a
case, the watchdog finds that jobs wait while workers idle, and ends the cluster too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import uuid
from typing import Any

from django.db import connections
from django_q.brokers import get_broker
from django_q.cluster import Sentinel

from ledger.services.job_registry import HEAVY
from ledger.services.jobs import is_stalled, release_jobs, worker_prefix

WATCH_S = 2.0
BOOT_S = 8.0  # a new cluster gets this long before waiting jobs mean that it is stuck
NEED_RESTART = 75
HEAVY_NICENESS = 5  # pages and searches come first when both want the processor


class Guard(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """Starts the pusher, the monitor and the workers, and looks after them."""

    def __init__(self, queue: str, workers: int, stop_event: Any) -> None:
        self.queue = queue
        self.workers = workers
        super().__init__(stop_event, multiprocessing.Event(), uuid.uuid4(), get_broker(queue))

    def start(self) -> None:
        self.pool_size = self.workers
        super().start()

    def reincarnate(self, process: Any) -> None:
        at_work = process in self.pool and process.timer.value > 0
        killed = process.exitcode is not None and process.exitcode < 0
        if killed and process in self.pool:
            release_jobs(worker_prefix=f"{worker_prefix(self.queue)}{process.pid}")
        if not killed or at_work:
            super().reincarnate(process)
            return
        for other in (*self.pool, self.monitor, self.pusher):
            other.kill()
            other.join()
        release_jobs(worker_prefix=worker_prefix(self.queue), forgive=True)
        os._exit(NEED_RESTART)


def run_cluster(queue: str, workers: int) -> None:
    """Work off one queue until SIGTERM. Exits with NEED_RESTART when the cluster can no longer be trusted."""
    if queue == HEAVY:
        os.nice(HEAVY_NICENESS)
    # No other cluster of this queue runs on this machine: whoever held these jobs is dead.
    release_jobs(worker_prefix=worker_prefix(queue))
    connections.close_all()
    stop_event = multiprocessing.Event()
    guard = multiprocessing.get_context("fork").Process(target=Guard, args=(queue, workers, stop_event))
    guard.start()
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: stopping.append(received))
    watch_at = time.monotonic() + BOOT_S
    while guard.exitcode is None:
        guard.join(0.1 if not stopping else 0.05)
        if stopping:
            stop_event.set()
        elif time.monotonic() >= watch_at:
            watch_at = time.monotonic() + WATCH_S
            if is_stalled(queue=queue, workers=workers):
                guard.kill()
    raise SystemExit(guard.exitcode if guard.exitcode >= 0 else NEED_RESTART)
