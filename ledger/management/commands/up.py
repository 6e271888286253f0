"""Start everything: prepare the database, then run web server and workers and look after them until Ctrl-C."""

from __future__ import annotations

import fcntl
import hashlib
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection, connections

from ledger.management.supervisor import Child, Supervisor
from ledger.services.job_registry import QUEUES
from ledger.services.jobs import is_stalled, release_dead_workers, release_jobs, sweep_jobs, worker_prefix
from ledger.services.periodic import run_due_chores
from ledger.services.setup import first_run

LOOK_S = 0.25
SWEEP_S = 2.0
STOP_TIMEOUT_S = 10.0
START_GRACE_S = 15.0  # a cluster that has just been started may still be importing
WEB = "web"


class Command(BaseCommand):
    help = "Run Originmark: web server and background workers under one supervisor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        lock = self._lock_data_directory()
        _require_free_port(port)
        base_url = settings.PUBLIC_URL or f"http://localhost:{port}"
        self._prepare()
        link = first_run(base_url)
        self._say(base_url)
        if link:
            self._say(f"First sign-in: {link}")
        connections.close_all()  # the children are forked from this process
        self._supervise(port)
        lock.close()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _lock_data_directory(self) -> IO[str]:
        """Two supervisors on one data directory would run everything twice."""
        path = Path(settings.DATA_DIR) / "up.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(f"Originmark is already running on {settings.DATA_DIR}.") from None
        return file

    def _prepare(self) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise CommandError(f"The database cannot be reached: {error}") from error
        call_command("migrate", verbosity=0, interactive=False)
        call_command("check", databases=["default"])
        collect_static_files()

    def _supervise(self, port: int) -> None:
        supervisor = Supervisor(children(port), report=self._say, on_exit=forget_jobs)
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _frame: stopping.append(received))
        for queue in QUEUES:  # what an earlier, killed supervisor's workers held
            release_jobs(worker_prefix=worker_prefix(queue), forgive=True)
        connections.close_all()
        supervisor.start()
        swept_at = 0.0
        while not stopping:
            time.sleep(LOOK_S)
            supervisor.look_after()
            if time.monotonic() - swept_at >= SWEEP_S:
                swept_at = time.monotonic()
                self._housekeeping(supervisor)
        self._say("stopping")
        supervisor.stop(STOP_TIMEOUT_S)
        for queue in QUEUES:
            release_jobs(worker_prefix=worker_prefix(queue), forgive=True)
        self._say("stopped")

    def _housekeeping(self, supervisor: Supervisor) -> None:
        """A database that is away for a moment must not end the supervisor."""
        try:
            release_dead_workers()
            sweep_jobs()
            run_due_chores()
            for child in supervisor.children:
                if child.name in QUEUES and supervisor.age_s(child) > START_GRACE_S and _is_stalled(child.name):
                    supervisor.replace(child, "jobs wait and no worker takes one")
        except OperationalError as error:
            self._say(f"the database cannot be reached: {error}")
            connections.close_all()


def _is_stalled(queue: str) -> bool:
    return is_stalled(queue=queue, workers=int(settings.Q_CLUSTER["workers"]))


def children(port: int) -> list[Child]:
    """The web server and one cluster per queue."""
    manage = str(Path(settings.BASE_DIR) / "manage.py")
    web = [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi"]
    clusters = [Child(queue, [sys.executable, manage, "qwork"], {"Q_CLUSTER_NAME": queue}) for queue in QUEUES]
    paths = {"ORIGINMARK_BIND": f"127.0.0.1:{port}", "PYTHONPATH": str(settings.BASE_DIR)}
    return [Child(WEB, web, paths), *clusters]


def forget_jobs(child: Child) -> None:
    """Give back at once what the workers of a dead cluster held."""
    if child.name in QUEUES:
        release_jobs(worker_prefix=worker_prefix(child.name))


def _require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CommandError(f"Port {port} is in use. Choose another: manage.py up --port {port + 1}") from None


def collect_static_files() -> None:
    """Copy and compress static files when they changed since the last start."""
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    digest = hashlib.sha256()
    for folder in settings.STATICFILES_DIRS:
        for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
            status = path.stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(digest.hexdigest())
