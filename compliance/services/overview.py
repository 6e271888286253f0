"""What the overview knows about one seller: what needs somebody, counts by week, and whether the log can be trusted.

Reads only. Every question is answered from an index, so that the page costs the same with 100,000 originals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from compliance.checks.base import Verdict
from compliance.models import CheckRun
from compliance.services.outdated import CATALOGUE
from ledger.accounts.models import Seller
from ledger.models import Checkpoint, ImageFile, ImageState, Job, JobState, LogHead, RightRecord, Statement
from ledger.services import keys
from ledger.services.log import LogForkError, require_extension
from ledger.services.log_state import find_behind
from ledger.services.rights import expiring_rights

REGISTERED, QUERY, CHECK = "image.registered", "query.recorded", "check.recorded"
KINDS = (REGISTERED, QUERY, CHECK)
RECENT = timedelta(days=14)  # what nobody looked at for longer is history, not a task
WEEKS = 12
SHOWN = 3  # of each sort of task; the rest is one link away
_BEGINNING, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_COUNT = (
    "SELECT CAST(%s AS VARCHAR(32)), CAST(%s AS INTEGER), COUNT(*) FROM ledger_statement"
    " WHERE seller_id = %s AND kind = %s AND logged_at >= %s AND logged_at < %s"
)
OVERDUE_INTERVALS = 15  # checkpoints may be late by that many intervals before somebody is told


@dataclass(frozen=True, slots=True)
class Tasks:
    """What needs somebody, each list newest first and one longer than SHOWN when there is more."""

    jobs: Sequence[Job]
    matches: Sequence[Statement]
    failed_checks: Sequence[Statement]
    outdated: Sequence[CheckRun]
    unopened: Sequence[ImageFile]
    rights: Sequence[RightRecord]


@dataclass(frozen=True, slots=True)
class Week:
    """Entries of one week by kind; it starts on a Monday of the seller's time zone."""

    starts: date
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Activity:
    """Totals of all time by kind, and the last WEEKS weeks, oldest first."""

    totals: dict[str, int]
    weeks: tuple[Week, ...]

    @property
    def is_empty(self) -> bool:
        return not any(self.totals.values())


def find_tasks(seller: Seller, now: datetime) -> Tasks:
    """Jobs that gave up, matches, failed and outdated checks, pictures that cannot be opened, rights that end."""
    jobs = Job.objects.of(seller).filter(
        Q(state=JobState.DEAD) | Q(state=JobState.FAILED, finished_at__gte=now - RECENT),
        state__in=[JobState.DEAD, JobState.FAILED],
    )
    recent = Statement.objects.of(seller).filter(logged_at__gte=now - RECENT).order_by("-logged_at", "-entry")
    images = ImageFile.objects.of(seller).filter(state=ImageState.UNDECODABLE, created_at__gte=now - RECENT)
    images = images.exclude(original=None).select_related("original")
    return Tasks(
        jobs=list(jobs.order_by("-pk")[: SHOWN + 1]),
        matches=_light(recent.filter(kind=QUERY, outcome="needs-you"), "search_run__image"),
        failed_checks=_light(
            recent.filter(kind=CHECK, outcome="failed", check_run__isnull=False).exclude(
                check_run__repairs__check_run__verdict=Verdict.PASSED
            ),
            "check_run__hidden_image",
        ),
        outdated=list(_outdated(seller, now)[: SHOWN + 1]),
        unopened=list(images.order_by("-pk")[: SHOWN + 1]),
        rights=list(expiring_rights(seller, now.astimezone(_zone(seller.time_zone)).date())[: SHOWN + 1]),
    )


def _outdated(seller: Seller, now: datetime) -> QuerySet[CheckRun]:
    """Passed checks whose main image a catalogue brought anew, while nobody has checked the SKU again.

    One that a newer check or a pack outdated has been answered by it.
    """
    changed = Statement.objects.of(seller).filter(kind=CHECK, outdated_at__gte=now - RECENT)
    newer = CheckRun.objects.filter(seller=OuterRef("seller"), sku=OuterRef("sku"), pk__gt=OuterRef("pk"))
    rows = CheckRun.objects.filter(statement__in=changed.values("pk"), stale__by=CATALOGUE, verdict=Verdict.PASSED)
    return rows.exclude(Exists(newer)).select_related("statement").defer("report").order_by("-pk")


def _light(rows: QuerySet[Statement], related: str) -> list[Statement]:
    return list(rows.select_related(related).defer("claim", "identity")[: SHOWN + 1])


def recent_entries(seller: Seller, limit: int) -> QuerySet[Statement]:
    """The newest lines of the history."""
    rows = Statement.objects.of(seller).filter(kind__in=KINDS).select_related("actor").defer("claim", "identity")
    return rows.order_by("-entry")[:limit]


def count_activity(seller: Seller, now: datetime) -> Activity:
    """Entries by kind and week, in one query of many small counts: each is one stretch of an index.

    In SQL of its own: putting these 39 counts together with the ORM takes longer than the database needs for them.
    """
    starts = _week_starts(seller, now)
    spans = list(zip([_BEGINNING, *starts], [*starts, _END], strict=True))
    parts = [(kind, number, *span) for kind in KINDS for number, span in enumerate(spans)]
    sql = " UNION ALL ".join(_COUNT for _part in parts)
    values = [value for kind, number, since, until in parts for value in (kind, number, seller.pk, kind, since, until)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [_adapted(value) for value in values])
        found = {(kind, number): n for kind, number, n in cursor.fetchall()}
    totals = {kind: sum(found[kind, number] for number in range(len(spans))) for kind in KINDS}
    weeks = tuple(
        Week(start.date(), {kind: found[kind, number] for kind in KINDS}) for number, start in enumerate(starts, 1)
    )
    return Activity(totals, weeks)


def _adapted(value: Any) -> Any:
    """Moments in the form that the database compares."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _week_starts(seller: Seller, now: datetime) -> list[datetime]:
    """Midnight of the last WEEKS Mondays where the seller is, oldest first."""
    zone = _zone(seller.time_zone)
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    days = [monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    return [datetime(day.year, day.month, day.day, tzinfo=zone) for day in days]


def _zone(name: str) -> tzinfo:
    """UTC where the machine has no time zone data, or none of that name: weeks then begin a few hours off."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def find_log_trouble(now: datetime) -> str:
    """The code of what keeps the log from being signed, or ""."""
    head = LogHead.objects.first()
    if head is None:
        return "log_not_ready"
    if find_behind(head.origin, head.size) is not None:
        return "log_behind"
    newest = Checkpoint.objects.order_by("-tree_size").first()
    try:
        keys.log_key(head.origin)
    except keys.KeyMissingError as error:
        return error.code
    try:
        _require_known(head, newest)
    except LogForkError as error:
        return error.code
    return "checkpoint_overdue" if _is_overdue(head, newest, now) else ""


def _require_known(head: LogHead, newest: Checkpoint | None) -> None:
    """Hashes are compared only where the signer remembers another head than the newest checkpoint's."""
    signed = keys.read_signer_state(head.origin)
    known = (newest.tree_size, bytes(newest.root_hash)) if newest else None
    if signed is None or known != (head.first + signed.tree_size, signed.root_hash):
        require_extension(head, newest)


def _is_overdue(head: LogHead, newest: Checkpoint | None, now: datetime) -> bool:
    covered = newest.tree_size if newest else 0
    if head.end <= covered:
        return False
    waiting = Statement.objects.filter(entry=covered).values_list("logged_at", flat=True).first()
    patience = timedelta(seconds=OVERDUE_INTERVALS * settings.CHECKPOINT_INTERVAL_S)
    return waiting is not None and now - waiting > patience
