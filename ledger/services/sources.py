"""Where pictures come from, as their sellers declare it: made by them, from a supplier, made by an AI.

Asked for at registration and kept with its history, because a complaint with a supplier's picture harms whoever files it.
A declaration is somebody's word; nothing here checks it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Original, PictureSource, SourceDeclaration
from ledger.services.originals import Registration


def declare_source(*, actor: User | None, seller: Seller, originals: Sequence[Original], source: str) -> int:
    """Declare where these originals of one seller come from ("" takes it back); how many said something else before.

    ValueError for an unknown source.
    """
    require_permission(actor, seller, Permission.REGISTER)
    if source and source not in PictureSource.values:
        raise ValueError(f"no such source: {source!r}")
    with transaction.atomic():
        locked = Original.objects.select_for_update().of(seller)
        changed = list(locked.filter(pk__in=[one.pk for one in originals]).exclude(source=source))
        SourceDeclaration.objects.bulk_create(
            SourceDeclaration(seller=seller, original=one, source=source, actor=actor) for one in changed
        )
        Original.objects.filter(pk__in=[one.pk for one in changed]).update(source=source)
    return len(changed)


def declare_new(*, actor: User | None, seller: Seller, answers: Sequence[Registration], source: str) -> None:
    """Declare it for the originals of a registration about which nothing was declared before."""
    originals = [answer.original for answer in answers if answer.original is not None and not answer.original.source]
    declare_source(actor=actor, seller=seller, originals=originals, source=source)
