"""A case with everything a target asks for, built through the services that people use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from compliance.cases.target import find_target
from compliance.models import Case
from compliance.services.case_parts import attach_file, tick_statements
from compliance.services.cases import ListingFacts, edit_case, open_case
from ledger.accounts.models import Seller, User
from ledger.models import Original
from ledger.services.originals import Upload
from tests.factories import register_one

URL = "https://www.ebay.com/itm/4000123456"
ANSWERS: dict[str, Any] = {
    "complainant_role": "owner",
    "legal_name": "Acme Trading",
    "entity": "business",
    "email": "qiang@example.org",
    "phone": "+86 571 0000",
    "address": "1 Long Street, Hangzhou",
    "secondary_contact": "mei@example.org",
    "country": "CN",
    "brand": "Acme",
    "right_type": "photo",
    "right_title": "Mug",
    "author": "Yu",
    "right_owner": "Acme Trading",
    "ownership_basis": "own",
    "published_on": date(2026, 1, 9),
    "publication_url": "https://shop.example.org/mug",
    "publication_item": "100500",
    "work_link": "https://shop.example.org/mug",
    "work_description": "A photo of a mug.",
    "image_source": "self",
    "photographer": "employee",
    "in_ebay_catalogue": "no",
    "on_shared_asin": "no",
    "is_authorised_reseller": "no",
    "actions": ["remove_image"],
    "message": "Our photo is used without our consent.",
}


def listing(original: Original | None = None, **changes: Any) -> ListingFacts:
    values: dict[str, Any] = {
        "url": URL,
        "listing_ref": "4000123456",
        "reason": "listing_content",
        "position": "main",
        "market": "US",
        "first_seen": datetime(2026, 6, 1, tzinfo=UTC),
        "original": original,
    }
    return ListingFacts(**(values | changes))


def draft(
    seller: Seller, *, actor: User | None = None, target: str = "ebay_vero", kind: str = "complaint", seed: int = 1
) -> Case:
    """A case about one original and one listing, nothing else."""
    original = register_one(seller, seed=seed)
    return open_case(actor=actor, seller=seller, kind=kind, target=target, works=[original], infringements=[listing()])


def ready(seller: Seller, *, actor: User | None = None, seed: int = 1) -> Case:
    """A complaint to eBay that passes the gate."""
    case = draft(seller, actor=actor, seed=seed)
    edit_case(actor=actor, case=case, values=ANSWERS)
    case.refresh_from_db()
    tick_all(case, actor=actor)
    case.refresh_from_db()
    return case


def tick_all(case: Case, *, actor: User | None = None) -> None:
    asked = [rule.which for rule in find_target(case.target).statements if case.kind in rule.kinds]
    tick_statements(actor=actor, case=case, which=asked, name="Qiang Li")


def attach(
    case: Case, name: str = "proof.pdf", role: str = "other", content: bytes = b"%PDF-1.7 not opened", **more: Any
):
    return attach_file(actor=None, case=case, upload=Upload(name, content), role=role, **more)
