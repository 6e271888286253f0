"""Whether the site can do its work, part by part: what the health page, its JSON and the banner on pages say.

A part is ok, degraded (something waits, nothing is lost), down (something is refused) or off (not set up). Looking
changes nothing but a small file in the blob store that is removed again. No part's trouble keeps another from being told.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django_q.brokers import get_broker

from ledger.imaging import landlock, seccomp
from ledger.models import Job, JobState, TimestampToken, Witness
from ledger.services import authorities, pulse
from ledger.services.anchoring import unstamped_entries
from ledger.services.files import make_directories, write_durably
from ledger.services.job_registry import FAST, QUEUES
from ledger.services.jobs import is_pushed
from ledger.services.log import LogNotReadyError, latest_checkpoint, log_head
from ledger.services.log_state import find_behind

OK, DEGRADED, DOWN, OFF = "ok", "degraded", "down", "off"
CLOCK = "clock"
QUEUE_PATIENCE = timedelta(minutes=5)
ANCHOR_PATIENCE = timedelta(hours=24)
SEAL_PATIENCE_S = 60.0  # beyond the interval between checkpoints
CONNECT_S = 2.0
RESERVE_WARNING = 2  # times the reserve


@dataclass(frozen=True, slots=True)
class Part:
    """One part's state, a stable code of what is wrong (empty when nothing is), and figures for who runs the site."""

    name: str
    state: str
    code: str = ""
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        return {"name": self.name, "state": self.state, "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Health:
    """All parts, in a fixed order."""

    parts: tuple[Part, ...]

    @property
    def is_ok(self) -> bool:
        return all(part.state in (OK, OFF) for part in self.parts)

    @property
    def status(self) -> str:
        return OK if self.is_ok else DEGRADED

    def to_dict(self) -> dict[str, Any]:
        return {"status": self.status, "parts": [part.to_dict() for part in self.parts]}


def look() -> Health:
    """Ask every part now. Takes as long as the slowest outside server, at most some seconds."""
    return Health(tuple(_told(name, check) for name, check in CHECKS.items()))


def keep_look() -> None:
    """What the clock does every few seconds."""
    pulse.beat(CLOCK)
    pulse.write_look(look().to_dict())


def public_status() -> str:
    """ok or degraded, for anybody, from what the clock saw last and whether the database answers now."""
    kept = pulse.read_look()
    if kept is None or not pulse.is_alive(CLOCK) or kept.get("status") != OK:
        return DEGRADED
    return OK if database_answers() else DEGRADED


def database_answers() -> bool:
    return _told("database", _database).state == OK


def troubles() -> list[str]:
    """Codes of what people of the site have to know on every page; costs a file or two and no query."""
    kept = pulse.read_look()
    if kept is None:
        return []  # never looked: the site runs without `manage.py up`, or just begins
    if not pulse.is_alive(CLOCK):
        return ["health_workers", *(code for code in [_disk().code] if code == "health_disk_full")]
    parts = kept.get("parts")
    found = [part.get("code") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [code for code in found if code in SHOWN_ON_PAGES]


SHOWN_ON_PAGES = ("log_behind", "health_workers", "health_disk_full", "health_redis", "health_queue", "health_store")


def _told(name: str, check: Callable[[], Part]) -> Part:
    try:
        return check()
    except (DatabaseError, InterfaceError):
        connection.close()
        return Part(name, DOWN if name == "database" else DEGRADED, "health_database", "the database does not answer")
    except LogNotReadyError:
        return Part(name, DEGRADED, LogNotReadyError.code, "the log has not been created")


def _database() -> Part:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return Part("database", OK, detail=str(connection.vendor))


def _store() -> Part:
    """Write, read back and remove a file where sealed files go."""
    path = Path(settings.DATA_DIR) / "blobs" / f".health-{secrets.token_hex(8)}"
    content = secrets.token_bytes(64)
    try:
        make_directories(path.parent)
        write_durably(path, content)
        is_same = path.read_bytes() == content
        path.unlink()
    except OSError as error:
        return Part("store", DOWN, "health_store", error.strerror or type(error).__name__)
    return Part("store", OK) if is_same else Part("store", DOWN, "health_store", "what was written reads otherwise")


def free_bytes() -> int:
    """Free space where data goes, also before the directory is made."""
    folder = Path(settings.DATA_DIR)
    return shutil.disk_usage(folder if folder.exists() else folder.parent).free


def _disk() -> Part:
    try:
        free = free_bytes()
    except OSError as error:
        return Part("disk", DOWN, "health_store", error.strerror or type(error).__name__)
    detail = f"{free // 2**20} MiB free, reserve {settings.DISK_RESERVE_BYTES // 2**20} MiB"
    if free < settings.DISK_RESERVE_BYTES:
        return Part("disk", DOWN, "health_disk_full", detail)
    if free < RESERVE_WARNING * settings.DISK_RESERVE_BYTES:
        return Part("disk", DEGRADED, "health_disk_low", detail)
    return Part("disk", OK, detail=detail)


def _workers() -> Part:
    names = (*QUEUES, CLOCK)
    silent = {name: pulse.silence_s(name) for name in names if not pulse.is_alive(name)}
    if not silent:
        return Part("workers", OK, detail=", ".join(names))
    said = [f"{name}: {'never seen' if s is None else f'silent for {s:.0f} s'}" for name, s in silent.items()]
    return Part("workers", DEGRADED, "health_workers", ", ".join(said))


def _queue() -> Part:
    now = timezone.now()
    waiting = Job.objects.filter(state=JobState.QUEUED, enqueued_at__lte=now)
    oldest = waiting.order_by("enqueued_at").values_list("enqueued_at", flat=True).first()
    if oldest is None:
        return Part("queue", OK, detail="nothing waits")
    detail = f"{waiting.count()} wait, the oldest for {(now - oldest).total_seconds():.0f} s"
    late = now - oldest > QUEUE_PATIENCE
    return Part("queue", DEGRADED if late else OK, "health_queue" if late else "", detail)


def _log() -> Part:
    """Whether the database holds all that was signed: an older copy takes no entries until the operator has spoken."""
    head = log_head()
    behind = find_behind(head.origin, head.size)
    if behind is not None:
        return Part("log", DOWN, "log_behind", f"{behind.size} entries are here, {behind.lost} signed ones are missing")
    return Part("log", OK, detail=f"{head.size} entries of {head.origin}")


def _checkpoint() -> Part:
    head, newest = log_head(), latest_checkpoint()
    signed = newest.tree_size if newest else 0
    if head.end == signed:
        return Part("checkpoint", OK, detail=f"all {head.size} entries are signed")
    waited = timezone.now().timestamp() - head.last_ms / 1000
    detail = f"{head.end - signed} entries wait, the newest for {waited:.0f} s"
    late = waited > settings.CHECKPOINT_INTERVAL_S + SEAL_PATIENCE_S
    return Part("checkpoint", DEGRADED if late else OK, "health_checkpoint" if late else "", detail)


def _authorities() -> Part:
    """Which clocks answer, and how old the newest token is while something waits for one."""
    asked = [found for found in authorities.states() if found.state != "off"]
    if not asked:
        return Part("outside_time", OFF, detail="no authority is set up")
    waiting, now = unstamped_entries(), timezone.now()
    newest = TimestampToken.objects.order_by("-created_at").values_list("created_at", flat=True).first()
    age = f"last token {newest:%Y-%m-%d %H:%M} UTC" if newest else "no token yet"
    said = ", ".join(f"{found.authority.name}: {found.state}" for found in asked)
    detail = f"{said}; {age}; {waiting} entries wait"
    if not any(found.state == "ready" for found in asked):
        return Part("outside_time", DEGRADED, "health_authorities", detail)
    if waiting > 1 and newest is not None and now - newest > ANCHOR_PATIENCE:
        return Part("outside_time", DEGRADED, "health_anchor", detail)
    return Part("outside_time", OK, detail=detail)


def _witnesses() -> Part:
    rows = list(Witness.objects.filter(is_enabled=True))
    if not rows:
        return Part("witnesses", OFF, detail="none is set up")
    failing = [row.name for row in rows if row.failures]
    detail = f"{len(rows) - len(failing)} of {len(rows)} answer, quorum {settings.WITNESS_QUORUM}"
    short = len(rows) - len(failing) < max(1, settings.WITNESS_QUORUM)
    return Part("witnesses", DEGRADED if short else OK, "health_witnesses" if short else "", detail)


def _redis() -> Part:
    if not is_pushed():
        return Part("redis", OFF, detail="jobs are read from the table")
    try:
        get_broker(FAST).ping()
    except Exception as error:  # noqa: BLE001 - its package is an extra, so its errors cannot be named here
        return Part("redis", DEGRADED, "health_redis", type(error).__name__)
    return Part("redis", OK)


def _decoding() -> Part:
    """What the kernel takes away from the processes that open foreign bytes, beyond their limits of time and memory.

    An old kernel is no fault that somebody could mend today: it is off, and says what is missing.
    """
    known = landlock.version()
    there = [f"Landlock {known}"] if known else []
    there += ["seccomp"] if seccomp.is_there() else []
    missing = [name for name, found in (("Landlock", known), ("seccomp", seccomp.is_there())) if not found]
    detail = ", ".join([*there, *(f"no {name}" for name in missing)])
    return Part("decoding", OFF if missing else OK, "health_decoding" if missing else "", detail)


def _mail() -> Part:
    if not settings.EMAIL_URL:
        return Part("mail", OFF, detail="no mail server is set up")
    try:
        socket.create_connection((settings.EMAIL_HOST, settings.EMAIL_PORT), timeout=CONNECT_S).close()
    except OSError as error:
        return Part("mail", DEGRADED, "health_mail", error.strerror or type(error).__name__)
    return Part("mail", OK, detail=f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} answers")


CHECKS: dict[str, Callable[[], Part]] = {
    "database": _database,
    "store": _store,
    "disk": _disk,
    "workers": _workers,
    "queue": _queue,
    "log": _log,
    "checkpoint": _checkpoint,
    "outside_time": _authorities,
    "witnesses": _witnesses,
    "redis": _redis,
    "mail": _mail,
    "decoding": _decoding,
}
