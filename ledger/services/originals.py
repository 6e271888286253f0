"""Registering originals: what happens when somebody uploads a picture.

Seal first. The file's structure is scanned (no pixel is decoded), its exact bytes are stored durably and encrypted, and
its entry is committed; that is the receipt. Everything computed from pixels comes later, in a job.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from ledger.accounts.models import Seller, Store, User
from ledger.accounts.numbers import new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import ImagingError
from ledger.imaging.scan import FileScan, scan_picture
from ledger.models import Blob, ImageFile, Original, Statement
from ledger.services.blobs import seal_files
from ledger.services.identity import identity_document
from ledger.services.jobs import enqueue_job
from ledger.services.log import Draft, append_statements, lock_head
from ledger.tlog.claims import ClaimItem, image_registered_claim

BATCH_FILES = 32  # files sealed by one transaction: bounds memory and how long the head is locked
BATCH_BYTES = 64 * 2**20
REGISTERED, EXISTING, REJECTED = "registered", "existing", "rejected"


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
    admitted: list[_Admitted] = []
    for position, upload in enumerate(uploads):
        digest = hashlib.sha256(upload.content).digest()
        try:
            scan = scan_picture(upload.content, file_name=upload.file_name)
        except ImagingError as error:
            answers[position] = Registration(upload.file_name, REJECTED, digest, code=error.code, detail=error.detail)
        else:
            admitted.append(_Admitted(position, upload, scan, digest))
    known = _known(seller, admitted)
    fresh = _first_of_each(item for item in admitted if _find(known, item) is None)
    blobs = seal_files(seller=seller, contents=[item.upload.content for item in fresh])
    with transaction.atomic():
        lock_head()
        known = _known(seller, admitted)  # another process may have been first while we wrote
        unsealed = [(item, blob) for item, blob in zip(fresh, blobs, strict=True) if _find(known, item) is None]
        created = _create_rows(actor, seller, unsealed, category, store)
    firsts = {item.position for item, _blob in unsealed}
    by_request = {item.upload.request_id: created[item.sha256] for item, _blob in unsealed if item.upload.request_id}
    for item in admitted:
        original = _find(known, item) or created.get(item.sha256) or by_request[item.upload.request_id]
        status = REGISTERED if item.position in firsts else EXISTING
        answers[item.position] = Registration(item.upload.file_name, status, item.sha256, original)
    return [answers[position] for position in range(len(uploads))]


@dataclass(frozen=True, slots=True)
class _Known:
    by_digest: dict[bytes, Original]
    by_request: dict[str, Original]


def _known(seller: Seller, admitted: Sequence[_Admitted]) -> _Known:
    """What this seller registered before, by bytes and by request id."""
    rows = Original.objects.of(seller).select_related("statement__entry", "image")
    digests = rows.filter(sha256__in=[item.sha256 for item in admitted])
    requests = [item.upload.request_id for item in admitted if item.upload.request_id]
    repeated = rows.filter(statement__request_id__in=requests) if requests else []
    return _Known({bytes(o.sha256): o for o in digests}, {o.statement.request_id: o for o in repeated})


def _find(known: _Known, item: _Admitted) -> Original | None:
    return known.by_request.get(item.upload.request_id) or known.by_digest.get(item.sha256)


def _first_of_each(items: Iterator[_Admitted] | Sequence[_Admitted]) -> list[_Admitted]:
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
    statements = append_statements(seller=seller, actor=actor, drafts=drafts)
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
        registered_by=actor,
        registered_at=statement.logged_at,
    )


def store_pictures(*, seller: Seller, uploads: Sequence[Upload]) -> list[ImageFile]:
    """Seal pictures that are not originals (queries, pairs, listings) and return their saved rows, no entry.

    Raises ImagingError for the first file that is not an acceptable picture. Call it before opening a transaction.
    """
    scans = [scan_picture(upload.content, file_name=upload.file_name) for upload in uploads]
    blobs = seal_files(seller=seller, contents=[upload.content for upload in uploads])
    with transaction.atomic():
        Blob.objects.bulk_create(blobs)
        return ImageFile.objects.bulk_create(
            image_row(seller, blob, upload, scan, hashlib.sha256(upload.content).digest())
            for upload, scan, blob in zip(uploads, scans, blobs, strict=True)
        )


def rename_original(*, actor: User, original: Original, title: str, category: str) -> None:
    """Change what lists call a picture; nothing of it is in the log."""
    require_permission(actor, original.seller, Permission.REGISTER)
    Original.objects.filter(pk=original.pk).update(title=title[:255], category=category)
