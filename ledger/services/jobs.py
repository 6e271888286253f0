"""Background work: the Job row is the truth, the queue only says "look at this id" (docs/adr/0010-jobs.md).

A delivery may come never, once or twice. Claiming is one conditional UPDATE, so a second delivery finds nothing to do;
attempts are counted before the work, so a job that kills its worker runs out of them; a lease with a heartbeat shows
who is still at it; the sweep gives back what nobody holds.

queued -> running -> done | failed (a named error) | dead (out of attempts) | cancelled; running -> queued to try again.

Whose worker died: the cluster's guard sees it at once and the attempt counts (release_worker); a worker that died with
its whole cluster is found by its missing process and the attempt is forgiven (release_dead_workers); whatever neither
can see, another machine that went away, ends with its lease (sweep_jobs).
"""

import functools
import hashlib
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.exceptions import TimeoutException
from django_q.tasks import async_task

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Job, JobState
from ledger.services.job_context import JobContext, JobError
from ledger.services.job_registry import JOB_KINDS, MAX_TIMEOUT_S, QUEUES, UnknownJobKind, find_job_kind

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=20)
HEARTBEAT_S = 4.0  # four may be late before the lease ends
RETRY_DELAYS = (timedelta(seconds=2), timedelta(seconds=15))  # after the first and every later attempt
RESEND_AFTER = timedelta(seconds=10)
RESEND_LIMIT = 1000

UNFINISHED = (JobState.QUEUED, JobState.RUNNING)
REQUEUABLE = (JobState.FAILED, JobState.DEAD, JobState.CANCELLED)

WORKER_DIED = "job.worker_died"
TIMED_OUT = "job.timed_out"
UNEXPECTED = "job.unexpected"
UNKNOWN_KIND = "job.unknown_kind"


class JobStateError(Exception):
    """The job is not in a state that allows this."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """How many jobs a sweep gave back, gave up, cancelled, and sent to the queue again."""

    requeued: int = 0
    dead: int = 0
    cancelled: int = 0
    resent: int = 0


def enqueue_job(
    *,
    kind: str,
    args: Mapping[str, Any],
    seller: Seller | None,
    actor: User | None,
    queue: str | None = None,
    dedupe_key: str | None = None,
) -> Job:
    """Add a job inside the caller's transaction: it exists if and only if the caller's work does.

    args are JSON; queue is the kind's own unless given. While a job of this seller and kind with the same dedupe_key
    is unfinished, that one is returned. Rights are the calling service's to check. Raises UnknownJobKind.
    """
    registered = find_job_kind(kind)
    job = Job(
        kind=kind,
        args=dict(args),
        seller=seller,
        actor=actor,
        queue=queue or registered.queue,
        dedupe_key=dedupe_key or "",
        enqueued_at=timezone.now(),
    )
    unfinished = Job.objects.filter(seller=seller, kind=kind, dedupe_key=job.dedupe_key, state__in=UNFINISHED)
    if job.dedupe_key and (existing := unfinished.first()):
        return existing
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:  # somebody else added it between the look and the save
        existing = unfinished.first() if job.dedupe_key else None
        if existing is None:
            raise
        return existing
    _push_after_commit(job)
    return job


def requeue_job(*, actor: User | None, job: Job) -> Job:
    """Let a job that ended without success start again with all its attempts. Raises JobStateError."""
    _require_right(actor, job)
    fresh: dict[str, Any] = {
        "state": JobState.QUEUED,
        "attempts": 0,
        "lease_until": None,
        "cancel_requested": False,
        "error_code": "",
        "error_detail": "",
        "progress_done": 0,
        "progress_total": 0,
        "progress_note": "",
        "finished_at": None,
        "enqueued_at": timezone.now(),
    }
    try:
        with transaction.atomic():
            changed = Job.objects.filter(pk=job.pk, state__in=REQUEUABLE).update(**fresh)
    except IntegrityError as conflict:
        raise JobStateError("the same work is already waiting or running") from conflict
    if not changed:
        raise JobStateError(f"a {job.state} job cannot be started again")
    job.refresh_from_db()
    _push_after_commit(job)
    return job


def cancel_job(*, actor: User | None, job: Job) -> Job:
    """Cancel a waiting job at once; ask a running one to stop. Raises JobStateError when it has already ended."""
    _require_right(actor, job)
    now = timezone.now()
    waiting = Job.objects.filter(pk=job.pk, state=JobState.QUEUED)
    if not waiting.update(state=JobState.CANCELLED, finished_at=now, lease_until=None):
        running = Job.objects.filter(pk=job.pk, state=JobState.RUNNING)
        if not running.update(cancel_requested=True):
            raise JobStateError(f"a {job.state} job cannot be cancelled")
    job.refresh_from_db()
    return job


def run_job(job_id: int) -> None:
    """Run one job if it is waiting; otherwise do nothing. Called by workers, with an id that may be stale."""
    job = _claim(job_id)
    if job is None:
        return
    context = JobContext(job)
    about = {"job": str(job.public_id), "kind": job.kind, "actor": job.actor_id, "seller": job.seller_id}
    with structlog.contextvars.bound_contextvars(**about):
        _run_claimed(job, context)


def _run_claimed(job: Job, context: JobContext) -> None:
    try:
        with _heartbeat(context):
            result = find_job_kind(job.kind).run(context, **job.args)
        _finish(context, JobState.CANCELLED if context.stopped else JobState.DONE, result=dict(result or {}))
    except JobError as error:
        _finish(context, JobState.FAILED, error_code=error.code, error_detail=error.detail)
    except UnknownJobKind as error:
        _finish(context, JobState.FAILED, error_code=UNKNOWN_KIND, error_detail=str(error))
    except TimeoutException:
        _drop_connection()
        _give_back(context.rows(), TIMED_OUT)
        raise  # the queue replaces this process: what it was stuck in may still hold something
    except Exception as error:
        logger.exception("job %s (%s) attempt %s failed", job.public_id, job.kind, job.attempts)
        _drop_connection()
        delay = RETRY_DELAYS[min(job.attempts, len(RETRY_DELAYS)) - 1]
        _give_back(context.rows(), UNEXPECTED, detail=f"{type(error).__name__}: {error}"[:2000], delay=delay)


def find_waiting_jobs(*, queue: str, limit: int) -> list[Job]:
    """The oldest jobs of a queue that a worker may take now."""
    return list(_waiting(queue, timezone.now()).order_by("pk")[:limit])


def has_waited(*, queue: str, longer_than: timedelta) -> bool:
    """Whether a worker could have taken some job of this queue for that long and none did."""
    before = timezone.now() - longer_than
    return _waiting(queue, before).filter(enqueued_at__lt=before).exists()


def sweep_jobs() -> Sweep:
    """Give back jobs whose worker fell silent, and send again what the queue lost. Safe to run anywhere, any time."""
    stale = Job.objects.filter(state=JobState.RUNNING, lease_until__lt=timezone.now())
    given_back = _give_back(stale, WORKER_DIED) if stale.exists() else Sweep()
    resent = sum(_resend(queue) for queue in QUEUES) if is_pushed() else 0
    return Sweep(given_back.requeued, given_back.dead, given_back.cancelled, resent)


def release_worker(*, queue: str, pid: int, code: str = WORKER_DIED) -> Sweep:
    """Give back the job of a worker of this machine that its guard saw die or had to kill; the attempt counts."""
    return _give_back(Job.objects.filter(state=JobState.RUNNING, worker=worker_name(queue, pid)), code)


def release_dead_workers() -> Sweep:
    """Give back the jobs of this machine whose process is gone, long before their leases end.

    Their attempts are forgiven: a guard that is there counts the death of its worker first, so these died with their
    cluster, at the hand of somebody who wanted to end all of it.
    """
    held = Job.objects.filter(state=JobState.RUNNING, worker__startswith=f"{node_name()}:")
    dead = [name for name in set(held.values_list("worker", flat=True)) if not _is_alive(int(name.rsplit(":", 1)[1]))]
    return _give_back(held.filter(worker__in=dead), WORKER_DIED, forgive=True) if dead else Sweep()


def _is_alive(pid: int) -> bool:
    """A process that ended and was not waited for yet counts as alive: its guard is about to see it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def worker_name(queue: str, pid: int) -> str:
    """What a worker of this machine is called in the rows it holds."""
    return f"{node_name()}:{queue}:{pid}"


@functools.cache
def node_name() -> str:
    """This machine and data directory; `up` holds a lock on the latter, so nobody else bears the name."""
    place = f"{socket.gethostname()} {settings.DATA_DIR}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def is_pushed() -> bool:
    """Whether the queue has to be told about jobs; without Redis the workers read the table."""
    return bool(settings.Q_CLUSTER.get("redis"))


def _require_right(actor: User | None, job: Job) -> None:
    if job.seller is not None:
        require_permission(actor, job.seller, Permission.REQUEUE_JOB)
    elif actor is not None:
        raise PermissionDenied("this job belongs to the machine, not to a seller")


def _push_after_commit(job: Job) -> None:
    def push() -> None:
        _push(job)

    # robust: when Redis is away the caller's work stands, and the sweep sends the job later.
    if is_pushed():
        transaction.on_commit(push, robust=True)


def _push(job: Job) -> None:
    # Before the kind is looked up by whoever runs it: one that is unknown here may be known there.
    kind = JOB_KINDS.get(job.kind)
    options = {"cluster": job.queue, "timeout": kind.timeout_s if kind else MAX_TIMEOUT_S}
    async_task("ledger.tasks.run", job.pk, q_options=options)


def _resend(queue: str) -> int:
    """Send again what waits here and is nowhere in the stream: never sent, forgotten by Redis, or tried before.

    The stream is first in, first out. A job sent well before the oldest message that nobody has fetched yet is not
    among those, so either its message is lost or some worker is about to take it, which makes a second one harmless.
    """
    now = timezone.now()
    before = min(now, get_broker(queue).unfetched_since() or now) - RESEND_AFTER
    lost = list(_waiting(queue, before).filter(enqueued_at__lt=before).order_by("pk")[:RESEND_LIMIT])
    for job in lost:
        _push(job)
    Job.objects.filter(pk__in=[job.pk for job in lost], state=JobState.QUEUED).update(enqueued_at=now)
    return len(lost)


def _waiting(queue: str, at: datetime) -> QuerySet[Job]:
    """Jobs that could be taken at that moment; on a waiting job lease_until says from when on."""
    due = Q(lease_until=None) | Q(lease_until__lte=at)
    return Job.objects.filter(due, queue=queue, state=JobState.QUEUED)


def _claim(job_id: int) -> Job | None:
    job = Job.objects.filter(pk=job_id, state=JobState.QUEUED).first()
    if job is None:
        return None
    now = timezone.now()
    changed = (
        _waiting(job.queue, now)
        .filter(pk=job_id)
        .update(
            state=JobState.RUNNING,
            attempts=F("attempts") + 1,
            worker=worker_name(job.queue, os.getpid()),
            lease_until=now + LEASE,
            heartbeat_at=now,
            started_at=now,
        )
    )
    if not changed:
        return None
    job.refresh_from_db()
    return job


def _finish(context: JobContext, state: JobState, **fields: Any) -> None:
    """Write the end unless the lease was lost: then the job is somebody else's and this outcome does not count."""
    if not context.rows().update(state=state, finished_at=timezone.now(), lease_until=None, **fields):
        logger.warning("job %s ended after its lease was lost; its outcome is dropped", context.job.public_id)
        return
    about = {"state": str(state), "error": fields.get("error_code", ""), "attempt": context.job.attempts}
    logger.info("job", extra={"fields": about})


def _give_back(
    jobs: QuerySet[Job], code: str, detail: str = "", delay: timedelta = timedelta(), *, forgive: bool = False
) -> Sweep:
    """Running jobs become queued again, or cancelled if that was asked, or dead if no attempt is left."""
    now = timezone.now()
    ended = {"finished_at": now, "lease_until": None}
    error = {"error_code": code, "error_detail": detail}
    again: dict[str, Any] = {"state": JobState.QUEUED, "lease_until": now + delay, "enqueued_at": now + delay}
    # In this order: each statement leaves fewer running rows to the next.
    cancelled = jobs.filter(cancel_requested=True).update(state=JobState.CANCELLED, **ended)
    if forgive:
        return Sweep(jobs.update(attempts=F("attempts") - 1, **again), 0, cancelled)
    dead = jobs.filter(attempts__gte=F("max_attempts")).update(state=JobState.DEAD, **ended, **error)
    return Sweep(jobs.update(**again, **error), dead, cancelled)


def _drop_connection() -> None:
    """What was cut short may have left the connection in the middle of an answer; the next statement gets a new one."""
    if not connection.in_atomic_block:
        connection.close()


@contextmanager
def _heartbeat(context: JobContext) -> Iterator[None]:
    """Renew the lease from a second thread until the work ends."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(context, ended), name="job-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(context: JobContext, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_S):
        now = timezone.now()
        try:
            if not context.rows().update(heartbeat_at=now, lease_until=now + LEASE):
                context.stopped = True
                break
        except (OperationalError, InterfaceError):  # busy for long, or away: the next beat may still be in time
            logger.warning("job %s could not renew its lease", context.job.public_id)
            connection.close()
    connection.close()
