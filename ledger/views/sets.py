"""Evidence sets: drop the files of a shoot, correct what each one is, register; then take the proof away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.accounts.numbers import new_number, parse_number
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import SetFilesForm, SetForm
from ledger.models import AccessKind, EvidenceSet, SetRole
from ledger.services.blobs import read_blob
from ledger.services.evidence_sets import (
    MAX_FILE_BYTES,
    Added,
    SetError,
    add_files,
    discard_draft,
    open_draft,
    register_set,
    set_bundle,
    set_certificate,
    set_file,
)
from ledger.services.log import latest_checkpoint
from ledger.services.originals import REJECTED, Upload
from ledger.services.rights import current_rights
from ledger.tlog.claims import MAX_ITEMS
from ledger.views.clocks import bracket_context
from ledger.views.common import Page, explain_trouble, find_or_404, needs, note_access, seller_of, send_file


@needs(Permission.VIEW)
@require_safe
def set_list(request: HttpRequest) -> HttpResponse:
    """Registered sets, newest first, after the drafts that wait to be registered."""
    rows = EvidenceSet.objects.visible_to(request.user).of(seller_of(request)).select_related("statement")
    counted: Any = rows.annotate(file_count=Count("files"), size_bytes=Sum("files__size_bytes"))
    drafts = list(counted.filter(statement=None).order_by("-pk")[:20])
    context = {"page": Page(counted.exclude(statement=None), request), "drafts": drafts}
    return render(request, "ledger/set_list.html", context)


@needs(Permission.REGISTER)
@require_http_methods(["GET", "HEAD", "POST"])
def set_new(request: HttpRequest) -> HttpResponse:
    """Drop the files. They go into a draft of the number the form carries, one request per file or all in one."""
    previous = _previous(request)
    if request.method != "POST":
        context = {"number": _draft_number(request.GET.get("set", "")), "previous": previous, "limits": _limits()}
        return render(request, "ledger/set_new.html", context)
    form = SetFilesForm(request.POST, request.FILES)
    number = _draft_number(request.POST.get("set", ""))
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    if not form.is_valid():
        return _answer(request, number, [Added("", REJECTED, "no_file")], wants_json, status=400)
    path = form.cleaned_data["path"]
    uploads = [Upload(path or file.name or "", file.read(MAX_FILE_BYTES + 1)) for file in form.cleaned_data["files"]]
    try:
        draft = open_draft(actor=request.user, seller=seller_of(request), number=number, previous=previous)  # type: ignore[arg-type]
        answers = add_files(actor=request.user, draft=draft, uploads=uploads)  # type: ignore[arg-type]
    except SetError as error:
        answers = [Added(upload.file_name, REJECTED, error.code) for upload in uploads]
    return _answer(request, number, answers, wants_json)


def _draft_number(text: str) -> str:
    return parse_number(text) or new_number()


def _previous(request: HttpRequest) -> EvidenceSet | None:
    """The set that is to be added to; the page then belongs to its seller."""
    asked = request.POST.get("adds") or request.GET.get("adds") or ""
    if not asked:
        return None
    found: EvidenceSet = find_or_404(request, EvidenceSet.objects.select_related("seller"), asked)
    if found.statement_id is None:
        raise Http404
    return found


def _limits() -> dict[str, int]:
    return {"mib": MAX_FILE_BYTES // 2**20, "files": MAX_ITEMS}


def _answer(
    request: HttpRequest, number: str, answers: list[Added], wants_json: bool, status: int = 200
) -> HttpResponse:
    url = reverse("ledger:set", args=[number])
    if wants_json:
        return JsonResponse({"results": [_line(answer, url) for answer in answers]}, status=status)
    for answer in answers:
        if answer.status == REJECTED:
            text = error_text(answer.code)
            messages.error(request, f"{answer.file_name} {text.title} {text.advice} ({answer.code})".strip())
    if all(answer.status == REJECTED for answer in answers):
        return redirect("ledger:set_new")
    return redirect(url)


def _line(answer: Added, url: str) -> dict[str, Any]:
    text = error_text(answer.code) if answer.code else None
    return {
        "file": answer.file_name,
        "status": answer.status,
        "code": answer.code,
        "message": f"{text.title} {text.advice}" if text else "",
        "url": "" if answer.status == REJECTED else url,
        "seq": None,
        "leaf_hash": None,
    }


@needs(Permission.VIEW)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def evidence_set(request: HttpRequest, number: str) -> HttpResponse:
    """A draft: what each file is, and the button that registers. A registered set: its files and its proof."""
    found = _find(request, number)
    rights = request.desk.rights(found.seller)  # type: ignore[attr-defined]
    if request.method == "POST" and Permission.REGISTER not in rights:
        raise PermissionDenied
    if found.statement is not None and request.method != "POST":
        return _detail(request, found)
    form = SetForm(request.POST or None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            roles = {file.position: request.POST.get(f"role-{file.position}", "") for file in found.files.all()}
            register_set(actor=request.user, draft=found, title=form.cleaned_data["title"], roles=roles)  # type: ignore[arg-type]
        except SetError as refusal:
            error = error_text(refusal.code)
        else:
            messages.success(request, _("Registered."))
            return redirect("ledger:set", number=found.number)
    context = {
        "set": found,
        "files": found.files.order_by("position"),
        "roles": SetRole.choices,
        "form": form,
        "error": error,
        "kept": found.previous.files.filter(is_erased=False).count() if found.previous else 0,
    }
    return render(request, "ledger/set_draft.html", context, status=400 if error or form.errors else 200)


def _find(request: HttpRequest, number: str) -> EvidenceSet:
    related = ("seller", "statement__entry", "statement__seller", "statement__erasure", "previous", "registered_by")
    found: EvidenceSet = find_or_404(request, EvidenceSet.objects.select_related(*related), number)
    return found


def _detail(request: HttpRequest, found: EvidenceSet) -> HttpResponse:
    newest = latest_checkpoint()
    assert found.statement is not None  # noqa: S101 - the caller looked
    files = list(found.files.order_by("position"))
    context = {
        "set": found,
        "statement": found.statement,
        "files": files,
        "rights": [
            *current_rights(found.right_records.all()).order_by("pk"),
            *current_rights(found.rights.all()).order_by("pk"),
        ],
        "size_bytes": sum(file.size_bytes for file in files),
        "supplements": found.supplements.exclude(statement=None).select_related("statement").order_by("pk"),
        **bracket_context(found.statement, is_sealed=bool(newest and newest.tree_size > found.statement.entry_id)),
    }
    return render(request, "ledger/set_detail.html", context)


@needs(Permission.REGISTER)
@require_POST
def set_discard(request: HttpRequest, number: str) -> HttpResponse:
    """Throw a draft away."""
    found = _find(request, number)
    try:
        discard_draft(actor=request.user, draft=found)  # type: ignore[arg-type]
    except SetError as error:
        messages.error(request, error_text(error.code).title)
        return redirect("ledger:set", number=found.number)
    messages.success(request, _("The draft and its files are gone."))
    return redirect("ledger:sets")


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def set_pdf(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF."""
    found = _find(request, number)
    if found.statement is None:
        raise Http404
    certificate = set_certificate(actor=request.user, evidence_set=found)  # type: ignore[arg-type]
    return send_file(read_blob(certificate.blob), name=f"originmark-{found.number}.pdf", mime="application/pdf")


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def set_evidence(request: HttpRequest, number: str) -> HttpResponse:
    """The ZIP of core bundle and certificate; ?file=3&file=7 also discloses those files."""
    found = _find(request, number)
    if found.statement is None:
        raise Http404
    chosen = [
        int(text) for text in request.GET.getlist("file") if text.isascii() and text.isdecimal() and len(text) < 6
    ]
    try:
        content = set_bundle(actor=request.user, evidence_set=found, disclosed=chosen)  # type: ignore[arg-type]
    except SetError as error:
        messages.error(request, f"{error_text(error.code).title} {error_text(error.code).advice}")
        return redirect("ledger:set", number=found.number)
    if chosen:
        note_access(request, found.seller, AccessKind.BUNDLE_WITH_FILES, found.number)
    return send_file(content, name=f"originmark-{found.number}.zip", mime="application/zip")


@needs(Permission.DOWNLOAD_ORIGINAL)
@explain_trouble
@require_safe
def set_file_download(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """The exact bytes of one file, never shown in the browser: nobody looked inside."""
    found = _find(request, number)
    file = found.files.select_related("blob", "seller", "evidence_set__statement").filter(position=position).first()
    if file is None or file.is_erased:
        raise Http404
    content = set_file(actor=request.user, file=file)  # type: ignore[arg-type]
    note_access(request, found.seller, AccessKind.EVIDENCE_FILE, found.number)
    return send_file(content, name=file.file_name.rsplit("/", 1)[-1], mime="application/octet-stream")
