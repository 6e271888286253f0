"""A collage and its SKUs: send one hidden image per SKU, see which is missing, reused or wrong, take the receipt."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from compliance.checks.report import parse_report, read_findings
from compliance.forms import SkuSetForm
from compliance.models import BatchKind, CheckBatch, CheckItem, RunState
from compliance.services.batch_orders import BatchRefusedError, read_sku_order
from compliance.services.check_batches import Choices, is_batch_working
from compliance.services.check_sheet import VERDICT_STATES, finding_lines
from compliance.services.checks import PairRefusedError
from compliance.services.record_receipts import RecordUnfinishedError, sku_receipt_of
from compliance.services.sku_sets import retry_sku_set, start_sku_set
from ledger.accounts.permissions import Permission
from ledger.forms import is_zip, read_upload
from ledger.services.blobs import read_blob
from ledger.services.jobs import JobStateError
from ledger.views.common import Page, explain_trouble, find_or_404, needs, seller_of, send_file

EVERY = "1s"
STATES = {"PASSED": "passed", "FAILED": "failed", "INDETERMINATE": "unknown"}


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def sku_sets(request: HttpRequest) -> HttpResponse:
    """The collage, one hidden image per SKU, and one button; below, what was checked before."""
    if request.method == "POST":
        return _start(request)
    return _form_page(request, SkuSetForm(initial={"request_id": uuid.uuid4().hex}))


def _start(request: HttpRequest) -> HttpResponse:
    form = SkuSetForm(request.POST, request.FILES)
    if not form.is_valid():
        return _form_page(request, form, status=400)
    values = form.cleaned_data
    if values["main"] is None:
        return _form_page(request, form, refusals=[("check.no_main", "")], status=400)
    files = list(values["files"])
    archive = files.pop() if len(files) == 1 and is_zip(files[0]) else None
    try:
        batch = start_sku_set(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller_of(request),
            main=read_upload(values["main"]),
            order=read_sku_order(files=files, archive=archive, declared=values["skus"]),
            choices=Choices(values["profile"], values["category"], values["request_id"]),
        )
    except BatchRefusedError as error:
        return _form_page(request, form, refusals=[(error.code, error.detail)], status=400)
    except PairRefusedError as error:
        refusals = [(each.code, values["main"].name) for each in error.refusals]
        return _form_page(request, form, refusals=refusals, status=400)
    return redirect("compliance:sku_set", number=batch.number)


def _form_page(
    request: HttpRequest, form: SkuSetForm, *, refusals: list[tuple[str, str]] | None = None, status: int = 200
) -> HttpResponse:
    rows = CheckBatch.objects.visible_to(request.user).of(seller_of(request)).filter(kind=BatchKind.SKUS)
    page = Page(rows.select_related("job", "main_image"), request)
    context = {
        "form": form,
        "refusals": refusals or [],
        "page": page,
        "rows": [{"batch": batch, "state": _state(batch)} for batch in page],
    }
    return render(request, "compliance/sku_form.html", context, status=status)


def _state(batch: CheckBatch) -> str:
    if batch.state == RunState.DONE:
        return STATES.get(batch.verdict, "unknown")
    if is_batch_working(batch) and batch.job is not None:
        return "running" if batch.job.state == "running" else "waiting"
    return "needs-you"


@needs(Permission.VIEW)
@require_safe
def sku_set(request: HttpRequest, number: str) -> HttpResponse:
    """One check: progress while it runs, then a row per SKU and what is wrong with all of them together."""
    batch = _find(request, number)
    working = is_batch_working(batch)
    if request.htmx and not working:  # type: ignore[attr-defined]
        refresh: HttpResponse = HttpResponseClientRefresh()
        return refresh
    context: dict[str, Any] = {
        "batch": batch,
        "state": _state(batch),
        "is_working": working,
        "every": EVERY,
        "rows": [_row(item) for item in batch.items.select_related("image")],
        "code": batch.error_code or (batch.job.error_code if batch.job else "") or "check.lost",
    }
    if batch.state == RunState.DONE:
        context["findings"] = finding_lines(read_findings(batch.report))
    fragment = "#progress" if request.htmx else ""  # type: ignore[attr-defined]
    response = render(request, f"compliance/sku_detail.html{fragment}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _row(item: CheckItem) -> dict[str, Any]:
    """One SKU as the page shows it."""
    row: dict[str, Any] = {"item": item, "state": "waiting", "findings": ()}
    if item.error_code:
        row["state"] = "needs-you"
    elif item.report:
        report = parse_report(item.report)
        row |= {"state": VERDICT_STATES[report.verdict], "findings": finding_lines(report.findings)}
        row["original"] = report.original
    elif not item.hidden_name:
        row["state"] = "failed"
    return row


@needs(Permission.CHECK)
@require_POST
def sku_set_retry(request: HttpRequest, number: str) -> HttpResponse:
    """Start a check without a result again."""
    batch = _find(request, number)
    try:
        retry_sku_set(actor=request.user, batch=batch)  # type: ignore[arg-type]
    except JobStateError:
        messages.info(request, _("This check is finished or already running."))
    return redirect("compliance:sku_set", number=batch.number)


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def sku_set_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF."""
    batch = _find(request, number)
    try:
        certificate = sku_receipt_of(actor=request.user, batch=batch)  # type: ignore[arg-type]
    except RecordUnfinishedError as error:
        raise Http404 from error
    return send_file(read_blob(certificate.blob), name=f"originmark-{batch.number}.pdf", mime="application/pdf")


def _find(request: HttpRequest, number: str) -> CheckBatch:
    rows = CheckBatch.objects.visible_to(request.user).filter(kind=BatchKind.SKUS)
    related = ("seller", "job", "main_image__blob", "statement__entry", "statement__seller")
    found: CheckBatch = find_or_404(request, rows.select_related(*related), number)
    return found
