"""What a job's function sees of its job: whose it is, a place to report progress, whether to stop.

Every write names the worker and the attempt. A worker that lost its lease (paused for too long, believed dead) finds
no such row any more: its reports change nothing, and cancelled() tells it to stop.
"""

import time
from collections.abc import Callable

from django.db.models import QuerySet

from ledger.models import Job, JobState

PROGRESS_INTERVAL_S = 0.25  # pages poll about once a second; more writes would only compete with real ones
CANCEL_INTERVAL_S = 0.5


class JobError(Exception):
    """A named failure that trying again would not change; code is stable and is what people are shown a text for."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class JobContext:
    """monotonic is the clock that spaces the writes."""

    def __init__(self, job: Job, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.job = job
        self.stopped = False
        self._monotonic = monotonic
        self._progress_due = self._cancel_due = monotonic()
        self._written = (-1, -1)

    def rows(self) -> QuerySet[Job]:
        """This attempt's row, or nothing once the lease is lost."""
        mine = {"state": JobState.RUNNING, "worker": self.job.worker, "attempts": self.job.attempts}
        return Job.objects.filter(pk=self.job.pk, **mine)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Written at most four times a second; the last step always, once."""
        now = self._monotonic()
        is_last = done >= total and (done, total) != self._written
        if now < self._progress_due and not is_last:
            return
        self._progress_due = now + PROGRESS_INTERVAL_S
        self._written = (done, total)
        self.rows().update(progress_done=done, progress_total=total, progress_note=note[:200])

    def cancelled(self) -> bool:
        """True once somebody asked to stop or the lease is lost; ask between steps, and return when it is."""
        now = self._monotonic()
        if not self.stopped and now >= self._cancel_due:
            self._cancel_due = now + CANCEL_INTERVAL_S
            self.stopped = not self.rows().filter(cancel_requested=False).exists()
        return self.stopped
