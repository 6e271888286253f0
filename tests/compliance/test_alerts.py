"""Alerts: a signed webhook that is tried again, a digest that repeats nothing, a feed that can be revoked."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from defusedxml.ElementTree import fromstring
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from compliance.models import Digest, MatchState, RuleKind, WatchFeed, WatchMatch, WebhookDelivery
from compliance.services.alerts import settings_of
from compliance.services.digests import is_due, make_feed, revoke_feed, send_digest, set_digest, sweep_digests
from compliance.services.shops import set_rule
from compliance.services.triage import decide
from compliance.services.webhooks import (
    HEADER,
    MOST_ATTEMPTS,
    deliver,
    send_test,
    set_webhook,
    sweep_webhooks,
    webhook_secret,
)
from ledger.accounts.models import Membership, Role
from ledger.anchors.connection import system_connect
from ledger.anchors.errors import FetchError
from ledger.anchors.fetch import post_url
from ledger.models import Job
from tests.compliance.listings import copy_of, import_listings, work
from tests.compliance.matches import NORTH, edited_match, watched
from tests.ledger.anchors.names import resolve
from tests.ledger.anchors.test_fetch import make_trust

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
HOOK = "https://shop.example.com/hook"
MONDAY = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)  # 08:30 in Shanghai


class Receiver(http.server.ThreadingHTTPServer):
    """Somebody's endpoint on the loopback, behind TLS: keeps what it got and answers with `status`."""

    def __init__(self, folder: Path) -> None:
        trust = make_trust(folder, x509.DNSName("shop.example.com"))
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = trust.server.wrap_socket(self.socket, server_side=True)
        self.client: ssl.SSLContext = trust.client
        self.status = 200
        self.got: list[tuple[str, bytes]] = []

    @property
    def post(self):
        """Posting as the job does, with this loopback standing for the internet."""
        port = self.server_address[1]
        connect = lambda _address, _port, timeout_s: system_connect("127.0.0.1", port, timeout_s)  # noqa: E731
        return partial(post_url, resolve=resolve, connect=connect, ssl_context=self.client)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.headers[HEADER], body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    server = Receiver(tmp_path)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def more(seller, product: str, quality: int) -> list[WatchMatch]:
    """One more listing of the same shop with the same picture, saved anew."""
    row = {"product_id": product, "image": "1.jpg", **NORTH}
    import_listings(seller, row, pictures={"1.jpg": copy_of(1, quality)}, name=product)
    work()
    return watched(seller)


def test_a_match_is_sent_signed_with_its_time(seller, ivan, receiver):
    set_webhook(actor=ivan, seller=seller, url=HOOK)
    match = edited_match(seller)
    (waiting,) = WebhookDelivery.objects.all()
    sent = deliver(waiting.pk, post=receiver.post, clock=lambda: 1_700_000_000)
    ((header, body),) = receiver.got
    secret = webhook_secret(settings_of(seller))
    wanted = hmac.new(secret.encode(), b"1700000000." + body, hashlib.sha256).hexdigest()
    assert header == f"t=1700000000,v1={wanted}"
    told = json.loads(body)
    assert (told["event"], told["id"], sent.state) == ("matches.found", waiting.number, "delivered")
    assert [(one["number"], one["product_id"], one["shop"]) for one in told["matches"]] == [
        (match.number, "P1", "North")
    ]


@pytest.mark.parametrize("status", [201, 204])
def test_other_thanks_count_as_delivered(seller, ivan, receiver, status):
    set_webhook(actor=ivan, seller=seller, url=HOOK)
    receiver.status = status
    assert deliver(send_test(actor=ivan, seller=seller).pk, post=receiver.post).state == "delivered"


def test_what_was_not_taken_is_tried_again_later_and_given_up_in_the_end(seller, ivan, receiver):
    set_webhook(actor=ivan, seller=seller, url=HOOK)
    receiver.status = 503
    row = send_test(actor=ivan, seller=seller)
    waits = []
    for _attempt in range(MOST_ATTEMPTS):
        before = datetime.now(UTC)
        row = deliver(row.pk, post=receiver.post)
        waits.append((row.next_at - before).total_seconds() / 60)
    assert [round(wait) for wait in waits[: MOST_ATTEMPTS - 1]] == [2**n for n in range(MOST_ATTEMPTS - 1)]
    assert (row.state, row.error_code, len(receiver.got)) == ("failed", "fetch.http_error", MOST_ATTEMPTS)
    deliver(row.pk, post=receiver.post)
    assert len(receiver.got) == MOST_ATTEMPTS


def test_a_message_is_enqueued_when_it_is_due_and_only_once(seller, ivan):
    set_webhook(actor=ivan, seller=seller, url=HOOK)
    row = send_test(actor=ivan, seller=seller)
    assert (sweep_webhooks(), sweep_webhooks()) == (1, 1)
    assert Job.objects.filter(kind="watch.webhook").count() == 1
    Job.objects.all().delete()
    WebhookDelivery.objects.filter(pk=row.pk).update(next_at=datetime.now(UTC) + timedelta(hours=1))
    assert sweep_webhooks() == 0


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("loop.example.com", "fetch.private_address"),
        ("cloud.example.com", "fetch.private_address"),
        ("half.example.com", "fetch.private_address"),
    ],
)
def test_a_name_that_leads_inside_is_never_sent_to(seller, ivan, receiver, host, code):
    set_webhook(actor=ivan, seller=seller, url=f"https://{host}/")
    row = deliver(send_test(actor=ivan, seller=seller).pk, post=receiver.post)
    assert (row.error_code, receiver.got) == (code, [])


@pytest.mark.parametrize(
    "url",
    ["http://shop.example.com/", "https://shop.example.com:8443/", "https://a:b@shop.example.com/", "ftp://x", "x"],
)
def test_an_address_nobody_may_be_sent_to_is_refused_at_once(seller, ivan, url):
    with pytest.raises(FetchError):
        set_webhook(actor=ivan, seller=seller, url=url)


def test_ending_the_webhook_ends_what_waits_and_a_new_one_has_a_new_secret(seller, ivan):
    set_webhook(actor=ivan, seller=seller, url=HOOK)
    first = webhook_secret(settings_of(seller))
    send_test(actor=ivan, seller=seller)
    set_webhook(actor=ivan, seller=seller, url="")
    assert WebhookDelivery.objects.get().state == "failed"
    assert webhook_secret(settings_of(seller)) == ""
    set_webhook(actor=ivan, seller=seller, url=HOOK)
    assert webhook_secret(settings_of(seller)) != first


def test_an_operator_sets_nothing(seller, olga):
    for action in (
        lambda: set_webhook(actor=olga, seller=seller, url=HOOK),
        lambda: set_digest(actor=olga, seller=seller, schedule="daily", hour=8, language="en"),
        lambda: make_feed(actor=olga, seller=seller),
    ):
        with pytest.raises(PermissionDenied):
            action()


# E-mail ----------------------------------------------------------------------------------------------------------


def test_a_digest_names_what_is_new_and_repeats_nothing(seller, ivan):
    set_digest(actor=ivan, seller=seller, schedule="daily", hour=8, language="en")
    match = edited_match(seller)
    row = Digest.objects.get()
    assert send_digest(row.pk) == 1
    (message,) = mail.outbox
    assert message.to == [ivan.email]
    assert "1 new copy found in listings" in message.subject
    assert "P1 · North" in message.body
    assert f"/watch/{match.number}/" in message.body
    assert send_digest(row.pk) == 0
    more(seller, "P2", 55)
    assert send_digest(row.pk) == 1
    assert [("P1" in message.body, "P2" in message.body) for message in mail.outbox] == [(True, False), (False, True)]
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 2


def test_what_was_there_before_somebody_asked_is_not_sent(seller, ivan):
    edited_match(seller)
    set_digest(actor=ivan, seller=seller, schedule="hourly", hour=0, language="en")
    assert send_digest(Digest.objects.get().pk) == 0
    assert mail.outbox == []


def test_allowed_and_decided_matches_are_not_news(seller, ivan):
    set_digest(actor=ivan, seller=seller, schedule="hourly", hour=0, language="en")
    edited_match(seller)
    set_rule(actor=ivan, seller=seller, key="id:n-1", kind=RuleKind.ALLOW)
    assert send_digest(Digest.objects.get().pk) == 0
    set_rule(actor=ivan, seller=seller, key="id:n-1", kind="")
    decide(actor=ivan, seller=seller, matches=WatchMatch.objects.all(), state=MatchState.OURS)
    assert send_digest(Digest.objects.get().pk) == 0


def test_who_may_not_decide_any_more_is_told_nothing(seller, ivan):
    set_digest(actor=ivan, seller=seller, schedule="hourly", hour=0, language="en")
    edited_match(seller)
    Membership.objects.filter(user=ivan).update(role=Role.VIEWER)
    assert send_digest(Digest.objects.get().pk) == 0
    assert mail.outbox == []


def test_a_mail_server_that_refuses_loses_nothing(seller, ivan, settings):
    set_digest(actor=ivan, seller=seller, schedule="hourly", hour=0, language="en")
    edited_match(seller)
    row = Digest.objects.get()
    settings.EMAIL_BACKEND = "tests.ledger.accounts.broken_mail.BrokenBackend"
    with pytest.raises(OSError):
        send_digest(row.pk)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_digest(row.pk) == 1


@pytest.mark.parametrize(
    ("schedule", "hour", "sent_hours_ago", "is_now"),
    [
        ("off", 8, None, False),
        ("hourly", 3, None, True),
        ("hourly", 3, 0.5, False),
        ("daily", 8, None, True),
        ("daily", 8, 0.2, False),
        ("daily", 9, None, False),
        ("weekly", 8, 24 * 7, True),
    ],
)
def test_when_a_digest_is_due(seller, ivan, schedule, hour, sent_hours_ago, is_now):
    sent = MONDAY - timedelta(hours=sent_hours_ago) if sent_hours_ago is not None else None
    row = Digest(seller=seller, user=ivan, schedule=schedule, hour=hour, sent_at=sent)
    assert is_due(row, MONDAY) is is_now
    if schedule == "weekly":
        assert not is_due(row, MONDAY + timedelta(days=1))


def test_the_sweep_enqueues_a_due_digest_once(seller, ivan):
    set_digest(actor=ivan, seller=seller, schedule="hourly", hour=0, language="en")
    assert (sweep_digests(), sweep_digests()) == (1, 1)
    assert Job.objects.filter(kind="watch.digest").count() == 1


# Feed ------------------------------------------------------------------------------------------------------------


def test_a_feed_reader_sees_the_newest_matches_and_no_picture(client_of, seller, ivan):
    edited_match(seller)
    token = make_feed(actor=ivan, seller=seller)
    answer = client_of().get(reverse("compliance:watch_feed", args=[token]))
    items = fromstring(answer.content).findall("channel/item")
    assert [item.findtext("title").startswith("P1 · North") for item in items] == [True]
    assert answer["Content-Type"].startswith("application/rss+xml")
    assert client_of().get(items[0].findtext("link").removeprefix("http://testserver")).status_code == 302


def test_a_revoked_or_guessed_token_is_nothing(client_of, seller, ivan):
    token = make_feed(actor=ivan, seller=seller)
    feed = WatchFeed.objects.get()
    assert token.encode() not in bytes(feed.token_sha256)
    revoke_feed(actor=ivan, feed=feed)
    unknown = client_of().get(reverse("compliance:watch_feed", args=["x" * 43]))
    revoked = client_of().get(reverse("compliance:watch_feed", args=[token]))
    assert (unknown.status_code, revoked.status_code) == (404, 404)
    assert unknown.content == revoked.content


def test_a_feed_ends_with_the_right_of_whoever_made_it(client_of, seller, ivan):
    token = make_feed(actor=ivan, seller=seller)
    Membership.objects.filter(user=ivan).delete()
    assert client_of().get(reverse("compliance:watch_feed", args=[token])).status_code == 404


def test_the_page_sets_all_three(client_of, seller, ivan):
    client = client_of(ivan)
    page = reverse("compliance:watch_alerts")
    assert client.post(page, {"schedule": "weekly", "hour": "7"}).status_code == 302
    assert Digest.objects.get().hour == 7
    refused = client.post(reverse("compliance:watch_webhook"), {"url": "http://shop.example.com/"})
    assert (refused.status_code, b"fetch.bad_scheme" in refused.content) == (400, True)
    client.post(reverse("compliance:watch_webhook"), {"url": HOOK})
    assert webhook_secret(settings_of(seller)) in client.get(page).content.decode()
    said = client.post(reverse("compliance:watch_feed_new"), follow=True).content.decode()
    assert "/watch/feed/" in said
    assert "/watch/feed/" not in client.get(page).content.decode()
