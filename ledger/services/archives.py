"""Registering the pictures inside a ZIP: the archive is sealed first, a job takes the pictures out one by one.

Names inside are labels only; nothing is ever written to a path they name. Limits come from the directory of the archive
before anything is unpacked, and are counted again while unpacking.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.scan import MAX_FILE_BYTES
from ledger.models import Blob, Job
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files
from ledger.services.job_context import JobContext, JobError
from ledger.services.jobs import enqueue_job
from ledger.services.originals import BATCH_FILES, REGISTERED, REJECTED, Registration, Upload, register_originals

MAX_MEMBERS = 2000
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_RATIO = 200  # photos hardly shrink; deflate's own limit is about 1,000
ENCRYPTED_FLAG = 0x1
UTF8_FLAG = 0x800
DIRECTORY_MAGIC = b"PK\x01\x02"
LOCAL_HEADER_BYTES = 30
# What every program writes. LZMA may ask for a dictionary of 4 GiB before it has unpacked a byte.
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".jar"})
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
    (blob,) = seal_files(seller=seller, contents=[content])
    with transaction.atomic():
        blob.save(force_insert=True)
        args = {"blob_id": str(blob.pk), "name": name[:200], "category": category, "store_id": store_id}
        return enqueue_job(kind=KIND, args=args, seller=seller, actor=actor, dedupe_key=key)


def open_archive(content: bytes) -> zipfile.ZipFile:
    """The archive, once its directory is within the limits; JobError names the first that is not."""
    if content.count(DIRECTORY_MAGIC) > MAX_MEMBERS:  # before millions of records are read into memory
        raise JobError("zip_too_many")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, UnicodeError) as error:
        raise JobError("zip_corrupt", str(error)) from error
    problem = _problem([member.info for member in pictures_in(archive)])
    if problem:
        archive.close()
        raise JobError(problem)
    return archive


def _problem(members: list[zipfile.ZipInfo]) -> str:
    """The code of the first limit that an archive's directory breaks, or ""."""
    if not members:
        return "zip_empty"
    if any(member.flag_bits & ENCRYPTED_FLAG for member in members):
        return "zip_encrypted"
    if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        return "zip_too_large"
    if any(PurePosixPath(member.filename.lower()).suffix in ARCHIVE_SUFFIXES for member in members):
        return "zip_nested"
    return "zip_bomb" if _is_suspicious(members) else ""


def _is_suspicious(members: list[zipfile.ZipInfo]) -> bool:
    """Packed far too well or by an unusual method, listed twice, or overlapping: the marks of a bomb."""
    names = {member.filename.casefold() for member in members}
    ratio = any(member.file_size > MAX_RATIO * max(1, member.compress_size) for member in members)
    unusual = any(member.compress_type not in METHODS for member in members)
    ordered = sorted(members, key=lambda member: member.header_offset)
    overlapping = any(
        first.header_offset + LOCAL_HEADER_BYTES + first.compress_size > second.header_offset
        for first, second in pairwise(ordered)
    )
    return ratio or unusual or overlapping or len(names) != len(members)


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


def register_zip(ctx: JobContext, *, blob_id: str, name: str, category: str, store_id: int | None) -> dict[str, Any]:
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
            for answer in answers:
                counts[answer.status] = counts.get(answer.status, 0) + 1
            failures += _failures(batch, answers)
            counts[REJECTED] = len(failures)
            ctx.progress(sum(counts.values()), total, name)
            if ctx.cancelled():
                break
    return {"counts": counts, "failures": failures[:FAILURES_KEPT], "registered": counts.get(REGISTERED, 0)}


def _stored_archive(seller: Seller, blob_id: str) -> bytes:
    try:
        return read_blob(Blob.objects.of(seller).get(pk=blob_id))
    except BlobUnreadableError as error:
        raise JobError(error.code, str(error)) from error


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
        content = _unpack(archive, member.info)
        batch.append((member, content))
        size += len(content or b"")
        if len(batch) == BATCH_FILES or size > MAX_FILE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    """At most one byte more than a picture may have; None for what cannot be unpacked."""
    try:
        with archive.open(info) as file:
            return file.read(MAX_FILE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return None
