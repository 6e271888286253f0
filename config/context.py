"""What every page's frame needs: navigation, the seller at hand, rights, and how many jobs gave up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.models import Job, JobState
from ledger.services.health import troubles

# (view name, icon, label, the right that it needs)
NAVIGATION = [
    ("compliance:overview", "layout-dashboard", _("Overview"), Permission.VIEW),
    ("ledger:originals", "photo", _("Originals"), Permission.VIEW),
    ("compliance:search", "zoom-scan", _("Find copies"), Permission.VIEW),
    ("compliance:checks", "eye-check", _("Hidden image"), Permission.VIEW),
    ("compliance:catalogues", "packages", _("Catalogues"), Permission.VIEW),
    ("compliance:watch", "bell", _("Watch"), Permission.TRIAGE),
    ("compliance:case_list", "case", _("Cases"), Permission.MANAGE_CASES),
    ("compliance:captures", "world", _("Captures"), Permission.MANAGE_CASES),
    ("ledger:sets", "folder", _("Evidence sets"), Permission.VIEW),
    ("ledger:history", "history", _("History"), Permission.VIEW),
    ("ledger:log", "timeline", _("Ledger"), Permission.VIEW),
]


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
            for name, icon, label, needed in NAVIGATION
            if not desk.seller or needed in desk.rights()
        ],
        "site_troubles": SimpleLazyObject(lambda: [error_text(code) for code in troubles()]),
        "dead_jobs": SimpleLazyObject(lambda: dead_jobs(desk.seller)),
    }


def is_active(path: str, url: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))


def dead_jobs(seller: Any) -> int:
    """Jobs of the seller that gave up and wait for somebody."""
    return Job.objects.filter(seller=seller, state__in=[JobState.DEAD, JobState.FAILED]).count() if seller else 0
