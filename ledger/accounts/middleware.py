"""Which seller a request is about, where its person is signed in, and the second factor a public site asks for."""

from __future__ import annotations

from collections.abc import Callable

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from ledger.accounts.models import Membership, Role, Seller
from ledger.accounts.permissions import PERMISSIONS, Permission
from ledger.accounts.sign_ins import touch

GetResponse = Callable[[HttpRequest], HttpResponse]
SESSION_KEY = "seller_id"


class Desk:
    """What one request knows about the signed-in person: memberships, the seller at hand, and rights there."""

    def __init__(self, request: HttpRequest) -> None:
        rows = (
            Membership.objects.filter(user_id=request.user.pk or 0)
            .select_related("seller")
            .order_by("seller__name", "pk")
        )
        self.memberships = list(rows)
        wanted = request.session.get(SESSION_KEY)
        chosen = next((m for m in self.memberships if m.seller_id == wanted), None)
        # At a new sign-in: the seller the person joined first, never sample data before a real one.
        self.current = chosen or min(self.memberships, key=lambda m: (m.seller.is_sample, m.pk), default=None)

    @property
    def seller(self) -> Seller | None:
        return self.current.seller if self.current else None

    def rights(self, seller: Seller | None = None) -> frozenset[Permission]:
        """Rights for one of the person's sellers, by default the one at hand."""
        wanted = seller or self.seller
        role = next((m.role for m in self.memberships if wanted is not None and m.seller_id == wanted.pk), None)
        return PERMISSIONS[role] if role else frozenset()

    def turn_to(self, seller: Seller) -> None:
        """Show the rest of this request as the given seller's (an opened object decides, not the switch)."""
        self.current = next((m for m in self.memberships if m.seller_id == seller.pk), self.current)


class SellerMiddleware:
    """Adds request.desk, read from the database on every request that uses it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.desk = SimpleLazyObject(lambda: Desk(request))  # type: ignore[attr-defined]
        return self.get_response(request)


class SignInMiddleware:
    """Keeps the list of sessions true: a page read a while after the last one, or a session that got a new key."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.session.session_key and request.user.is_authenticated:
            touch(request)
        return response


class RequireSecondFactorMiddleware:
    """On a public site an owner, or a person who runs it, reaches without a second factor only the pages that add one.

    What strangers may open stays open too. Nothing else is exempt: not the own profile, not the change of password.
    """

    ALLOWED_NAMES = frozenset({"account_logout", "account_reauthenticate"})
    FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes only stand in for one of these

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: object, kwargs: object
    ) -> HttpResponse | None:
        if not settings.IS_PUBLIC or not request.user.is_authenticated or not getattr(view, "login_required", True):
            return None
        name = (request.resolver_match and request.resolver_match.url_name) or ""
        if name in self.ALLOWED_NAMES or name.startswith("mfa_"):
            return None
        if not self._needs_one(request) or is_mfa_enabled(request.user, types=self.FACTORS):
            return None
        messages.warning(request, _("Owners and site staff sign in here with a second step. Set one up, then go on."))
        return redirect("mfa_index")

    @staticmethod
    def _needs_one(request: HttpRequest) -> bool:
        owns = any(m.role == Role.OWNER for m in request.desk.memberships)  # type: ignore[attr-defined]
        return owns or request.user.is_site_staff  # type: ignore[union-attr]
