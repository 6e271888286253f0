"""Evidence sets: the files of a shoot, stored encrypted and never opened, registered together by one entry.

Files are collected in a draft first, each sealed as it comes; registering writes the entry. The admission policy is
"opaque evidence": only size and digest are looked at.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.db import transaction

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import format_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Blob, Certificate, EvidenceFile, EvidenceSet, SetRole
from ledger.pdf.assurance import Bilingual
from ledger.pdf.documents import Attachment, Common, SetCertificateDocument, SetFile
from ledger.pdf.render import render_set_certificate
from ledger.services.blobs import destroy_keys, read_blob, remove_files, seal_uploads
from ledger.services.evidence import core_files, evidence_of, issue
from ledger.services.handouts import BUNDLE, BUNDLE_WITH_FILES, FILE, record_handout
from ledger.services.identity import identity_document
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.originals import EXISTING, REGISTERED, REJECTED, Upload
from ledger.services.room import NoRoomError
from ledger.tlog import bundle
from ledger.tlog.claim_documents import ClaimItem, set_registered_claim
from ledger.tlog.claims import MAX_ITEMS

KIND = "set.registered"
MAX_FILE_BYTES = 256 * 2**20  # encrypted in one piece, so three times that in memory
MAX_BUNDLE_BYTES = 384 * 2**20  # a verifier takes 512 MiB
PRINTED_FILES = 60
OCTETS = "application/octet-stream"
MIME = re.compile("[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")

RAW = {
    "dng",
    "cr2",
    "cr3",
    "crw",
    "nef",
    "nrw",
    "arw",
    "srf",
    "sr2",
    "raf",
    "orf",
    "rw2",
    "pef",
    "raw",
    "3fr",
    "iiq",
    "x3f",
}
LAYERED = {"psd", "psb", "xcf", "ai", "indd", "afphoto", "afdesign", "sketch", "procreate", "kra", "clip", "svg", "eps"}
CONTRACT = {"pdf", "doc", "docx", "odt", "rtf", "txt", "eml", "msg", "xls", "xlsx", "ods", "csv", "md"}
VIDEO = {"mp4", "mov", "avi", "mkv", "mts", "m4v", "webm"}
# Words in a path that say more than the ending does.
HINTS = {
    SetRole.OUTTAKE: ("outtake", "behind", "making", "bts", "花絮", "废片", "备选"),
    SetRole.CONTRACT: ("contract", "release", "licence", "license", "invoice", "合同", "授权", "协议", "发票"),
    SetRole.DERIVATIVE: ("export", "upload", "web", "derivative", "成品", "导出", "上传"),
}
EXTRA_TYPES = {
    "dng": "image/x-adobe-dng",
    "psd": "image/vnd.adobe.photoshop",
    "heic": "image/heic",
    "webp": "image/webp",
}
ROLE_WORDS = {
    SetRole.ORIGINAL: Bilingual("原图", "original"),
    SetRole.RAW: Bilingual("相机 RAW", "camera RAW"),
    SetRole.LAYERED: Bilingual("分层源文件", "layered source"),
    SetRole.OUTTAKE: Bilingual("花絮", "outtake"),
    SetRole.CONTRACT: Bilingual("合同或授权", "contract or release"),
    SetRole.DERIVATIVE: Bilingual("制作文件", "made from it"),
}


class SetError(Exception):
    """A set cannot be registered or taken away like this; code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one file: status as for originals, code when it was rejected."""

    file_name: str
    status: str
    code: str = ""


def guess_role(path: str) -> str:
    """What a file probably is, by its folder and ending: a proposal that people correct."""
    lowered = path.lower()
    for role, words in HINTS.items():
        if any(word in lowered for word in words):
            return role
    ending = PurePosixPath(lowered).suffix.lstrip(".")
    if ending in RAW:
        return SetRole.RAW
    if ending in LAYERED:
        return SetRole.LAYERED
    if ending in CONTRACT:
        return SetRole.CONTRACT
    return SetRole.OUTTAKE if ending in VIDEO else SetRole.ORIGINAL


def media_type(name: str) -> str:
    """By the ending only: the file is never opened."""
    ending = PurePosixPath(name.lower()).suffix.lstrip(".")
    found = EXTRA_TYPES.get(ending) or mimetypes.guess_type(f"x.{ending}")[0] or OCTETS
    return found if MIME.fullmatch(found) else OCTETS


# Drafts ---------------------------------------------------------------------------------------------------------


def open_draft(*, actor: User | None, seller: Seller, number: str, previous: EvidenceSet | None = None) -> EvidenceSet:
    """The draft of that number, made at the first call. SetError when the number stands for something else."""
    require_permission(actor, seller, Permission.REGISTER)
    if previous is not None and (previous.seller_id != seller.pk or previous.statement_id is None):
        raise ValueError("a supplement adds to a registered set of the same seller")
    draft, _is_new = EvidenceSet.objects.get_or_create(
        number=number, defaults={"seller": seller, "previous": previous, "registered_by": actor}
    )
    if draft.seller_id != seller.pk or draft.statement_id is not None:
        raise SetError("set_not_open")
    return draft


def add_files(
    *, actor: User | None, draft: EvidenceSet, uploads: Sequence[Upload], roles: Mapping[int, str] | None = None
) -> list[Added]:
    """Seal files into a draft, each with its own answer; the same bytes again are known already. One bad file stops
    no other. roles maps a place in uploads to a role; without it the role is guessed by the name."""
    require_permission(actor, draft.seller, Permission.REGISTER)
    answers = []
    for place, upload in enumerate(uploads):
        code = _refusal(upload)
        if code:
            answers.append(Added(upload.file_name, REJECTED, code))
            continue
        answers.append(_add(draft, upload, (roles or {}).get(place) or guess_role(upload.file_name)))
    return answers


def _refusal(upload: Upload) -> str:
    if not upload.content:
        return "empty_file"
    return "evidence_file_too_large" if len(upload.content) > MAX_FILE_BYTES else ""


def _add(draft: EvidenceSet, upload: Upload, role: str) -> Added:
    digest = hashlib.sha256(upload.content).digest()
    if _holds(draft, digest):
        return Added(upload.file_name, EXISTING)
    try:
        (blob,) = seal_uploads(seller=draft.seller, contents=[upload.content])
    except NoRoomError as error:
        return Added(upload.file_name, REJECTED, error.code)
    with transaction.atomic():
        locked = EvidenceSet.objects.select_for_update().get(pk=draft.pk)
        if locked.statement_id is not None:
            return Added(upload.file_name, REJECTED, "set_not_open")
        if _holds(draft, digest):
            return Added(upload.file_name, EXISTING)  # sent twice at the same moment
        newest = draft.files.order_by("-position").first()
        kept = draft.previous.files.count() if draft.previous else 0
        position = newest.position + 1 if newest else kept
        if position >= MAX_ITEMS:
            return Added(upload.file_name, REJECTED, "set_too_many")
        blob.save(force_insert=True)
        EvidenceFile.objects.create(
            seller=draft.seller,
            evidence_set=draft,
            position=position,
            role=role,
            file_name=_plain(upload.file_name),
            sha256=digest,
            size_bytes=len(upload.content),
            mime=media_type(upload.file_name),
            blob=blob,
        )
    return Added(upload.file_name, REGISTERED)


def _holds(draft: EvidenceSet, digest: bytes) -> bool:
    sets = [draft.pk, *([draft.previous_id] if draft.previous_id else [])]
    return EvidenceFile.objects.filter(evidence_set__in=sets, sha256=digest).exists()


def _plain(name: str) -> str:
    return "".join(character if character.isprintable() else "_" for character in name)[-255:]


def discard_draft(*, actor: User | None, draft: EvidenceSet) -> None:
    """Throw a draft away with its files; nothing of it was in the log. SetError for a registered set."""
    require_permission(actor, draft.seller, Permission.REGISTER)
    with transaction.atomic():
        locked = EvidenceSet.objects.select_for_update().get(pk=draft.pk)
        if locked.statement_id is not None:
            raise SetError("set_not_open")
        blobs = list(Blob.objects.filter(pk__in=draft.files.values("blob")))
        draft.files.all().delete()
        draft.delete()
        destroy_keys([blob.pk for blob in blobs])
    remove_files(blobs)


# Registering ----------------------------------------------------------------------------------------------------


def register_set(
    *, actor: User | None, draft: EvidenceSet, title: str = "", roles: Mapping[int, str] | None = None
) -> EvidenceSet:
    """Register what a draft holds, with one entry; again gives the same set. roles maps positions to corrected roles.

    A supplement's entry lists its predecessor's files too, so one certificate covers all of it. Raises SetError.
    """
    require_permission(actor, draft.seller, Permission.REGISTER)
    with transaction.atomic():
        head = lock_head()
        rows = EvidenceSet.objects.select_for_update(of=("self",)).select_related("seller", "previous")
        locked: EvidenceSet = rows.get(pk=draft.pk)
        if locked.statement_id is not None:
            return locked
        own = list(locked.files.order_by("position"))
        if not own:
            raise SetError("set_empty")
        for file in own:
            if (role := (roles or {}).get(file.position)) in SetRole.values and role != file.role:
                file.role = role
                file.save(update_fields=["role"])
        files = [*_repeat(locked), *own]
        if len(files) > MAX_ITEMS:
            raise SetError("set_too_many")
        locked.title = (title.strip() or locked.title)[:200]
        (locked.statement,) = append_statements(
            seller=locked.seller, actor=actor, drafts=[_draft(actor, locked, files)], head=head
        )
        locked.registered_by, locked.registered_at = actor, locked.statement.logged_at
        locked.save()
    return locked


def _repeat(supplement: EvidenceSet) -> list[EvidenceFile]:
    """The predecessor's files once more, with the same stored bytes; erased ones keep their place and are left out."""
    if supplement.previous is None:
        return []
    rows = supplement.previous.files.filter(is_erased=False).order_by("position")
    return EvidenceFile.objects.bulk_create(
        EvidenceFile(
            seller=supplement.seller,
            evidence_set=supplement,
            position=row.position,
            role=row.role,
            file_name=row.file_name,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            mime=row.mime,
            blob_id=row.blob_id,
        )
        for row in rows
    )


def _draft(actor: User | None, evidence_set: EvidenceSet, files: Sequence[EvidenceFile]) -> Draft:
    items = [ClaimItem(file.role, bytes(file.sha256), file.size_bytes, file.mime) for file in files]
    return Draft(
        kind=KIND,
        claim=set_registered_claim(secrets.token_bytes(32), items, title=_claimable(evidence_set.title)),
        identity=identity_document(actor=actor, seller=evidence_set.seller),
        request_id=f"set-{evidence_set.number}",
        label=evidence_set.title or files[0].file_name,
        outcome="passed",
        number=evidence_set.number,
    )


def _claimable(title: str) -> str:
    """A claim takes no control characters."""
    return "".join(character for character in title if character.isprintable())


# Taking away ----------------------------------------------------------------------------------------------------


def set_certificate(*, actor: User | None, evidence_set: EvidenceSet) -> Certificate:
    """The signed PDF of a set. Raises ErasedError, SetError for a draft."""
    require_permission(actor, evidence_set.seller, Permission.VIEW)
    if evidence_set.statement is None:
        raise SetError("set_not_registered")

    def render(common: Common, attachments: Sequence[Attachment]) -> bytes:
        files = list(evidence_set.files.order_by("position"))
        printed = tuple(
            SetFile(number, ROLE_WORDS[SetRole(file.role)], file.file_name, file.size_bytes, bytes(file.sha256))
            for number, file in enumerate(files[:PRINTED_FILES], start=1)
        )
        document = SetCertificateDocument(
            common=common,
            title=evidence_set.title,
            files=printed,
            file_count=len(files),
            size_bytes=sum(file.size_bytes for file in files),
            previous=format_number(evidence_set.previous.number) if evidence_set.previous else "",
        )
        return render_set_certificate(document, attachments=attachments)

    return issue(evidence_set.statement, render)


def set_bundle(*, actor: User | None, evidence_set: EvidenceSet, disclosed: Sequence[int] = ()) -> bytes:
    """Core bundle and certificate as ZIP, with the exact bytes of the files at the disclosed positions."""
    certificate = set_certificate(actor=actor, evidence_set=evidence_set)
    statement = certificate.statement
    originals: dict[int, tuple[str, bytes]] = {}
    if disclosed:
        require_permission(actor, evidence_set.seller, Permission.DOWNLOAD_ORIGINAL)
        files = list(evidence_set.files.select_related("blob").order_by("position"))
        chosen = [(place, file) for place, file in enumerate(files) if file.position in set(disclosed)]
        if sum(file.size_bytes for _place, file in chosen) > MAX_BUNDLE_BYTES:
            raise SetError("set_bundle_too_large")
        originals = {place: (_extension(file.file_name), read_blob(file.blob)) for place, file in chosen}
    record_handout(statement, BUNDLE_WITH_FILES if originals else BUNDLE)
    files_of_bundle = core_files(evidence_of(statement), originals)
    return bundle.format_bundle({**files_of_bundle, bundle.CERTIFICATE: read_blob(certificate.blob)})


def _extension(name: str) -> str:
    ending = PurePosixPath(name.lower()).suffix.lstrip(".")
    return ending if re.fullmatch("[a-z0-9]{1,8}", ending) else "bin"


def set_file(*, actor: User | None, file: EvidenceFile) -> bytes:
    """The exact bytes of one file of a set."""
    require_permission(actor, file.seller, Permission.DOWNLOAD_ORIGINAL)
    content = read_blob(file.blob)
    if file.evidence_set.statement is not None:
        record_handout(file.evidence_set.statement, FILE)
    return content
