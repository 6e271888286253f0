"""Background jobs: the row decides everything, whoever delivers its number and however often."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.exceptions import TimeoutException

from ledger.models import Job, JobState
from ledger.services import jobs
from ledger.services.job_context import JobContext, JobError
from ledger.services.job_registry import JOB_KINDS, UnknownJobKind, job
from ledger.services.jobs import (
    JobStateError,
    cancel_job,
    enqueue_job,
    find_waiting_jobs,
    has_waited,
    release_dead_workers,
    release_worker,
    requeue_job,
    run_job,
    sweep_jobs,
    worker_name,
)

KIND = "test.work"


@pytest.fixture
def kind() -> Iterator[Callable[..., None]]:
    """kind(function) makes it what jobs of KIND run; forgotten after the test."""

    def register(function, name: str = KIND, **options) -> None:
        JOB_KINDS.pop(name, None)
        job(name, **options)(function)

    before = dict(JOB_KINDS)
    register(lambda ctx, **args: {"got": args})
    yield register
    JOB_KINDS.clear()
    JOB_KINDS.update(before)


@pytest.fixture
def add(db, kind, seller):
    def add(**options) -> Job:
        defaults = {"kind": KIND, "args": {}, "seller": seller, "actor": None}
        return enqueue_job(**(defaults | options))

    return add


def fresh(row: Job) -> Job:
    return Job.objects.get(pk=row.pk)


def hold(row: Job, *, pid: int, attempts: int = 1, lease_s: float = 20, **fields) -> Job:
    """Make the row look as if that process of this machine were at it."""
    values = {
        "state": JobState.RUNNING,
        "attempts": attempts,
        "worker": worker_name(row.queue, pid),
        "lease_until": timezone.now() + timedelta(seconds=lease_s),
        **fields,
    }
    Job.objects.filter(pk=row.pk).update(**values)
    return fresh(row)


def make_due(row: Job) -> None:
    Job.objects.filter(pk=row.pk).update(lease_until=timezone.now())


def at_once(act: Callable[[], Any], number: int = 6) -> list[Any]:
    """What `number` threads got that began together."""
    ready = threading.Barrier(number)

    def wait_and_act(_: int) -> Any:
        ready.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(wait_and_act, range(number)))


def dead_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return ended.pid


# Adding ---------------------------------------------------------------------------------------------------------


def test_a_job_exists_only_if_the_callers_work_does(add):
    with transaction.atomic():
        add()
        transaction.set_rollback(True)
    assert not Job.objects.exists()


def test_an_unknown_kind_is_refused(add):
    with pytest.raises(UnknownJobKind):
        add(kind="test.nobody")


def test_a_kind_is_registered_once(kind):
    with pytest.raises(ValueError, match="twice"):
        job(KIND)(lambda ctx, **args: None)


@pytest.mark.parametrize("options", [{"queue": "slow"}, {"timeout_s": 0}, {"timeout_s": 600}])
def test_a_kind_names_a_queue_and_a_time_it_can_have(options: dict[str, Any]):
    with pytest.raises(ValueError, match="queue must be one of"):
        job("test.misfit", **options)


def test_the_same_unfinished_work_is_not_added_twice(add):
    first = add(dedupe_key="sweep")
    assert add(dedupe_key="sweep") == first


def test_the_same_work_may_come_again_once_it_is_done(add):
    first = add(dedupe_key="sweep")
    run_job(first.pk)
    assert add(dedupe_key="sweep") != first


def test_the_same_key_of_another_seller_is_other_work(add, other_seller):
    assert add(dedupe_key="sweep") != add(dedupe_key="sweep", seller=other_seller)


@pytest.mark.django_db(transaction=True)
def test_many_adding_the_same_work_at_once_get_one_job(add):
    assert len({row.pk for row in at_once(lambda: add(dedupe_key="sweep"))}) == 1


# Running --------------------------------------------------------------------------------------------------------


def test_a_job_runs_once_with_its_arguments(add):
    row = add(args={"size": 3})
    run_job(row.pk)
    row = fresh(row)
    assert (row.state, row.result, row.attempts) == (JobState.DONE, {"got": {"size": 3}}, 1)
    assert row.finished_at is not None
    assert row.lease_until is None


def test_an_attempt_is_counted_before_the_work(add, kind):
    seen = []
    kind(lambda ctx: seen.append(Job.objects.values_list("state", "attempts").get(pk=ctx.job.pk)))
    run_job(add().pk)
    assert seen == [("running", 1)]


def test_a_second_delivery_does_nothing(add, kind):
    runs = []

    def deliver_again(ctx):
        runs.append(ctx.job.pk)
        run_job(ctx.job.pk)

    kind(deliver_again)
    row = add()
    run_job(row.pk)
    run_job(row.pk)
    assert len(runs) == 1


def test_a_delivery_of_a_job_that_is_gone_does_nothing(add):
    run_job(add().pk + 1)


def test_a_job_that_is_not_due_is_not_taken(add):
    row = add()
    Job.objects.filter(pk=row.pk).update(lease_until=timezone.now() + timedelta(minutes=1))
    run_job(row.pk)
    assert fresh(row).attempts == 0


def test_a_named_error_ends_a_job_at_once(add, kind):
    def refuse(ctx):
        raise JobError("test.refused", "why")

    kind(refuse)
    row = add()
    run_job(row.pk)
    row = fresh(row)
    assert (row.state, row.error_code, row.error_detail, row.attempts) == ("failed", "test.refused", "why", 1)


def test_a_kind_that_is_not_known_here_ends_a_job_by_name(add):
    row = add()
    del JOB_KINDS[KIND]
    run_job(row.pk)
    assert (fresh(row).state, fresh(row).error_code) == ("failed", "job.unknown_kind")


def test_an_unexpected_error_is_tried_again_later(add, kind):
    kind(lambda ctx: 1 / 0)
    row = add()
    run_job(row.pk)
    row = fresh(row)
    assert (row.state, row.error_code) == ("queued", "job.unexpected")
    assert "ZeroDivisionError" in row.error_detail
    assert find_waiting_jobs(queue="fast", limit=1) == []


def test_a_job_that_keeps_failing_is_given_up(add, kind):
    kind(lambda ctx: 1 / 0)
    row = add()
    for _ in range(5):
        make_due(row)
        run_job(row.pk)
    assert (fresh(row).state, fresh(row).attempts) == ("dead", 3)


@pytest.mark.django_db(transaction=True)
def test_a_result_that_is_no_json_counts_as_an_unexpected_error(add, kind):
    kind(lambda ctx: {"made": object()})
    row = add()
    run_job(row.pk)
    assert (fresh(row).state, fresh(row).error_code) == ("queued", "job.unexpected")


@pytest.mark.django_db(transaction=True)
def test_a_job_cut_off_by_its_time_limit_is_given_back_and_ends_its_worker(add, kind):
    def endless(ctx):
        raise TimeoutException  # what the alarm of the queue raises, anywhere

    kind(endless)
    row = add()
    with pytest.raises(TimeoutException):
        run_job(row.pk)
    assert (fresh(row).state, fresh(row).error_code, fresh(row).attempts) == ("queued", "job.timed_out", 1)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_leaves_a_transaction_half_way_is_still_given_back(add, kind):
    def half(ctx):
        connection.cursor().execute("BEGIN")
        raise TimeoutException

    kind(half)
    row = add()
    with pytest.raises(TimeoutException):
        run_job(row.pk)
    assert fresh(row).state == "queued"


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_get_a_job_at_once_one_runs_it(add, kind):
    runs: list[int] = []
    kind(lambda ctx: runs.append(threading.get_ident()))
    row = add()
    at_once(lambda: run_job(row.pk))
    assert len(runs) == 1
    assert (fresh(row).state, fresh(row).attempts) == ("done", 1)


# The lease ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_renewed_while_a_job_runs(add, kind, monkeypatch):
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.05)
    leases: list[Any] = []

    def work(ctx):
        for _ in range(2):
            leases.append(Job.objects.get(pk=ctx.job.pk).lease_until)
            time.sleep(0.5)

    kind(work)
    run_job(add().pk)
    assert leases[1] > leases[0]


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_outlives_a_database_that_is_away_for_a_moment(add, kind, monkeypatch):
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.05)
    rows, calls = JobContext.rows, []

    def flaky(self):
        if threading.current_thread() is not threading.main_thread():
            calls.append(self)
            if len(calls) < 3:
                raise OperationalError("away")
        return rows(self)

    monkeypatch.setattr(JobContext, "rows", flaky)
    beats: list[Job] = []

    def work(ctx):
        deadline = time.monotonic() + 10
        first = Job.objects.get(pk=ctx.job.pk).heartbeat_at
        while time.monotonic() < deadline and not beats:
            beats.extend(Job.objects.filter(pk=ctx.job.pk, heartbeat_at__gt=first))
            time.sleep(0.02)

    kind(work)
    run_job(add().pk)
    assert beats


def test_the_outcome_of_a_lost_lease_does_not_count(add, kind):
    def taken_away(ctx):
        hold(ctx.job, pid=1, attempts=2)
        return {"mine": True}

    kind(taken_away)
    row = add()
    run_job(row.pk)
    assert (fresh(row).state, fresh(row).result) == ("running", {})


def test_a_job_that_lost_its_lease_is_told_to_stop(add, kind):
    told = []

    def taken_away(ctx):
        hold(ctx.job, pid=1, attempts=2)
        told.append(ctx.cancelled())

    kind(taken_away)
    run_job(add().pk)
    assert told == [True]


def test_the_sweep_gives_back_what_fell_silent(add):
    row = hold(add(), pid=os.getpid(), lease_s=-1)
    assert sweep_jobs().requeued == 1
    assert (fresh(row).state, fresh(row).error_code) == ("queued", "job.worker_died")


def test_the_sweep_leaves_alone_what_is_at_work(add):
    hold(add(), pid=os.getpid())
    assert sweep_jobs().requeued == 0


def test_the_sweep_gives_up_what_fell_silent_too_often(add):
    row = hold(add(), pid=os.getpid(), attempts=3, lease_s=-1)
    assert sweep_jobs().dead == 1
    assert (fresh(row).state, fresh(row).error_code) == ("dead", "job.worker_died")


def test_the_sweep_cancels_what_fell_silent_after_a_wish_to_cancel(add):
    row = hold(add(), pid=os.getpid(), lease_s=-1, cancel_requested=True)
    assert sweep_jobs().cancelled == 1
    assert fresh(row).state == "cancelled"


def test_a_worker_seen_dying_costs_an_attempt(add):
    row = hold(add(), pid=4711)
    assert release_worker(queue=row.queue, pid=4711).requeued == 1
    assert (fresh(row).state, fresh(row).attempts, fresh(row).error_code) == ("queued", 1, "job.worker_died")


def test_the_third_worker_seen_dying_ends_the_job(add):
    row = hold(add(), pid=4711, attempts=3)
    assert release_worker(queue=row.queue, pid=4711).dead == 1
    assert fresh(row).state == "dead"


def test_the_job_of_another_worker_is_left_alone(add):
    row = hold(add(), pid=4711)
    release_worker(queue=row.queue, pid=471)
    assert fresh(row).state == "running"


def test_a_worker_that_died_with_its_cluster_costs_no_attempt(add):
    row = hold(add(), pid=dead_pid(), attempts=3)
    assert release_dead_workers().requeued == 1
    assert (fresh(row).state, fresh(row).attempts) == ("queued", 2)


def test_the_job_of_a_living_process_is_not_released(add):
    row = hold(add(), pid=os.getpid())
    release_dead_workers()
    assert fresh(row).state == "running"


def test_the_jobs_of_other_machines_are_not_judged_by_our_processes(add):
    row = hold(add(), pid=dead_pid(), worker=f"another:fast:{dead_pid()}")
    release_dead_workers()
    assert fresh(row).state == "running"


# What waits -----------------------------------------------------------------------------------------------------


def test_the_oldest_job_of_a_queue_comes_first(add):
    first, second, _other = add(queue="heavy"), add(queue="heavy"), add()
    assert find_waiting_jobs(queue="heavy", limit=5) == [first, second]


def test_what_runs_or_is_not_due_does_not_wait(add):
    hold(add(), pid=1)
    late = add()
    Job.objects.filter(pk=late.pk).update(lease_until=timezone.now() + timedelta(minutes=1))
    assert find_waiting_jobs(queue="fast", limit=5) == []


def test_waiting_for_long_is_noticed(add):
    row = add()
    longer = timedelta(seconds=6)
    assert not has_waited(queue="fast", longer_than=longer)
    Job.objects.filter(pk=row.pk).update(enqueued_at=timezone.now() - 2 * longer)
    assert has_waited(queue="fast", longer_than=longer)


def test_a_job_due_only_now_has_not_waited(add):
    row = add()
    now = timezone.now()
    Job.objects.filter(pk=row.pk).update(enqueued_at=now - timedelta(minutes=1), lease_until=now - timedelta(seconds=1))
    assert not has_waited(queue="fast", longer_than=timedelta(seconds=6))


# What people may do ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.DEAD, JobState.CANCELLED])
def test_what_ended_without_success_starts_again_with_all_attempts(add, olga, state):
    row = add()
    Job.objects.filter(pk=row.pk).update(state=state, attempts=3, error_code="job.unexpected", cancel_requested=True)
    row = requeue_job(actor=olga, job=row)
    assert (row.state, row.attempts, row.error_code, row.cancel_requested) == ("queued", 0, "", False)
    run_job(row.pk)
    assert fresh(row).state == "done"


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_what_did_not_fail_cannot_be_started_again(add, olga, state):
    row = add()
    Job.objects.filter(pk=row.pk).update(state=state)
    with pytest.raises(JobStateError):
        requeue_job(actor=olga, job=fresh(row))


def test_what_is_under_way_elsewhere_is_not_started_twice(add, olga):
    row = add(dedupe_key="sweep")
    Job.objects.filter(pk=row.pk).update(state=JobState.DEAD)
    add(dedupe_key="sweep")
    with pytest.raises(JobStateError, match="already"):
        requeue_job(actor=olga, job=fresh(row))


@pytest.mark.parametrize("act", [requeue_job, cancel_job])
def test_a_viewer_neither_starts_nor_cancels_jobs(add, bob, act):
    row = add()
    Job.objects.filter(pk=row.pk).update(state=JobState.DEAD)
    with pytest.raises(PermissionDenied):
        act(actor=bob, job=fresh(row))


@pytest.mark.parametrize("act", [requeue_job, cancel_job])
def test_another_seller_neither_starts_nor_cancels_jobs(add, mallory, act):
    with pytest.raises(PermissionDenied):
        act(actor=mallory, job=add())


@pytest.mark.parametrize("act", [requeue_job, cancel_job])
def test_jobs_of_the_machine_are_nobodys(add, alice, act):
    with pytest.raises(PermissionDenied):
        act(actor=alice, job=add(seller=None))


def test_the_operator_of_the_machine_may_start_its_jobs(add):
    row = add(seller=None)
    Job.objects.filter(pk=row.pk).update(state=JobState.DEAD)
    assert requeue_job(actor=None, job=fresh(row)).state == "queued"


def test_a_waiting_job_is_cancelled_at_once(add, olga):
    row = cancel_job(actor=olga, job=add())
    run_job(row.pk)
    assert (fresh(row).state, fresh(row).attempts) == ("cancelled", 0)


def test_a_running_job_is_asked_to_stop(add, kind, olga):
    def work(ctx):
        cancel_job(actor=olga, job=ctx.job)
        assert ctx.cancelled()

    kind(work)
    row = add()
    run_job(row.pk)
    assert fresh(row).state == "cancelled"


def test_a_job_that_was_done_before_it_noticed_stays_done(add, kind, olga):
    kind(lambda ctx: cancel_job(actor=olga, job=ctx.job) and {})
    row = add()
    run_job(row.pk)
    assert fresh(row).state == "done"


def test_what_has_ended_cannot_be_cancelled(add, olga):
    row = add()
    run_job(row.pk)
    with pytest.raises(JobStateError):
        cancel_job(actor=olga, job=fresh(row))


# What a job sees of itself --------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context(add, clock) -> JobContext:
    return JobContext(hold(add(), pid=os.getpid()), monotonic=clock)


def test_progress_is_written_at_most_four_times_a_second(context, clock, django_assert_num_queries):
    with django_assert_num_queries(4):
        for step in range(1000):
            clock.now = step / 1000
            context.progress(step, 5000)


def test_the_last_step_is_written_once_however_soon(context, django_assert_num_queries):
    context.progress(0, 3)
    with django_assert_num_queries(1):
        for done in (1, 2, 3, 3, 3):
            context.progress(done, 3, "x" * 300)
    row = fresh(context.job)
    assert (row.progress_done, row.progress_total, len(row.progress_note)) == (3, 3, 200)


def test_progress_of_nothing_is_written_once(context, django_assert_num_queries):
    with django_assert_num_queries(1):
        for _ in range(10):
            context.progress(0, 0)


def test_asking_often_whether_to_stop_asks_the_database_seldom(context, clock, django_assert_num_queries):
    with django_assert_num_queries(2):
        for step in range(1000):
            clock.now = step / 1000
            assert not context.cancelled()
