"""Who took what away, for the owner: a list with filters, and the same as CSV."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ledger.accounts.numbers import format_number, parse_number
from ledger.accounts.permissions import Permission
from ledger.models import AccessKind, AccessRecord
from ledger.services.access_log import access_records
from ledger.views.common import Page, day_parameter, needs, seller_of, send_csv, text_parameter

COLUMNS = ["at_utc", "kind", "number", "by", "api_token", "network_address"]
FILTERS = ("kind", "person", "number", "since", "until")


@needs(Permission.VIEW_ACCESS_LOG)
@require_safe
def access_log(request: HttpRequest) -> HttpResponse:
    """Newest first, fifty a page."""
    page = Page(_filtered(request), request)
    filters = {name: text_parameter(request, name) for name in FILTERS}
    context = {
        "page": page,
        "kinds": AccessKind.choices,
        "filters": filters,
        "is_filtered": any(filters.values()),
        "query": request.GET.urlencode(),
    }
    return render(request, "ledger/access_log.html", context)


@needs(Permission.VIEW_ACCESS_LOG)
@require_safe
def access_log_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same rows as CSV."""
    rows = _filtered(request).order_by("-pk").iterator(chunk_size=1000)
    return send_csv("originmark-access.csv", COLUMNS, (_cells(row) for row in rows))


def _filtered(request: HttpRequest) -> QuerySet[AccessRecord]:
    until = day_parameter(request, "until")
    number = text_parameter(request, "number")
    kind = text_parameter(request, "kind")
    actor: Any = request.user
    return access_records(
        actor=actor,
        seller=seller_of(request),
        kind=kind if kind in AccessKind.values else "",
        person=text_parameter(request, "person"),
        number=(parse_number(number) or "unknown") if number else "",
        since=day_parameter(request, "since"),
        until=until + timedelta(days=1) if until else None,
    )


def _cells(row: AccessRecord) -> list[str]:
    at = row.at.astimezone(UTC).isoformat(timespec="milliseconds")
    return [at, row.kind, format_number(row.number), str(row.actor or ""), format_number(row.token), row.address or ""]
