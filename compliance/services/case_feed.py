"""The calendar feed of a seller's deadlines: an address that nobody guesses, for one person, until it is revoked or the
person may no longer see cases."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language

from compliance.cases.ics import CalendarEvent, format_calendar
from compliance.models import CalendarFeed
from compliance.services.case_deadlines import deadline_words, open_deadlines
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, permissions_of, require_permission

TOKEN_BYTES = 32


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def make_feed(*, actor: User, seller: Seller) -> str:
    """A new address's token, shown once; the one before stops working."""
    require_permission(actor, seller, Permission.MANAGE_CASES)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        revoke_feed(actor=actor, seller=seller)
        CalendarFeed.objects.create(seller=seller, user=actor, token_sha256=_digest(token))
    return token


def revoke_feed(*, actor: User, seller: Seller) -> None:
    """The person's address stops working; a second time changes nothing."""
    CalendarFeed.objects.of(seller).filter(user=actor, revoked_at=None).update(revoked_at=timezone.now())


def feed_of(actor: User, seller: Seller) -> CalendarFeed | None:
    return CalendarFeed.objects.of(seller).filter(user=actor, revoked_at=None).first()


def read_feed(token: str, now: datetime | None = None) -> bytes | None:
    """The calendar behind a token, or None for one that does not (or no longer) open anything."""
    rows = CalendarFeed.objects.select_related("seller", "user").filter(token_sha256=_digest(token), revoked_at=None)
    feed = rows.first()
    if feed is None or Permission.MANAGE_CASES not in permissions_of(feed.user, feed.seller):
        return None
    CalendarFeed.objects.filter(pk=feed.pk).update(last_read_at=now or timezone.now())
    language = get_language() or "zh-hans"
    events = [
        CalendarEvent(
            uid=f"{row.number}@originmark",
            at=row.due_at,
            changed=row.created_at,
            title=deadline_words(row, language),
            text=f"{row.case.number} {row.source}".strip(),
            url=settings.PUBLIC_URL + reverse("compliance:case_detail", args=[row.case.number])
            if settings.PUBLIC_URL
            else "",
        )
        for row in open_deadlines(feed.seller)
    ]
    return format_calendar(f"Originmark · {feed.seller.name}", events)
