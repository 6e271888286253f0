"""Telling people about new matches: each is raised once, with a number that digests, webhook and feed count by.

Raising happens in the transaction that writes the match, so nothing is told that is not there and nothing is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse

from compliance.models import WatchMatch, WatchSettings, WebhookDelivery
from ledger.accounts.models import Seller
from ledger.accounts.numbers import new_number

EVENT = "matches.found"
MOST_IN_ONE = 100  # matches in one message of the webhook


def settings_of(seller: Seller) -> WatchSettings:
    """The seller's row; made at the first question."""
    row, _created = WatchSettings.objects.get_or_create(seller=seller)
    return row


def raise_alerts(seller: Seller, matches: Sequence[WatchMatch]) -> None:
    """Number these saved matches as alerts and put them before the webhook; inside the caller's transaction.

    The row of settings stays locked until then, so numbers become visible in their order: whoever has told people of
    one has missed none before it.
    """
    if not matches:
        return
    settings_of(seller)
    row = WatchSettings.objects.select_for_update().get(seller=seller)
    for number, match in enumerate(matches, start=row.raised + 1):
        match.raised = number
    WatchMatch.objects.bulk_update(matches, ["raised"], batch_size=500)
    row.raised += len(matches)
    row.save(update_fields=["raised"])
    if row.webhook_url:
        starts = range(0, len(matches), MOST_IN_ONE)
        WebhookDelivery.objects.bulk_create(_delivery(seller, matches[at : at + MOST_IN_ONE]) for at in starts)


def _delivery(seller: Seller, matches: Sequence[WatchMatch]) -> WebhookDelivery:
    number = new_number()
    body = {"id": number, "event": EVENT, "seller": seller.slug, "matches": [describe(match) for match in matches]}
    return WebhookDelivery(number=number, seller=seller, body=json.dumps(body, ensure_ascii=False))


def describe(match: WatchMatch) -> dict[str, Any]:
    """A match as the webhook tells it: facts and an address behind the sign-in, no picture."""
    listing = match.listing_image.listing
    return {
        "number": match.number,
        "url": match_url(match),
        "original": match.original.number,
        "product_id": listing.product_id,
        "listing_url": listing.url,
        "shop": match.shop_name,
        "shop_rule": match.rule,
        "score": match.score,
        "verdict": match.verdict,
        "found_at": match.found_at.isoformat(),
        "relisted": match.relisted_at is not None,
    }


def match_url(match: WatchMatch) -> str:
    """The absolute address of a match's page."""
    return settings.PUBLIC_URL.rstrip("/") + reverse("compliance:match", args=[match.number])
