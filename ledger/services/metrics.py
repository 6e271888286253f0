"""Figures of the site in the text format that Prometheus reads (exposition format 0.0.4).

Only what any process can tell from tables and files: gauges, the same whichever web worker answers. Rates of requests
are in the log lines and in the proxy's own figures. No label names a person, a seller or a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone

from ledger.models import Job, JobState, TimestampToken
from ledger.services import health, pulse
from ledger.services.job_registry import QUEUES
from ledger.services.log import latest_checkpoint, log_head

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure: its name without the prefix, what it says, and its values by labels."""

    name: str
    text: str
    values: tuple[tuple[Labels, float], ...]


def metrics_text() -> str:
    """All figures, in a fixed order."""
    return "".join(_format(gauge) for gauge in _gauges())


def _gauges() -> Iterator[Gauge]:
    now = timezone.now()
    head, newest = log_head(), latest_checkpoint()
    yield _one("log_entries", "Entries of the log.", head.size)
    yield _one("log_entries_signed", "Entries under the newest checkpoint.", newest.size if newest else 0)
    if newest:
        yield _one(
            "checkpoint_timestamp_seconds", "When the newest checkpoint was signed.", newest.signed_at.timestamp()
        )
    token = TimestampToken.objects.order_by("-created_at").values_list("created_at", flat=True).first()
    if token:
        yield _one("token_timestamp_seconds", "When the newest outside time came.", token.timestamp())
    counts = Job.objects.order_by().values_list("queue", "state").annotate(count=Count("pk"))
    rows = {(queue, state): count for queue, state, count in counts}
    jobs = [((("queue", q), ("state", str(s))), float(rows.get((q, s), 0))) for q in QUEUES for s in JobState]
    yield Gauge("jobs", "Background jobs by queue and state.", tuple(jobs))
    waiting = Job.objects.filter(state=JobState.QUEUED, enqueued_at__lte=now)
    oldest = dict(waiting.order_by().values_list("queue").annotate(at=Min("enqueued_at")))
    ages = [((("queue", q),), (now - oldest[q]).total_seconds() if q in oldest else 0.0) for q in QUEUES]
    yield Gauge("job_oldest_waiting_seconds", "How long the oldest waiting job has waited.", tuple(ages))
    names = (*QUEUES, health.CLOCK)
    alive = [((("process", name),), float(pulse.is_alive(name))) for name in names]
    yield Gauge("process_alive", "1 while a background process gives signs of life.", tuple(alive))
    yield _one("disk_free_bytes", "Free space of the data directory's disk.", health.free_bytes())
    yield _one("disk_reserve_bytes", "Free space that uploads leave.", settings.DISK_RESERVE_BYTES)
    yield _one("healthy", "1 while /health/ says ok.", float(health.public_status() == health.OK))


def _one(name: str, text: str, value: float) -> Gauge:
    return Gauge(name, text, (((), value),))


def _format(gauge: Gauge) -> str:
    name = f"originmark_{gauge.name}"
    lines = [f"{name}{_labels(labels)} {value:.17g}" for labels, value in gauge.values]
    return "\n".join([f"# HELP {name} {gauge.text}", f"# TYPE {name} gauge", *lines, ""])


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    """Values are names of our own: letters, digits, dots; nothing that would need escaping."""
    said = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{said}}}" if said else ""
