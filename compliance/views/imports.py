"""Importing a file into a catalogue: send it, say what its columns mean beside a preview, watch its rows come."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from compliance.catalogues.errors import FeedError
from compliance.catalogues.feed import COLUMNS, NEEDED
from compliance.forms import ImportForm
from compliance.models import ImportProblem, ImportRun, ImportState, RemotePicture, SourceMapping
from compliance.services.imports import (
    ImportStateError,
    confirm_import,
    discard_import,
    mapping_of,
    preview,
    retry_import,
    start_import,
)
from ledger.accounts.permissions import Permission
from ledger.admission.verdict import FileRefused
from ledger.error_texts import error_text
from ledger.models import JobState
from ledger.services.blobs import BlobUnreadableError
from ledger.services.job_context import JobError
from ledger.services.jobs import UNFINISHED
from ledger.views.common import Page, find_or_404, needs, seller_of

COLUMN_NAMES = {
    "product_id": gettext_lazy("Product id"),
    "url": gettext_lazy("Address of the listing"),
    "title": gettext_lazy("Title"),
    "shop_id": gettext_lazy("Shop id"),
    "shop_name": gettext_lazy("Shop"),
    "shop_country": gettext_lazy("Shop country"),
    "category": gettext_lazy("Category"),
    "listed_at": gettext_lazy("Listed"),
    "delisted_at": gettext_lazy("Delisted"),
    "price": gettext_lazy("Price"),
    "language": gettext_lazy("Language"),
    "image": gettext_lazy("Picture (file name or address)"),
}
CHIPS = {
    ImportState.DRAFT: "needs-you",
    ImportState.WAITING: "running",
    ImportState.DONE: "passed",
    ImportState.FAILED: "failed",
    ImportState.CANCELLED: "unknown",
}
COUNT_WORDS = {
    "imported": gettext_lazy("new"),
    "updated": gettext_lazy("updated"),
    "unchanged": gettext_lazy("unchanged"),
    "rejected": gettext_lazy("refused"),
    "delisted": gettext_lazy("delisted"),
}


@needs(Permission.IMPORT_CATALOGUE)
@require_http_methods(["GET", "HEAD", "POST"])
def import_new(request: HttpRequest) -> HttpResponse:
    """One file; it is sealed as a draft and its columns are shown. Nothing is imported yet."""
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            run = start_import(
                actor=request.user,  # type: ignore[arg-type]
                seller=seller_of(request),
                file_name=file.name or "",
                file=file,
                name=form.cleaned_data["name"],
            )
        except (FeedError, FileRefused) as error:
            text = error_text(error.code)
            form.add_error("file", f"{text.title} {text.advice} ({text.code}: {error})")
        else:
            return redirect("compliance:import", number=run.number)
    runs = ImportRun.objects.visible_to(request.user).of(seller_of(request)).select_related("job", "catalogue")
    context = {"form": form, "runs": [_line(run) for run in runs.order_by("-pk")[:10]]}
    return render(request, "compliance/import_form.html", context, status=400 if form.errors else 200)


def _line(run: ImportRun) -> dict[str, Any]:
    stopped = run.state == ImportState.WAITING and run.job is not None and run.job.state not in UNFINISHED
    chip = "failed" if stopped else CHIPS[ImportState(run.state)]
    word = _("stopped half-way") if stopped else ImportState(run.state).label
    return {"run": run, "chip": chip, "word": word, "stopped": stopped}


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def import_run(request: HttpRequest, number: str) -> HttpResponse:
    """A draft's columns and preview; then its progress; then what became of its rows. POST previews or imports."""
    rows = ImportRun.objects.select_related("seller", "job", "catalogue", "blob")
    run: ImportRun = find_or_404(request, rows, number)
    may = Permission.IMPORT_CATALOGUE in request.desk.rights(run.seller)  # type: ignore[attr-defined]
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        return _post(request, run)
    if run.state == ImportState.DRAFT:
        return _draft_page(request, run, dict(run.mapping)) if may else redirect("compliance:catalogues")
    return _progress_page(request, run)


def _post(request: HttpRequest, run: ImportRun) -> HttpResponse:
    mapping = mapping_of({name: request.POST.get(f"column-{name}", "") for name in COLUMNS})
    if run.state != ImportState.DRAFT or request.POST.get("action") != "import":
        return _draft_page(request, run, mapping) if run.state == ImportState.DRAFT else _progress_page(request, run)
    try:
        confirm_import(
            actor=request.user,  # type: ignore[arg-type]
            run=run,
            mapping=mapping,
            name=request.POST.get("name", "").replace("\0", ""),
            is_complete=request.POST.get("complete") == "on",
        )
    except FeedError as error:
        return _draft_page(request, run, mapping, error)
    except ImportStateError:
        pass  # sent twice: the first one counts
    return redirect("compliance:import", number=run.number)


def _draft_page(
    request: HttpRequest, run: ImportRun, mapping: dict[str, int], error: FeedError | None = None
) -> HttpResponse:
    shown, code = None, error.code if error else ""
    detail = str(error) if error else ""
    try:
        shown = preview(run, mapping)
    except (FeedError, FileRefused, BlobUnreadableError, JobError) as problem:
        code, detail = problem.code, str(problem)
    known = (
        SourceMapping.objects.visible_to(request.user).of(run.seller).filter(mapping=mapping, name=run.name).exists()
    )
    context = {
        "run": run,
        "preview": shown,
        "error": error_text(code) if code else None,
        "detail": detail,
        "is_known": known,
        "columns": [
            {"name": name, "label": COLUMN_NAMES[name], "needed": name in NEEDED, "at": mapping.get(name)}
            for name in COLUMNS
        ],
        "header": list(enumerate(run.header)),
    }
    return render(request, "compliance/import_draft.html", context, status=400 if error else 200)


def _progress_page(request: HttpRequest, run: ImportRun) -> HttpResponse:
    line = _line(run)
    is_working = run.state == ImportState.WAITING and not line["stopped"]
    if request.htmx and not is_working:  # type: ignore[attr-defined]
        refresh: HttpResponse = HttpResponseClientRefresh()
        return refresh
    problems = ImportProblem.objects.visible_to(request.user).filter(run=run)
    waiting = RemotePicture.objects.visible_to(request.user).filter(run=run, state=RemotePicture.WAITING)
    page = Page(problems, request)
    context = {
        **line,
        "page": page,
        "problems": [{"row": row, "text": error_text(row.code)} for row in page],
        "counts": [{"word": COUNT_WORDS[name], "n": run.counts[name]} for name in COUNT_WORDS if run.counts.get(name)],
        "waiting": waiting.count(),
        "is_working": is_working,
        "is_running": run.job is not None and run.job.state == JobState.RUNNING,
        "error": error_text(run.error_code) if run.error_code else None,
    }
    template = "compliance/import_detail.html"
    return render(request, f"{template}#progress" if request.htmx else template, context)  # type: ignore[attr-defined]


@needs(Permission.IMPORT_CATALOGUE)
@require_POST
def import_discard(request: HttpRequest, number: str) -> HttpResponse:
    """Throw a draft away."""
    run: ImportRun = find_or_404(request, ImportRun.objects.select_related("seller", "blob"), number)
    try:
        discard_import(actor=request.user, run=run)  # type: ignore[arg-type]
    except ImportStateError:
        messages.warning(request, _("It is being imported already."))
        return redirect("compliance:import", number=run.number)
    messages.success(request, _("Thrown away; nothing was imported."))
    return redirect("compliance:import_new")


@needs(Permission.IMPORT_CATALOGUE)
@require_POST
def import_retry(request: HttpRequest, number: str) -> HttpResponse:
    """Go on with an import that stopped."""
    run: ImportRun = find_or_404(request, ImportRun.objects.select_related("seller"), number)
    retry_import(actor=request.user, run=run)  # type: ignore[arg-type]
    return redirect("compliance:import", number=run.number)
