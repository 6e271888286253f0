"""What every page's frame needs: navigation, the seller at hand, rights, and how many jobs gave up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from ledger.accounts.permissions import Permission
from ledger.models import Job, JobState

# (view name, icon, label, path prefix that marks it active)
NAVIGATION = [
    ("compliance:overview", "layout-dashboard", _("Overview")),
    ("ledger:originals", "photo", _("Originals")),
    ("compliance:search", "zoom-scan", _("Find copies")),
    ("compliance:checks", "eye-check", _("Hidden image")),
    ("compliance:catalogues", "packages", _("Catalogues")),
    ("compliance:case-list", "case", _("Cases")),
    ("ledger:sets", "folder", _("Evidence sets")),
    ("ledger:history", "history", _("History")),
    ("ledger:log", "timeline", _("Ledger")),
]

# What people without the right do not even see.
HIDDEN_WITHOUT = {"compliance:case-list": Permission.MANAGE_CASES}


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context for base.html; everything that costs a query is lazy, so public pages stay free of them."""
    public = {"public_url": settings.PUBLIC_URL, "is_public": settings.IS_PUBLIC}
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return public
    desk = request.desk  # type: ignore[attr-defined]
    return public | {
        "current_seller": SimpleLazyObject(lambda: desk.seller) if desk.seller else None,
        "memberships": desk.memberships,
        "can": {permission.value: permission in desk.rights() for permission in Permission},
        "nav_items": [
            {"url": reverse(name), "icon": icon, "label": label, "active": is_active(request.path, reverse(name))}
            for name, icon, label in NAVIGATION
            if HIDDEN_WITHOUT.get(name) is None or HIDDEN_WITHOUT[name] in desk.rights()
        ],
        "dead_jobs": SimpleLazyObject(lambda: dead_jobs(desk.seller)),
    }


def is_active(path: str, url: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))


def dead_jobs(seller: Any) -> int:
    """Jobs of the seller that gave up and wait for somebody."""
    return Job.objects.filter(seller=seller, state__in=[JobState.DEAD, JobState.FAILED]).count() if seller else 0
