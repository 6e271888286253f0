"""Right records: what an authority, a notary or a platform certified, with its document and when it ends.

A time-stamp token is checked by machine; nothing else is, and every page says which it is. The document is registered as an
evidence set of one file, so that the log at least proves when it was here. A record is never edited: a correction is a record
that replaces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number, parse_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import EvidenceSet, Original, RightRecord, SetRole
from ledger.services.evidence_sets import SetError, add_files, open_draft, register_set
from ledger.services.originals import REJECTED, Upload
from ledger.services.right_tokens import check_right, parse_anchors

LONGEST_REASON = 300
REMIND_BEFORE = timedelta(days=60)
REMIND_AFTER = timedelta(days=30)  # an ended right that nobody renewed for longer is history


class UnknownNumberError(Exception):
    """A proof number that is neither an original nor a registered set of this seller."""

    code = "right_unknown_number"

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


class RightChangedError(Exception):
    """The record was replaced or withdrawn: only the newest can be changed."""

    code = "right_changed"


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
            **asdict(facts),
        )
        record.originals.set(originals)
        record.sets.set(sets)
    check_right(record)
    return record


def correct_right(
    *, actor: User | None, record: RightRecord, facts: RightFacts, reason: str, document: Upload | None = None
) -> RightRecord:
    """A record that replaces this one, with what it is attached to; the old one stays as it was entered.

    Without a document it keeps the old one's, whose entry in the log nothing changes; a new one is registered as an entry
    of its own. Raises RightChangedError where the record was replaced or withdrawn before, and what record_right raises.
    """
    require_permission(actor, record.seller, Permission.REGISTER)
    parse_anchors(facts.trust_anchors)
    _require_current(record)
    kept = _register(actor, record.seller, document, facts.title) if document is not None else record.document
    with transaction.atomic():
        # Whoever corrected it meanwhile was first; a document registered for nothing stays a set of its own.
        old = RightRecord.objects.select_for_update().get(pk=record.pk)
        _require_current(old)
        made = RightRecord.objects.create(
            seller=old.seller,
            created_by=actor,
            document=kept,
            replaces=old,
            correction=reason.strip()[:LONGEST_REASON],
            **asdict(facts),
        )
        made.originals.set(old.originals.all())
        made.sets.set(old.sets.all())
    check_right(made)
    return made


def withdraw_right(*, actor: User | None, record: RightRecord) -> None:
    """Take a record that should not be there out of every list and reminder; its page and its document's entry stay."""
    require_permission(actor, record.seller, Permission.REGISTER)
    with transaction.atomic():
        old = RightRecord.objects.select_for_update().get(pk=record.pk)
        _require_current(old)
        old.withdrawn_at, old.withdrawn_by = timezone.now(), actor
        old.save(update_fields=["withdrawn_at", "withdrawn_by"])


def _require_current(record: RightRecord) -> None:
    if not record.is_current:
        raise RightChangedError


def _register(actor: User | None, seller: Seller, document: Upload, title: str) -> EvidenceSet:
    draft = open_draft(actor=actor, seller=seller, number=new_number())
    (answer,) = add_files(actor=actor, draft=draft, uploads=[document], roles={0: SetRole.CONTRACT})
    if answer.status == REJECTED:
        draft.delete()
        raise SetError(answer.code)
    return register_set(actor=actor, draft=draft, title=title)


def attach_right(*, actor: User | None, record: RightRecord, numbers: Sequence[str]) -> None:
    """Attach a record to more originals and sets. Raises UnknownNumberError, RightChangedError."""
    require_permission(actor, record.seller, Permission.REGISTER)
    _require_current(record)
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


def current_rights(rows: QuerySet[RightRecord]) -> QuerySet[RightRecord]:
    """Without those that were replaced or withdrawn."""
    return rows.filter(replaced_by=None, withdrawn_at=None)


def expiring_rights(seller: Seller, today: date) -> QuerySet[RightRecord]:
    """Rights that end soon or ended lately, the earliest first."""
    rows = current_rights(RightRecord.objects.of(seller))
    return rows.filter(valid_until__gte=today - REMIND_AFTER, valid_until__lte=today + REMIND_BEFORE).order_by(
        "valid_until", "pk"
    )
