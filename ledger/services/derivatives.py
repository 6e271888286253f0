"""Files made from originals: each is linked to its original by an entry of the log.

The entry says which exact bytes were made from which exact bytes, and how the one lies in the other, so that a
stranger can follow a picture on a marketplace back to the registered original.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Derivative, ImageFile, LogHead, Original
from ledger.services.identity import identity_document
from ledger.services.log import Draft, append_statements
from ledger.tlog.claim_documents import ClaimFile, ClaimItem, NamedVersion, derivative_linked_claim

KIND = "derivative.linked"


@dataclass(frozen=True, slots=True)
class Descent:
    """How a file descends from its original: matrix (9,) row by row from original to file, in pixels of both."""

    geometry: str
    matrix: tuple[float, ...]
    residual_px: float
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """One file that was made: a saved image row, its original, its role and its descent.

    request_id names the making; the same one again is refused by the log, so look before you call.
    """

    original: Original
    image: ImageFile
    role: str
    descent: Descent
    request_id: str


def link_derivatives(
    *, actor: User | None, seller: Seller, links: Sequence[Link], method: NamedVersion, head: LogHead | None = None
) -> list[Derivative]:
    """Append one derivative.linked entry per file and return the rows, in order.

    Must be called inside transaction.atomic() with the head locked, together with whatever else the making writes.
    Originals come with statement__entry. ValueError for a file or an original of another seller.
    """
    require_permission(actor, seller, Permission.CHECK)
    for link in links:
        if {link.original.seller_id, link.image.seller_id} != {seller.pk}:
            raise ValueError("original and derivative belong to different sellers")
    drafts = [_draft(actor, seller, link, method) for link in links]
    statements = append_statements(seller=seller, actor=actor, drafts=drafts, head=head)
    return Derivative.objects.bulk_create(
        Derivative(
            seller=seller,
            original=link.original,
            image=link.image,
            statement=statement,
            role=link.role,
            geometry=link.descent.geometry,
            matrix_micro=_matrix_micro(link.descent),
            residual_milli=round(link.descent.residual_px * 1000),
            steps=list(link.descent.steps),
        )
        for link, statement in zip(links, statements, strict=True)
    )


def _draft(actor: User | None, seller: Seller, link: Link, method: NamedVersion) -> Draft:
    original, image = link.original, link.image
    claim = derivative_linked_claim(
        secrets.token_bytes(32),
        leaf=bytes(original.statement.entry.leaf_hash),
        original=ClaimFile("original", bytes(original.sha256), original.image.size_bytes),
        derivative=ClaimItem("derivative", bytes(image.sha256), image.size_bytes, image.mime),
        method=method,
        geometry=link.descent.geometry,
        matrix_micro=_matrix_micro(link.descent),
        residual_milli=round(link.descent.residual_px * 1000),
    )
    return Draft(
        kind=KIND,
        claim=claim,
        identity=identity_document(actor=actor, seller=seller),
        request_id=link.request_id,
        label=image.file_name,
        outcome="passed",
    )


def _matrix_micro(descent: Descent) -> list[int]:
    return [round(value * 1_000_000) for value in descent.matrix]
