"""Right records: what an authority, a notary or a platform certified, with its document and when it ends.

A time-stamp token is checked by machine; nothing else is, and every page says which it is. The document is registered as an
evidence set of one file, so that the log at least proves when it was here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import QuerySet

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number, parse_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import EvidenceSet, Original, RightRecord, SetRole
from ledger.services.evidence_sets import SetError, add_files, open_draft, register_set
from ledger.services.originals import REJECTED, Upload
from ledger.services.right_tokens import check_right, parse_anchors

REMIND_BEFORE = timedelta(days=60)
REMIND_AFTER = timedelta(days=30)  # an ended right that nobody renewed for longer is history


class UnknownNumberError(Exception):
    """A proof number that is neither an original nor a registered set of this seller."""

    code = "right_unknown_number"

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class RightFacts:
    """What the document says, as somebody typed it."""

    kind: str
    title: str
    registration_number: str = ""
    authority: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    trust_anchors: str = ""


def record_right(
    *,
    actor: User | None,
    seller: Seller,
    facts: RightFacts,
    document: Upload | None = None,
    numbers: Sequence[str] = (),
) -> RightRecord:
    """Keep a right with its document, attached to originals and sets by their proof numbers.

    Raises UnknownNumberError, TrustAnchorsError, and SetError for a document that is empty or too large; nothing is
    kept then.
    """
    require_permission(actor, seller, Permission.REGISTER)
    parse_anchors(facts.trust_anchors)
    originals, sets = _attached(seller, numbers)
    kept = _register(actor, seller, document, facts.title) if document is not None else None
    with transaction.atomic():
        record = RightRecord.objects.create(
            seller=seller,
            created_by=actor,
            document=kept,
            kind=facts.kind,
            title=facts.title,
            registration_number=facts.registration_number,
            authority=facts.authority,
            valid_from=facts.valid_from,
            valid_until=facts.valid_until,
            trust_anchors=facts.trust_anchors,
        )
        record.originals.set(originals)
        record.sets.set(sets)
    check_right(record)
    return record


def _register(actor: User | None, seller: Seller, document: Upload, title: str) -> EvidenceSet:
    draft = open_draft(actor=actor, seller=seller, number=new_number())
    (answer,) = add_files(actor=actor, draft=draft, uploads=[document], roles={0: SetRole.CONTRACT})
    if answer.status == REJECTED:
        draft.delete()
        raise SetError(answer.code)
    return register_set(actor=actor, draft=draft, title=title)


def attach_right(*, actor: User | None, record: RightRecord, numbers: Sequence[str]) -> None:
    """Attach a record to more originals and sets. Raises UnknownNumberError."""
    require_permission(actor, record.seller, Permission.REGISTER)
    originals, sets = _attached(record.seller, numbers)
    with transaction.atomic():
        record.originals.add(*originals)
        record.sets.add(*sets)
    check_right(record)


def _attached(seller: Seller, numbers: Sequence[str]) -> tuple[list[Original], list[EvidenceSet]]:
    originals, sets = [], []
    for text in numbers:
        number = parse_number(text) or ""
        original = Original.objects.of(seller).filter(number=number).first()
        found = EvidenceSet.objects.of(seller).exclude(statement=None).filter(number=number).first()
        if original is None and found is None:
            raise UnknownNumberError(text)
        originals += [original] if original else []
        sets += [found] if found else []
    return originals, sets


def expiring_rights(seller: Seller, today: date) -> QuerySet[RightRecord]:
    """Rights that end soon or ended lately, the earliest first."""
    rows = RightRecord.objects.of(seller)
    return rows.filter(valid_until__gte=today - REMIND_AFTER, valid_until__lte=today + REMIND_BEFORE).order_by(
        "valid_until", "pk"
    )
