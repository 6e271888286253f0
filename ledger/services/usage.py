"""How much a seller stores and may store: for its owners, and for site staff, who may give one seller another quota.

What counts and what is refused is decided in room.py; here it is told and set.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Model, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission, require_staff
from ledger.models import Blob, Certificate, EvidenceFile, ImageFile, SellerPaper
from ledger.services import room

logger = logging.getLogger(__name__)
NEARLY = 90  # percent from which on a page warns


@dataclass(frozen=True, slots=True)
class Share:
    """What files of one kind take: their number and plain bytes."""

    label: Promise
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Limit:
    """Used of what is allowed; allowed 0 is no limit. is_own: set for this seller, not by the site's settings."""

    used: int
    allowed: int
    is_own: bool

    @property
    def percent(self) -> int:
        """Rounded down and at most 100: full means full."""
        return min(100, self.used * 100 // self.allowed) if self.allowed else 0

    @property
    def state(self) -> str:
        """The sign that stands for it: failed when nothing more is taken, needs-you when that is near."""
        if not self.allowed or self.percent < NEARLY:
            return "passed"
        return "failed" if self.used >= self.allowed else "needs-you"


@dataclass(frozen=True, slots=True)
class Usage:
    """A seller's limits as they stand now."""

    seller: Seller
    stored: Limit
    today: Limit


def usage_of(*, actor: User, seller: Seller) -> tuple[Usage, list[Share]]:
    """The limits, and what the stored bytes are. Raises PermissionDenied."""
    require_permission(actor, seller, Permission.VIEW_USAGE)
    return _usage(seller, room.used_bytes(seller), room.files_today(seller)), _shares(seller)


def _usage(seller: Seller, used: int, today: int) -> Usage:
    max_bytes, max_files = room.quota_of(seller)
    return Usage(
        seller,
        Limit(used, max_bytes, seller.max_bytes is not None),
        Limit(today, max_files, seller.max_files_per_day is not None),
    )


def _shares(seller: Seller) -> list[Share]:
    """By what the files are; what belongs to none of these is the rest."""
    kinds: list[tuple[Promise, QuerySet[Blob]]] = [
        (_("pictures: originals, searches, checks, catalogues"), _blobs(seller, ImageFile)),
        (_("files of evidence sets"), _blobs(seller, EvidenceFile)),
        (_("certificates"), _blobs(seller, Certificate)),
        (_("verification documents"), _blobs(seller, SellerPaper)),
    ]
    rest = Blob.objects.of(seller)
    for _label, rows in kinds:
        rest = rest.exclude(pk__in=rows.values("pk"))
    kinds.append((_("everything else: packs, captures, files of cases, packets"), rest))
    return [_share(label, rows) for label, rows in kinds]


def _blobs(seller: Seller, model: type[Model]) -> QuerySet[Blob]:
    """Files that rows of a model with seller and blob name."""
    named: Any = model._default_manager.filter(seller=seller).values("blob")
    return Blob.objects.of(seller).filter(pk__in=named)


def _share(label: Promise, rows: QuerySet[Blob]) -> Share:
    found = rows.aggregate(files=Count("pk"), size=Sum("size_bytes"))
    return Share(label, found["files"], found["size"] or 0)


# Site staff ------------------------------------------------------------------------------------------------------


def list_usage(*, actor: User) -> list[Usage]:
    """Every seller's limits by name; only sums, nothing of what is stored. Raises PermissionDenied."""
    require_staff(actor)
    midnight = room.midnight_utc()
    rows = Blob.objects.order_by().values("seller")
    sums = rows.annotate(size=Sum("size_bytes"), today=Count("pk", filter=Q(created_at__gte=midnight)))
    known = {row["seller"]: (row["size"] or 0, row["today"]) for row in sums}
    sellers = Seller.objects.filter(is_probe=False).order_by("name", "pk")
    return [_usage(seller, *known.get(seller.pk, (0, 0))) for seller in sellers]


def change_quota(*, actor: User, seller: Seller, max_bytes: int | None, max_files_per_day: int | None) -> None:
    """Give a seller its own quota; None takes the site's, 0 is no limit. Raises PermissionDenied."""
    require_staff(actor)
    room.set_quota(seller, max_bytes=max_bytes, max_files_per_day=max_files_per_day)
    logger.warning(
        "user %s set the quota of seller %s to %s bytes and %s files a day",
        actor.pk,
        seller.pk,
        "the site's" if max_bytes is None else max_bytes,
        "the site's" if max_files_per_day is None else max_files_per_day,
    )


def site_quota() -> tuple[int, int]:
    """(bytes, files a day) for sellers without a quota of their own; 0 is no limit."""
    return settings.SELLER_MAX_BYTES, settings.SELLER_MAX_FILES_PER_DAY
