"""Remembering what left the site, so that an erasure can say what it cannot call back."""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from ledger.models import Handout, Statement

BUNDLE, BUNDLE_WITH_FILES, FILE, PACKET = "bundle", "bundle_with_files", "file", "packet"
CASE_PACKET = "case_packet"  # a complaint packet or a part of one


def record_handout(statement: Statement, kind: str) -> None:
    """Count one download. A crash before the bytes left counts one too many, which is the safe side."""
    assert statement.seller_id is not None  # noqa: S101 - only sellers' statements are handed out
    row, is_new = Handout.objects.get_or_create(
        statement=statement, kind=kind, defaults={"seller_id": statement.seller_id}
    )
    if not is_new:
        Handout.objects.filter(pk=row.pk).update(times=F("times") + 1, last_at=timezone.now())
