"""Check history: every registration, query and check of a seller in the order of the log."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from ledger.accounts.numbers import format_number
from ledger.accounts.permissions import Permission
from ledger.models import Statement
from ledger.views.common import Page, day_parameter, needs, seller_of, send_csv, text_parameter

KINDS = {
    "image.registered": _("Registration"),
    "set.registered": _("Evidence set"),
    "query.recorded": _("Query"),
    "check.recorded": _("Hidden-image check"),
    "skus.recorded": _("Check of SKUs"),
    "quality.recorded": _("Quality check"),
    "derivative.linked": _("File of a pack"),
}
COLUMNS = ["proof_number", "kind", "label", "outcome", "logged_at_utc", "entry", "leaf_hash", "by", "outdated_at_utc"]
OUTDATED = "outdated"  # a filter of its own: such a line keeps its outcome


@needs(Permission.VIEW)
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """The list with filters; every line leads to the thing and its PDF."""
    statements, filters = _filtered(request)
    page = Page(statements, request, key="entry")
    chips = [{"label": _("Everything"), "url": _chip_url(request, ""), "active": not filters["kind"]}]
    chips += [
        {"label": label, "url": _chip_url(request, kind), "active": filters["kind"] == kind}
        for kind, label in KINDS.items()
    ]
    context = {
        "page": page,
        "filters": filters,
        "chips": chips,
        "kinds": KINDS,
        "query": request.GET.urlencode(),
        "is_filtered": any(filters.values()),
    }
    return render(request, "ledger/history.html", context)


@needs(Permission.VIEW)
@require_safe
def history_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same rows as CSV: UTF-8 with a mark for spreadsheets, everything quoted, no cell runs as a formula."""
    statements, _filters = _filtered(request)
    rows = statements.order_by("-entry").iterator(chunk_size=1000)
    return send_csv("originmark-history.csv", COLUMNS, (_cells(statement) for statement in rows))


def _cells(statement: Statement) -> list[str]:
    return [
        format_number(statement.number),
        statement.kind,
        statement.label,
        statement.outcome,
        statement.logged_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        str(statement.seq),
        bytes(statement.entry.leaf_hash).hex(),
        str(statement.actor or ""),
        statement.outdated_at.astimezone(UTC).isoformat(timespec="milliseconds") if statement.outdated_at else "",
    ]


def _filtered(request: HttpRequest) -> tuple[QuerySet[Statement], dict[str, str]]:
    filters = {name: text_parameter(request, name) for name in ("kind", "outcome", "q", "since", "until")}
    rows = (
        Statement.objects.visible_to(request.user)
        .of(seller_of(request))
        .select_related("entry", "actor", "derivative__original")
    )
    rows = rows.defer("claim", "identity", "entry__body")
    rows = rows.filter(kind=filters["kind"]) if filters["kind"] in KINDS else rows.filter(kind__in=list(KINDS))
    if filters["outcome"] == OUTDATED:
        rows = rows.exclude(outdated_at=None)
    elif filters["outcome"]:
        rows = rows.filter(outcome=filters["outcome"])
    if filters["q"]:
        rows = rows.filter(label__icontains=filters["q"])
    since, until = day_parameter(request, "since"), day_parameter(request, "until")
    if since:
        rows = rows.filter(logged_at__gte=since)
    if until:
        rows = rows.filter(logged_at__lt=until + timedelta(days=1))
    return rows, filters


def _chip_url(request: HttpRequest, kind: str) -> str:
    query: Any = request.GET.copy()
    for name in ("before", "after", "kind"):
        query.pop(name, None)
    if kind:
        query["kind"] = kind
    return f"{request.path}?{query.urlencode()}"
