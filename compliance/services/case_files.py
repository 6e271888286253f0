"""A case as the plain values that the gate judges and a packet is made from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from compliance.cases.case_file import (
    Attachment,
    CaseFile,
    Complainant,
    Infringement,
    Notice,
    Relationship,
    Right,
    Work,
)
from compliance.cases.case_file import Statement as Ticked
from compliance.cases.gate import Gate, judge
from compliance.models import Case, CaseWork
from compliance.models import Infringement as InfringementRow
from compliance.services.case_captures import capture_kinds
from ledger.models import Statement
from ledger.services.outside_time import CANDIDATES, shown_tokens

Captures = Mapping[int, frozenset[str]]


def gate_of(case: Case, *, captures: Captures | None = None) -> Gate:
    """Hold a case against its target as it stands in the database."""
    return judge(case_file(case, captures=captures))


def case_file(case: Case, *, captures: Captures | None = None) -> CaseFile:
    """Everything known about a case: six queries, and one for each work. captures: kinds of what was kept, by the key
    of the infringement; read from the database unless given."""
    captures = capture_kinds(case) if captures is None else captures
    works = list(case.works.select_related("original__statement").prefetch_related("files"))
    numbers = {work.pk: work.original.number for work in works}
    return CaseFile(
        kind=case.kind,
        target=case.target,
        today=timezone.localdate(),
        languages=tuple(case.languages),
        complainant=_complainant(case),
        right=_right(case),
        works=tuple(_work(work) for work in works),
        infringements=tuple(_infringement(row, numbers, captures) for row in case.infringements.all()),
        relationship=Relationship(
            case.image_source,
            case.photographer,
            case.in_ebay_catalogue,
            case.on_shared_asin,
            case.is_authorised_reseller,
        ),
        attachments=tuple(
            Attachment(row.role, row.file_name, row.mime, row.size_bytes, row.expires_on)
            for row in case.attachments.all()
        ),
        statements=tuple(Ticked(row.which, row.name, row.at) for row in case.statements.all()),
        notice=Notice(case.notice_ref, case.notice_received_at, case.notice_sender),
        signature=case.signature,
        message=case.message,
        actions=tuple(case.actions),
        has_account=case.has_account,
        portal_ref=case.portal_ref,
    )


def _complainant(case: Case) -> Complainant:
    return Complainant(
        role=case.complainant_role,
        legal_name=case.legal_name,
        entity=case.entity,
        address=case.address,
        phone=case.phone,
        email=case.email,
        secondary_contact=case.secondary_contact,
        country=case.country,
        brand=case.brand,
    )


def _right(case: Case) -> Right:
    return Right(
        type=case.right_type,
        title=case.right_title,
        author=case.author,
        owner=case.right_owner,
        ownership_basis=case.ownership_basis,
        created_on=case.made_on,
        published_on=case.published_on,
        publication_url=case.publication_url,
        publication_item=case.publication_item,
        registration_no=case.registration_no,
        registration_authority=case.registration_authority,
        registration_country=case.registration_country,
        registered_on=case.registered_on,
        work_link=case.work_link,
        work_description=case.work_description,
    )


def _work(work: CaseWork) -> Work:
    """The original itself is always one of its files."""
    original = work.original
    return Work(
        number=original.number,
        title=str(original.title),
        sha256=bytes(original.sha256).hex(),
        roles=frozenset({"original", *(file.role for file in work.files.all() if not file.is_erased)}),
        proven_at=proven_at(original.statement),
        logged_at=original.registered_at,
    )


def proven_at(statement: Statement) -> datetime | None:
    """By when an outside clock says that the entry was there, or None; the development clock proves nothing."""
    after = shown_tokens().filter(is_development=False, checkpoint__gt=statement.entry_id).order_by("gen_time")
    found = (token for token in after[:CANDIDATES] if token.checkpoint.first == statement.first)
    return next((token.gen_time for token in found), None)


def _infringement(row: InfringementRow, numbers: Mapping[int, str], captures: Captures) -> Infringement:
    return Infringement(
        platform=row.platform,
        market=row.market,
        listing_id=row.listing_ref,
        url=row.url,
        seller_name=row.seller_name,
        reason=row.reason,
        position=row.position,
        work=numbers.get(row.work_id or 0, ""),
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        captures=captures.get(row.pk, frozenset()),
    )
