"""Whether the site can do its work: one word for anybody, every part for who runs the site, figures for its monitoring."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ledger.accounts.permissions import may_run_site
from ledger.error_texts import error_text
from ledger.services.health import DEGRADED, OK, Part, database_answers, look, public_status
from ledger.services.metrics import metrics_text

NAMES = {
    "database": _("Database"),
    "store": _("File store"),
    "disk": _("Free disk space"),
    "workers": _("Background workers"),
    "queue": _("Waiting jobs"),
    "log": _("Ledger"),
    "checkpoint": _("Newest checkpoint"),
    "outside_time": _("Outside time"),
    "witnesses": _("Witnesses"),
    "redis": _("Redis"),
    "mail": _("Mail"),
    "decoding": _("Confined decoding"),
}
STATES = {OK: _("Works"), DEGRADED: _("Needs a look"), "down": _("Down"), "off": _("Not set up")}
CHIPS = {OK: "passed", DEGRADED: "needs-you", "down": "failed", "off": "unknown"}


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """200 while pages can be served, 503 while they cannot; the word says whether everything behind them works."""
    try:
        runs_site = request.user.is_authenticated and may_run_site(request.user)
    except (DatabaseError, InterfaceError):  # who asks is in the database too
        runs_site = False
    wants_json = "application/json" in request.headers.get("Accept", "")
    if not runs_site or not database_answers():
        return _one_word(wants_json)
    found = look()
    if wants_json:
        return JsonResponse(found.to_dict())
    context = {"rows": [_row(part) for part in found.parts], "is_ok": found.is_ok}
    return render(request, "ledger/health.html", context)


def _one_word(wants_json: bool) -> HttpResponse:
    word = public_status()
    status = 200 if word == OK or database_answers() else 503
    if wants_json:
        return JsonResponse({"status": word}, status=status)
    return HttpResponse(f"{word}\n", content_type="text/plain; charset=utf-8", status=status)


def _row(part: Part) -> dict[str, Any]:
    return {
        "part": part,
        "name": NAMES[part.name],
        "word": STATES[part.state],
        "chip": CHIPS[part.state],
        "trouble": error_text(part.code) if part.code else None,
    }


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever holds the token; without one set, for this machine. To all others there is no such page."""
    if not _may_measure(request):
        raise Http404
    return HttpResponse(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _may_measure(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    try:
        is_local = ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
    return is_local and not settings.IS_PUBLIC
