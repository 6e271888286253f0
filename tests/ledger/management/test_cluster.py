"""A real cluster under a real supervisor, and what becomes of jobs when its processes are killed, stopped or stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from ledger.models import Job
from ledger.services.job_registry import JOB_KINDS
from ledger.services.jobs import cancel_job, enqueue_job
from tests.ledger.management.cluster_process import register_kinds

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0  # for machines with much else to do; the seconds are measured by tests/bench/kill.py

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG and /proc"),
]


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    before = dict(JOB_KINDS)
    register_kinds()
    yield
    JOB_KINDS.clear()
    JOB_KINDS.update(before)


class Cluster:
    """The supervisor's process; lines are what it reported so far."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ORIGINMARK_DATA": str(folder / "data"),
            "ORIGINMARK_KEYS": str(folder / "keys"),
        }
        command = [sys.executable, "-m", "tests.ledger.management.cluster_process"]
        database = str(connection.settings_dict["NAME"])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, database, "fast"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def guard(self) -> int:
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("fast started")]
        return int(lines[-1].split()[-1]) if lines else 0

    def starts(self) -> int:
        return self.log.read_text().count("fast started")

    def workers(self) -> list[int]:
        """The cluster's processes except the guard, in the order in which they were started."""
        return children_of(self.guard())


def children_of(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split() if entry.name.isdigit() else []
        except OSError:
            continue
        if fields and int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(entry.name))
    return sorted(found)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s until {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def started() -> Iterator[list[Cluster]]:
    """Starting takes seconds, so a cluster that a test leaves behind in order serves the next one."""
    clusters: list[Cluster] = []
    yield clusters
    for running in clusters:
        running.process.kill()
        running.process.wait()


@pytest.fixture
def cluster(transactional_db, started, tmp_path_factory) -> Cluster:
    if not started or started[-1].process.poll() is not None:
        started.append(Cluster(tmp_path_factory.mktemp("cluster")))
    running = started[-1]
    wait_until(lambda: running.guard() and len(running.workers()) == 4, "the cluster is complete")
    return running


@pytest.fixture
def add(seller):
    def add(kind: str, *, max_attempts: int = 3, **args: object) -> Job:
        row = enqueue_job(kind=kind, args=args, seller=seller, actor=None, queue="heavy")
        # Onto the served queue only now that the row is as the test wants it.
        Job.objects.filter(pk=row.pk).update(max_attempts=max_attempts, queue="fast")
        return row

    return add


def fresh(row: Job) -> Job:
    return Job.objects.get(pk=row.pk)


def wait_for_state(row: Job, *states: str) -> Job:
    wait_until(lambda: fresh(row).state in states, f"the job is {states}")
    return fresh(row)


def worker_of(row: Job) -> int:
    return int(fresh(row).worker.rsplit(":", 1)[1])


def assert_works(add) -> None:
    wait_for_state(add("test.note"), "done")


def test_jobs_run_in_the_workers_of_the_cluster(cluster, add):
    row = wait_for_state(add("test.note"), "done")
    assert row.result["pid"] in cluster.workers()


def test_the_job_of_a_killed_worker_is_done_by_another(cluster, add, tmp_path):
    row = wait_for_state(add("test.wait", path=str(tmp_path / "go")), "running")
    first = worker_of(row)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: fresh(row).attempts == 2, "the job is taken again")
    assert fresh(row).error_code == "job.worker_died"
    (tmp_path / "go").touch()
    row = wait_for_state(row, "done")
    assert row.result["pid"] != first


def test_a_job_that_kills_its_workers_is_given_up(cluster, add):
    row = wait_for_state(add("test.die"), "dead")
    assert (row.attempts, row.error_code) == (3, "job.worker_died")
    assert_works(add)


def test_a_neighbour_cut_short_loses_no_attempt(cluster, add, tmp_path):
    neighbour = wait_for_state(add("test.wait", path=str(tmp_path / "go"), max_attempts=1), "running")
    wait_for_state(add("test.die", max_attempts=1), "dead")
    (tmp_path / "go").touch()
    assert wait_for_state(neighbour, "done", "dead").attempts == 1


def test_killing_idle_processes_stops_nothing(cluster, add):
    """Each of them may hold a lock of the cluster's pipes while it waits; some always does."""
    for victim in (0, 1, 2, 3, 0, 1):
        wait_until(lambda: len(cluster.workers()) == 4, "the cluster is complete")
        os.kill(cluster.workers()[victim], signal.SIGKILL)
        assert_works(add)


def test_a_cluster_that_takes_no_jobs_is_replaced(cluster, add):
    """A process that holds a lock and stands still looks to the others as one that died with it."""
    for process in cluster.workers():
        os.kill(process, signal.SIGSTOP)
    assert_works(add)
    assert "no worker takes one" in cluster.log.read_text()


def test_a_job_over_its_time_is_ended(cluster, add):
    before = cluster.starts()
    row = wait_for_state(add("test.slow", max_attempts=1), "dead")
    assert row.error_code == "job.timed_out"
    assert_works(add)
    assert cluster.starts() == before  # it ended by itself, and left its locks in order


def test_a_job_stuck_in_native_code_is_killed(cluster, add):
    row = wait_for_state(add("test.stuck", max_attempts=1), "dead")
    assert row.error_code == "job.timed_out"
    assert_works(add)


def test_a_running_job_can_be_cancelled(cluster, add):
    row = wait_for_state(add("test.polite"), "running")
    cancel_job(actor=None, job=row)
    wait_for_state(row, "cancelled")


def test_nothing_of_a_killed_cluster_goes_on(cluster, add, tmp_path):
    row = wait_for_state(add("test.wait", path=str(tmp_path / "go"), max_attempts=1), "running")
    guard, below = cluster.guard(), cluster.workers()
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: all(is_gone(pid) for pid in (guard, *below)), "its processes are gone")
    (tmp_path / "go").touch()
    assert wait_for_state(row, "done", "dead").attempts == 1  # not the job's fault


def test_nothing_outlives_the_supervisor(cluster, add, tmp_path):
    wait_for_state(add("test.wait", path=str(tmp_path / "go")), "running")
    below = [pid for child in children_of(cluster.process.pid) for pid in (child, *children_of(child))]
    cluster.process.kill()
    cluster.process.wait()
    wait_until(lambda: all(is_gone(pid) for pid in below), "its processes are gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_does_not_wait_for_a_long_job(cluster, add, tmp_path, number):
    wait_for_state(add("test.wait", path=str(tmp_path / "go")), "running")
    below = [pid for child in children_of(cluster.process.pid) for pid in (child, *children_of(child))]
    cluster.process.send_signal(number)
    assert cluster.process.wait(PATIENCE_S) == 0
    # The kernel ends a child a moment after its parent.
    wait_until(lambda: all(is_gone(pid) for pid in below), "nothing is left behind")


def test_a_second_stop_signal_does_not_wait_at_all(cluster, add, tmp_path):
    wait_for_state(add("test.wait", path=str(tmp_path / "go")), "running")
    cluster.process.send_signal(signal.SIGINT)
    wait_until(lambda: "stopping" in cluster.log.read_text(), "it stops")
    cluster.process.send_signal(signal.SIGINT)
    assert cluster.process.wait(3) == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is never away")
def test_a_database_that_is_away_for_a_moment_ends_no_process(cluster, add):
    before = {pid for child in children_of(cluster.process.pid) for pid in (child, *children_of(child))}
    at = connection.settings_dict
    name = at["NAME"]
    connection.close()
    address = {"host": at["HOST"], "port": at["PORT"], "user": at["USER"], "password": at["PASSWORD"]}
    with psycopg.connect(**address, dbname="postgres", autocommit=True) as administrator:
        administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        time.sleep(4)
        administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert_works(add)
    assert before == {pid for child in children_of(cluster.process.pid) for pid in (child, *children_of(child))}
