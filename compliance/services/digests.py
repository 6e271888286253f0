"""New matches by e-mail and as a feed: each member says how often, each feed has an address nobody can guess.

Rights are read when something is sent or fetched: whoever may not decide any more is told nothing any more.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from compliance.models import Digest, MatchState, RuleKind, WatchFeed, WatchMatch
from compliance.search.texts import verdict_text
from compliance.services.alerts import match_url
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, permissions_of, require_permission
from ledger.services.jobs import enqueue_job

KIND = "watch.digest"
SHOWN = 20  # matches named in one message or page of the feed's summary; the rest is one link away
FEED_ITEMS = 50
HOUR = timedelta(hours=1)
DUE_AFTER = {Digest.Schedule.HOURLY: HOUR, Digest.Schedule.DAILY: 20 * HOUR, Digest.Schedule.WEEKLY: 6 * 24 * HOUR}
TOKEN_BYTES = 32


# E-mail ----------------------------------------------------------------------------------------------------------


def digest_of(seller: Seller, user: User) -> Digest:
    """What this member asked for; a row that is not saved where they asked for nothing."""
    row: Digest | None = Digest.objects.of(seller).filter(user=user).first()
    return row or Digest(seller=seller, user=user)


def set_digest(*, actor: User, seller: Seller, schedule: str, hour: int, language: str) -> None:
    """Send this member the new matches so often; the first message is about what is found from now on."""
    require_permission(actor, seller, Permission.TRIAGE)
    if schedule not in Digest.Schedule.values or not 0 <= hour < 24:
        raise ValueError(f"no such schedule: {schedule!r} at {hour}")
    newest = _raised(seller)
    values = {"schedule": schedule, "hour": hour, "language": language}
    Digest.objects.update_or_create(
        seller=seller, user=actor, defaults=values, create_defaults={**values, "told": newest}
    )


def _raised(seller: Seller) -> int:
    newest = WatchMatch.objects.of(seller).order_by("-raised").values_list("raised", flat=True).first()
    return newest or 0


def sweep_digests(now: datetime | None = None) -> int:
    """Enqueue the messages that are due; called from time to time."""
    now = now or timezone.now()
    rows = Digest.objects.exclude(schedule=Digest.Schedule.OFF).select_related("seller")
    due = [row for row in rows if is_due(row, now)]
    for row in due:
        with transaction.atomic():
            enqueue_job(kind=KIND, args={"digest_id": row.pk}, seller=row.seller, actor=None, dedupe_key=str(row.pk))
    return len(due)


def is_due(row: Digest, now: datetime) -> bool:
    """Whether its time has come: an hour after the last, or the hour of the day, on Mondays for weekly ones."""
    wait = DUE_AFTER.get(Digest.Schedule(row.schedule))
    if wait is None or (row.sent_at is not None and now - row.sent_at < wait):
        return False
    if row.schedule == Digest.Schedule.HOURLY:
        return True
    local = now.astimezone(_zone(row.seller))
    return local.hour == row.hour and (row.schedule == Digest.Schedule.DAILY or local.weekday() == 0)


def _zone(seller: Seller) -> tzinfo:
    try:
        return ZoneInfo(seller.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def send_digest(digest_id: int, now: datetime | None = None) -> int:
    """Send one member what is new since their last message; how many matches it names. Nothing new, no message.

    Written down after the mail server took it: a crash between the two sends the same message again, with the same
    Message-ID, by which mail programs know it. An unreachable server raises, and the job is tried again.
    """
    now = now or timezone.now()
    with transaction.atomic():
        row: Digest = Digest.objects.select_for_update().get(pk=digest_id)
        if row.schedule == Digest.Schedule.OFF or Permission.TRIAGE not in permissions_of(row.user, row.seller):
            return 0
        rows = _new_matches(row.seller).filter(raised__gt=row.told)
        count, newest = rows.count(), list(rows.order_by("-raised")[:SHOWN])
        if newest:
            with translation.override(row.language):
                _message(row, count, newest).send()
            row.told = newest[0].raised
        row.sent_at = now
        row.save(update_fields=["told", "sent_at"])
    return count


def _new_matches(seller: Seller) -> QuerySet[WatchMatch]:
    rows = WatchMatch.objects.of(seller).filter(state=MatchState.OPEN, raised__gt=0).exclude(rule=RuleKind.ALLOW)
    return rows.select_related("original__image", "listing_image__listing").defer("evidence")


def _message(row: Digest, count: int, matches: Sequence[WatchMatch]) -> EmailMessage:
    subject = ngettext("%(count)d new copy found in listings", "%(count)d new copies found in listings", count)
    lines = [f"{title_of(match)}\n{match_url(match)}" for match in matches]
    if count > len(matches):
        lines.append(_("And %(count)d more.") % {"count": count - len(matches)})
    lines.append(_("You asked for this message under Watch, Alerts. There you can end it."))
    mark = f"{row.pk}.{row.told}.{matches[0].raised}"
    host = settings.PUBLIC_URL.removeprefix("https://").split("/")[0] or "originmark.invalid"
    return EmailMessage(
        subject=f"{settings.EMAIL_SUBJECT_PREFIX}{row.seller}: {subject % {'count': count}}".replace("\n", " "),
        body="\n\n".join(lines) + "\n",
        to=[row.user.email],
        headers={"Message-ID": f"<watch.{mark}@{host}>", "Auto-Submitted": "auto-generated"},
    )


def title_of(match: WatchMatch) -> str:
    """One line about a match: product, shop, score, what it is, the original."""
    listing = match.listing_image.listing
    parts = [listing.product_id, match.shop_name, f"{match.score:.1f}", _(verdict_text(match.verdict))]
    return " · ".join(part for part in parts if part) + f" ← {match.original}"


# Feed ------------------------------------------------------------------------------------------------------------


def make_feed(*, actor: User, seller: Seller) -> str:
    """The token of a new feed, which is shown once: only its digest is kept."""
    require_permission(actor, seller, Permission.TRIAGE)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    WatchFeed.objects.create(seller=seller, made_by=actor, token_sha256=_digest(token))
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def revoke_feed(*, actor: User, feed: WatchFeed) -> None:
    """The address answers nobody any more."""
    require_permission(actor, feed.seller, Permission.TRIAGE)
    WatchFeed.objects.filter(pk=feed.pk, revoked_at=None).update(revoked_at=timezone.now())


def open_feed(token: str) -> WatchFeed | None:
    """The feed of that token while it is not revoked and whoever made it may still see matches."""
    feed: WatchFeed | None = (
        WatchFeed.objects.filter(token_sha256=_digest(token), revoked_at=None)
        .select_related("seller", "made_by")
        .first()
    )
    if feed is None or Permission.TRIAGE not in permissions_of(feed.made_by, feed.seller):
        return None
    WatchFeed.objects.filter(pk=feed.pk).update(read_at=timezone.now())
    return feed


def feed_xml(feed: WatchFeed, base_url: str) -> bytes:
    """RSS 2.0 with the newest matches: words and a link that needs a sign-in, no picture."""
    root = Element("rss", version="2.0")
    channel = SubElement(root, "channel")
    _add(channel, "title", f"{feed.seller} · Originmark")
    _add(channel, "link", base_url)
    _add(channel, "description", _("Copies of your originals found in listings"))
    for match in _new_matches(feed.seller).order_by("-raised")[:FEED_ITEMS]:
        item = SubElement(channel, "item")
        _add(item, "title", title_of(match))
        _add(item, "link", f"{base_url}{match.number}/")
        # A relisting is news again: the number of the alert is part of what readers tell items apart by.
        guid = SubElement(item, "guid", isPermaLink="false")
        guid.text = f"{match.number}-{match.raised}"
        _add(item, "pubDate", format_datetime(match.relisted_at or match.found_at))
    content: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content


def _add(parent: Element, name: str, text: str) -> None:
    """Without the control characters that XML cannot hold and a feed may contain."""
    SubElement(parent, name).text = "".join(char for char in text if char.isprintable())
