"""Registering the pictures inside a ZIP: the archive is sealed first, a job takes the pictures out one by one.

Names inside are labels only; nothing is ever written to a path they name. Limits come from the directory of the archive
before anything is unpacked, and are counted again while unpacking.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.admission.archives import UNPACK_FAULTS, open_directory
from ledger.admission.verdict import FileRefused
from ledger.imaging.scan import MAX_FILE_BYTES
from ledger.models import Blob, Job
from ledger.services.blobs import BlobUnreadableError, destroy_keys, read_blob, remove_files, seal_uploads
from ledger.services.job_context import JobContext, JobError
from ledger.services.jobs import enqueue_job
from ledger.services.originals import BATCH_FILES, REGISTERED, REJECTED, Registration, Upload, register_originals
from ledger.services.sources import declare_new

UTF8_FLAG = 0x800
LITTER = frozenset({"thumbs.db", "desktop.ini"})
FAILURES_KEPT = 500  # named in the job's result; more are only counted
KIND = "originals.register_zip"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: its place, its name as a label, and the record that unpacks it."""

    position: int
    path: str
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


_Unpacked = tuple[Member, bytes | None]


def enqueue_zip(
    *,
    actor: User,
    seller: Seller,
    name: str,
    content: bytes,
    category: str = "",
    store_id: int | None = None,
    request_id: str = "",
    source: str = "",
) -> Job:
    """Check the archive's directory, seal the archive, and have a worker register what is inside.

    The same request id gives the first job. Raises JobError with a zip_ code for an archive that cannot be taken.
    """
    require_permission(actor, seller, Permission.REGISTER)
    open_archive(content).close()
    key = f"zip-{request_id}" if request_id else ""
    earlier: Job | None = Job.objects.of(seller).filter(kind=KIND, dedupe_key=key).first() if key else None
    if earlier is not None:
        return earlier
    (blob,) = seal_uploads(seller=seller, contents=[content])
    with transaction.atomic():
        blob.save(force_insert=True)
        args = {"blob_id": str(blob.pk), "name": name[:200], "category": category, "store_id": store_id}
        args |= {"source": source} if source else {}
        return enqueue_job(kind=KIND, args=args, seller=seller, actor=actor, dedupe_key=key)


def open_archive(content: bytes) -> zipfile.ZipFile:
    """The archive, once its directory is within the limits of the gate; JobError names the first that is not."""
    try:
        archive = open_directory(content)
    except FileRefused as refused:
        raise JobError(refused.code, refused.detail) from refused
    if not pictures_in(archive):
        archive.close()
        raise JobError("zip_empty")
    return archive


def pictures_in(archive: zipfile.ZipFile) -> list[Member]:
    """Files of the archive that a person put there: no folders, no system litter."""
    files = [info for info in archive.infolist() if not info.is_dir()]
    members = [Member(position, _path(info), info) for position, info in enumerate(files)]
    return [
        member
        for member in members
        if not member.path.startswith("__MACOSX/")
        and not member.name.startswith(".")
        and member.name.lower() not in LITTER
    ]


def _path(info: zipfile.ZipInfo) -> str:
    """The name as its program meant it: older ones write the system's own encoding and say nothing about it."""
    name = info.filename
    if not info.flag_bits & UTF8_FLAG:
        raw = name.encode("cp437", errors="replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return "".join(character if character.isprintable() else "_" for character in name.replace("\\", "/"))


def register_zip(
    ctx: JobContext, *, blob_id: str, name: str, category: str, store_id: int | None, source: str = ""
) -> dict[str, Any]:
    """The job: register each picture. The archive's blob and the place in it make the request id: again adds none."""
    job = ctx.job
    assert job.seller is not None  # noqa: S101 - this kind is always somebody's
    store = job.seller.stores.filter(pk=store_id).first() if store_id is not None else None
    counts: dict[str, int] = {}
    failures: list[dict[str, str]] = []
    with open_archive(_stored_archive(job.seller, blob_id)) as archive:
        total = len(pictures_in(archive))
        for batch in _batches(archive):
            uploads = [
                Upload(member.name, content, f"zip-{blob_id}-{member.position}")
                for member, content in batch
                if content is not None
            ]
            answers = register_originals(
                actor=job.actor, seller=job.seller, uploads=uploads, category=category, store=store
            )
            if source:
                declare_new(actor=job.actor, seller=job.seller, answers=answers, source=source)
            for answer in answers:
                counts[answer.status] = counts.get(answer.status, 0) + 1
            failures += _failures(batch, answers)
            counts[REJECTED] = len(failures)
            ctx.progress(sum(counts.values()), total, name)
            if ctx.cancelled():
                break
        else:
            _discard(job.seller, blob_id)  # every picture has a file of its own now
    return {"counts": counts, "failures": failures[:FAILURES_KEPT], "registered": counts.get(REGISTERED, 0)}


def _stored_archive(seller: Seller, blob_id: str) -> bytes:
    try:
        return read_blob(Blob.objects.of(seller).get(pk=blob_id))
    except BlobUnreadableError as error:
        raise JobError(error.code, str(error)) from error


def _discard(seller: Seller, blob_id: str) -> None:
    """Destroy an archive that is unpacked: it holds its pictures a second time."""
    rows = Blob.objects.of(seller).filter(pk=blob_id)
    destroy_keys([row.pk for row in rows])
    remove_files(rows)


def _failures(batch: list[_Unpacked], answers: list[Registration]) -> list[dict[str, str]]:
    """What was refused, by the path inside the archive: two folders may hold files of one name."""
    rows = []
    remaining = iter(answers)
    for member, content in batch:
        answer = next(remaining) if content is not None else None
        if answer is None:
            rows.append({"file": member.path, "code": "zip_member_damaged", "detail": ""})
        elif answer.status == REJECTED:
            rows.append({"file": member.path, "code": answer.code, "detail": answer.detail})
    return rows


def _batches(archive: zipfile.ZipFile) -> Iterator[list[_Unpacked]]:
    """A bounded portion of unpacked files at a time."""
    batch: list[_Unpacked] = []
    size = 0
    for member in pictures_in(archive):
        content = unpack(archive, member.info)
        batch.append((member, content))
        size += len(content or b"")
        if len(batch) == BATCH_FILES or size > MAX_FILE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    """At most one byte more than a picture may have; None for what cannot be unpacked."""
    try:
        with archive.open(info) as file:
            return file.read(MAX_FILE_BYTES + 1)
    except UNPACK_FAULTS:
        return None
