"""Template filters for hidden-image checks: words of finding codes, limits and profiles in the reader's language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from compliance.checks.codes import code_text
from compliance.services.standing import standings_of
from ledger.accounts.models import Seller

register = template.Library()

STATUSES = {
    "published": _("published by the marketplace"),
    "reported": _("reported by others"),
    "unverified": _("from a seller document, not confirmed"),
    "ours": _("our own measurement"),
}


@register.inclusion_tag("compliance/standing_short.html")
def store_standings(seller: Seller) -> dict[str, Any]:
    """How many submissions each store of the seller has left today, and its failures."""
    return {"standings": standings_of(seller=seller, now=timezone.now())}


@register.filter
def finding_title(code: str) -> str:
    """What a finding code means."""
    return gettext(code_text(code).title)


@register.filter
def limit_status(status: str) -> str:
    """How well a limit is known."""
    return str(STATUSES.get(status, status))


@register.filter
def say(message: str) -> str:
    """A sentence of a rule profile; what has no translation stands as it is written there."""
    return gettext(message) if message else ""
