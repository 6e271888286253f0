"""The identity document behind an entry's `who`: salted per entry, so that nobody reads a seller's volume from the log."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from ledger.accounts.models import Membership, Role, Seller, User
from ledger.tlog import claim_documents

OPERATOR_LABEL = "operator of this site"
SYSTEM_LABEL = "this log"


def identity_document(*, actor: User | None, seller: Seller) -> Mapping[str, object]:
    """Who says so: the seller by slug and name, the person by a number only the seller can resolve, and the role.

    actor None is the operator of the machine.
    """
    role: str | None = "staff"
    if actor is not None:
        role = Membership.objects.filter(user=actor, seller=seller).values_list("role", flat=True).first()
    return claim_documents.identity_document(
        secrets.token_bytes(32),
        seller_id=seller.slug,
        seller_name=seller.name,
        actor=f"member-{actor.pk}" if actor else OPERATOR_LABEL,
        role=role or Role.VIEWER,
    )


def system_identity() -> Mapping[str, object]:
    """Who speaks when the log itself does."""
    return claim_documents.identity_document(
        secrets.token_bytes(32), seller_id="-", seller_name=SYSTEM_LABEL, actor=SYSTEM_LABEL, role="system"
    )
