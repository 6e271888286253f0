"""What goes with an erased original beyond checks and searches: captures that show it, packets that hold it."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from compliance.models import Capture, CasePacket, PacketPart, RunState
from compliance.services.checks import ERASED
from ledger.models import ImageFile
from ledger.services.erasing import Participant, Plan


def collect(plan: Plan) -> None:
    """Captures made for an original, and captures that are a picture of the plan byte for byte."""
    captures = _captures(plan)
    plan.statements |= set(captures.exclude(statement=None).values_list("statement", flat=True))
    for blob, record in captures.values_list("blob", "record"):
        plan.blobs |= {blob, record} - {None}
    packets = _packets(plan)
    plan.statements |= set(packets.values_list("statement", flat=True))
    plan.blobs |= set(PacketPart.objects.filter(packet__in=packets).values_list("blob", flat=True))
    counts = {"captures": captures.count(), "packets_built": packets.count()}
    plan.lost.update({kind: count - plan.lost[kind] for kind, count in counts.items()})


def _packets(plan: Plan) -> QuerySet[CasePacket]:
    """A part is sealed as a whole, so a packet about several originals goes with the first of them."""
    rows = CasePacket.objects.of(plan.seller).filter(originals__in=list(plan.originals))
    return CasePacket.objects.filter(pk__in=list(rows.values_list("pk", flat=True)))


def _captures(plan: Plan) -> QuerySet[Capture]:
    pictures = ImageFile.objects.of(plan.seller).filter(pk__in=list(plan.images)).exclude(sha256=b"")
    same = Q(sha256__in=[bytes(digest) for digest in pictures.values_list("sha256", flat=True)])
    rows: QuerySet[Capture] = Capture.objects.of(plan.seller).filter(Q(original__in=list(plan.originals)) | same)
    return rows


def erase(plan: Plan) -> None:
    """Blank the rows; the ledger destroys the keys of their files in the same transaction."""
    captures = _captures(plan)
    plan.add_words(captures.values_list("file_name", flat=True))
    plan.add_words(bytes(digest).hex() for digest in captures.values_list("sha256", flat=True))
    captures.filter(state=RunState.WAITING).update(state=RunState.FAILED, error_code=ERASED)
    captures.update(
        url="",
        product_id="",
        shop="",
        observer_name="",
        environment={},
        notes="",
        file_name="",
        mime="",
        sha256=b"",
        size_bytes=0,
        http_status=None,
        has_preview=False,
        preview_code="",
    )
    packets = list(_packets(plan).values_list("pk", flat=True))
    PacketPart.objects.filter(packet__in=packets).update(sha256=b"", size_bytes=0)
    CasePacket.objects.filter(pk__in=packets).update(files=[], left_out=[], manifest_sha256=b"", size_bytes=0)


def clean(seller_id: int) -> None:
    """Nothing of it is kept in files of a seller but sealed blobs, which the ledger removes."""


PARTICIPANT = Participant("captures", collect, erase, clean, (Capture, CasePacket, PacketPart))
