"""Repairs of a checked hidden image: one button, progress, then the new file's own check; and the file to take away."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from compliance.models import CheckRun, Repair, RunState
from compliance.services.repairs import (
    RepairFinishedError,
    RepairNotOfferedError,
    is_working,
    retry_repair,
    start_repair,
)
from compliance.views.check_rows import failure_rows
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.models import JobState
from ledger.services.blobs import read_blob
from ledger.services.jobs import JobStateError
from ledger.views.common import explain_trouble, find_or_404, needs, send_file

EVERY = "400ms"  # a repair takes about a second


@needs(Permission.CHECK)
@require_POST
def check_repair(request: HttpRequest, number: str) -> HttpResponse:
    """Make the repair that was asked for, or all that can help."""
    run: CheckRun = find_or_404(request, CheckRun.objects.select_related("seller", "original"), number)
    try:
        repair = start_repair(actor=request.user, run=run, fix=request.POST.get("fix", ""))  # type: ignore[arg-type]
    except RepairNotOfferedError as error:
        text = error_text(error.code)
        messages.error(request, f"{text.title} {text.advice}")
        return redirect("compliance:check", number=run.number)
    return redirect("compliance:repair", number=repair.number)


@needs(Permission.VIEW)
@require_safe
def repair(request: HttpRequest, number: str) -> HttpResponse:
    """Progress while it is made; then the check of the new file, or why there is none. htmx asks for the progress."""
    related = ("seller", "job", "run__hidden_image", "check_run")
    found: Repair = find_or_404(request, Repair.objects.select_related(*related), number)
    working = is_working(found)
    if request.htmx and not working:  # type: ignore[attr-defined]
        refresh: HttpResponse = HttpResponseClientRefresh()
        return refresh
    if found.state == RunState.DONE and found.check_run is not None:
        return redirect("compliance:check", number=found.check_run.number)
    is_running = found.job is not None and found.job.state == JobState.RUNNING
    context = {
        "repair": found,
        "is_working": working,
        "state": "running" if is_running else "waiting",
        "every": EVERY,
        "code": found.error_code or (found.job.error_code if found.job else "") or "repair.lost",
        "failures": failure_rows(found.report),
    }
    fragment = "#progress" if request.htmx else ""  # type: ignore[attr-defined]
    response = render(request, f"compliance/repair_detail.html{fragment}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@needs(Permission.CHECK)
@require_POST
def repair_retry(request: HttpRequest, number: str) -> HttpResponse:
    """Try again what has no file."""
    found: Repair = find_or_404(request, Repair.objects.select_related("seller", "job__seller"), number)
    try:
        retry_repair(actor=request.user, repair=found)  # type: ignore[arg-type]
    except (RepairFinishedError, JobStateError):
        messages.info(request, _("This repair is finished or already being made."))
    return redirect("compliance:repair", number=found.number)


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def repair_file(request: HttpRequest, number: str) -> HttpResponse:
    """The repaired file itself."""
    found: Repair = find_or_404(request, Repair.objects.select_related("seller", "image__blob"), number)
    if found.image is None:
        raise Http404
    return send_file(read_blob(found.image.blob), name=found.image.file_name, mime=found.image.mime)
