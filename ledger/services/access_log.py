"""The record of who took what away: exact originals, evidence files, packs, packets, captures, verification documents.

Written before the bytes leave; a crash in between counts one too many, which is the safe side. Only owners read it.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import AccessRecord


def record_access(
    *, actor: User | None, seller: Seller, kind: str, number: str, token: str = "", address: str | None = None
) -> None:
    """Note one download. kind is an AccessKind, number what was taken, token the number of an API token.

    actor None is the operator of the machine. Rights were checked by whoever reads the bytes.
    """
    AccessRecord.objects.create(seller=seller, actor=actor, kind=kind, number=number, token=token, address=address)


def access_records(
    *,
    actor: User,
    seller: Seller,
    kind: str = "",
    person: str = "",
    number: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AccessRecord]:
    """The seller's record, filtered; person is part of a name or an address. Raises PermissionDenied."""
    require_permission(actor, seller, Permission.VIEW_ACCESS_LOG)
    rows = AccessRecord.objects.visible_to(actor).of(seller).select_related("actor")
    if kind:
        rows = rows.filter(kind=kind)
    if person:
        rows = rows.filter(actor__email__icontains=person) | rows.filter(actor__name__icontains=person)
    if number:
        rows = rows.filter(number=number)
    if since:
        rows = rows.filter(at__gte=since)
    if until:
        rows = rows.filter(at__lt=until)
    return rows


def forget_person(*, user: User, seller: Seller | None = None) -> None:
    """Erase who it was, in one seller's record or in all of them; that something was taken stays."""
    rows = AccessRecord.objects.filter(actor=user)
    (rows if seller is None else rows.of(seller)).update(actor=None, address=None)
