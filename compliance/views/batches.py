"""Many pairs at once: send them, watch their rows turn green or red, take the list away."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from compliance.checks.pairs import OPTIONAL, REQUIRED
from compliance.forms import BatchForm
from compliance.models import BatchKind, CheckBatch, RunState
from compliance.services.batch_orders import BatchOrder, BatchRefusedError, read_order
from compliance.services.batch_rows import (
    COLUMNS,
    FILTERS,
    BatchRow,
    batch_rows,
    count_rows,
    filter_rows,
    row_cells,
)
from compliance.services.check_batches import (
    BatchFinishedError,
    Choices,
    is_batch_working,
    retry_batch,
    start_batch,
)
from ledger.accounts.permissions import Permission
from ledger.forms import is_zip
from ledger.services.jobs import JobStateError
from ledger.views.common import Page, find_or_404, needs, plain_cell, seller_of, send_file, text_parameter

EVERY = "1s"
FILTER_WORDS = {
    "": gettext_lazy("All rows"),
    "passed": gettext_lazy("Passed"),
    "failed": gettext_lazy("Failed"),
    "unknown": gettext_lazy("Cannot tell"),
    "needs-you": gettext_lazy("Needs you"),
    "open": gettext_lazy("Not checked yet"),
}


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest) -> HttpResponse:
    """Files, a CSV if wanted, and one button; below, what was sent before."""
    if request.method == "POST":
        return _start(request)
    return _form_page(request, BatchForm(initial={"request_id": uuid.uuid4().hex}))


def _start(request: HttpRequest) -> HttpResponse:
    form = BatchForm(request.POST, request.FILES)
    if not form.is_valid():
        return _form_page(request, form, status=400)
    values = form.cleaned_data
    try:
        order = _order(values)
    except BatchRefusedError as error:
        return _form_page(request, form, refusal=error, status=400)
    batch = start_batch(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller_of(request),
        order=order,
        choices=Choices(values["profile"], values["category"], values["request_id"]),
    )
    return redirect("compliance:batch", number=batch.number)


def _order(values: dict[str, Any]) -> BatchOrder:
    """One ZIP, or loose files; a CSV among them counts as the CSV."""
    files, table = list(values["files"]), values["table"]
    if table is None:
        tables = [file for file in files if (file.name or "").lower().endswith(".csv")]
        table = tables[0] if len(tables) == 1 else None
    files = [file for file in files if not (file.name or "").lower().endswith(".csv")]
    archive = files.pop() if len(files) == 1 and is_zip(files[0]) else None
    return read_order(files=files, archive=archive, table=table)


def _form_page(
    request: HttpRequest, form: BatchForm, *, refusal: BatchRefusedError | None = None, status: int = 200
) -> HttpResponse:
    rows = CheckBatch.objects.visible_to(request.user).of(seller_of(request)).filter(kind=BatchKind.PAIRS)
    done = Count("items", filter=Q(items__run__state=RunState.DONE))
    green = Count("items", filter=Q(items__run__verdict="PASSED"))
    page = Page(rows.select_related("job").annotate(wanted=Count("items"), checked=done, green=green), request)
    context = {"form": form, "refusal": refusal, "page": page, "rows": [_listed(batch) for batch in page]}
    return render(request, "compliance/batch_form.html", context, status=status)


def _listed(batch: Any) -> dict[str, Any]:
    if is_batch_working(batch):
        state = "running" if batch.job.state == "running" else "waiting"
    else:
        state = "passed" if batch.green == batch.wanted else "needs-you"
    return {"batch": batch, "state": state}


@needs(Permission.VIEW)
@require_safe
def batch(request: HttpRequest, number: str) -> HttpResponse:
    """One batch: progress and rows while a worker is at it, then the result. htmx asks for both parts alone."""
    found: CheckBatch = _find(request, number)
    working = is_batch_working(found)
    if request.htmx and not working:  # type: ignore[attr-defined]
        refresh: HttpResponse = HttpResponseClientRefresh()
        return refresh
    rows, state = batch_rows(found), text_parameter(request, "state")
    counts = count_rows(rows)
    context = {
        "batch": found,
        "is_working": working,
        "state": "running" if found.job is not None and found.job.state == "running" else "waiting",
        "every": EVERY,
        "done": len(rows) - counts["open"],
        "total": len(rows),
        "counts": counts,
        "chips": _chips(request, state, counts, len(rows)),
        "rows": filter_rows(rows, state),
        "filter": state if state in FILTERS else "",
        "can_retry": not working and _has_broken(rows),
        "left_out": found.report.get("left_out", []),
    }
    fragment = "#progress" if request.htmx else ""  # type: ignore[attr-defined]
    response = render(request, f"compliance/batch_detail.html{fragment}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _has_broken(rows: list[BatchRow]) -> bool:
    """Whether another try may give an answer: a row that waits for nobody, or a check that broke."""
    return any(
        row.is_open or (row.error_code and row.item.run is not None and "refused" not in row.item.run.report)
        for row in rows
    )


def _chips(request: HttpRequest, state: str, counts: dict[str, int], total: int) -> list[dict[str, Any]]:
    wanted = {"": total, **counts}
    return [
        {
            "label": f"{word} {wanted[name]}",
            "url": f"{request.path}?state={name}" if name else request.path,
            "active": state == name or (not name and state not in FILTERS),
        }
        for name, word in FILTER_WORDS.items()
        if not name or wanted[name] or state == name
    ]


@needs(Permission.VIEW)
@require_safe
def batch_csv(request: HttpRequest, number: str) -> HttpResponse:
    """The rows as CSV, everything quoted, no cell runs as a formula; with the filter of the page."""
    found = _find(request, number)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for row in filter_rows(batch_rows(found), text_parameter(request, "state")):
        run = row.item.run
        url = request.build_absolute_uri(reverse("compliance:check", args=[run.number])) if run else ""
        writer.writerow([plain_cell(cell) for cell in row_cells(row, url)])
    return send_file(out.getvalue().encode("utf-8-sig"), name=f"originmark-checks-{found.number}.csv", mime="text/csv")


@needs(Permission.CHECK)
@require_POST
def batch_retry(request: HttpRequest, number: str) -> HttpResponse:
    """Check what has no answer yet."""
    found = _find(request, number)
    try:
        retry_batch(actor=request.user, batch=found)  # type: ignore[arg-type]
    except (BatchFinishedError, JobStateError):
        messages.info(request, _("This batch is finished or already being checked."))
    return redirect("compliance:batch", number=found.number)


@needs(Permission.VIEW)
@require_safe
def batch_template(request: HttpRequest) -> HttpResponse:
    """A CSV with its header and one row, as a spreadsheet opens it."""
    lines = [",".join((*REQUIRED, *OPTIONAL)), "A1,A1_main.jpg,A1_hidden.jpg,,"]
    return send_file("\r\n".join([*lines, ""]).encode("utf-8-sig"), name="pairs.csv", mime="text/csv")


def _find(request: HttpRequest, number: str) -> CheckBatch:
    rows = CheckBatch.objects.visible_to(request.user).filter(kind=BatchKind.PAIRS)
    found: CheckBatch = find_or_404(request, rows.select_related("seller", "job"), number)
    return found
