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
from ledger.services.blobs import seal_uploads
from ledger.services.group_commit import in_group
from ledger.services.identity import identity_document
from ledger.services.jobs import enqueue_job
from ledger.services.log import Draft, append_statements
from ledger.services.room import NoRoomError
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
    the first entry. actor None is the operator of the machine (command line).
    """
    require_permission(actor, seller, Permission.REGISTER)
    answers: list[Registration] = []
    for batch in _batches(uploads):
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

    def record(head: LogHead) -> tuple[_Known, list[tuple[_Admitted, Blob]], dict[bytes, Original]]:
        known = _Known(seller, admitted)  # somebody else may have been first while we wrote
        unsealed = [(item, blob) for item, blob in zip(fresh, blobs, strict=True) if item not in known]
        return known, unsealed, _create_rows(head, actor, seller, unsealed, category, store)

    known, unsealed, created = in_group(record)
    firsts = {item.position for item, _blob in unsealed}
    found = _by_digest(seller, known.digests | {known.by_request[r] for r in known.by_request}) | created
    by_request = known.by_request | {item.upload.request_id: item.sha256 for item, _ in unsealed}
    for item in admitted:
        answers[item.position] = _answer(item, found, by_request, is_first=item.position in firsts)
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


def _answer(
    item: _Admitted, found: dict[bytes, Original], by_request: dict[str, bytes], *, is_first: bool
) -> Registration:
    """The receipt of one admitted file. A request id that already stands for other bytes is refused by name."""
    earlier = by_request.get(item.upload.request_id) if item.upload.request_id else None
    if earlier is not None and earlier != item.sha256:
        return Registration(item.upload.file_name, REJECTED, item.sha256, code=REQUEST_ID_REUSED)
    status = REGISTERED if is_first else EXISTING
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


def _create_rows(
    head: LogHead,
    actor: User | None,
    seller: Seller,
    sealed: Sequence[tuple[_Admitted, Blob]],
    category: str,
    store: Store | None,
) -> dict[bytes, Original]:
    """Entries, documents, files and originals of one batch; runs inside the transaction that holds the head."""
    if not sealed:
        return {}
    drafts = [_draft(actor, seller, item) for item, _blob in sealed]
    statements = append_statements(seller=seller, actor=actor, drafts=drafts, head=head)
    Blob.objects.bulk_create([blob for _item, blob in sealed])
    images = ImageFile.objects.bulk_create(
        [image_row(seller, blob, item.upload, item.scan, item.sha256) for item, blob in sealed]
    )
    originals = Original.objects.bulk_create(
        _original(actor, seller, statement, image, category, store)
        for statement, image in zip(statements, images, strict=True)
    )
    enqueue_job(kind="pictures.analyse", args={"image_ids": [image.pk for image in images]}, seller=seller, actor=actor)
    return {bytes(original.sha256): original for original in originals}


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


def _original(
    actor: User | None, seller: Seller, statement: Statement, image: ImageFile, category: str, store: Store | None
) -> Original:
    return Original(
        number=statement.number,
        seller=seller,
        statement=statement,
        image=image,
        sha256=image.sha256,
        category=category,
        store=store,
        search_text=image.file_name,
        registered_by=actor,
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
