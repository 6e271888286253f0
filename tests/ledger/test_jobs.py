"""Jobs: the row is the truth. Each test runs the worker's function itself; tests/journeys/test_kill.py kills real ones."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django_q.exceptions import TimeoutException

from config.job_broker import JobBroker
from ledger.models import Job, JobState
from ledger.services import jobs
from ledger.services.job_context import JobContext, JobError
from ledger.services.job_registry import FAST, HEAVY, JOB_KINDS, UnknownJobKind, job
from ledger.services.jobs import JobStateError, cancel_job, enqueue_job, requeue_job, run_job, sweep_jobs
from ledger.tasks import run

KIND = "tests.job"


@pytest.fixture
def kind():
    """kind(function) registers it as the kind of job this test enqueues."""

    def register(function, **options):
        JOB_KINDS.pop(KIND, None)
        job(KIND, **options)(function)

    yield register
    JOB_KINDS.pop(KIND, None)


@pytest.fixture
def add(kind, seller):
    """add(function) is a waiting job that will call it."""

    def add(function=lambda ctx: None, args=None, dedupe_key=None, **options):
        kind(function, **options)
        return enqueue_job(kind=KIND, args=args or {}, seller=seller, actor=None, dedupe_key=dedupe_key)

    return add


def reload(row: Job) -> Job:
    return Job.objects.get(pk=row.pk)


def become_due(row: Job) -> None:
    Job.objects.filter(pk=row.pk).update(lease_until=None)


def lose_worker(row: Job) -> None:
    """What a killed worker leaves behind: a running row whose lease ends unrenewed."""
    past = timezone.now() - timedelta(seconds=1)
    running = {"state": JobState.RUNNING, "worker": "elsewhere:fast:1", "lease_until": past}
    Job.objects.filter(pk=row.pk).update(attempts=row.attempts + 1, **running)


def test_a_job_runs_with_its_arguments_and_keeps_its_result(add):
    row = add(lambda ctx, left, right: {"sum": left + right}, {"left": 2, "right": 3})
    run(row.pk)
    row = reload(row)
    assert (row.state, row.result, row.attempts) == (JobState.DONE, {"sum": 5}, 1)
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.lease_until is None


def test_the_function_sees_whose_job_it_is(add, seller):
    row = add(lambda ctx: {"seller": ctx.job.seller.slug})
    run_job(row.pk)
    assert reload(row).result == {"seller": seller.slug}


def test_a_second_delivery_does_nothing(add):
    calls = []
    row = add(lambda ctx: calls.append(1))
    run_job(row.pk)
    run_job(row.pk)
    assert (calls, reload(row).attempts) == ([1], 1)


def test_a_delivery_of_a_running_job_does_nothing(add):
    calls = []

    def again(ctx):
        calls.append(1)
        run_job(ctx.job.pk)

    row = add(again)
    run_job(row.pk)
    assert calls == [1]


def test_a_delivery_of_an_unknown_job_does_nothing(db):
    run_job(987_654)


def test_the_attempt_counts_before_the_work(add):
    seen = []
    row = add(lambda ctx: seen.append(Job.objects.get(pk=ctx.job.pk).attempts))
    run_job(row.pk)
    assert seen == [1]


def test_a_named_error_is_final(add):
    def refuse(ctx):
        raise JobError("picture.unreadable", "not a picture")

    row = add(refuse)
    run_job(row.pk)
    row = reload(row)
    assert (row.state, row.error_code, row.error_detail) == (JobState.FAILED, "picture.unreadable", "not a picture")


def test_an_unexpected_error_is_tried_again_later(add):
    row = add(lambda ctx: {}["missing"])
    run_job(row.pk)
    row = reload(row)
    assert (row.state, row.error_code) == (JobState.QUEUED, "job.unexpected")
    assert row.lease_until > timezone.now()
    run_job(row.pk)  # not due yet
    assert reload(row).attempts == 1


def test_three_unexpected_errors_are_the_end(add):
    row = add(lambda ctx: {}["missing"])
    for _ in range(4):
        become_due(row)
        run_job(row.pk)
    row = reload(row)
    assert (row.state, row.attempts, row.error_code) == (JobState.DEAD, 3, "job.unexpected")
    assert "KeyError" in row.error_detail


@pytest.mark.django_db(transaction=True)
def test_a_result_that_is_no_json_counts_as_an_error(add):
    row = add(lambda ctx: {"when": object()})
    run_job(row.pk)
    assert reload(row).error_code == "job.unexpected"


@pytest.mark.django_db(transaction=True)
def test_a_job_out_of_time_is_given_back_and_its_process_replaced(add):
    def endless(ctx):
        raise TimeoutException("what the queue raises in a worker")

    row = add(endless)
    with pytest.raises(TimeoutException):
        run_job(row.pk)
    row = reload(row)
    assert (row.state, row.error_code) == (JobState.QUEUED, "job.timed_out")


def test_a_kind_that_is_gone_fails_with_a_code(add):
    row = add()
    del JOB_KINDS[KIND]
    run_job(row.pk)
    assert (reload(row).state, reload(row).error_code) == (JobState.FAILED, "job.unknown_kind")


def test_the_job_of_a_dead_worker_is_given_back(add):
    row = add()
    lose_worker(row)
    assert sweep_jobs().requeued == 1
    run_job(row.pk)
    assert (reload(row).state, reload(row).attempts) == (JobState.DONE, 2)


def test_a_job_that_kills_every_worker_is_dead(add):
    row = add()
    for _ in range(3):
        lose_worker(reload(row))
        sweep_jobs()
    row = reload(row)
    assert (row.state, row.attempts, row.error_code) == (JobState.DEAD, 3, "job.worker_died")


def test_a_job_with_a_live_lease_is_left_alone(add):
    row = add()
    lose_worker(row)
    Job.objects.filter(pk=row.pk).update(lease_until=timezone.now() + timedelta(seconds=5))
    assert sweep_jobs().requeued == 0
    assert reload(row).state == JobState.RUNNING


def test_the_outcome_of_a_worker_that_lost_its_lease_is_dropped(add):
    def slow(ctx):
        Job.objects.filter(pk=ctx.job.pk).update(worker="another", attempts=2)
        ctx.progress(5, 5)
        return {"late": True}

    row = add(slow)
    run_job(row.pk)
    row = reload(row)
    assert (row.state, row.worker, row.result, row.progress_done) == (JobState.RUNNING, "another", {}, 0)


def test_a_lost_lease_tells_the_function_to_stop(add):
    seen = []

    def slow(ctx):
        Job.objects.filter(pk=ctx.job.pk).update(worker="another")
        seen.append(ctx.cancelled())

    run_job(add(slow).pk)
    assert seen == [True]


def test_a_job_exists_only_if_its_transaction_commits(kind, seller, db):
    kind(lambda ctx: None)
    with transaction.atomic():
        enqueue_job(kind=KIND, args={}, seller=seller, actor=None)
        transaction.set_rollback(True)
    assert not Job.objects.filter(kind=KIND).exists()


def test_an_unknown_kind_cannot_be_enqueued(seller):
    with pytest.raises(UnknownJobKind):
        enqueue_job(kind="tests.nowhere", args={}, seller=seller, actor=None)


def test_the_same_unfinished_work_is_one_job(add):
    first = add(dedupe_key="picture 7")
    assert add(dedupe_key="picture 7").pk == first.pk
    assert add(dedupe_key="picture 8").pk != first.pk
    run_job(first.pk)
    assert add(dedupe_key="picture 7").pk != first.pk


def test_two_sellers_may_have_the_same_work(add, other_seller):
    first = add(dedupe_key="picture 7")
    other = enqueue_job(kind=KIND, args={}, seller=other_seller, actor=None, dedupe_key="picture 7")
    assert other.pk != first.pk


def test_a_waiting_job_is_cancelled_at_once(add, alice):
    row = add()
    assert cancel_job(actor=alice, job=row).state == JobState.CANCELLED
    run_job(row.pk)
    assert reload(row).attempts == 0


def test_a_running_job_is_asked_to_stop(add, alice):
    def patient(ctx):
        cancel_job(actor=alice, job=ctx.job)
        return {"stopped": ctx.cancelled()}

    row = add(patient)
    run_job(row.pk)
    assert (reload(row).state, reload(row).result) == (JobState.CANCELLED, {"stopped": True})


def test_a_cancelled_job_whose_worker_died_is_not_started_again(add):
    row = add()
    lose_worker(row)
    Job.objects.filter(pk=row.pk).update(cancel_requested=True)
    assert sweep_jobs().cancelled == 1
    assert reload(row).state == JobState.CANCELLED


def test_an_ended_job_cannot_be_cancelled(add, alice):
    row = add()
    run_job(row.pk)
    with pytest.raises(JobStateError):
        cancel_job(actor=alice, job=row)


def test_a_failed_job_can_be_started_again_with_all_attempts(add, olga):
    row = add(lambda ctx: {}["missing"])
    Job.objects.filter(pk=row.pk).update(state=JobState.DEAD, attempts=3, error_code="job.unexpected")
    row = requeue_job(actor=olga, job=row)
    assert (row.state, row.attempts, row.error_code, row.finished_at) == (JobState.QUEUED, 0, "", None)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_only_a_job_without_success_can_be_started_again(add, alice, state):
    row = add()
    Job.objects.filter(pk=row.pk).update(state=state)
    with pytest.raises(JobStateError):
        requeue_job(actor=alice, job=row)


def test_work_that_is_waiting_already_is_not_started_twice(add, alice):
    first = add(dedupe_key="picture 7")
    Job.objects.filter(pk=first.pk).update(state=JobState.DEAD)
    add(dedupe_key="picture 7")
    with pytest.raises(JobStateError):
        requeue_job(actor=alice, job=first)


@pytest.mark.parametrize("person", ["bob", "mallory"])
@pytest.mark.parametrize("change", [requeue_job, cancel_job])
def test_viewers_and_strangers_change_no_job(add, request, person, change):
    row = add()
    with pytest.raises(PermissionDenied):
        change(actor=request.getfixturevalue(person), job=row)


def test_a_job_of_the_machine_belongs_to_nobody(kind, alice):
    kind(lambda ctx: None)
    row = enqueue_job(kind=KIND, args={}, seller=None, actor=None)
    with pytest.raises(PermissionDenied):
        cancel_job(actor=alice, job=row)
    assert cancel_job(actor=None, job=row).state == JobState.CANCELLED


def test_progress_is_written_four_times_a_second_and_at_the_end(add, django_assert_num_queries):
    row = add()
    lose_worker(row)
    clock = itertools.count(0, 0.1)  # a tenth of a second per reading
    context = JobContext(reload(row), monotonic=lambda: next(clock))
    with django_assert_num_queries(5):  # steps 1, 4, 7 and 10 by the clock, and the last one because it is the last
        for step in range(1, 13):
            context.progress(step, 12, f"step {step}")
    row = reload(row)
    assert (row.progress_done, row.progress_total, row.progress_note) == (12, 12, "step 12")


def test_every_registered_kind_has_a_function_a_queue_and_a_limit():
    assert JOB_KINDS
    for name, known in JOB_KINDS.items():
        assert known.name == name
        assert callable(known.run)
        assert known.queue in (FAST, HEAVY)
        assert 0 < known.timeout_s < 600


def test_a_name_stands_for_one_function_only(kind):
    kind(lambda ctx: None)
    with pytest.raises(ValueError, match="registered twice"):
        job(KIND)(lambda ctx: None)


def test_the_queue_is_what_waits_in_the_table(add, seller):
    first, second = add(), add()
    heavy = enqueue_job(kind=KIND, args={}, seller=seller, actor=None, queue=HEAVY)
    waiting = jobs.find_waiting_jobs(queue=FAST, limit=10)
    assert [row.pk for row in waiting] == [first.pk, second.pk]
    assert [row.pk for row in jobs.find_waiting_jobs(queue=HEAVY, limit=10)] == [heavy.pk]


@pytest.mark.django_db(transaction=True)
def test_the_broker_hands_a_job_out_once_until_it_is_tried_again(add):
    row = add(lambda ctx: {}["missing"])
    broker = JobBroker(FAST)
    assert [int(number) for number, _package in broker.dequeue()] == [row.pk]
    assert broker.dequeue() == []
    run_job(row.pk)
    become_due(row)
    assert [int(number) for number, _package in broker.dequeue()] == [row.pk]
