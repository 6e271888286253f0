"""Hidden-image checks: the form with what was checked before, one check's result, and what can be taken away."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from compliance.checks.report import parse_report
from compliance.forms import CheckForm
from compliance.models import CheckRun, CheckVerdict, Finding, Repair, RunState
from compliance.services.answers import by_number
from compliance.services.check_receipt import CheckUnfinishedError, difference_picture, receipt_of
from compliance.services.check_sheet import check_sheet
from compliance.services.checks import (
    HIDDEN,
    MAIN,
    CheckFinishedError,
    PairRefusedError,
    is_stuck,
    is_working,
    retry_check,
    start_check,
)
from compliance.services.repairs import offered_fixes
from compliance.views.check_marks import marks_of
from compliance.views.check_rows import failure_rows, finding_rows, step_rows
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.forms import read_upload
from ledger.models import Certificate, JobState
from ledger.services.blobs import read_blob
from ledger.services.evidence import evidence_zip
from ledger.services.jobs import JobStateError
from ledger.views.common import Page, find_or_404, needs, seller_of, send_file

# A check takes well under a second: ask often at first, and seldom when the queue is long.
SOON, LATER = "400ms", "1s"
YOUNG = timedelta(seconds=5)
MISSING = {MAIN: "check.no_main", HIDDEN: "check.no_hidden"}


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def checks(request: HttpRequest) -> HttpResponse:
    """Two pictures and one button; below, what was checked before."""
    if request.method == "POST":
        return _start(request)
    wanted = {name: request.GET.get(name, "") for name in ("category", "profile", "again", "sku")}
    return _form_page(request, CheckForm(initial={**wanted, "request_id": uuid.uuid4().hex}), {})


def _start(request: HttpRequest) -> HttpResponse:
    form = CheckForm(request.POST, request.FILES)
    if not form.is_valid():
        return _form_page(request, form, {}, status=400)
    values = form.cleaned_data
    refusals = {side: code for side, code in MISSING.items() if values[side] is None}
    earlier = _earlier(request, values["again"]) if MAIN in refusals and values["again"] else None
    if earlier is not None:
        del refusals[MAIN]
    if refusals:
        return _form_page(request, form, refusals, status=400)
    try:
        run = start_check(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller_of(request),
            main=earlier.main_image if earlier else read_upload(values[MAIN]),
            hidden=read_upload(values[HIDDEN]),
            category=values["category"],
            profile_id=values["profile"],
            sku=values["sku"],
            request_id=values["request_id"],
        )
    except PairRefusedError as error:
        return _form_page(request, form, {each.side: each.code for each in error.refusals}, status=400)
    return redirect("compliance:check", number=run.number)


def _earlier(request: HttpRequest, number: str) -> CheckRun | None:
    """An earlier check of the seller at hand, whose main image is to be used again."""
    parsed = parse_number(number)
    if parsed is None:
        return None
    runs = CheckRun.objects.visible_to(request.user).of(seller_of(request)).select_related("main_image")
    found: CheckRun | None = runs.filter(number=parsed).first()
    return found


def _form_page(request: HttpRequest, form: CheckForm, refusals: dict[str, str], status: int = 200) -> HttpResponse:
    recent = CheckRun.objects.visible_to(request.user).of(seller_of(request))
    findings = Finding.objects.order_by("position")
    recent = recent.select_related("main_image", "hidden_image", "job")
    page = Page(recent.prefetch_related(Prefetch("findings", findings)), request)
    again = form["again"].value()
    context = {
        "form": form,
        "refusals": refusals,
        "earlier": _earlier(request, again) if again else None,
        "page": page,
        "rows": [{"run": run, "state": _state(run)} for run in page],
    }
    return render(request, "compliance/check_form.html", context, status=status)


def _state(run: CheckRun) -> str:
    """The chip of a list: a check without a result needs somebody, and an undecided one is never passed."""
    if run.state == RunState.DONE:
        return {"PASSED": "passed", "FAILED": "failed"}.get(run.verdict, "unknown")
    if is_working(run) and run.job is not None:
        return "running" if run.job.state == JobState.RUNNING else "waiting"
    return "needs-you"


@needs(Permission.VIEW)
@require_safe
def check(request: HttpRequest, number: str) -> HttpResponse:
    """One check: progress while it runs, then the picture with its findings. htmx asks for the progress alone."""
    related = ("seller", "job", "statement__entry", "main_image", "hidden_image", "original__image")
    run = _find_run(request, CheckRun.objects.select_related(*related), number)
    working = is_working(run)
    if request.htmx and not working:  # type: ignore[attr-defined]
        refresh: HttpResponse = HttpResponseClientRefresh()
        return refresh
    context: dict[str, Any] = {"run": run, "state": _state(run), "is_working": working, "is_stuck": is_stuck(run)}
    if working:
        context["every"] = SOON if timezone.now() - run.created_at < YOUNG else LATER
    if run.state == RunState.DONE:
        context |= _result(run)
    else:
        context["refused"] = run.report.get("refused")
        context["code"] = run.error_code or (run.job.error_code if run.job else "") or "check.lost"
    fragment = "#progress" if request.htmx else ""  # type: ignore[attr-defined]
    response = render(request, f"compliance/check_detail.html{fragment}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _find_run(request: HttpRequest, runs: Any, number: str) -> CheckRun:
    """The check of that number, or the one that a later entry of that number is about: history lists entries."""
    try:
        found: CheckRun = find_or_404(request, runs, number)
    except Http404:
        later = CheckVerdict.objects.visible_to(request.user).filter(statement__number=parse_number(number) or "")
        entry = later.select_related("run").first()
        if entry is None:
            raise
        found = find_or_404(request, runs, entry.run.number)
    return found


def _result(run: CheckRun) -> dict[str, Any]:
    """What the page of a finished check shows beside the run itself."""
    report, answers = parse_report(run.report), by_number(run.answers)
    sheet, fixes = check_sheet(report, answers), offered_fixes(run)
    repair = Repair.objects.of(run.seller).filter(check_run=run).select_related("run__hidden_image").first()
    repairs = Repair.objects.of(run.seller).filter(run=run, state=RunState.DONE).select_related("check_run")
    return {
        "report": report,
        "sheet": sheet,
        "marks": marks_of(sheet.findings, report.hidden),
        "rows": finding_rows(sheet, fixes, run.answers),
        "fixes": len(fixes),
        "repair": repair,
        "steps": step_rows(repair.report) if repair else [],
        "failures": failure_rows(repair.report) if repair else [],
        "repairs": [(each, _state(each.check_run)) for each in repairs.order_by("-pk") if each.check_run],
        "later": list(run.verdicts.select_related("statement__entry", "statement__actor")),
        "request_id": uuid.uuid4().hex,
    }


@needs(Permission.CHECK)
@require_POST
def check_retry(request: HttpRequest, number: str) -> HttpResponse:
    """Start a check without a result again."""
    run: CheckRun = find_or_404(request, CheckRun.objects.select_related("seller", "job__seller"), number)
    try:
        retry_check(actor=request.user, run=run)  # type: ignore[arg-type]
    except (CheckFinishedError, JobStateError):
        messages.info(request, _("This check is finished or already running."))
    return redirect("compliance:check", number=run.number)


@needs(Permission.VIEW)
@require_safe
def check_heatmap(request: HttpRequest, number: str) -> HttpResponse:
    """The difference map with scale and legend, as a PNG to keep."""
    run: CheckRun = find_or_404(request, CheckRun.objects.select_related("seller", "heatmap"), number)
    if run.heatmap is None:
        raise Http404
    return send_file(read_blob(run.heatmap), name=f"originmark-difference-{run.number}.png", mime="image/png")


@needs(Permission.VIEW)
@require_safe
def check_difference(request: HttpRequest, number: str) -> HttpResponse:
    """The difference alone, for the page that draws its own numbers and legend."""
    run: CheckRun = find_or_404(request, CheckRun.objects.select_related("seller", "heatmap"), number)
    content = difference_picture(run)
    if content is None:
        raise Http404
    response = send_file(content, name=f"{run.number}.webp", mime="image/webp", inline=True)
    response["Cache-Control"] = "private, max-age=86400"
    return response


@needs(Permission.VIEW)
@require_safe
def check_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF."""
    run, certificate = _receipt(request, number)
    return send_file(read_blob(certificate.blob), name=f"originmark-{run.number}.pdf", mime="application/pdf")


@needs(Permission.VIEW)
@require_safe
def check_bundle(request: HttpRequest, number: str) -> HttpResponse:
    """The ZIP of core bundle and receipt."""
    run, certificate = _receipt(request, number)
    content = evidence_zip(actor=request.user, certificate=certificate)  # type: ignore[arg-type]
    return send_file(content, name=f"originmark-{run.number}.zip", mime="application/zip")


def _receipt(request: HttpRequest, number: str) -> tuple[CheckRun, Certificate]:
    related = (
        "seller",
        "original",
        "statement__entry",
        "statement__seller",
        "main_image__blob",
        "hidden_image__blob",
        "heatmap",
    )
    run = _find_run(request, CheckRun.objects.select_related(*related), number)
    try:
        return run, receipt_of(actor=request.user, run=run)  # type: ignore[arg-type]
    except CheckUnfinishedError as error:
        raise Http404 from error
