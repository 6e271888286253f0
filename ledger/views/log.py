"""The log as people see it: its key, its checkpoints, "seal now"; and what any stranger may take."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ledger.accounts.permissions import Permission
from ledger.models import Checkpoint, LogHead, Witness
from ledger.services.log import (
    LogForkError,
    cosigned_note,
    latest_checkpoint,
    log_head,
    log_signer,
    own_policy,
    seal_now,
    site_keys,
)
from ledger.services.log_state import find_behind
from ledger.services.spans import Span, spans
from ledger.services.witnesses import policy_with_witnesses
from ledger.tlog.note import format_vkey
from ledger.tlog.policy import format_policy
from ledger.views.common import Page, explain_trouble, needs, seller_of

TEXT = "text/plain; charset=utf-8"


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """How long the log is, which key signs it, and its checkpoints, newest first."""
    head = log_head()
    logs, newest = spans(head), latest_checkpoint()
    number, key = logs[-1].number, log_signer().key
    context: dict[str, Any] = {
        "head": head,
        "newest": newest,
        "unsealed": head.end - (newest.tree_size if newest else 0),
        "vkey": format_vkey(key),
        "key_id": f"{key.name}+{key.key_id.hex()}",
        "key_fingerprint": key.fingerprint,
        "witnesses": Witness.objects.filter(is_enabled=True),
        "quorum": settings.WITNESS_QUORUM,
        "keys": site_keys([log.origin for log in reversed(logs)]),
        "epochs": epoch_rows(logs),
        "behind": find_behind(head.origin, head.size),
        "newest_url": reverse("ledger:epoch_checkpoint", args=[number]) if number > 1 else reverse("ledger:checkpoint"),
        "page": Page(Checkpoint.objects.all(), request),
    }
    return render(request, "ledger/log.html", context)


def epoch_rows(logs: list[Span]) -> list[tuple[Span, str, str]]:
    """Every log with its page and the last checkpoint that was signed of it, newest first; empty while there is one."""
    return [
        (
            span,
            reverse("ledger:epoch_explorer", args=[span.number]) if span.parameters else "",
            reverse("ledger:last_signed", args=[span.number]) if span.past and span.past.signed_note else "",
        )
        for span in (reversed(logs) if len(logs) > 1 else ())
    ]


@needs(Permission.SEAL)
@explain_trouble
@require_POST
def seal(request: HttpRequest) -> HttpResponse:
    """Sign the present head at once."""
    try:
        checkpoint = seal_now(actor=request.user, seller=seller_of(request))  # type: ignore[arg-type]
    except LogForkError as error:
        messages.error(request, _("Not signed: the log disagrees with what was signed before (log_fork)."))
        messages.error(request, str(error))
    else:
        size = checkpoint.size if checkpoint else 0
        messages.success(request, _("The checkpoint of %(size)d entries is signed.") % {"size": size})
    return redirect("ledger:log")


@needs(Permission.VIEW)
@require_safe
def checkpoint_file(request: HttpRequest, tree_size: int) -> HttpResponse:
    """One signed checkpoint, as text."""
    found = Checkpoint.objects.filter(tree_size=tree_size).first()
    if found is None:
        raise Http404
    return HttpResponse(cosigned_note(found), content_type=TEXT)


@login_not_required
@explain_trouble
@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """The trust policy of this log: what a verifier compares with a copy from elsewhere before trusting it."""
    if not LogHead.objects.exists():
        raise Http404
    return HttpResponse(format_policy(policy_with_witnesses(own_policy())), content_type=TEXT)
