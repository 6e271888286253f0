"""The quality check: choose pictures, see at once what is wrong with each and what to do; each answer has a page and a receipt."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from compliance.forms import QualityForm
from compliance.models import QualityRun
from compliance.services.quality import MAX_PICTURES, TooManyPicturesError, check_pictures, quality_line
from compliance.services.record_receipts import quality_receipt_of
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import read_upload
from ledger.services.blobs import read_blob
from ledger.views.common import explain_trouble, find_or_404, needs, seller_of, send_file


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def quality(request: HttpRequest) -> HttpResponse:
    """The form; after sending it, the answers above it."""
    if request.method != "POST":
        return _page(request, QualityForm())
    form = QualityForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    values = form.cleaned_data
    try:
        lines = check_pictures(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller_of(request),
            uploads=[read_upload(file) for file in values["pictures"][: MAX_PICTURES + 1]],
            profile_id=values["profile"],
            category=values["category"],
            without_hidden=values["without_hidden"],
        )
    except TooManyPicturesError as error:
        text = error_text(error.code)
        form.add_error("pictures", f"{text.title} {text.advice}")
        return _page(request, form, status=400)
    return _page(request, form, lines=lines)


def _page(request: HttpRequest, form: QualityForm, *, lines: object = (), status: int = 200) -> HttpResponse:
    context = {"form": form, "lines": lines, "most": MAX_PICTURES}
    return render(request, "compliance/quality.html", context, status=status)


@needs(Permission.VIEW)
@require_safe
def quality_record(request: HttpRequest, number: str) -> HttpResponse:
    """One recorded check: what was found then."""
    run = _find(request, number)
    return render(request, "compliance/quality_record.html", {"run": run, "line": quality_line(run)})


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def quality_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF."""
    run = _find(request, number)
    certificate = quality_receipt_of(actor=request.user, run=run)  # type: ignore[arg-type]
    return send_file(read_blob(certificate.blob), name=f"originmark-{run.number}.pdf", mime="application/pdf")


def _find(request: HttpRequest, number: str) -> QualityRun:
    related = ("seller", "statement__entry", "statement__seller")
    found: QualityRun = find_or_404(request, QualityRun.objects.select_related(*related), number)
    return found
