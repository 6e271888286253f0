"""Registering originals: what happens when somebody uploads a picture.

Seal first. The file's structure is scanned (no pixel is decoded), its exact bytes are stored durably and encrypted, and
its entry is committed; that is the receipt. Everything computed from pixels comes later, in a job.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from ledger.accounts.models import Seller, Store, User
from ledger.accounts.numbers import new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import ImagingError
from ledger.imaging.scan import FileScan, scan_picture
from ledger.models import Blob, ImageFile, LogHead, Original, Statement
from ledger.services.blobs import batched, seal_uploads
from ledger.services.group_commit import in_batch
from ledger.services.identity import identity_document
from ledger.services.jobs import enqueue_job
from ledger.services.log import Batch, Draft, append_batches
from ledger.services.room import NoRoomError
from ledger.services.storage import named_storage_errors
from ledger.signals import originals_filed
from ledger.tlog.claim_documents import ClaimItem, image_registered_claim

BATCH_FILES = 32  # files sealed by one transaction: bounds memory and how long the head is locked
BATCH_BYTES = 64 * 2**20
REGISTERED, EXISTING, REJECTED = "registered", "existing", "rejected"
REQUEST_ID_REUSED = "request_id_reused"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it came; the request id makes sending it again harmless."""

    file_name: str
    content: bytes
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one file. original is None exactly when it was rejected, and code says why."""

    file_name: str
    status: str
    sha256: bytes
    original: Original | None = None
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Admitted:
    position: int
    upload: Upload
    scan: FileScan
    sha256: bytes


def register_originals(
    *, actor: User | None, seller: Seller, uploads: Sequence[Upload], category: str = "", store: Store | None = None
) -> list[Registration]:
    """Register files in order; each gets its own answer and one bad file stops no other.

    Returns after commit: every registered answer is a receipt. The same request id, or the same bytes, again gives
    the first entry. actor None is the operator of the machine (command line). Raises StorageError when disk or database
    fail: what was not answered has no receipt, and sending it again is harmless.
    """
    require_permission(actor, seller, Permission.REGISTER)
    answers: list[Registration] = []
    for batch in _batches(uploads):
        with named_storage_errors():
            answers += _register_batch(actor, seller, batch, category, store)
    return answers


def _batches(uploads: Sequence[Upload]) -> Iterator[list[Upload]]:
    batch: list[Upload] = []
    size = 0
    for upload in uploads:
        if batch and (len(batch) == BATCH_FILES or size + len(upload.content) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(upload)
        size += len(upload.content)
    if batch:
        yield batch


def _register_batch(
    actor: User | None, seller: Seller, uploads: Sequence[Upload], category: str, store: Store | None
) -> list[Registration]:
    answers: dict[int, Registration] = {}
    admitted = _admit(uploads, answers)
    known = _Known(seller, admitted)
    fresh = _first_of_each(item for item in admitted if item not in known)
    try:
        blobs = seal_uploads(seller=seller, contents=[item.upload.content for item in fresh])
    except NoRoomError as error:
        _refuse_fresh(fresh, error.code, answers)
        admitted, fresh, blobs = [item for item in admitted if item.position not in answers], [], []
    sealed = list(zip(fresh, blobs, strict=True))
    recorded = in_batch(_record, _Request(actor, seller, category, store, admitted, sealed))
    found = _by_digest(seller, recorded.earlier) | recorded.created
    for item in admitted:
        answers[item.position] = _answer(item, found, recorded)
    return [answers[position] for position in range(len(uploads))]


def _refuse_fresh(fresh: Sequence[_Admitted], code: str, refusals: dict[int, Registration]) -> None:
    """No room: what is new is refused by name, what is here already still gets its receipt."""
    for item in fresh:
        refusals[item.position] = Registration(item.upload.file_name, REJECTED, item.sha256, code=code)


def _admit(uploads: Sequence[Upload], refusals: dict[int, Registration]) -> list[_Admitted]:
    """Scan each file's structure; what is refused goes into refusals by its position."""
    admitted = []
    for position, upload in enumerate(uploads):
        digest = hashlib.sha256(upload.content).digest()
        try:
            scan = scan_picture(upload.content, file_name=upload.file_name)
        except ImagingError as error:
            refusals[position] = Registration(upload.file_name, REJECTED, digest, code=error.code, detail=error.detail)
        else:
            admitted.append(_Admitted(position, upload, scan, digest))
    return admitted


def _answer(item: _Admitted, found: dict[bytes, Original], recorded: _Recorded) -> Registration:
    """The receipt of one admitted file. A request id that already stands for other bytes is refused by name."""
    earlier = recorded.by_request.get(item.upload.request_id) if item.upload.request_id else None
    if earlier is not None and earlier != item.sha256:
        return Registration(item.upload.file_name, REJECTED, item.sha256, code=REQUEST_ID_REUSED)
    status = REGISTERED if item.position in recorded.firsts else EXISTING
    return Registration(item.upload.file_name, status, item.sha256, found[item.sha256])


class _Known:
    """What this seller registered before, among these files: digests, and the digest of each request id."""

    def __init__(self, seller: Seller, admitted: Sequence[_Admitted]) -> None:
        mine = Original.objects.of(seller)
        digests = mine.filter(sha256__in=[item.sha256 for item in admitted])
        self.digests = {bytes(digest) for digest in digests.values_list("sha256", flat=True)}
        requests = [item.upload.request_id for item in admitted if item.upload.request_id]
        repeated = mine.filter(statement__request_id__in=requests) if requests else mine.none()
        pairs = repeated.values_list("statement__request_id", "sha256")
        self.by_request = {request_id: bytes(digest) for request_id, digest in pairs}

    def __contains__(self, item: _Admitted) -> bool:
        return item.sha256 in self.digests or item.upload.request_id in self.by_request

    def add(self, item: _Admitted) -> None:
        self.digests.add(item.sha256)
        if item.upload.request_id:
            self.by_request[item.upload.request_id] = item.sha256


def _by_digest(seller: Seller, digests: Iterable[bytes]) -> dict[bytes, Original]:
    wanted = list(digests)
    if not wanted:
        return {}
    rows = Original.objects.of(seller).filter(sha256__in=wanted).select_related("statement__entry", "image")
    return {bytes(original.sha256): original for original in rows}


def _first_of_each(items: Iterable[_Admitted]) -> list[_Admitted]:
    """Equal files, or repeated request ids, within one batch are sealed once."""
    seen: set[object] = set()
    first = []
    for item in items:
        marks = {item.sha256, item.upload.request_id or item.sha256}
        if not marks & seen:
            first.append(item)
        seen |= marks
    return first


@dataclass(frozen=True, slots=True)
class _Request:
    """What one writer wants on record: its files, those of them that were new when they were stored, and their blobs."""

    actor: User | None
    seller: Seller
    category: str
    store: Store | None
    admitted: Sequence[_Admitted]
    sealed: Sequence[tuple[_Admitted, Blob]]


@dataclass(slots=True)
class _Recorded:
    """What became of a request: positions of the files it registered, their originals, and digests known before."""

    firsts: set[int]
    earlier: set[bytes]
    by_request: dict[str, bytes]
    created: dict[bytes, Original]


def _record(head: LogHead, requests: Sequence[_Request]) -> list[_Recorded]:
    """Entries, documents, files, originals and jobs of several requests; runs in the transaction that holds the head.

    Each request sees what those before it register, so two that bring the same bytes make one entry.
    """
    known = {seller.pk: _Known(seller, _all_of(seller, requests)) for seller in {r.seller for r in requests}}
    recorded, fresh = [], []
    for request in requests:
        mine = known[request.seller.pk]
        earlier = {item.sha256 for item in request.admitted} & mine.digests
        earlier |= {mine.by_request[r] for item in request.admitted if (r := item.upload.request_id) in mine.by_request}
        unsealed = [(item, blob) for item, blob in request.sealed if item not in mine]
        for item, _blob in unsealed:
            mine.add(item)
        firsts = {item.position for item, _blob in unsealed}
        recorded.append(_Recorded(firsts, earlier, dict(mine.by_request), {}))
        fresh.append(unsealed)
    for outcome, created in zip(recorded, _create_rows(head, requests, fresh), strict=True):
        outcome.created = created
    return recorded


def _all_of(seller: Seller, requests: Sequence[_Request]) -> list[_Admitted]:
    return [item for request in requests if request.seller == seller for item in request.admitted]


def _create_rows(
    head: LogHead, requests: Sequence[_Request], fresh: Sequence[Sequence[tuple[_Admitted, Blob]]]
) -> list[dict[bytes, Original]]:
    """The rows of what is new in each request, one statement per table; originals by digest."""
    if not any(fresh):
        return [{} for _request in requests]
    batches = [
        Batch(request.seller, request.actor, [_draft(request.actor, request.seller, item) for item, _blob in sealed])
        for request, sealed in zip(requests, fresh, strict=True)
    ]
    statements = append_batches(head, batches)
    Blob.objects.bulk_create([blob for sealed in fresh for _item, blob in sealed])
    images = ImageFile.objects.bulk_create(
        image_row(request.seller, blob, item.upload, item.scan, item.sha256)
        for request, sealed in zip(requests, fresh, strict=True)
        for item, blob in sealed
    )
    rest = iter(images)
    rows = [
        [_original(request, statement, next(rest)) for statement in made]
        for request, made in zip(requests, statements, strict=True)
    ]
    Original.objects.bulk_create([original for made in rows for original in made])
    _enqueue_analysis(requests, rows)
    return [{bytes(original.sha256): original for original in made} for made in rows]


def _enqueue_analysis(requests: Sequence[_Request], rows: Sequence[Sequence[Original]]) -> None:
    """Jobs of at most BATCH_FILES pictures, each for one person of one seller."""
    waiting: dict[tuple[Seller, User | None], list[int]] = {}
    for request, made in zip(requests, rows, strict=True):
        waiting.setdefault((request.seller, request.actor), []).extend(original.image_id for original in made)
    for (seller, actor), image_ids in waiting.items():
        for portion in batched(image_ids, BATCH_FILES):
            enqueue_job(kind="pictures.analyse", args={"image_ids": portion}, seller=seller, actor=actor)


def _draft(actor: User | None, seller: Seller, item: _Admitted) -> Draft:
    file = ClaimItem("original", item.sha256, len(item.upload.content), item.scan.mime)
    return Draft(
        kind="image.registered",
        claim=image_registered_claim(secrets.token_bytes(32), [file]),
        identity=identity_document(actor=actor, seller=seller),
        request_id=item.upload.request_id or f"auto-{secrets.token_hex(16)}",
        label=item.upload.file_name,
        outcome="passed",
        number=new_number(),
    )


def image_row(seller: Seller, blob: Blob, upload: Upload, scan: FileScan, sha256: bytes) -> ImageFile:
    """An unsaved row for a sealed picture file."""
    return ImageFile(
        seller=seller,
        blob=blob,
        sha256=sha256,
        size_bytes=len(upload.content),
        file_name=upload.file_name[-255:],
        format=scan.format,
        mime=scan.mime,
        flags=list(scan.flags),
    )


def _original(request: _Request, statement: Statement, image: ImageFile) -> Original:
    return Original(
        number=statement.number,
        seller=request.seller,
        statement=statement,
        image=image,
        sha256=image.sha256,
        category=request.category,
        store=request.store,
        search_text=image.file_name,
        registered_by=request.actor,
        registered_at=statement.logged_at,
    )


def store_pictures(*, seller: Seller, uploads: Sequence[Upload]) -> list[ImageFile]:
    """Seal pictures that are not originals (queries, pairs, listings) and return their saved rows, no entry.

    Raises ImagingError for the first file that is not an acceptable picture. Call it before opening a transaction.
    """
    scans = [scan_picture(upload.content, file_name=upload.file_name) for upload in uploads]
    blobs = seal_uploads(seller=seller, contents=[upload.content for upload in uploads])
    with transaction.atomic():
        Blob.objects.bulk_create(blobs)
        return ImageFile.objects.bulk_create(
            image_row(seller, blob, upload, scan, hashlib.sha256(upload.content).digest())
            for upload, scan, blob in zip(uploads, scans, blobs, strict=True)
        )


def rename_original(*, actor: User, original: Original, title: str, category: str) -> None:
    """Change what lists call a picture; nothing of it is in the log."""
    require_permission(actor, original.seller, Permission.REGISTER)
    title = title[:255]
    search_text = f"{title} {original.image.file_name}".strip()
    Original.objects.filter(pk=original.pk).update(title=title, category=category, search_text=search_text)
    originals_filed.send(sender=Original, seller_id=original.seller_id, image_ids=[original.image_id])
