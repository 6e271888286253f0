"""The page of witnesses: who watches the log, how each has been answering, and choosing them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from ledger.accounts.permissions import Permission, may_run_site
from ledger.error_texts import error_text
from ledger.forms import WitnessForm
from ledger.models import Witness
from ledger.services.log import latest_checkpoint, log_head, own_policy
from ledger.services.witnesses import (
    AHEAD,
    WitnessSettingError,
    add_witness,
    cosigners_of,
    pause_witness,
    quorum_met,
    remove_witness,
)
from ledger.tlog.note import format_vkey
from ledger.views.common import explain_trouble, needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
@explain_trouble
def witnesses(request: HttpRequest) -> HttpResponse:
    """Everybody sees who watches; who runs the site adds witnesses."""
    may_change = may_run_site(request.user)  # type: ignore[arg-type]
    form = WitnessForm(request.POST or None)
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid() and _add(request, form):
            return redirect("ledger:witnesses")
    newest, origin = latest_checkpoint(), log_head().origin
    signed = cosigners_of(newest) if newest else frozenset()
    context: dict[str, Any] = {
        "rows": [_row(row, is_newest_signed=row.pk in signed) for row in Witness.objects.all()],
        "form": form,
        "may_change": may_change,
        "newest": newest,
        "quorum": settings.WITNESS_QUORUM,
        "is_quorum_met": newest is not None and quorum_met(newest),
        "vkeys": [format_vkey(log.key) for log in own_policy().logs if log.key.name == origin],
    }
    return render(request, "ledger/witnesses.html", context, status=400 if form.errors else 200)


def _add(request: HttpRequest, form: WitnessForm) -> bool:
    try:
        row = add_witness(actor=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    except WitnessSettingError as error:
        text = error_text(error.code)
        form.add_error(None, f"{text.title} {text.advice} ({error})")
        return False
    messages.success(request, _("%(name)s is asked from the next checkpoint on.") % {"name": row.name})
    return True


def _row(row: Witness, *, is_newest_signed: bool) -> dict[str, Any]:
    """state: a chip and its word; the order says what matters most."""
    if not row.is_enabled:
        state, word = "unknown", _("Not asked")
    elif row.last_error == AHEAD:
        state, word = "failed", _("Has seen another history")
    elif row.failures:
        state, word = "needs-you", _("Does not answer")
    elif is_newest_signed:
        state, word = "passed", _("Has signed the newest checkpoint")
    else:
        state, word = "waiting", _("Will be asked")
    is_resting = row.rest_until is not None and row.rest_until > timezone.now()
    return {"witness": row, "state": state, "word": word, "is_resting": is_resting}


@require_POST
@needs(Permission.VIEW)
def witness_change(request: HttpRequest) -> HttpResponse:
    """Stop or go on asking one witness, or take it off the list."""
    if not may_run_site(request.user):  # type: ignore[arg-type]
        raise PermissionDenied
    name, wish = request.POST.get("name", ""), request.POST.get("wish", "")
    try:
        if wish == "remove":
            remove_witness(actor=request.user, name=name)  # type: ignore[arg-type]
            messages.success(request, _("%(name)s is not asked any longer. What it cosigned stays.") % {"name": name})
        else:
            pause_witness(actor=request.user, name=name, paused=wish == "pause")  # type: ignore[arg-type]
            messages.success(request, _("%(name)s is saved.") % {"name": name})
    except WitnessSettingError:
        messages.error(request, _("There is no such witness."))
    return redirect("ledger:witnesses")
