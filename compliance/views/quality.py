"""The quality check: choose pictures, see at once what is wrong with each and what to do. Nothing is kept."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from compliance.forms import QualityForm
from compliance.services.quality import MAX_PICTURES, TooManyPicturesError, check_pictures
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import read_upload
from ledger.views.common import needs, seller_of


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
