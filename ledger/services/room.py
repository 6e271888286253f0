"""Whether there is room: a reserve of the disk that uploads may not touch, and a seller's quota of bytes and files a day.

Asked before anything is stored, so a refusal loses nothing. The reserve keeps the database and the log writable: what was
acknowledged can always be finished. Quotas are soft by what arrives at the same moment.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time
from pathlib import Path

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from ledger.accounts.models import Seller
from ledger.models import Blob
from ledger.services.job_context import JobError

DISK, BYTES, FILES = "storage_full", "quota_bytes", "quota_files"
CODES = frozenset({DISK, BYTES, FILES})
FULL = (errno.ENOSPC, errno.EDQUOT)


class NoRoomError(JobError):
    """There is no room for what came; code is storage_full, quota_bytes or quota_files. Nothing of it was kept."""


def require_disk(incoming_bytes: int) -> None:
    """Raise NoRoomError if storing that much would touch the reserve."""
    path = Path(settings.DATA_DIR)
    while not path.exists():
        path = path.parent
    if shutil.disk_usage(path).free < settings.DISK_RESERVE_BYTES + incoming_bytes:
        raise NoRoomError(DISK)


def require_quota(seller: Seller, sizes: Sequence[int]) -> None:
    """Raise NoRoomError if the files would take the seller over a quota; asks the database only where there is one."""
    max_bytes, max_files = quota_of(seller)
    if max_bytes and used_bytes(seller) + sum(sizes) > max_bytes:
        raise NoRoomError(BYTES)
    if max_files and files_today(seller) + len(sizes) > max_files:
        raise NoRoomError(FILES)


def quota_of(seller: Seller) -> tuple[int, int]:
    """(bytes, files a day) that the seller may store, 0 for no limit: its own, else the site's."""
    own_bytes, own_files = seller.max_bytes, seller.max_files_per_day
    return (
        settings.SELLER_MAX_BYTES if own_bytes is None else own_bytes,
        settings.SELLER_MAX_FILES_PER_DAY if own_files is None else own_files,
    )


def used_bytes(seller: Seller) -> int:
    """Plain bytes of all stored files; erased ones count nothing."""
    return Blob.objects.of(seller).aggregate(sum=Sum("size_bytes"))["sum"] or 0


def files_today(seller: Seller) -> int:
    """Files stored since midnight UTC, what the program makes of them (certificates, difference maps) included."""
    return Blob.objects.of(seller).filter(created_at__gte=midnight_utc()).count()


def midnight_utc() -> datetime:
    """When the day of the quotas began."""
    return datetime.combine(timezone.now().astimezone(UTC).date(), time(), UTC)


def set_quota(seller: Seller, *, max_bytes: int | None, max_files_per_day: int | None) -> None:
    """The seller's own quota; None for the site's, 0 for no limit. Rights are the caller's business."""
    Seller.objects.filter(pk=seller.pk).update(max_bytes=max_bytes, max_files_per_day=max_files_per_day)


@contextmanager
def disk_full_by_name() -> Iterator[None]:
    """A disk that is full all the same, told by the system while writing, gets its name too."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise NoRoomError(DISK) from error
        raise
