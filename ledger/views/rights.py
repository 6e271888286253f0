"""Right records: registrations and certificates of third parties, kept with what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import AttachForm, RightCorrectionForm, RightForm
from ledger.models import RightRecord
from ledger.services.evidence_sets import MAX_FILE_BYTES, SetError
from ledger.services.originals import Upload
from ledger.services.right_tokens import TrustAnchorsError
from ledger.services.rights import (
    REMIND_BEFORE,
    RightChangedError,
    RightFacts,
    UnknownNumberError,
    attach_right,
    correct_right,
    current_rights,
    record_right,
    withdraw_right,
)
from ledger.views.common import Page, explain_trouble, find_or_404, needs, seller_of, text_parameter


@needs(Permission.VIEW)
@require_safe
def right_list(request: HttpRequest) -> HttpResponse:
    """Every record, newest first, with what is left of its time."""
    rows: Any = current_rights(RightRecord.objects.visible_to(request.user).of(seller_of(request)))
    page = Page(rows.select_related("document"), request)
    lines = [{"right": right, "state": _state(right)} for right in page]
    return render(request, "ledger/right_list.html", {"page": page, "lines": lines})


def _state(right: RightRecord) -> str:
    """The chip: ended, ending, or nothing to say."""
    today = timezone.localdate()
    if right.valid_until is None or right.valid_until > today + REMIND_BEFORE:
        return ""
    return "failed" if right.valid_until < today else "needs-you"


def _token(right: RightRecord) -> dict[str, Any]:
    """What the check of a token found, as the page shows it; empty for a document that is none."""
    found = dict(right.token)
    if "gen_time" in found:
        found["gen_time"] = datetime.fromisoformat(found["gen_time"])
    if "code" in found:
        found["why"] = error_text(found["code"])
    return found


def _document(values: dict[str, Any]) -> Upload | None:
    """Take the file out of what the form says."""
    file = values.pop("document")
    return Upload(file.name or "", file.read(MAX_FILE_BYTES + 1)) if file else None


@contextmanager
def _named_errors(form: forms.Form) -> Iterator[None]:
    """Say what a service refuses beside the field it is about."""
    try:
        yield
    except UnknownNumberError as error:
        form.add_error("numbers", f"{error_text(error.code).title} {error.number} ({error.code})")
    except TrustAnchorsError as error:
        form.add_error("trust_anchors", _sentence(error.code))
    except SetError as error:
        form.add_error("document", f"{error_text(error.code).title} ({error.code})")
    except RightChangedError as error:
        form.add_error(None, _sentence(error.code))


def _sentence(code: str) -> str:
    text = error_text(code)
    return f"{text.title} {text.advice} ({code})"


@needs(Permission.REGISTER)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def right_new(request: HttpRequest) -> HttpResponse:
    """The form; ?number=… attaches the record to an original or a set."""
    form = RightForm(
        request.POST or None, request.FILES or None, initial={"numbers": text_parameter(request, "number")}
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        numbers = values.pop("numbers")
        with _named_errors(form):
            made = record_right(
                actor=request.user,  # type: ignore[arg-type]
                seller=seller_of(request),
                document=_document(values),
                facts=RightFacts(**values),
                numbers=numbers,
            )
            messages.success(request, _("Saved."))
            return redirect("ledger:right", number=made.number)
    return render(request, "ledger/right_form.html", {"form": form}, status=400 if form.errors else 200)


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def right(request: HttpRequest, number: str) -> HttpResponse:
    """One record, what it is attached to, what it replaces, and its document's proof. POST attaches it to more."""
    related = ("seller", "document__statement", "created_by", "withdrawn_by", "replaces", "replaced_by")
    found: RightRecord = find_or_404(request, RightRecord.objects.select_related(*related), number)
    form = AttachForm(request.POST or None)
    if request.method == "POST":
        if Permission.REGISTER not in request.desk.rights(found.seller):  # type: ignore[attr-defined]
            raise PermissionDenied
        if form.is_valid():
            with _named_errors(form):
                attach_right(actor=request.user, record=found, numbers=form.cleaned_data["numbers"])  # type: ignore[arg-type]
                return redirect("ledger:right", number=found.number)
    context = {
        "right": found,
        "state": _state(found) if found.is_current else "",
        "token": _token(found),
        "form": form,
        "originals": found.originals.select_related("image").order_by("-pk"),
        "sets": found.sets.order_by("-pk"),
    }
    return render(request, "ledger/right_detail.html", context, status=400 if form.errors else 200)


@needs(Permission.REGISTER)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def right_correct(request: HttpRequest, number: str) -> HttpResponse:
    """What was entered, to be put right; saving makes a record that replaces this one."""
    found: RightRecord = find_or_404(request, RightRecord.objects.select_related("seller", "replaced_by"), number)
    said = {name.name: getattr(found, name.name) for name in fields(RightFacts)}
    form = RightCorrectionForm(request.POST or None, request.FILES or None, initial=said)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        reason = values.pop("reason")
        with _named_errors(form):
            made = correct_right(
                actor=request.user,  # type: ignore[arg-type]
                record=found,
                document=_document(values),
                facts=RightFacts(**values),
                reason=reason,
            )
            messages.success(request, _("Saved. The earlier record stays as it was entered."))
            return redirect("ledger:right", number=made.number)
    context = {"form": form, "right": found}
    return render(request, "ledger/right_form.html", context, status=400 if form.errors else 200)


@needs(Permission.REGISTER)
@require_POST
def right_withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Take a record that should not be there out of the lists; one that is out already stays as it is."""
    found: RightRecord = find_or_404(request, RightRecord.objects.select_related("seller", "replaced_by"), number)
    try:
        withdraw_right(actor=request.user, record=found)  # type: ignore[arg-type]
    except RightChangedError as error:
        messages.error(request, _sentence(error.code))
    else:
        messages.success(request, _("Withdrawn: it stands in no list and reminds nobody any more."))
    return redirect("ledger:right", number=found.number)
