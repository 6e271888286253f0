"""Keys for programs: the list, making one, revoking one. A secret is on one answer, once, and in no session."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ledger.accounts.access import needs, needs_recent_login, seller_of
from ledger.accounts.forms import TokenForm
from ledger.accounts.models import ApiToken
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.accounts.tokens import NewToken, create_token, revoke_token

SHOWN = 200  # revoked and old ones beyond are of no use to anybody


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_TOKENS)
@needs_recent_login
def tokens(request: HttpRequest) -> HttpResponse:
    """The seller's tokens; POST makes one and shows its secret in the answer."""
    seller = seller_of(request)
    actor: Any = request.user
    form = TokenForm(request.POST or None)
    made: NewToken | None = None
    if request.method == "POST" and form.is_valid():
        try:
            made = create_token(actor=actor, seller=seller, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            form = TokenForm()
    rows = ApiToken.objects.visible_to(actor).of(seller).select_related("created_by").order_by("-pk")[:SHOWN]
    context = {"form": form, "made": made, "tokens": rows}
    return render(request, "accounts/token_list.html", context, status=400 if form.errors else 200)


@require_POST
@needs(Permission.MANAGE_TOKENS)
@needs_recent_login
def revoke(request: HttpRequest, number: str) -> HttpResponse:
    rows = ApiToken.objects.visible_to(request.user).select_related("seller")
    found = rows.filter(number=parse_number(number) or "").first()
    if found is None:
        raise Http404
    if Permission.MANAGE_TOKENS not in request.desk.rights(found.seller):  # type: ignore[attr-defined]
        raise PermissionDenied
    revoke_token(actor=request.user, token=found)  # type: ignore[arg-type]
    messages.success(request, _("The token opens nothing more."))
    return redirect("accounts:tokens")
