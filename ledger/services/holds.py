"""Holds: something is needed as it is, for a dispute say, and must not be erased until somebody releases it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from ledger.accounts.models import User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Hold, Original
from ledger.services.log import lock_head


def place_hold(*, actor: User | None, original: Original, reason: str) -> Hold:
    """Keep an original from being erased. The reason is shown to whoever tries. ValueError without one."""
    require_permission(actor, original.seller, Permission.HOLD)
    if not reason.strip():
        raise ValueError("a hold needs a reason")
    with transaction.atomic():
        lock_head()  # an erasure looks for holds under the same lock
        Original.objects.get(pk=original.pk)
        hold: Hold = Hold.objects.create(
            seller=original.seller, original=original, reason=reason.strip()[:200], placed_by=actor
        )
    return hold


def release_hold(*, actor: User | None, hold: Hold) -> None:
    """End a hold; it stays in the record."""
    require_permission(actor, hold.seller, Permission.HOLD)
    Hold.objects.filter(pk=hold.pk, released_at=None).update(released_at=timezone.now(), released_by=actor)
