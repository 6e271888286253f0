"""A case row in which nothing is missing, for any target and kind, with real originals, captures and attached files."""

from __future__ import annotations

import hashlib
from typing import Any

from compliance.cases.facts import ATTACHMENT_ROLES
from compliance.cases.target import find_target
from compliance.models import Case, CaseAttachment, CaseStatement, CaseWork, Infringement
from ledger.accounts.models import Seller
from ledger.models import EvidenceFile, Original
from ledger.services.blobs import seal_files
from tests.compliance.captured import capture_page
from tests.compliance.cases.complete import complete
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

THEIR_URL = "https://market.example.org/item/4000"
PDF = b"%PDF-1.7\nsomething somebody scanned\n"


def complete_case(
    seller: Seller,
    target_id: str = "temu_portal",
    kind: str = "complaint",
    *,
    original: Original | None = None,
    files: list[EvidenceFile] | None = None,
    captures: bool = True,
    **changes: Any,
) -> Case:
    """Every field that complete() has, in the tables."""
    target = find_target(target_id, kind)
    known = complete(target, kind)
    who, right, said = known.complainant, known.right, known.relationship
    values: dict[str, Any] = {
        "kind": kind,
        "target": target_id,
        "title": "Mug copied",
        "languages": [target.languages[0]],
        "complainant_role": who.role,
        "legal_name": who.legal_name,
        "entity": who.entity,
        "address": who.address,
        "phone": who.phone,
        "email": who.email,
        "secondary_contact": who.secondary_contact,
        "country": who.country,
        "brand": who.brand,
        "has_account": known.has_account,
        "signature": known.signature,
        "right_type": right.type,
        "right_title": right.title,
        "author": right.author,
        "right_owner": right.owner,
        "ownership_basis": right.ownership_basis,
        "made_on": right.created_on,
        "published_on": right.published_on,
        "publication_url": right.publication_url,
        "publication_item": right.publication_item,
        "registration_no": right.registration_no,
        "registration_authority": right.registration_authority,
        "registration_country": right.registration_country,
        "registered_on": right.registered_on,
        "work_link": right.work_link,
        "work_description": right.work_description,
        "image_source": said.image_source,
        "photographer": said.photographer,
        "in_ebay_catalogue": said.in_ebay_catalogue,
        "on_shared_asin": said.on_shared_asin,
        "is_authorised_reseller": said.is_authorised_reseller,
        "actions": list(known.actions),
        "message": known.message,
        "notice_ref": known.notice.reference,
        "notice_received_at": known.notice.received_at,
        "notice_sender": known.notice.sender,
    }
    case = Case.objects.create(seller=seller, **{**values, **changes})
    original = original or register_one(seller, analyse=True)
    work = CaseWork.objects.create(seller=seller, case=case, original=original)
    work.files.set(files or [])
    (item,) = known.infringements
    Infringement.objects.create(
        seller=seller,
        case=case,
        work=work,
        platform=item.platform,
        market=item.market,
        listing_ref=item.listing_id,
        url=THEIR_URL,
        seller_name=item.seller_name,
        position=item.position,
        reason=item.reason,
        first_seen=item.first_seen,
        last_seen=item.last_seen,
    )
    if captures:
        capture_page(seller, url=THEIR_URL, original=original)
        capture_page(seller, url=THEIR_URL, original=original, kind="video", content=b"a video", name="screen.mp4")
    pictures = known.attachments[0].mime == "image/png"
    for number, role in enumerate(ATTACHMENT_ROLES):
        content = jpeg_bytes(product_photo(20)) if pictures else PDF + str(number).encode()
        attach(case, role, content, "image/jpeg" if pictures else "application/pdf")
    for each in known.statements:
        CaseStatement.objects.create(seller=seller, case=case, which=each.which, name=each.name, at=each.at)
    return case


def attach(case: Case, role: str, content: bytes, mime: str) -> CaseAttachment:
    (blob,) = seal_files(seller=case.seller, contents=[content])
    blob.save(force_insert=True)
    ending = "jpg" if mime.startswith("image/") else "pdf"
    return CaseAttachment.objects.create(
        seller=case.seller,
        case=case,
        blob=blob,
        role=role,
        file_name=f"{role}.{ending}",
        mime=mime,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
    )
