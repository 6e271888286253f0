"""Which captures belong to which listing of a case: those of the same listing, or of exactly the same address."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from compliance.models import Capture, Case, Infringement, RunState


def captures_of(case: Case, rows: Sequence[Infringement]) -> dict[int, list[Capture]]:
    """Captures of each listing, by the key of its row: of the same listing, or of exactly the same address."""
    wanted = Q(url__in=[row.url for row in rows if row.url]) | Q(
        listing__in=[row.listing_id for row in rows if row.listing_id]
    )
    entered = Capture.objects.of(case.seller).filter(state=RunState.DONE, statement__erasure=None)
    found = list(entered.filter(wanted).select_related("blob", "record", "statement__entry").order_by("pk"))
    return {
        row.pk: [
            each
            for each in found
            if (row.url and each.url == row.url) or (row.listing_id and each.listing_id == row.listing_id)
        ]
        for row in rows
    }


def capture_kinds(case: Case) -> dict[int, frozenset[str]]:
    """What the gate asks: kinds of captures by the key of the infringement."""
    found = captures_of(case, list(case.infringements.all()))
    return {key: frozenset(str(each.kind) for each in captures) for key, captures in found.items()}
