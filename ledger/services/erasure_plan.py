"""What an erasure takes with it: the original, its copies and derivatives, and every statement that names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import BinaryField, Func, IntegerField, QuerySet, Value

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import (
    Certificate,
    Derivative,
    EvidenceFile,
    Handout,
    Hold,
    ImageFile,
    Original,
    SellerQuerySet,
    Statement,
)
from ledger.services.erasing import PARTICIPANTS, Plan


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure would take: counts by kind, entries concerned, what was handed out, what holds it."""

    lost: dict[str, int]
    entries: tuple[int, ...]
    handed_out: list[dict[str, Any]]
    holds: tuple[str, ...]


def preview_erasure(*, actor: User | None, original: Original) -> Preview:
    """What erasing this original would take with it. Writes nothing."""
    require_permission(actor, original.seller, Permission.ERASE)
    plan = plan_of(original)
    return Preview(counts_of(plan), entries_of(plan), handed_out(plan.statements), hold_reasons(plan))


def plan_of(original: Original) -> Plan:
    plan = Plan(original.seller)
    plan.originals.add(original.pk)
    plan.images.add(original.image_id)
    plan.statements.add(original.statement_id)
    before = -1
    while plan.size() != before:
        before = plan.size()
        _collect(plan)
        for participant in PARTICIPANTS.values():
            participant.collect(plan)
    plan.statements |= _that_name(plan.seller, _digests(plan))
    plan.statements = set(statements_of(plan).values_list("pk", flat=True))
    plan.blobs |= set(rows_in(ImageFile.objects.of(plan.seller), plan.images).values_list("blob_id", flat=True))
    plan.blobs |= set(certificates_of(plan.statements).values_list("blob_id", flat=True))
    plan.blobs |= set(set_files(plan).values_list("blob_id", flat=True))
    return plan


def _collect(plan: Plan) -> None:
    """Files made from the originals, and every copy of the same bytes that is not registered for itself."""
    made = Derivative.objects.of(plan.seller).filter(original__in=plan.originals)
    plan.images |= set(made.values_list("image_id", flat=True))
    plan.statements |= set(made.values_list("statement_id", flat=True))
    same = ImageFile.objects.of(plan.seller).filter(sha256__in=_digests(plan))
    others = Original.objects.of(plan.seller).exclude(pk__in=plan.originals)
    plan.images |= set(same.exclude(pk__in=others.values("image")).values_list("pk", flat=True))


def rows_in(rows: SellerQuerySet[Any], keys: Iterable[int]) -> SellerQuerySet[Any]:
    return rows.filter(pk__in=list(keys))


def statements_of(plan: Plan) -> QuerySet[Statement]:
    return rows_in(Statement.objects.of(plan.seller), plan.statements).filter(erasure=None)


def _digests(plan: Plan) -> list[bytes]:
    rows = rows_in(ImageFile.objects.of(plan.seller), plan.images).exclude(sha256=b"")
    return [bytes(digest) for digest in rows.values_list("sha256", flat=True).distinct()]


def set_files(plan: Plan) -> SellerQuerySet[EvidenceFile]:
    return EvidenceFile.objects.of(plan.seller).filter(sha256__in=_digests(plan))


def certificates_of(statements: Iterable[int]) -> QuerySet[Certificate]:
    return Certificate.objects.filter(statement__in=list(statements))


class _Position(Func):
    """Where bytes stand in a column of bytes, from 1; 0 where they do not."""

    function = "INSTR"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        haystack, needle = self.source_expressions
        swapped = self.copy()
        swapped.source_expressions = [needle, haystack]
        return swapped.as_sql(compiler, connection, template="POSITION(%(expressions)s)", arg_joiner=" IN ", **context)


def _that_name(seller: Seller, digests: Sequence[bytes]) -> set[int]:
    """Statements whose claims name one of the digests: searches that found the picture, sets, packets, checks."""
    found: set[int] = set()
    rows = Statement.objects.of(seller).filter(erasure=None)
    for digest in digests:
        needle = Value(digest.hex().encode(), output_field=BinaryField())
        found |= set(rows.alias(at=_Position("claim", needle)).filter(at__gt=0).values_list("pk", flat=True))
    return found


def counts_of(plan: Plan) -> dict[str, int]:
    """For people: what goes, by kind; only what there is."""
    by_kind = {
        "originals": len(plan.originals),
        "pictures": len(plan.images),
        "statements": len(plan.statements),
        "certificates": certificates_of(plan.statements).count(),
        "derivatives": Derivative.objects.of(plan.seller).filter(original__in=plan.originals).count(),
        "set_files": set_files(plan).count(),
    }
    return {kind: count for kind, count in {**by_kind, **plan.lost}.items() if count}


def entries_of(plan: Plan) -> tuple[int, ...]:
    return tuple(statements_of(plan).order_by("entry").values_list("seq", flat=True))


def handed_out(statements: Iterable[int]) -> list[dict[str, Any]]:
    """What left the site before: signed PDFs by digest, downloads by count. It cannot be called back."""
    rows = [
        {
            "kind": "certificate" if certificate.statement.kind == "image.registered" else "receipt",
            "entry": certificate.statement.seq,
            "at": certificate.created_at.isoformat(),
            "sha256": bytes(certificate.sha256).hex(),
        }
        for certificate in certificates_of(statements).select_related("statement").order_by("pk")
    ]
    downloads = Handout.objects.filter(statement__in=list(statements)).select_related("statement").order_by("pk")
    rows += [
        {"kind": row.kind, "entry": row.statement.seq, "at": row.last_at.isoformat(), "times": row.times}
        for row in downloads
    ]
    return rows


def hold_reasons(plan: Plan) -> tuple[str, ...]:
    holds = Hold.objects.of(plan.seller).filter(original__in=plan.originals, released_at=None)
    return tuple(holds.order_by("pk").values_list("reason", flat=True))
