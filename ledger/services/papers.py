"""Documents that say who a seller is: business licence, papers of the legal representative, and the bank step.

Files are sealed under keys of their own and never opened here. Site staff approves or refuses them and sees nothing else of a
seller. Packets may carry an approved one only if the seller ticked it; papers_for_packets() is where they ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ledger.accounts.models import Membership, Seller, User
from ledger.accounts.permissions import Permission, permissions_of, require_permission, require_staff
from ledger.models import AccessKind, BankTick, Blob, Erasure, PaperKind, PaperState, SellerPaper
from ledger.services.access_log import record_access
from ledger.services.blobs import destroy_keys, read_blob, seal_uploads
from ledger.services.erasure import enqueue_cleaning
from ledger.services.originals import Upload
from ledger.services.scrubbing import forget_deleted_rows

MAX_BYTES = 20 * 2**20
MAX_PAPERS = 100
DOCUMENT = "document"  # target of an erasure
# By the first bytes; nothing else of the file is looked at.
MAGIC = ((b"%PDF-", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


class PaperError(Exception):
    """A document that cannot be taken, or a review that makes no sense; code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def add_paper(*, actor: User, seller: Seller, kind: str, upload: Upload, person: User | None = None) -> SellerPaper:
    """Seal a document and put it up for review. person: whose paper it is, a member of this seller.

    Raises PaperError: paper_empty, paper_too_large, paper_type, paper_count, paper_person.
    """
    require_permission(actor, seller, Permission.MANAGE_PAPERS)
    mime = _admit(upload.content)
    if kind not in PaperKind.values or (person and not Membership.objects.of(seller).filter(user=person).exists()):
        raise PaperError("paper_person")
    if papers_of(seller).count() >= MAX_PAPERS:
        raise PaperError("paper_count")
    (blob,) = seal_uploads(seller=seller, contents=[upload.content])
    with transaction.atomic():
        Blob.objects.bulk_create([blob])
        return SellerPaper.objects.create(
            seller=seller,
            person=person,
            uploaded_by=actor,
            kind=kind,
            blob=blob,
            file_name=upload.file_name.replace("\0", "")[-255:],
            mime=mime,
        )


def _admit(content: bytes) -> str:
    if not content:
        raise PaperError("paper_empty")
    if len(content) > MAX_BYTES:
        raise PaperError("paper_too_large")
    mime = next((mime for magic, mime in MAGIC if content.startswith(magic)), "")
    if not mime:
        raise PaperError("paper_type")
    return mime


def papers_of(seller: Seller) -> QuerySet[SellerPaper]:
    """What is there now, newest first."""
    return SellerPaper.objects.of(seller).filter(erased_at=None).select_related("person", "reviewed_by").order_by("-pk")


def read_paper(*, actor: User, paper: SellerPaper, address: str | None = None) -> bytes:
    """The file, for an owner of the seller or for site staff; noted in the seller's access log first."""
    if Permission.MANAGE_PAPERS not in permissions_of(actor, paper.seller):
        require_staff(actor)
    record_access(actor=actor, seller=paper.seller, kind=AccessKind.VERIFICATION, number=paper.number, address=address)
    return read_blob(paper.blob)


def tick_for_packets(*, actor: User, paper: SellerPaper, is_ticked: bool) -> None:
    """Whether complaint packets may carry it."""
    require_permission(actor, paper.seller, Permission.MANAGE_PAPERS)
    SellerPaper.objects.filter(pk=paper.pk, erased_at=None).update(in_packets=is_ticked)


def papers_for_packets(seller: Seller) -> Sequence[tuple[SellerPaper, bytes]]:
    """What a packet may carry: approved, ticked, not erased. The packet's own download is what the access log notes."""
    rows = papers_of(seller).filter(state=PaperState.APPROVED, in_packets=True).select_related("blob")
    return [(paper, read_blob(paper.blob)) for paper in rows]


def remove_paper(*, actor: User, paper: SellerPaper, reason: str = "request") -> None:
    """Erase a document for good: key, file and what the database keeps of both."""
    require_permission(actor, paper.seller, Permission.MANAGE_PAPERS)
    forget_deleted_rows()
    with transaction.atomic():
        blobs = erase_papers(SellerPaper.objects.of(paper.seller).filter(pk=paper.pk))
        if blobs:
            lost = {"papers": len(blobs)}
            erasure = Erasure(seller=paper.seller, actor=actor, target=DOCUMENT, reason=reason, lost=lost, blobs=blobs)
            erasure.save(force_insert=True)
            enqueue_cleaning(erasure)


def erase_papers(papers: QuerySet[SellerPaper]) -> list[str]:
    """Destroy keys and words of documents in the caller's transaction; returns the ids whose files are to go."""
    rows = list(papers.filter(erased_at=None))
    destroy_keys([row.blob_id for row in rows])
    papers.filter(pk__in=[row.pk for row in rows]).update(
        erased_at=timezone.now(), file_name="", reason="", person=None, in_packets=False
    )
    return [str(row.blob_id) for row in rows]


# Site staff ------------------------------------------------------------------------------------------------------


def papers_to_review(*, actor: User, state: str = "") -> QuerySet[SellerPaper]:
    """Documents of all sellers, newest first, for site staff only."""
    require_staff(actor)
    rows = SellerPaper.objects.filter(erased_at=None).select_related("seller", "uploaded_by", "reviewed_by")
    return rows.filter(state=state) if state in PaperState.values else rows


def review_paper(*, actor: User, paper: SellerPaper, is_approved: bool, reason: str = "") -> None:
    """Approve, or refuse with a reason that the seller reads. Raises PaperError: paper_reason, paper_gone."""
    require_staff(actor)
    if not is_approved and not reason.strip():
        raise PaperError("paper_reason")
    changed = SellerPaper.objects.filter(pk=paper.pk, erased_at=None).update(
        state=PaperState.APPROVED if is_approved else PaperState.REFUSED,
        reason="" if is_approved else reason.strip()[:500],
        reviewed_by=actor,
        reviewed_at=timezone.now(),
    )
    if not changed:
        raise PaperError("paper_gone")


def tick_bank(*, actor: User, seller: Seller, arrived_on: date) -> BankTick:
    """A micro-deposit from the seller's account arrived on that day. Raises PaperError: paper_future."""
    require_staff(actor)
    if arrived_on > timezone.localdate():
        raise PaperError("paper_future")
    return BankTick.objects.create(seller=seller, arrived_on=arrived_on, ticked_by=actor)
