"""The webhook of a seller: where alerts are sent, how they are signed, and trying again.

Signed like the webhooks people know: HMAC-SHA256 over "timestamp.body", both in one header, so that an old message cannot
be sent again as a new one. The secret is derived from the site's secret and a nonce: a copy of the database holds none.
A message is kept until it was taken or given up; the receiver tells repeated ones by their id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from compliance.models import WatchSettings, WebhookDelivery
from compliance.services.alerts import settings_of
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.anchors.address import PORTS, parse_url
from ledger.anchors.errors import BadSchemeError, FetchError, HttpError
from ledger.anchors.fetch import Fetched, post_url
from ledger.services.jobs import enqueue_job

KIND = "watch.webhook"
HEADER = "Originmark-Signature"
# After a minute, two, four …: ten attempts over about 17 hours, which outlasts a night's outage.
FIRST_DELAY = timedelta(minutes=1)
MOST_ATTEMPTS = 10
KEPT = timedelta(days=30)  # delivered and given up messages
ANSWER_BYTES = 64 * 1024  # nobody reads the answer
TIMEOUT_S = 15.0

Post = Callable[..., Fetched]


def set_webhook(*, actor: User | None, seller: Seller, url: str) -> None:
    """Send alerts there from now on, signed with a new secret; an empty address sends none any more.

    Raises FetchError for an address that is not https or not one anybody may be sent to. Names are looked up, and
    their addresses checked, at every delivery.
    """
    require_permission(actor, seller, Permission.TRIAGE)
    if url and parse_url(url, PORTS).scheme != "https":
        raise BadSchemeError("only https: what is sent names products and shops")
    settings_of(seller)
    row = WatchSettings.objects.filter(seller=seller)
    row.update(webhook_url=url, webhook_nonce=secrets.token_hex(16) if url else "", webhook_by=actor)
    if not url:
        WebhookDelivery.objects.of(seller).filter(state=WebhookDelivery.WAITING).update(state=WebhookDelivery.FAILED)


def webhook_secret(row: WatchSettings) -> str:
    """What the receiver checks signatures with, as 64 hexadecimal digits; "" without a webhook."""
    if not row.webhook_nonce:
        return ""
    value = f"{row.seller_id}:{row.webhook_nonce}"
    return salted_hmac("webhook of alerts", value, algorithm="sha256").hexdigest()


def signature(secret: str, at_s: int, body: str) -> str:
    """The value of HEADER: t=<epoch seconds>,v1=<hexadecimal HMAC-SHA256 of "t.body">."""
    digest = hmac.new(secret.encode(), f"{at_s}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def send_test(*, actor: User | None, seller: Seller) -> WebhookDelivery | None:
    """Put a message without matches before the webhook; None where there is no webhook."""
    require_permission(actor, seller, Permission.TRIAGE)
    if not settings_of(seller).webhook_url:
        return None
    number = new_number()
    body = json.dumps({"id": number, "event": "test", "seller": seller.slug, "matches": []})
    made: WebhookDelivery = WebhookDelivery.objects.create(number=number, seller=seller, body=body)
    return made


def sweep_webhooks() -> int:
    """Enqueue what is due, and forget what is long over; called every few seconds."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(state=WebhookDelivery.WAITING, next_at__lte=now).select_related("seller")
    rows = list(due.order_by("pk")[:100])
    for row in rows:
        with transaction.atomic():
            enqueue_job(kind=KIND, args={"delivery_id": row.pk}, seller=row.seller, actor=None, dedupe_key=row.number)
    WebhookDelivery.objects.filter(created_at__lt=now - KEPT).exclude(state=WebhookDelivery.WAITING).delete()
    return len(rows)


def deliver(delivery_id: int, *, post: Post = post_url, clock: Callable[[], float] = time.time) -> WebhookDelivery:
    """Send one message once; what is not taken waits for its next time or, after the last, is given up."""
    row: WebhookDelivery = WebhookDelivery.objects.select_related("seller").get(pk=delivery_id)
    if row.state != WebhookDelivery.WAITING:
        return row
    settings = settings_of(row.seller)
    code = _send(settings, row, post, clock)
    row.attempts += 1
    row.error_code = code
    if not code:
        row.state, row.delivered_at = WebhookDelivery.DELIVERED, timezone.now()
    elif row.attempts >= MOST_ATTEMPTS or not settings.webhook_url:
        row.state = WebhookDelivery.FAILED
    else:
        row.next_at = _next(timezone.now(), row.attempts)
    row.save(update_fields=["attempts", "error_code", "state", "delivered_at", "next_at"])
    return row


def _next(now: datetime, attempts: int) -> datetime:
    return now + FIRST_DELAY * float(2 ** (attempts - 1))


def _send(settings: WatchSettings, row: WebhookDelivery, post: Post, clock: Callable[[], float]) -> str:
    """ "" where the receiver took it, else the code of why not."""
    if not settings.webhook_url:
        return "webhook.off"
    try:
        post(
            settings.webhook_url,
            row.body.encode(),
            content_type="application/json; charset=utf-8",
            accept_type="*/*",
            ports=PORTS,
            signed={HEADER: signature(webhook_secret(settings), int(clock()), row.body)},
            max_bytes=ANSWER_BYTES,
            total_timeout_s=TIMEOUT_S,
        )
    except HttpError as error:
        return "" if 200 <= error.status < 300 else f"fetch.{error.code}"  # 201, 202 and 204 are thanks as well
    except FetchError as error:
        return f"fetch.{error.code}"
    return ""
