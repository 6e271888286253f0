"""Files made from originals: link one that was made elsewhere, and take the proof of a link away."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import DerivativeForm, read_upload
from ledger.imaging.errors import ImagingError
from ledger.models import Derivative, Original
from ledger.services.linking import SameFileError, UnrelatedError, derivative_zip, link_upload
from ledger.views.common import explain_trouble, find_or_404, needs, send_file


@needs(Permission.CHECK)
@explain_trouble
@require_POST
def link(request: HttpRequest, number: str) -> HttpResponse:
    """Measure the file against the original and enter the link; what is wrong is said on the original's page."""
    rows = Original.objects.select_related("image__blob", "statement__entry", "seller")
    found: Original = find_or_404(request, rows, number)
    form = DerivativeForm(request.POST, request.FILES)
    if not form.is_valid():
        code = "no_file" if "file" in form.errors else "form_invalid"
        messages.error(request, _said(code))
        return redirect("ledger:original", number=found.number)
    try:
        made = link_upload(
            actor=request.user,  # type: ignore[arg-type]
            original=found,
            upload=read_upload(form.cleaned_data["file"]),
            role=form.cleaned_data["role"],
        )
    except (ImagingError, UnrelatedError, SameFileError) as error:
        messages.error(request, _said(error.code))
    else:
        messages.success(request, _("Linked by entry %(seq)d.") % {"seq": made.statement.seq})
    return redirect("ledger:original", number=found.number)


def _said(code: str) -> str:
    text = error_text(code)
    return f"{text.title} {text.advice} ({code})"


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def bundle(request: HttpRequest, number: str) -> HttpResponse:
    """The proof of one link, by the proof number of its entry."""
    rows = Derivative.objects.visible_to(request.user).filter(original__erased_at=None)
    found = (
        rows.filter(statement__number=parse_number(number) or "").select_related("seller", "statement__entry").first()
    )
    if found is None:
        raise Http404
    desk = request.desk  # type: ignore[attr-defined]
    if Permission.VIEW not in desk.rights(found.seller):
        raise PermissionDenied
    content = derivative_zip(actor=request.user, derivative=found)  # type: ignore[arg-type]
    return send_file(content, name=f"originmark-{found.statement.number}.zip", mime="application/zip")
