"""Erasing for good: what will go is shown first. Holds, which keep somebody from it. Owners only, holds for managers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.accounts.access import needs_recent_login
from ledger.accounts.models import Membership
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import ERASURE_REASON_NAMES, EraseForm, HoldForm
from ledger.models import Erasure, Original
from ledger.services.erase_person import LastOwnerError, erase_person, preview_person
from ledger.services.erasure import AlreadyErasedError, OnHoldError, erase_original
from ledger.services.erasure_plan import Preview, preview_erasure
from ledger.services.holds import place_hold, release_hold
from ledger.views.common import Page, explain_trouble, find_or_404, needs, seller_of
from ledger.views.erasure_words import describe_handouts, describe_lost, handout_rows


@needs(Permission.ERASE)
@needs_recent_login
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, number: str) -> HttpResponse:
    """Shows what erasing this original takes with it; POST does it."""
    found: Original = find_or_404(request, Original.with_erased.select_related("image", "seller"), number)
    if found.erased_at is not None:
        return redirect("ledger:original", number=found.number)
    form = EraseForm(request.POST or None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            erase_original(actor=request.user, original=found, reason=form.cleaned_data["reason"])  # type: ignore[arg-type]
        except (OnHoldError, AlreadyErasedError) as refusal:
            error = error_text(refusal.code)
        else:
            messages.success(request, _("Erased. Files and old copies in the database are being overwritten."))
            return redirect("ledger:original", number=found.number)
    preview = preview_erasure(actor=request.user, original=found)  # type: ignore[arg-type]
    context = {"original": found, "form": form, "error": error, **_preview(preview)}
    return render(request, "ledger/erase.html", context, status=_status(request, error))


def _preview(preview: Preview) -> dict[str, Any]:
    return {
        "lost": describe_lost(preview.lost),
        "entries": preview.entries,
        "handouts": handout_rows(preview.handed_out),
        "holds": preview.holds,
    }


def _status(request: HttpRequest, error: Any) -> int:
    if error is not None:
        return 409
    return 400 if request.method == "POST" else 200


@needs(Permission.ERASE)
@needs_recent_login
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def erase_member(request: HttpRequest, membership_id: int) -> HttpResponse:
    """The same for a person of the team."""
    rows = Membership.objects.visible_to(request.user).select_related("user", "seller")
    found = rows.filter(pk=membership_id).first()
    if found is None:
        raise Http404
    desk = request.desk  # type: ignore[attr-defined]
    if Permission.ERASE not in desk.rights(found.seller):
        raise PermissionDenied
    desk.turn_to(found.seller)
    form = EraseForm(request.POST or None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            erase_person(
                actor=request.user,  # type: ignore[arg-type]
                seller=found.seller,
                user=found.user,
                reason=form.cleaned_data["reason"],
            )
        except LastOwnerError as refusal:
            error = error_text(refusal.code)
        else:
            messages.success(request, _("Erased. Old copies in the database are being overwritten."))
            return redirect("accounts:team" if found.user_id != request.user.pk else "accounts:profile")
    preview = preview_person(actor=request.user, seller=found.seller, user=found.user)  # type: ignore[arg-type]
    context = {"person": found.user, "form": form, "error": error, **_preview(preview)}
    return render(request, "ledger/erase.html", context, status=_status(request, error))


@needs(Permission.HOLD)
@require_POST
def hold(request: HttpRequest, number: str) -> HttpResponse:
    """Keep an original from being erased."""
    found: Original = find_or_404(request, Original.objects.select_related("seller"), number)
    form = HoldForm(request.POST)
    if form.is_valid():
        place_hold(actor=request.user, original=found, reason=form.cleaned_data["reason"])  # type: ignore[arg-type]
        messages.success(request, _("On hold: it cannot be erased until the hold is released."))
    else:
        messages.error(request, _("A hold needs a reason."))
    return redirect("ledger:original", number=found.number)


@needs(Permission.HOLD)
@require_POST
def release(request: HttpRequest, number: str, hold_id: int) -> HttpResponse:
    """End a hold."""
    found: Original = find_or_404(request, Original.objects.select_related("seller"), number)
    placed = found.holds.select_related("seller").filter(pk=hold_id).first()
    if placed is None:
        raise Http404
    release_hold(actor=request.user, hold=placed)  # type: ignore[arg-type]
    messages.success(request, _("The hold is released."))
    return redirect("ledger:original", number=found.number)


@needs(Permission.ERASE)
@require_safe
def erasure_list(request: HttpRequest) -> HttpResponse:
    """What was erased, and what had left the site before."""
    rows = Erasure.objects.visible_to(request.user).of(seller_of(request)).select_related("actor", "original")
    page = Page(rows, request)
    lines = [
        {
            "row": row,
            "reason": ERASURE_REASON_NAMES.get(row.reason, row.reason),
            "lost": describe_lost(row.lost),
            "handouts": describe_handouts(row),
        }
        for row in page
    ]
    return render(request, "ledger/erasure_list.html", {"page": page, "lines": lines})
