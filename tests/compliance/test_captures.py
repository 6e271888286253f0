"""Captures: sealed as they came, in the log with their record, for owners and IP managers only, gone with the original."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlparse

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from compliance.models import Capture, CaptureKind, Observer, RunState
from compliance.services.captures import (
    CaptureError,
    capture_bundle,
    capture_file,
    capture_preview,
    run_fetch,
    start_fetch,
)
from ledger.anchors.fetch import fetch_page
from ledger.models import Handout, Statement
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.erasure import erase_original
from ledger.services.erasure_plan import preview_erasure
from ledger.services.job_context import JobError
from ledger.services.log import own_policy
from ledger.tlog.claims import parse_claim
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.compliance.captured import SEEN_AT, URL, capture_page
from tests.factories import register_one

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

HOSTILE = b"<script>alert(1)</script>" * 50


def claim_of(capture: Capture) -> dict:
    assert capture.statement is not None
    return parse_claim("listing.captured", bytes(capture.statement.claim))


def test_a_screenshot_is_sealed_entered_and_previewed(seller, ivan, assert_log_valid):
    capture = capture_page(seller, actor=ivan, environment={"device": "ThinkPad T14", "virus_scan": "clean, 03:00"})
    claim = claim_of(capture)
    assert (claim["url"], claim["captured_at"]) == (URL, "2026-01-02T03:04:05.000Z")
    assert claim["method"] == {"name": "upload.party", "version": "1"}
    assert [file["role"] for file in claim["files"]] == ["screenshot", "record"]
    assert claim["files"][0]["sha256"] == bytes(capture.sha256).hex()
    assert capture_preview(Capture.objects.get(pk=capture.pk))[:4] == b"RIFF"
    assert assert_log_valid() == 1


def test_the_record_says_who_looked_from_where(seller):
    said: dict[str, Any] = {
        "observer": Observer.THIRD_PARTY,
        "observer_name": "王公证员",
        "environment": {"proxy": "none", "x": "y"},
    }
    record = json.loads(read_blob(capture_page(seller, **said).record))
    assert record["observer"] == {"who": "third_party", "name": "王公证员"}
    assert record["environment"] == {"proxy": "none"}
    assert (record["captured_at"], record["fetch"]) == ("2026-01-02T03:04:05.000Z", None)


@pytest.mark.parametrize("kind", [CaptureKind.HTML, CaptureKind.WARC, CaptureKind.WACZ, CaptureKind.VIDEO])
def test_any_other_file_is_opaque(seller, kind):
    capture = capture_page(seller, content=HOSTILE, name="page.html", kind=kind)
    assert (capture.has_preview, capture.preview_code) == (False, "")
    assert capture_file(actor=None, capture=capture) == HOSTILE


def test_what_is_called_a_screenshot_and_is_none_is_kept_without_a_preview(seller):
    capture = capture_page(seller, content=HOSTILE, name="shot.png")
    assert (capture.has_preview, capture.preview_code) == (False, "unsupported_type")
    assert capture.statement is not None


def test_the_evidence_is_checked_offline_and_every_changed_byte_is_found(seller, alice):
    capture = capture_page(seller, content=HOSTILE, name="page.html", kind=CaptureKind.HTML)
    packed = capture_bundle(actor=alice, capture=capture)
    assert verify_bundle(packed, own_policy()).verdict is Verdict.PASSED
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert {"originals/0001.html", "originals/0002.json"} <= set(names)
    at = packed.index(HOSTILE) + 9
    changed = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
    assert verify_bundle(changed, own_policy()).verdict is Verdict.FAILED


def test_what_was_given_out_is_counted(seller):
    capture = capture_page(seller)
    capture_file(actor=None, capture=capture)
    capture_bundle(actor=None, capture=capture)
    assert sorted(Handout.objects.values_list("kind", "times")) == [("bundle_with_files", 1), ("file", 1)]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"content": b""}, "empty_file"),
        ({"url": "ftp://shop.example/"}, "capture.url"),
        ({"url": "https://a b.example/"}, "capture.url"),
        ({"captured_at": timezone.now() + timedelta(days=1)}, "capture.future"),
    ],
)
def test_what_cannot_be_a_capture_is_refused_by_name(seller, said, code):
    with pytest.raises(CaptureError) as refused:
        capture_page(seller, **said)
    assert refused.value.code == code
    assert not Capture.objects.exists()


def test_the_same_form_twice_makes_one_capture(seller):
    first = capture_page(seller, number="0123456789ABCDEF")
    assert capture_page(seller, number="0123456789ABCDEF").pk == first.pk
    assert Statement.objects.filter(kind="listing.captured").count() == 1


def test_operators_and_viewers_take_none(seller, bob, olga):
    for person in (bob, olga):
        with pytest.raises(PermissionDenied):
            capture_page(seller, actor=person)


def test_rows_of_two_sellers_are_never_joined(seller, other_seller):
    theirs = register_one(other_seller)
    with pytest.raises(ValueError, match="seller"):
        capture_page(seller, original=theirs)


# The server's own look


def served(seller, shop_pages, url: str = "http://shop.example/item/1", **named) -> Capture:
    capture = start_fetch(actor=None, seller=seller, url=url, enqueue=False)
    with shop_pages as fetch:
        return run_fetch(capture.pk, fetch=fetch)


@pytest.fixture
def page_shop(monkeypatch):
    """page_shop(pages): a fetch_page whose public names lead to a server on the loopback."""
    from tests.compliance import test_search

    monkeypatch.setattr(test_search, "fetch_url", fetch_page)
    return test_search.shop


def test_a_page_is_kept_as_received_with_every_head(seller, page_shop):
    pages = {
        "/item/1": (302, {"Location": "/item/2", "X-Trace": "7"}, b""),
        "/item/2": (200, {"Content-Type": "text/html; charset=utf-8", "X-Served-By": "edge-9"}, HOSTILE),
    }
    capture = served(seller, page_shop(pages))
    assert (capture.state, capture.observer, capture.http_status) == (RunState.DONE, Observer.OUR_SERVER, 200)
    assert capture_file(actor=None, capture=capture) == HOSTILE
    fetched = json.loads(read_blob(capture.record))["fetch"]
    assert [(hop["status"], hop["address"]) for hop in fetched["hops"]] == [(302, "8.8.4.4"), (200, "8.8.4.4")]
    assert ["x-served-by", "edge-9"] in fetched["hops"][1]["headers"]
    assert claim_of(capture)["method"]["name"] == "fetch"


def test_a_removed_listing_is_evidence_too(seller, page_shop):
    capture = served(seller, page_shop({"/item/1": (404, {}, b"<p>This item was removed</p>")}))
    assert (capture.state, capture.http_status) == (RunState.DONE, 404)


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "http://10.0.0.8/", "http://[::1]/", "http://169.254.169.254/"])
def test_a_private_address_is_refused_before_anything_is_stored(seller, url):
    with pytest.raises(CaptureError) as refused:
        start_fetch(actor=None, seller=seller, url=url)
    assert refused.value.code == "fetch.private_address"
    assert not Capture.objects.exists()


@pytest.mark.parametrize(
    ("url", "pages"),
    [
        ("http://intranet.example/", {}),
        ("http://shop.example/item/1", {"/item/1": (302, {"Location": "http://intranet.example/"}, b"")}),
        ("http://shop.example/item/1", {"/item/1": (302, {"Location": "CANARY"}, b"")}),
    ],
)
def test_no_private_address_ever_gets_a_connection(seller, page_shop, url, pages):
    """The canary listens on this machine's own loopback, where every redirect and lying name would lead."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        there = f"http://127.0.0.1:{canary.getsockname()[1]}/"
        pages = {
            path: (code, {k: v.replace("CANARY", there) for k, v in head.items()}, body)
            for path, (code, head, body) in pages.items()
        }
        capture = start_fetch(actor=None, seller=seller, url=url, enqueue=False)
        with page_shop(pages) as fetch, pytest.raises(JobError) as failed:
            run_fetch(capture.pk, fetch=fetch)
        assert failed.value.code in ("fetch.private_address", "fetch.bad_port")
        with pytest.raises(BlockingIOError):
            canary.accept()
    capture.refresh_from_db()
    assert (capture.state, capture.statement, capture.blob) == (RunState.FAILED, None, None)


def test_a_fetch_that_ran_is_not_run_again(seller, page_shop):
    capture = served(seller, page_shop({"/item/1": (200, {}, HOSTILE)}))
    assert run_fetch(capture.pk, fetch=partial(pytest.fail, "looked again")).statement_id == capture.statement_id


# Pages


def test_the_page_says_what_a_capture_does_not_prove(seller, ivan, client_of):
    capture = capture_page(seller, environment={"device": "ThinkPad"})
    text = client_of(ivan).get(reverse("compliance:capture", args=[capture.number])).text
    assert "does not prove that the server of the address sent them" in text
    assert "You looked yourself" in text
    assert "ThinkPad" in text
    assert "as claimed by the observer" in text


def test_a_saved_page_is_only_ever_an_attachment_in_a_sandbox(seller, ivan, client_of):
    capture = capture_page(seller, content=HOSTILE, name="evil.html", kind=CaptureKind.HTML)
    answer = client_of(ivan).get(reverse("compliance:capture_file", args=[capture.number]))
    assert answer.content == HOSTILE
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_capture_is_made_by_the_form(seller, ivan, client_of):
    data = {
        "file": io.BytesIO(HOSTILE),
        "kind": "html",
        "url": URL,
        "captured_at": SEEN_AT.strftime("%Y-%m-%dT%H:%M:%S"),
        "observer": "party",
        "env_device": "ThinkPad",
    }
    answer = client_of(ivan).post(reverse("compliance:capture_new"), data)
    capture = Capture.objects.get()
    assert urlparse(answer["Location"]).path == reverse("compliance:capture", args=[capture.number])
    assert (capture.captured_at, capture.environment) == (SEEN_AT, {"device": "ThinkPad"})


def test_a_refused_form_keeps_what_was_typed(seller, ivan, client_of):
    answer = client_of(ivan).post(
        reverse("compliance:capture_new"), {"by": "server", "fetch-url": "http://10.0.0.1/x", "fetch-notes": "abc"}
    )
    assert answer.status_code == 400
    assert "abc" in answer.text
    assert "http://10.0.0.1/x" in answer.text


def test_the_list_is_filtered_and_has_a_fixed_number_of_queries(seller, ivan, client_of, django_assert_max_num_queries):
    for number in range(3):
        capture_page(seller, url=f"https://shop.example/item/{number}", observer=Observer.THIRD_PARTY)
    capture_page(seller)
    client = client_of(ivan)
    with django_assert_max_num_queries(12):
        text = client.get(reverse("compliance:captures"), {"observer": "third_party"}).text
    assert text.count("data-item") == 3
    assert client.get(reverse("compliance:captures"), {"q": "1005001"}).text.count("data-item") == 1


# Erasing


def test_a_capture_goes_with_the_original_it_shows(seller, alice, assert_log_valid):
    original = register_one(seller, actor=alice)
    capture = capture_page(seller, original=original, shop="Thief", notes="ours")
    other = capture_page(seller, content=HOSTILE, kind=CaptureKind.HTML)
    assert preview_erasure(actor=alice, original=original).lost["captures"] == 1
    erase_original(actor=alice, original=original, reason="request")
    capture = Capture.objects.select_related("statement", "blob", "record").get(pk=capture.pk)
    assert (capture.url, capture.shop, capture.notes, bytes(capture.sha256)) == ("", "", "", b"")
    assert bytes(capture.statement.claim) == b""
    for blob in (capture.blob, capture.record):
        with pytest.raises(BlobUnreadableError):
            read_blob(blob)
    with pytest.raises(CaptureError):
        capture_file(actor=alice, capture=capture)
    assert capture_file(actor=alice, capture=Capture.objects.get(pk=other.pk)) == HOSTILE
    assert_log_valid()
