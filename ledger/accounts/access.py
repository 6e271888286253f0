"""What every view asks first: which seller is at hand, may this person do this there, and is it still that person."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from ledger.accounts.models import Seller
from ledger.accounts.permissions import Permission

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def needs(permission: Permission) -> Callable[[View[P]], View[P]]:
    """Let a view run only for people who hold the right for the seller at hand.

    Without any seller they are sent to their profile, which says what to do. A view that takes an object from its URL
    checks the right against that object's own seller instead.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.desk.seller is None:  # type: ignore[attr-defined]
                return redirect("accounts:profile")
            if not kwargs and permission not in request.desk.rights():  # type: ignore[attr-defined]
                raise PermissionDenied
            request.needed_permission = permission  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def seller_of(request: HttpRequest) -> Seller:
    """The seller at hand; views under @needs always have one."""
    seller: Seller = request.desk.seller  # type: ignore[attr-defined]
    return seller


def needs_recent_login(view: View[P]) -> View[P]:
    """Ask for the password or the second factor again before a POST that cannot be taken back.

    Only if the newest sign-in of this session is older than ORIGINMARK_REAUTH_AFTER_S. What was posted is kept in the
    session meanwhile and done afterwards, so nobody fills in a form twice.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method == "POST" and not has_recent_login(request):
            raise ReauthenticationRequired
        return view(request, *args, **kwargs)

    return guarded


def has_recent_login(request: HttpRequest) -> bool:
    """Whether this session proved who it is within ORIGINMARK_REAUTH_AFTER_S."""
    records = get_authentication_records(request, request.user)
    newest = max((float(record["at"]) for record in records), default=0.0)
    return time.time() - newest < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
