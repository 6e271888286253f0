"""What a case is made of: our works, their listings, files that go along, and statements that people tick.

Attached files are opaque evidence: sealed, never opened, looked at by name and size only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction

from compliance.cases.errors import CaseError, FileRefusedError
from compliance.cases.facts import ATTACHMENT_ROLES
from compliance.cases.gate import TOO_LARGE, file_problem
from compliance.cases.target import find_target
from compliance.models import Case, CaseAttachment, CaseStatement, CaseWork, Infringement
from compliance.services.case_events import (
    FILE_ADDED,
    FILE_REMOVED,
    LISTING_ADDED,
    LISTING_EDITED,
    LISTING_REMOVED,
    TICKED,
    UNTICKED,
    WORK_ADDED,
    WORK_REMOVED,
    record,
)
from compliance.services.cases import ListingFacts, hold_work, lock_case, settle, write_listing
from ledger.accounts.models import User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import EvidenceFile, Original
from ledger.services.blobs import destroy_keys, read_blob, remove_files, seal_files
from ledger.services.evidence_sets import MAX_FILE_BYTES, media_type
from ledger.services.holds import release_hold
from ledger.services.originals import Upload

LISTING_FIELDS = (
    *("url", "listing_ref", "platform", "market", "title", "seller_name", "seller_country", "price"),
    *("position", "reason", "first_seen", "last_seen", "work"),
)


class NameMissingError(CaseError):
    """A statement is somebody's: without a name it is nobody's."""

    code = "case.name_missing"


class NothingTickedError(CaseError):
    """No statement was ticked."""

    code = "case.nothing_ticked"


# Works ----------------------------------------------------------------------------------------------------------


def add_work(*, actor: User | None, case: Case, original: Original, files: Sequence[EvidenceFile] = ()) -> CaseWork:
    """Add one of our pictures, or more files to one that is there; all of the case's seller."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    if any(file.seller_id != case.seller_id for file in files):
        raise ValueError("a file of another seller")
    with transaction.atomic():
        locked = lock_case(case)
        work = locked.works.filter(original=original).first()
        if work is None:
            work = hold_work(locked, original, actor)
            record(locked, WORK_ADDED, actor=actor, after=original.number)
            if locked.works.count() == 1:
                locked.infringements.filter(work=None).update(work=work)
        work.files.add(*files)
        settle(locked, actor)
    return work


def remove_work(*, actor: User | None, work: CaseWork) -> None:
    """Take a picture out of its case and off hold; listings that named it are without a work until one is chosen."""
    require_permission(actor, work.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        locked = lock_case(work.case)
        record(locked, WORK_REMOVED, actor=actor, before=work.original.number)
        hold = work.hold
        work.delete()
        if hold is not None:
            release_hold(actor=actor, hold=hold)
        settle(locked, actor)


# Listings -------------------------------------------------------------------------------------------------------


def add_listing(*, actor: User | None, case: Case, facts: ListingFacts) -> Infringement:
    """Add a listing that uses a picture of ours."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        locked = lock_case(case)
        works = {work.original_id: work for work in locked.works.all()}
        row = write_listing(locked, facts, works)
        record(locked, LISTING_ADDED, actor=actor, note=str(row))
        settle(locked, actor)
    return row


def edit_listing(*, actor: User | None, listing: Infringement, values: dict[str, Any]) -> None:
    """Set some of LISTING_FIELDS."""
    require_permission(actor, listing.seller, Permission.MANAGE_CASES)
    if not values.keys() <= set(LISTING_FIELDS):
        raise ValueError(f"{values.keys() - set(LISTING_FIELDS)} are not edited like this")
    work = values.get("work")
    if work is not None and work.case_id != listing.case_id:
        raise ValueError("a work of another case")
    with transaction.atomic():
        locked = lock_case(listing.case)
        for name, value in values.items():
            setattr(listing, name, value)
        listing.save(update_fields=list(values))
        record(locked, LISTING_EDITED, actor=actor, note=str(listing))
        settle(locked, actor)


def remove_listing(*, actor: User | None, listing: Infringement) -> None:
    require_permission(actor, listing.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        locked = lock_case(listing.case)
        record(locked, LISTING_REMOVED, actor=actor, note=str(listing))
        listing.delete()
        settle(locked, actor)


# Files ----------------------------------------------------------------------------------------------------------


def attach_file(
    *, actor: User | None, case: Case, upload: Upload, role: str, expires_on: date | None = None
) -> CaseAttachment:
    """Seal a file that goes along. Raises FileRefusedError for what is empty, too large, or what the target does not
    take; nothing is kept then."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    if role not in ATTACHMENT_ROLES:
        raise ValueError(f"no role {role}")
    mime, size = media_type(upload.file_name), len(upload.content)
    _require_acceptable(case, role, mime, size, upload.file_name)
    (blob,) = seal_files(seller=case.seller, contents=[upload.content])
    with transaction.atomic():
        locked = lock_case(case)
        blob.save(force_insert=True)
        row = CaseAttachment.objects.create(
            seller=locked.seller,
            case=locked,
            blob=blob,
            role=role,
            file_name=_plain(upload.file_name),
            mime=mime,
            size_bytes=size,
            sha256=hashlib.sha256(upload.content).digest(),
            expires_on=expires_on,
            added_by=actor,
        )
        record(locked, FILE_ADDED, actor=actor, after=role, note=row.file_name)
        settle(locked, actor)
    return row


def _require_acceptable(case: Case, role: str, mime: str, size: int, name: str) -> None:
    if not size:
        raise FileRefusedError("case.file_empty", name)
    if size > MAX_FILE_BYTES:
        raise FileRefusedError("case.file_too_large", name)
    problem = file_problem(find_target(case.target), case.kind, role, mime, size)
    if problem:
        raise FileRefusedError("case.file_too_large" if problem == TOO_LARGE else "case.file_wrong_type", name)


def _plain(name: str) -> str:
    return "".join(character if character.isprintable() else "_" for character in name)[-255:]


def remove_file(*, actor: User | None, attachment: CaseAttachment) -> None:
    """Take a file out of its case and destroy it."""
    require_permission(actor, attachment.seller, Permission.MANAGE_CASES)
    blob = attachment.blob
    with transaction.atomic():
        locked = lock_case(attachment.case)
        record(locked, FILE_REMOVED, actor=actor, before=attachment.role, note=attachment.file_name)
        attachment.delete()
        destroy_keys([blob.pk])
        settle(locked, actor)
    remove_files([blob])


def attached_bytes(*, actor: User | None, attachment: CaseAttachment) -> bytes:
    """The exact bytes that were attached."""
    require_permission(actor, attachment.seller, Permission.MANAGE_CASES)
    return read_blob(attachment.blob)


# Statements -----------------------------------------------------------------------------------------------------


def tick_statements(*, actor: User | None, case: Case, which: Sequence[str], name: str) -> None:
    """Store that somebody makes these statements, with the name that was typed (it signs the case) and the time. Only what the target asks
    for can be ticked. Raises NameMissingError, NothingTickedError."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    asked = {rule.which for rule in find_target(case.target).statements if case.kind in rule.kinds}
    if not set(which) <= asked:
        raise ValueError(f"{set(which) - asked} are not asked for")
    if not which:
        raise NothingTickedError
    if not name.strip():
        raise NameMissingError
    with transaction.atomic():
        locked = lock_case(case)
        held = set(locked.statements.values_list("which", flat=True))
        for word in dict.fromkeys(which):
            if word not in held:
                CaseStatement.objects.create(
                    seller=locked.seller, case=locked, which=word, name=name.strip()[:200], ticked_by=actor
                )
                record(locked, TICKED, actor=actor, after=word, note=name.strip())
        locked.signature = name.strip()[:200]
        locked.save(update_fields=["signature"])
        settle(locked, actor, is_sworn=False)


def withdraw_statements(*, actor: User | None, case: Case) -> None:
    """Take back all ticks."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        locked = lock_case(case)
        if locked.statements.all().delete()[0]:
            record(locked, UNTICKED, actor=actor)
        locked.signature = ""
        locked.save(update_fields=["signature"])
        settle(locked, actor, is_sworn=False)
