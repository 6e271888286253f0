"""Which kinds of job exist: a stable short name for each function that a worker may run.

The tables hold the name, never a dotted path, so that code can move. Each app registers its kinds in its tasks.py,
which its AppConfig.ready() loads; services name a kind without importing the task.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate

from ledger.services.job_context import JobContext

FAST, HEAVY = "fast", "heavy"
QUEUES = (FAST, HEAVY)
MAX_TIMEOUT_S = 590  # below the queue's own limit (config/queue.py), which ends the process instead of the job

JobResult = Mapping[str, Any] | None
JobFunction = Callable[Concatenate[JobContext, ...], JobResult]


@dataclass(frozen=True, slots=True)
class JobKind:
    """run is safe to run twice, and at the same time: it keys its results so that a second run changes nothing."""

    name: str
    run: JobFunction
    queue: str
    timeout_s: int


class UnknownJobKind(LookupError):
    """A name that no app registered."""


JOB_KINDS: dict[str, JobKind] = {}


def job(name: str, *, queue: str = FAST, timeout_s: int = 300) -> Callable[[JobFunction], JobFunction]:
    """Register a function `(ctx, **args) -> JSON mapping or None` under a name that never changes."""
    if queue not in QUEUES or not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"job {name}: queue must be one of {QUEUES} and timeout_s 1..{MAX_TIMEOUT_S}")

    def register(function: JobFunction) -> JobFunction:
        known = JOB_KINDS.get(name)
        if known and known.run is not function:
            raise ValueError(f"job {name} is registered twice")
        JOB_KINDS[name] = JobKind(name, function, queue, timeout_s)
        return function

    return register


def find_job_kind(name: str) -> JobKind:
    try:
        return JOB_KINDS[name]
    except KeyError:
        raise UnknownJobKind(f"no app registered the job kind {name!r}") from None
