"""What has to be known of an original before it is listed, for pages that know nothing of catalogues."""

from __future__ import annotations

from typing import Any

from django import template

from compliance.services.clearance import earlier_matches, leftovers
from ledger.models import Original

register = template.Library()
SHOWN = 3


@register.inclusion_tag("compliance/before_listing.html", takes_context=True)
def before_listing(context: dict[str, Any], original: Original) -> dict[str, Any]:
    """Listings that were there first, and what the file still tells."""
    earlier = earlier_matches(original)
    shown = list(earlier[:SHOWN])
    return {
        "can": context["can"],
        "original": original,
        "earlier": shown,
        "more": earlier.count() - len(shown) if len(shown) == SHOWN else 0,
        "leftovers": leftovers(original.image.private_metadata),
        "has_copies": bool(context.get("derivatives")),
    }
