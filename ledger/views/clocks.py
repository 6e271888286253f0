"""Outside clocks: which authorities are asked, how each has been answering, and asking at once."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from ledger.accounts.permissions import Permission, may_run_site
from ledger.error_texts import error_text
from ledger.forms import AuthorityForm
from ledger.models import Statement, TimeAuthority
from ledger.services.anchoring import anchor_now, unstamped_entries
from ledger.services.authorities import (
    AuthorityError,
    AuthoritySettings,
    save_authority,
    settings_of,
    states,
    try_authority,
)
from ledger.services.evidence import assured_level
from ledger.services.outside_time import Outside, outside_time
from ledger.views.common import explain_trouble, key_parameter, needs, seller_of

CHIPS = {"ready": "passed", "resting": "waiting", "open": "needs-you", "off": "unknown"}


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
@explain_trouble
def clocks(request: HttpRequest) -> HttpResponse:
    """Everybody sees how the clocks answer; who runs the site adds and changes them (?edit=ID)."""
    may_change = may_run_site(request.user)  # type: ignore[arg-type]
    key = key_parameter(request, "edit")
    edited = TimeAuthority.objects.filter(pk=key).first() if may_change and key is not None else None
    initial = {f: getattr(settings_of(edited), f) for f in AuthoritySettings.__dataclass_fields__} if edited else None
    form = AuthorityForm(request.POST or None, initial=initial)
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid() and _save(request, form, edited):
            return redirect("ledger:clocks")
    rows = states()
    context: dict[str, Any] = {
        "rows": [_row(state) for state in rows],
        "form": form,
        "edited": edited,
        "may_change": may_change,
        "unstamped": unstamped_entries(),
        "all_down": bool(rows) and not any(state.state == "ready" for state in rows),
    }
    return render(request, "ledger/clocks.html", context, status=400 if form.errors else 200)


def _save(request: HttpRequest, form: AuthorityForm, edited: TimeAuthority | None) -> bool:
    wanted = AuthoritySettings(**form.cleaned_data)
    try:
        row = save_authority(actor=request.user, wanted=wanted, authority=edited)  # type: ignore[arg-type]
    except AuthorityError as error:
        text = error_text(error.code)
        form.add_error(None, f"{text.title} {text.advice}")
        return False
    messages.success(request, _("%(name)s is saved.") % {"name": row.name})
    return True


def _row(state: Any) -> dict[str, Any]:
    row = state.authority
    trouble = error_text(row.last_error) if row.last_error and row.failures else None
    return {"state": state, "authority": row, "chip": CHIPS[state.state], "trouble": trouble}


@require_POST
@needs(Permission.VIEW)
def clock_try(request: HttpRequest) -> HttpResponse:
    """Ask one authority for a token about nothing, and say what came back."""
    if not may_run_site(request.user):  # type: ignore[arg-type]
        raise PermissionDenied
    number = request.POST.get("authority", "")
    row = TimeAuthority.objects.filter(pk=int(number)).first() if number.isascii() and number.isdecimal() else None
    if row is None:
        messages.error(request, _("There is no such outside clock."))
        return redirect("ledger:clocks")
    try:
        answer = try_authority(actor=request.user, authority=row, nonce=secrets.randbits(63))  # type: ignore[arg-type]
    except AuthorityError as error:
        text = error_text(error.code)
        messages.error(request, f"{row.name}: {text.title} {text.advice} ({error.code})")
    else:
        said = {"name": row.name, "time": f"{answer.stamp.gen_time:%Y-%m-%d %H:%M:%S} UTC"}
        messages.success(request, _("%(name)s answers, and its token holds: %(time)s.") % said)
    return redirect("ledger:clocks")


@require_POST
@needs(Permission.SEAL)
@explain_trouble
def anchor(request: HttpRequest) -> HttpResponse:
    """Have what there is stamped at once, by a worker."""
    job = anchor_now(actor=request.user, seller=seller_of(request))  # type: ignore[arg-type]
    return redirect("ledger:job", public_id=job.public_id)


def bracket_context(statement: Statement, *, is_sealed: bool) -> dict[str, Any]:
    """What the bracket and the level on a page show for a statement's entry."""
    outside = outside_time(statement.entry_id, statement.first)
    bracket = outside.bracket
    return {
        "earlier_at": bracket.earlier.at if bracket.earlier else None,
        "earlier_by": bracket.earlier.authority if bracket.earlier else "",
        "later_at": bracket.later.at if bracket.later else None,
        "later_by": bracket.later.authority if bracket.later else "",
        "level": assured_level(outside) if is_sealed else 0,
        "waiting": "" if outside.later else _waiting(outside),
    }


def _waiting(outside: Outside) -> str:
    """Why the later side is still open, where an outside clock is set up."""
    now = timezone.now()
    rows = [state for state in states(now) if state.state != "off"]
    if not rows:
        return ""
    if all(state.state == "open" for state in rows):
        return _(
            "No outside clock answers at the moment. Nothing is lost: the next answer covers everything up to then."
        )
    return _("The outside time comes with the next token, usually within a minute or two.")
