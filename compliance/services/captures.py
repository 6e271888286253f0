"""Captures of pages: sealed as they came, entered in the log, and never opened but for the preview of a screenshot.

Each has a record beside it, a JSON file that says who looked, when by whose clock, from which machine, and for a fetch by
this server every request and every head of an answer (docs/spec/capture-record.md). The claim commits to both files.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from compliance.models import Capture, CaptureKind, Listing, Observer, RunState
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import format_number, new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.admission.gate import verdict_of
from ledger.admission.kinds import IMAGE
from ledger.admission.worker_tasks import ADMIT_TASK
from ledger.anchors.address import check_url
from ledger.anchors.errors import FetchError
from ledger.anchors.fetch import FetchedPage, fetch_page
from ledger.imaging.errors import ImagingError
from ledger.imaging.results import parse_analysis
from ledger.imaging.sandbox import TaskResult
from ledger.models import Blob, LogHead, Original
from ledger.services.blobs import BlobUnreadableError, read_blob, read_part, seal_files, write_part
from ledger.services.evidence import core_files, evidence_of
from ledger.services.evidence_sets import MAX_FILE_BYTES, media_type
from ledger.services.handouts import BUNDLE_WITH_FILES, FILE, record_handout
from ledger.services.identity import identity_document
from ledger.services.job_context import JobError
from ledger.services.jobs import enqueue_job
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.originals import Upload
from ledger.services.pictures import ANALYSE, THUMBNAILS, pixel_pool
from ledger.tlog import bundle
from ledger.tlog.claim_documents import CapturedFile, NamedVersion, listing_captured_claim
from ledger.tlog.entry import format_utc_ms

KIND = "listing.captured"
FETCH_JOB = "captures.fetch"
RECORD_VERSION = 1
RECORD_MIME = "application/json"
# The observer is part of the method's name, so that the claim itself says who looked.
METHODS = {Observer.PARTY: "upload.party", Observer.THIRD_PARTY: "upload.third_party", Observer.OUR_SERVER: "fetch"}
METHOD_VERSION = "1"
# Clean-machine record, in the order in which a court's checklist asks: Internet courts want to know all of it.
ENVIRONMENT_FIELDS = (
    "device",
    "system",
    "browser",
    "network_route",
    "proxy",
    "hosts_file",
    "virus_scan",
    "processes",
    "clock",
    "recording",
)
MAX_FIELD_CHARS = 500
URL = re.compile(r"https?://[^\s\x00-\x1f\x7f]{3,1990}", re.IGNORECASE)
FETCH_CODE = "fetch.{}"

Fetch = Callable[[str], FetchedPage]


class CaptureError(Exception):
    """A capture cannot be taken or given out like this; code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody says about a look at a page: nothing of it is checked. captured_at is an aware UTC time."""

    url: str
    captured_at: datetime
    kind: str = CaptureKind.HTML
    observer: str = Observer.PARTY
    observer_name: str = ""
    product_id: str = ""
    shop: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


def add_capture(
    *,
    actor: User | None,
    seller: Seller,
    seen: Seen,
    upload: Upload,
    number: str = "",
    listing: Listing | None = None,
    original: Original | None = None,
) -> Capture:
    """Seal an uploaded capture and enter it in the log; the same number again gives the first one.

    Raises CaptureError: empty_file, evidence_file_too_large, capture.url, capture.future.
    """
    require_permission(actor, seller, Permission.MANAGE_CASES)
    if (known := _known(seller, number)) is not None:
        return known
    _require_own(seller, listing, original)
    _check(seen, upload)
    capture = _row(actor, seller, seen, number, listing, original)
    return _enter(actor, capture, upload.content, upload.file_name, media_type(upload.file_name), {})


def start_fetch(
    *,
    actor: User | None,
    seller: Seller,
    url: str,
    number: str = "",
    listing: Listing | None = None,
    original: Original | None = None,
    notes: str = "",
    enqueue: bool = True,
) -> Capture:
    """Have a worker look at a public address; what is not one is refused here, before any connection (CaptureError)."""
    require_permission(actor, seller, Permission.MANAGE_CASES)
    if (known := _known(seller, number)) is not None:
        return known
    _require_own(seller, listing, original)
    seen = Seen(url=url, captured_at=timezone.now(), observer=Observer.OUR_SERVER, notes=notes)
    _check_url(url)
    capture = _row(actor, seller, seen, number, listing, original)
    capture.state = RunState.WAITING
    with transaction.atomic():
        capture.save(force_insert=True)
        if enqueue:
            args = {"capture_id": capture.pk}
            capture.job = enqueue_job(kind=FETCH_JOB, args=args, seller=seller, actor=actor)
            capture.save(update_fields=["job"])
    return capture


def _known(seller: Seller, number: str) -> Capture | None:
    return Capture.objects.of(seller).filter(number=number).first() if number else None


def free_number(seller: Seller, number: str) -> str:
    """The number that a form carried, unless it is empty or stands for another seller's capture: then a new one."""
    taken = bool(number) and Capture.objects.filter(number=number).exclude(seller=seller).exists()
    return new_number() if taken or not number else number


def _require_own(seller: Seller, listing: Listing | None, original: Original | None) -> None:
    """Views only pass rows of the seller; whatever else calls must not join two sellers."""
    if any(row is not None and row.seller_id != seller.pk for row in (listing, original)):
        raise ValueError("a capture belongs to the seller of its listing and its original")


def _check_url(url: str) -> None:
    """Without asking a resolver: the worker asks it, once, just before it connects."""
    if URL.fullmatch(url) is None:
        raise CaptureError("capture.url")
    code = check_url(url, lambda _host: ["8.8.8.8"])
    if code != "ok":
        raise CaptureError(FETCH_CODE.format(code))


def _check(seen: Seen, upload: Upload) -> None:
    if not upload.content:
        raise CaptureError("empty_file")
    if len(upload.content) > MAX_FILE_BYTES:
        raise CaptureError("evidence_file_too_large")
    if URL.fullmatch(seen.url) is None:
        raise CaptureError("capture.url")
    if seen.captured_at > timezone.now():
        raise CaptureError("capture.future")
    if seen.observer == Observer.OUR_SERVER:
        raise ValueError("what this server saw comes from its own fetch")


def _row(
    actor: User | None,
    seller: Seller,
    seen: Seen,
    number: str,
    listing: Listing | None,
    original: Original | None,
) -> Capture:
    return Capture(
        number=number or new_number(),
        seller=seller,
        listing=listing,
        original=original,
        kind=str(seen.kind),
        observer=str(seen.observer),
        observer_name=_plain(seen.observer_name)[:200],
        url=seen.url,
        product_id=_plain(seen.product_id or (listing.product_id if listing else ""))[:100],
        shop=_plain(seen.shop or (listing.shop_name if listing else ""))[:200],
        captured_at=seen.captured_at,
        environment={name: text for name in ENVIRONMENT_FIELDS if (text := _environment(seen, name))},
        notes=seen.notes.strip()[:2000],
        captured_by=actor,
    )


def _environment(seen: Seen, name: str) -> str:
    return seen.environment.get(name, "").strip()[:MAX_FIELD_CHARS]


def _plain(text: str) -> str:
    """What a claim takes: no control characters, none that reorder a line."""
    return "".join(character for character in text if character.isprintable()).strip()


# The entry ------------------------------------------------------------------------------------------------------


def _enter(
    actor: User | None, capture: Capture, content: bytes, name: str, mime: str, fetched: Mapping[str, Any]
) -> Capture:
    """Seal file and record, then row and entry together."""
    capture.file_name, capture.mime = _plain(name)[-255:], mime
    capture.sha256, capture.size_bytes = hashlib.sha256(content).digest(), len(content)
    record = _record(capture, fetched)
    blobs = seal_files(seller=capture.seller, contents=[content, record])
    try:
        with transaction.atomic():
            head = lock_head()
            if (first := _entered(capture)) is not None:
                return first
            _commit(actor, capture, record, blobs, head)
    except IntegrityError:  # the same form, twice at the same moment
        first = _known(capture.seller, capture.number)
        if first is None:
            raise
        return first
    if capture.kind == CaptureKind.SCREENSHOT:
        _preview(capture, content)
    return capture


def _entered(capture: Capture) -> Capture | None:
    """The row as another worker entered it, or as an erasure left it."""
    if capture.pk is None:
        return None
    row: Capture = Capture.objects.select_for_update(of=("self",)).select_related("statement").get(pk=capture.pk)
    return None if row.state == RunState.WAITING else row


def _commit(actor: User | None, capture: Capture, record: bytes, blobs: list[Blob], head: LogHead) -> None:
    for blob in blobs:
        blob.save(force_insert=True)
    capture.blob, capture.record = blobs
    draft = _draft(actor, capture, record)
    (capture.statement,) = append_statements(seller=capture.seller, actor=actor, drafts=[draft], head=head)
    capture.state, capture.error_code = RunState.DONE, ""
    capture.save()


def _record(capture: Capture, fetched: Mapping[str, Any]) -> bytes:
    """docs/spec/capture-record.md: for people and programs, the same bytes as the claim commits to."""
    document = {
        "record": "originmark-capture",
        "v": RECORD_VERSION,
        "capture": capture.number,
        "kind": capture.kind,
        "observer": {"who": capture.observer, "name": capture.observer_name},
        "url": capture.url,
        "captured_at": _utc(capture.captured_at),
        "sealed_at": _utc(timezone.now()),
        "product": capture.product_id,
        "shop": capture.shop,
        "file": {
            "name": capture.file_name,
            "mime": capture.mime,
            "size": capture.size_bytes,
            "sha256": bytes(capture.sha256).hex(),
        },
        "environment": capture.environment,
        "notes": capture.notes,
        "fetch": dict(fetched) or None,
    }
    return (json.dumps(document, ensure_ascii=True, indent=1) + "\n").encode("ascii")


def _utc(value: datetime) -> str:
    return format_utc_ms(int(value.timestamp() * 1000))


def _draft(actor: User | None, capture: Capture, record: bytes) -> Draft:
    claim = listing_captured_claim(
        secrets.token_bytes(32),
        url=_plain(capture.url),
        captured_at=_utc(capture.captured_at),
        method=NamedVersion(METHODS[Observer(capture.observer)], METHOD_VERSION),
        files=[
            CapturedFile(capture.kind, bytes(capture.sha256), capture.size_bytes, capture.mime),
            CapturedFile("record", hashlib.sha256(record).digest(), len(record), RECORD_MIME),
        ],
        product=capture.product_id,
        shop=capture.shop,
    )
    return Draft(
        kind=KIND,
        claim=claim,
        identity=identity_document(actor=actor, seller=capture.seller),
        request_id=f"capture-{capture.number}",
        outcome="passed",
    )


def _preview(capture: Capture, content: bytes) -> None:
    """Only a screenshot that the gate lets in is decoded, in the limited child; the file itself stays as it is."""
    assert capture.blob is not None  # noqa: S101 - just entered
    pool = pixel_pool()
    try:
        answer = pool.submit(ADMIT_TASK, [content], {"kind": IMAGE, "name": ""}).wait()
        verdict = verdict_of(IMAGE, answer)
        outcome = pool.submit(ANALYSE, [content], {}).wait() if verdict.is_accepted else None
    except ImagingError as error:
        verdict, outcome = verdict_of(IMAGE, error), None
    if isinstance(outcome, TaskResult):
        for item in parse_analysis(outcome.values, outcome.blobs).thumbnails:
            write_part(capture.blob, THUMBNAILS[item.long_side], item.data)
        capture.has_preview = True
    else:
        capture.preview_code = verdict.code or "decode_crashed"
    Capture.objects.filter(pk=capture.pk, sha256=bytes(capture.sha256)).update(
        has_preview=capture.has_preview, preview_code=capture.preview_code
    )


# The server's own look ------------------------------------------------------------------------------------------


def run_fetch(capture_id: int, *, fetch: Fetch = fetch_page) -> Capture:
    """Look at the address now; a finished capture is returned as it is. JobError with a code of docs/operate/errors.md."""
    capture: Capture = Capture.objects.select_related("seller", "captured_by", "statement").get(pk=capture_id)
    if capture.state != RunState.WAITING:
        return capture
    capture.captured_at = timezone.now()
    try:
        page = fetch(capture.url)
    except FetchError as error:
        code = FETCH_CODE.format(error.code)
        Capture.objects.filter(pk=capture.pk, state=RunState.WAITING).update(state=RunState.FAILED, error_code=code)
        raise JobError(code, str(error)) from error
    if not page.data:
        Capture.objects.filter(pk=capture.pk, state=RunState.WAITING).update(
            state=RunState.FAILED, error_code="capture.empty_answer", http_status=page.status
        )
        raise JobError("capture.empty_answer", f"status {page.status}")
    capture.http_status = page.status
    mime = _mime_said(page.content_type)
    return _enter(capture.captured_by, capture, page.data, _page_name(page.final_url, mime), mime, _hops(page))


def _mime_said(content_type: str) -> str:
    said = content_type.split(";")[0].strip().lower()
    return said if re.fullmatch("[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}", said) else "application/octet-stream"


def _page_name(url: str, mime: str) -> str:
    last = PurePosixPath(url.split("?")[0].rstrip("/")).name[:100] or "page"
    return last if "." in last or mime != "text/html" else f"{last}.html"


def _hops(page: FetchedPage) -> dict[str, Any]:
    hops = [
        {"url": hop.url, "address": hop.address, "status": hop.status, "headers": [list(pair) for pair in hop.headers]}
        for hop in page.hops
    ]
    return {"final_url": page.final_url, "status": page.status, "content_type": page.content_type, "hops": hops}


# Taking away ----------------------------------------------------------------------------------------------------


def capture_file(*, actor: User | None, capture: Capture) -> bytes:
    """The exact bytes. CaptureError where there are none (yet, or any more)."""
    require_permission(actor, capture.seller, Permission.MANAGE_CASES)
    content = read_blob(_blob(capture))
    assert capture.statement is not None  # noqa: S101 - sealed files have their entry
    record_handout(capture.statement, FILE)
    return content


def capture_bundle(*, actor: User | None, capture: Capture) -> bytes:
    """Evidence ZIP: core bundle with the capture and its record disclosed; the offline verifier reads it."""
    require_permission(actor, capture.seller, Permission.MANAGE_CASES)
    content = read_blob(_blob(capture))
    assert capture.statement is not None  # noqa: S101 - sealed files have their entry
    assert capture.record is not None  # noqa: S101
    files = {0: (file_extension(capture), content), 1: ("json", read_blob(capture.record))}
    record_handout(capture.statement, BUNDLE_WITH_FILES)
    return bundle.format_bundle(core_files(evidence_of(capture.statement), files))


def capture_preview(capture: Capture) -> bytes | None:
    """The WebP preview of a screenshot, or None."""
    if not capture.has_preview or capture.blob is None:
        return None
    try:
        return read_part(capture.blob, THUMBNAILS[1024])
    except BlobUnreadableError:
        return None


def _blob(capture: Capture) -> Blob:
    if capture.blob is None or capture.is_erased:
        raise CaptureError("capture.no_file")
    return capture.blob


def file_extension(capture: Capture) -> str:
    ending = PurePosixPath(capture.file_name.lower()).suffix.lstrip(".")
    return ending if re.fullmatch("[a-z0-9]{1,8}", ending) else "bin"


def capture_name(capture: Capture) -> str:
    """What a downloaded capture is called."""
    return f"capture-{format_number(capture.number)}.{file_extension(capture)}"
