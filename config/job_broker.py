"""The jobs table as a django-q2 broker: what waits in the table is the queue.

Nothing is pushed and nothing acknowledged: a job is in the queue by being committed, and leaves it by being claimed.
Compared with a second table of messages this saves three durable writes per job, and there is no message to lose.
The fetching process remembers what it handed out, because a job waits a moment between being fetched and claimed.
"""

import logging
import time
import uuid
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.conf import Conf
from django_q.signing import SignedPackage

from ledger.models import Job
from ledger.services.job_registry import JOB_KINDS
from ledger.services.jobs import find_waiting_jobs

logger = logging.getLogger(__name__)

HANDED_OUT_S = 30.0  # after that a job nobody claimed is handed out again
AWAY_S = 1.0  # how long to wait when the database cannot be reached


class JobBroker(Broker):  # type: ignore[misc]  # django-q2 has no types
    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self.handed_out: dict[tuple[int, int], float] = {}  # (job, attempts so far) -> until when

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self.handed_out = {}

    def enqueue(self, task: str) -> str:
        """The committed row is all it takes."""
        return ""

    def dequeue(self) -> list[tuple[str, str]]:
        try:
            fresh = self.fetch(time.monotonic())
        except (OperationalError, InterfaceError) as error:
            logger.warning("%s: the database cannot be reached: %s", self.list_key, str(error).strip())
            connection.close()
            time.sleep(AWAY_S)
            return []
        if not fresh:
            time.sleep(Conf.POLL)
        return [(str(job.pk), package(job)) for job in fresh]

    def fetch(self, now: float) -> list[Job]:
        """The oldest waiting jobs that are not on their way to a worker already."""
        close_old_connections()
        # As many more as were handed out, since those may still be waiting. They are the oldest: one that is not
        # found among these has been claimed, and is forgotten here.
        waiting = find_waiting_jobs(queue=self.list_key, limit=Conf.BULK + len(self.handed_out))
        keys = {(job.pk, job.attempts) for job in waiting}
        self.handed_out = {key: until for key, until in self.handed_out.items() if key in keys and until > now}
        fresh = [job for job in waiting if (job.pk, job.attempts) not in self.handed_out][: Conf.BULK]
        self.handed_out |= {(job.pk, job.attempts): now + HANDED_OUT_S for job in fresh}
        return fresh

    def acknowledge(self, task_id: str) -> None: ...

    def fail(self, task_id: str) -> None: ...

    def delete(self, task_id: str) -> None: ...

    def queue_size(self) -> int:
        return len(find_waiting_jobs(queue=self.list_key, limit=1))

    def lock_size(self) -> int:
        return 0

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "jobs table"


def package(job: Job) -> str:
    """The message django-q2 expects: which function, with which id, and for how long."""
    kind = JOB_KINDS.get(job.kind)
    task: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "name": f"job-{job.pk}",
        "func": "ledger.tasks.run",
        "args": (job.pk,),
        "kwargs": {},
        "started": timezone.now(),
        "timeout": kind.timeout_s if kind else Conf.TIMEOUT,
    }
    return str(SignedPackage.dumps(task))
