"""Start everything: prepare the database, then run web server and workers and look after them until Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from django.conf import settings
from django.core.checks import Tags
from django.core.management import BaseCommand, CommandError
from django.db import OperationalError, connection, connections

from ledger.management.assets import collect_meanwhile
from ledger.management.clock import run_clock
from ledger.management.cluster import run_cluster
from ledger.management.supervisor import Child, Supervisor
from ledger.management.web import open_listener, run_web
from ledger.services.job_registry import QUEUES
from ledger.services.jobs import release_dead_workers
from ledger.services.setup import bring_up_to_date, first_run

# After a kill -9 the kernel takes a moment to end the old children, which held the port.
PATIENCE_S = 3.0
INTERRUPTED = 130
Held = TypeVar("Held")


class Command(BaseCommand):
    help = "Run Originmark: web server and background workers under one supervisor."
    # What the database promises is checked below. The other checks are about code, not about this machine; they take a
    # seventh of a start and are run before code is released.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS", help="in a container: 0.0.0.0")
        parser.add_argument(
            "--workers", type=int, default=settings.Q_CLUSTER["workers"], help="worker processes of each queue"
        )

    def handle(self, *args: Any, port: int, bind: str, workers: int, **options: Any) -> None:
        lock = _patiently(_lock_data_directory)
        if lock is None:
            raise CommandError(f"Originmark is already running on {settings.DATA_DIR}.")
        os.register_at_fork(after_in_child=lock.close)  # it is ours alone, and ends with us
        listener = _patiently(partial(open_listener, port, bind))
        if listener is None:
            raise CommandError(f"Port {port} is in use. Choose another: manage.py up --port {port + 1}")
        try:
            self._prepare(listener, settings.PUBLIC_URL or f"http://localhost:{port}")
        except KeyboardInterrupt:
            raise CommandError("Interrupted before it was up.", returncode=INTERRUPTED) from None
        Supervisor(_children(listener, workers), report=self._say).run()
        with suppress(OperationalError):  # then the next start does it
            release_dead_workers()
        self._say("stopped")

    def _say(self, line: str) -> None:
        with suppress(OSError):  # a terminal that was closed must not keep us from looking after the children
            self.stdout.write(line)
            self.stdout.flush()

    def _prepare(self, listener: socket.socket, base_url: str) -> None:
        """Everything that has to be there before anybody is served, and the first lines a person reads."""
        wait_for_static_files = collect_meanwhile(listener.close)
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise CommandError(f"The database cannot be reached: {error}") from error
        bring_up_to_date(lambda steps: self._say(f"Bringing the database up to date: {steps} steps"))
        self.check(tags=[Tags.database], databases=["default"])
        link = first_run(base_url)
        wait_for_static_files()
        self._say(base_url)
        if link:
            self._say(f"First sign-in: {link}")
        connections.close_all()  # a connection must not be shared with the children about to be forked


def _children(listener: socket.socket, workers: int) -> list[Child]:
    """The web server, one cluster per queue, and the clock."""
    clusters = [Child(queue, _without(listener, partial(run_cluster, queue, workers))) for queue in QUEUES]
    return [Child("web", partial(run_web, listener)), *clusters, Child("clock", _without(listener, run_clock))]


def _without(listener: socket.socket, main: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        listener.close()
        main()

    return run


def _patiently(acquire: Callable[[], Held]) -> Held | None:
    """Try until it works or patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return acquire()
        except OSError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)


def _lock_data_directory() -> IO[str]:
    """Two supervisors on one data directory would run everything twice."""
    path = Path(settings.DATA_DIR) / "up.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
