"""Compliance packs: choose originals and a promotion, watch them being made, take the ZIP away."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from compliance.checks.report import parse_report
from compliance.forms import PackForm
from compliance.models import PackItem, PackRun, RunState
from compliance.packs.batch import OPTIONAL, REQUIRED
from compliance.services.check_sheet import VERDICT_STATES
from compliance.services.pack_orders import Choice, batch_orders, chosen_orders
from compliance.services.pack_zip import PackUnfinishedError, pack_zip
from compliance.services.packs import (
    OrderRefusal,
    PackFinishedError,
    PackOrder,
    PackRefusedError,
    is_working,
    order_packs,
    retry_packs,
)
from compliance.services.record_receipts import derivative_receipt_of
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.forms import read_upload
from ledger.models import AccessKind, ImageState, Original, Statement
from ledger.services.blobs import read_blob
from ledger.services.derivatives import KIND as DERIVATIVE
from ledger.services.jobs import JobStateError
from ledger.views.common import (
    Page,
    explain_trouble,
    find_or_404,
    needs,
    note_access,
    seller_of,
    send_file,
    text_parameter,
)

CHOICE = 48  # originals offered on the page; a search by name finds the others
EVERY = "1s"


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def packs(request: HttpRequest) -> HttpResponse:
    """Originals, one promotion or a CSV, and one button; below, what was ordered before."""
    if request.method == "POST":
        return _start(request)
    chosen = [number for number in map(parse_number, request.GET.getlist("original")) if number]
    form = PackForm(initial={"request_id": uuid.uuid4().hex})
    return _form_page(request, form, chosen)


def _start(request: HttpRequest) -> HttpResponse:
    form = PackForm(request.POST, request.FILES)
    if not form.is_valid():
        return _form_page(request, form, request.POST.getlist("originals"), status=400)
    values = form.cleaned_data
    try:
        run = order_packs(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller_of(request),
            orders=_orders(request, values),
            profile_id=values["profile"],
            request_id=values["request_id"],
        )
    except PackRefusedError as error:
        return _form_page(request, form, values["originals"], error.refusals, status=400)
    return redirect("compliance:pack", number=run.number)


def _orders(request: HttpRequest, values: dict[str, Any]) -> list[PackOrder]:
    """A CSV counts before a choice."""
    seller = seller_of(request)
    if values["batch"] is not None:
        uploads = [read_upload(file) for file in values["files"]]
        return batch_orders(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller,
            batch=values["batch"].read(),
            files={upload.file_name: upload for upload in uploads},
            category=values["category"],
        )
    return chosen_orders(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller,
        choice=Choice(
            numbers=values["originals"],
            promotion=read_upload(values["promotion"]) if values["promotion"] else None,
            kind=values["kind"],
            category=values["category"],
        ),
    )


def _form_page(
    request: HttpRequest,
    form: PackForm,
    chosen: list[str],
    refusals: tuple[OrderRefusal, ...] = (),
    status: int = 200,
) -> HttpResponse:
    seller = seller_of(request)
    runs = PackRun.objects.visible_to(request.user).of(seller).select_related("job")
    made = Count("items", filter=Q(items__state=RunState.DONE))
    page = Page(runs.annotate(wanted=Count("items"), made=made), request)
    query = text_parameter(request, "q")
    context = {
        "form": form,
        "refusals": refusals,
        "chosen": set(chosen),
        "originals": _choice(request, chosen, query),
        "q": query,
        "page": page,
        "rows": [{"run": run, "state": _state(run, run.made, run.wanted)} for run in page],
    }
    return render(request, "compliance/pack_form.html", context, status=status)


def _choice(request: HttpRequest, chosen: list[str], query: str) -> list[Original]:
    """Those chosen already, then the newest, or those of that name."""
    rows = Original.objects.visible_to(request.user).of(seller_of(request)).select_related("image")
    first = list(rows.filter(number__in=chosen).order_by("-pk")[:CHOICE])
    others = rows.filter(image__state=ImageState.READY).exclude(number__in=chosen)
    if query:
        others = others.filter(search_text__icontains=query)
    return first + list(others.order_by("-pk")[: CHOICE - len(first)])


def _state(run: PackRun, made: int, wanted: int) -> str:
    if is_working(run) and run.job is not None:
        return "running" if run.job.state == "running" else "waiting"
    return "passed" if made == wanted else "needs-you"


@needs(Permission.VIEW)
@require_safe
def pack(request: HttpRequest, number: str) -> HttpResponse:
    """One order: progress while it is made, then the pictures. htmx asks for the progress alone."""
    run: PackRun = find_or_404(request, PackRun.objects.select_related("seller", "job"), number)
    working = is_working(run)
    if request.htmx and not working:  # type: ignore[attr-defined]
        refresh: HttpResponse = HttpResponseClientRefresh()
        return refresh
    roles = ("main", "hidden", "detail")
    related = [f"{role}__{rest}" for role in roles for rest in ("image", "statement")]
    items = list(run.items.select_related("original__image", "promotion", *related))
    made = sum(item.state == RunState.DONE for item in items)
    context = {
        "run": run,
        "state": _state(run, made, len(items)),
        "is_working": working,
        "every": EVERY,
        "made": made,
        "rows": [_row(item) for item in items],
        "can_retry": not working and made < len(items),
    }
    fragment = "#progress" if request.htmx else ""  # type: ignore[attr-defined]
    response = render(request, f"compliance/pack_detail.html{fragment}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _row(item: PackItem) -> dict[str, Any]:
    """One pack as the page shows it."""
    row: dict[str, Any] = {"item": item, "state": "waiting", "files": item.files}
    if item.state == RunState.FAILED:
        row["state"] = "needs-you"
    if item.state == RunState.DONE:
        check = parse_report(item.report["check"])
        row |= {"state": VERDICT_STATES[check.verdict], "check": check, "report": item.report}
    return row


@needs(Permission.CHECK)
@require_POST
def pack_retry(request: HttpRequest, number: str) -> HttpResponse:
    """Make what is missing."""
    run: PackRun = find_or_404(request, PackRun.objects.select_related("seller", "job__seller"), number)
    try:
        retry_packs(actor=request.user, run=run)  # type: ignore[arg-type]
    except (PackFinishedError, JobStateError):
        messages.info(request, _("These packs are finished or already being made."))
    return redirect("compliance:pack", number=run.number)


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def pack_archive(request: HttpRequest, number: str) -> FileResponse:
    """The ZIP: a folder per SKU and the summary."""
    run: PackRun = find_or_404(request, PackRun.objects.select_related("seller"), number)
    try:
        content = pack_zip(actor=request.user, run=run)  # type: ignore[arg-type]
    except PackUnfinishedError as error:
        raise Http404 from error
    note_access(request, run.seller, AccessKind.PACK, run.number)
    response = FileResponse(
        content, as_attachment=True, filename=f"originmark-packs-{run.number}.zip", content_type="application/zip"
    )
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@needs(Permission.VIEW)
@require_safe
def pack_template(request: HttpRequest) -> HttpResponse:
    """An empty batch with its header, as a spreadsheet opens it."""
    header = ",".join((*REQUIRED, *OPTIONAL)) + "\r\n"
    return send_file(header.encode("utf-8-sig"), name="packs.csv", mime="text/csv")


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def derivative_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF of the entry that links one file to its original."""
    rows = Statement.objects.visible_to(request.user).filter(kind=DERIVATIVE)
    related = ("seller", "derivative__statement__entry", "derivative__statement__seller", "derivative__image__blob")
    statement = find_or_404(request, rows.select_related(*related, "derivative__original__image__blob"), number)
    certificate = derivative_receipt_of(actor=request.user, derivative=statement.derivative)  # type: ignore[arg-type]
    return send_file(read_blob(certificate.blob), name=f"originmark-{statement.number}.pdf", mime="application/pdf")
