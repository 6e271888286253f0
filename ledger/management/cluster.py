"""One queue's cluster of django-q2 workers under a guard of our own: whatever looks wrong ends the whole cluster.

The processes of a cluster share pipes with locks. One that is killed inside such a lock takes it along, and the others
wait for ever (django-q2 issue 23). Nobody can see from outside who held what, so this guard does not try to repair: when
a process was killed, takes too long, does not end, or jobs wait while workers idle, the guard ends, the kernel ends
everybody below it, and the supervisor forks a new cluster within a second. Jobs cut short that way are given back.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import connection as pipes
from typing import Any, NoReturn

from django.db import InterfaceError, OperationalError, connections
from django_q.brokers import get_broker
from django_q.cluster import Sentinel
from django_q.signals import pre_execute

from ledger.services.job_registry import HEAVY
from ledger.services.jobs import TIMED_OUT, WORKER_DIED, has_waited, release_dead_workers, release_worker
from ledger.services.pulse import beat

logger = logging.getLogger(__name__)

LOOK_S = 0.5  # a process that ends wakes the guard at once; this only bounds what does not wake it
WATCH_S = 2.0  # how often the database is asked whether jobs wait
STALL_AFTER = timedelta(seconds=6)
END_S = 5.0  # a worker that announced its end and is still there after this waits for a lock that nobody will release
NEED_RESTART = 75  # exit status, EX_TEMPFAIL of sysexits.h
HEAVY_NICENESS = 5  # pages and searches come first when both want the processor

# What a worker writes into its timer (django_q/worker.py); above zero are the seconds its job has left.
IDLE, TIMED_OUT_ITSELF, RECYCLED = -1, 0, -2


class Guard(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """Starts the pusher, the monitor and the workers, and looks after them until SIGTERM."""

    def __init__(self, queue: str, workers: int) -> None:
        self.queue = queue
        self.stopping = False
        self.wakeup = os.pipe()  # a signal writes into it, which ends the guard's sleep
        self.looked_at = self.watched_at = time.monotonic()
        self.monitor: Any = None
        self.pusher: Any = None
        self.ending: dict[int, float] = {}  # pid of a worker that announced its end -> when that was seen
        self.taken_at = multiprocessing.RawValue("d", time.monotonic())  # when any worker last took a job
        super().__init__(multiprocessing.Event(), multiprocessing.Event(), uuid.uuid4(), get_broker(queue), start=False)
        self.pool_size = workers

    def start(self) -> None:
        """Not asking the broker first: one that is away is tried again by the pusher."""
        pre_execute.connect(self._note_taken, weak=False)  # runs in the workers, which inherit it
        self.spawn_cluster()
        with self._signals():
            self.guard()

    def guard(self) -> None:
        self.start_event.set()
        beat(self.queue)
        while not self.stopping:
            processes = (*self.pool, self.monitor, self.pusher)
            pipes.wait([self.wakeup[0], *(process.sentinel for process in processes)], timeout=LOOK_S)
            now = time.monotonic()
            passed, self.looked_at = now - self.looked_at, now
            for worker in list(self.pool):
                self._look_at(worker, passed)
            for other in (self.monitor, self.pusher):
                if not other.is_alive():
                    self._replace(other)
            if now - self.watched_at >= WATCH_S:
                self.watched_at = now
                beat(self.queue)
                self._watch()
        self.stop_event.set()
        self.stop()

    def _look_at(self, worker: Any, passed: float) -> None:
        if not worker.is_alive():
            release_worker(queue=self.queue, pid=worker.pid, code=WORKER_DIED)
            self.ending.pop(worker.pid, None)
            self._replace(worker)
        elif self._has_run_out(worker, passed):
            worker.kill()  # SIGTERM would wait for whatever it is stuck in
            worker.join()
            release_worker(queue=self.queue, pid=worker.pid, code=TIMED_OUT)
            self._give_up(f"worker {worker.pid} did not end in time")

    def _has_run_out(self, worker: Any, passed: float) -> bool:
        """Whether its job is over its time and did not react, or its own end takes too long."""
        lock, timer = worker.timer.get_lock(), worker.timer.get_obj()
        if not lock.acquire(timeout=LOOK_S):
            return False  # it dies while holding it, which the next look sees
        try:
            if timer.value > 0:
                timer.value = max(timer.value - passed, 0.0)
                return bool(timer.value == 0)
            announced = timer.value in (TIMED_OUT_ITSELF, RECYCLED)
        finally:
            lock.release()
        return announced and time.monotonic() - self.ending.setdefault(worker.pid, time.monotonic()) > END_S

    def _replace(self, process: Any) -> None:
        """Start another one in place of one that ended by itself: recycled, timed out, or without its broker."""
        if process.exitcode != 0:
            self._give_up(f"process {process.pid} ended with status {process.exitcode}")
        connections.close_all()
        if process is self.monitor:
            self.monitor = self.spawn_monitor()
        elif process is self.pusher:
            self.pusher = self.spawn_pusher()
        else:
            self.pool.remove(process)
            self.spawn_worker()

    def _watch(self) -> None:
        """Jobs wait, a worker idles, and nobody took one for a while: some lock was lost that we did not see."""
        quiet_s = time.monotonic() - self.taken_at.value
        idle = any(worker.timer.get_obj().value == IDLE for worker in self.pool)
        if not idle or quiet_s < STALL_AFTER.total_seconds():
            return
        try:
            stalled = has_waited(queue=self.queue, longer_than=STALL_AFTER)
        except (OperationalError, InterfaceError):  # then workers cannot take jobs either
            connections.close_all()
            self.taken_at.value = time.monotonic()
            return
        if stalled:
            self._give_up("jobs wait and no worker takes one")

    def _give_up(self, why: str) -> NoReturn:
        """End the whole cluster at once, and give back what its workers held."""
        logger.warning("%s: %s; starting the cluster anew", self.queue, why)
        processes = (*self.pool, self.monitor, self.pusher)
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
        release_dead_workers()
        raise SystemExit(NEED_RESTART)

    def _note_taken(self, **signal_arguments: Any) -> None:
        self.taken_at.value = time.monotonic()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """From here on SIGTERM means a clean stop; processes forked later get the kernel's default back."""

        def on_signal(_number: int, _frame: Any) -> None:
            self.stopping = True
            os.write(self.wakeup[1], b".")

        def forget() -> None:
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)

        numbers = (signal.SIGTERM, signal.SIGINT)
        os.register_at_fork(after_in_child=forget)
        for number in numbers:
            signal.signal(number, on_signal)
        yield


def run_cluster(queue: str, workers: int) -> None:
    """Work off one queue until SIGTERM. Ends with NEED_RESTART when the cluster can no longer be trusted."""
    if queue == HEAVY:
        os.nice(HEAVY_NICENESS)
    Guard(queue, workers).start()
