"""Registering the pictures inside a ZIP: the archive is sealed first, a job takes the pictures out one by one.

Names inside are labels only; nothing is ever written to a path they name. Limits come from the directory of the archive
before anything is unpacked, and are counted again while unpacking.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.scan import MAX_FILE_BYTES
from ledger.models import Blob, Job
from ledger.services.blobs import read_blob, seal_files
from ledger.services.job_context import JobContext, JobError
from ledger.services.jobs import enqueue_job
from ledger.services.originals import BATCH_FILES, REGISTERED, REJECTED, Registration, Upload, register_originals

MAX_MEMBERS = 2000
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_RATIO = 200  # photos hardly shrink; deflate's own limit is about 1,000
ENCRYPTED_FLAG = 0x1
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".jar"})
FAILURES_KEPT = 500  # named in the job's result; more are only counted


def enqueue_zip(*, actor: User, seller: Seller, name: str, content: bytes, category: str = "", store_id: int | None) -> Job:
    """Check the archive's directory, seal the archive, and have a worker register what is inside.

    Raises JobError with a zip_ code for an archive that cannot be taken.
    """
    require_permission(actor, seller, Permission.REGISTER)
    open_archive(content).close()
    (blob,) = seal_files(seller=seller, contents=[content])
    with transaction.atomic():
        blob.save(force_insert=True)
        args = {"blob_id": str(blob.pk), "name": name[:200], "category": category, "store_id": store_id}
        return enqueue_job(kind="originals.register_zip", args=args, seller=seller, actor=actor)


def open_archive(content: bytes) -> zipfile.ZipFile:
    """The archive, once its directory is within the limits."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise JobError("zip_corrupt", str(error)) from error
    members = pictures_in(archive)
    if any(member.flag_bits & ENCRYPTED_FLAG for member in members):
        raise JobError("zip_encrypted")
    if len(archive.infolist()) > MAX_MEMBERS:
        raise JobError("zip_too_many", str(len(archive.infolist())))
    if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise JobError("zip_too_large")
    if _is_suspicious(members, len(content)):
        raise JobError("zip_bomb")
    if any(PurePosixPath(member.filename.lower()).suffix in ARCHIVE_SUFFIXES for member in members):
        raise JobError("zip_nested")
    return archive


def _is_suspicious(members: list[zipfile.ZipInfo], archive_bytes: int) -> bool:
    """Packed far too well, listed twice, or overlapping: the marks of a bomb."""
    names = [member.filename.casefold() for member in members]
    packed = sum(member.compress_size for member in members)
    ratio = any(member.file_size > MAX_RATIO * max(1, member.compress_size) for member in members)
    return ratio or len(set(names)) != len(names) or packed > archive_bytes


def pictures_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Files of the archive that a person put there: no folders, no system litter."""
    return [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and not PurePosixPath(member.filename).name.startswith(".")
    ]


def register_zip(ctx: JobContext, *, blob_id: str, name: str, category: str, store_id: int | None) -> dict[str, Any]:
    """The job: register each picture; the archive's blob and position make each request id, so a second run adds none."""
    job = ctx.job
    assert job.seller is not None  # noqa: S101 - this kind is always somebody's
    blob = Blob.objects.of(job.seller).get(pk=blob_id)
    store = job.seller.stores.filter(pk=store_id).first()
    counts: dict[str, int] = {}
    failures: list[dict[str, str]] = []
    with open_archive(read_blob(blob)) as archive:
        total = len(pictures_in(archive))
        for batch in _batches(_uploads(archive, blob_id)):
            answers = register_originals(
                actor=job.actor, seller=job.seller, uploads=batch, category=category, store=store
            )
            for answer in answers:
                counts[answer.status] = counts.get(answer.status, 0) + 1
            failures += [_failure(answer) for answer in answers if answer.status == REJECTED]
            ctx.progress(sum(counts.values()), total, name)
            if ctx.cancelled():
                break
    return {"counts": counts, "failures": failures[:FAILURES_KEPT], "registered": counts.get(REGISTERED, 0)}


def _failure(answer: Registration) -> dict[str, str]:
    return {"file": answer.file_name, "code": answer.code, "detail": answer.detail}


def _uploads(archive: zipfile.ZipFile, blob_id: str) -> Iterator[Upload]:
    for position, member in enumerate(pictures_in(archive)):
        yield Upload(PurePosixPath(member.filename).name, _unpack(archive, member), f"zip-{blob_id}-{position}")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """At most one byte more than a picture may have; what cannot be unpacked is an empty file, refused by name."""
    try:
        with archive.open(member) as file:
            return file.read(MAX_FILE_BYTES + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return b""


def _batches(uploads: Iterator[Upload]) -> Iterator[list[Upload]]:
    batch: list[Upload] = []
    for upload in uploads:
        batch.append(upload)
        if len(batch) == BATCH_FILES or sum(len(u.content) for u in batch) > MAX_FILE_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
