"""The log as people see it: its key, its checkpoints, "seal now"; and what any stranger may take."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ledger.accounts.permissions import Permission
from ledger.models import Checkpoint, LogHead, Witness
from ledger.services.key_registry import log_keys
from ledger.services.log import (
    LogForkError,
    cosigned_note,
    latest_checkpoint,
    log_head,
    log_signer,
    own_policy,
    seal_now,
)
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
    newest = latest_checkpoint()
    key = log_signer().key
    context: dict[str, Any] = {
        "head": head,
        "newest": newest,
        "unsealed": head.size - (newest.tree_size if newest else 0),
        "vkey": format_vkey(key),
        "key_id": f"{key.name}+{key.key_id.hex()}",
        "key_fingerprint": key.fingerprint,
        "witnesses": Witness.objects.filter(is_enabled=True),
        "quorum": settings.WITNESS_QUORUM,
        "keys": log_keys(head.origin),
        "page": Page(Checkpoint.objects.all(), request),
    }
    return render(request, "ledger/log.html", context)


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
        size = checkpoint.tree_size if checkpoint else 0
        messages.success(request, _("The checkpoint of %(size)d entries is signed.") % {"size": size})
    return redirect("ledger:log")


@login_not_required
@require_safe
@never_cache
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint, as text."""
    newest = latest_checkpoint()
    if newest is None:
        raise Http404
    return HttpResponse(cosigned_note(newest), content_type=TEXT)


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
