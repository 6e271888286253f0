"""Keys for programs: made and revoked by owners, shown once, kept as a hash, acting as the person who made them.

256 random bits need no slow hash: nobody guesses them. Rights are those of the person at the moment of each request, cut
down to the token's scopes; who leaves the team takes the tokens' power along.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import ApiToken, Scope, Seller, User
from ledger.accounts.permissions import Permission, permissions_of, require_permission

PREFIX = "omk_"  # so that a leaked one is recognised by people and by scanners
SECRET_BYTES = 32
LIFETIMES_DAYS = (30, 90, 365)
MAX_LIVE = 50
USED_EVERY = timedelta(minutes=1)  # how exact "last used" is; each request writing would cost more than it tells

NEEDS = {
    Scope.READ: Permission.VIEW,
    Scope.REGISTER: Permission.REGISTER,
    Scope.SEARCH: Permission.QUERY,
    Scope.CHECK: Permission.CHECK,
}


@dataclass(frozen=True, slots=True)
class NewToken:
    """The row and its secret; the secret is shown once and never stored."""

    token: ApiToken
    secret: str


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def create_token(*, actor: User, seller: Seller, name: str, scopes: Sequence[str], days: int) -> NewToken:
    """A token that works for 30, 90 or 365 days. Raises ValidationError for an unknown scope or lifetime."""
    require_permission(actor, seller, Permission.MANAGE_TOKENS)
    if not scopes or set(scopes) - set(Scope.values) or days not in LIFETIMES_DAYS:
        raise ValidationError(_("Choose at least one scope and one of the lifetimes."), code="token_choice")
    if ApiToken.objects.of(seller).live().count() >= MAX_LIVE:
        raise ValidationError(_("There are fifty tokens already. Revoke one that is not used."), code="token_limit")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = ApiToken.objects.create(
        seller=seller,
        created_by=actor,
        name=name,
        scopes=sorted(set(scopes)),
        token_sha256=_digest(secret),
        expires_at=timezone.now() + timedelta(days=days),
    )
    return NewToken(token, secret)


def revoke_token(*, actor: User, token: ApiToken) -> None:
    """Make a token open nothing from the next request on."""
    require_permission(actor, token.seller, Permission.MANAGE_TOKENS)
    ApiToken.objects.of(token.seller).live().filter(pk=token.pk).update(revoked_at=timezone.now())


def find_token(secret: str) -> ApiToken | None:
    """The live token of a secret, its last use noted; None for all others alike."""
    if not secret.startswith(PREFIX) or len(secret) > 100:
        return None
    rows = ApiToken.objects.live().filter(token_sha256=_digest(secret), created_by__is_active=True)
    token = rows.select_related("seller", "created_by").first()
    if token is not None and (token.last_used_at is None or timezone.now() - token.last_used_at > USED_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
    return token


def may(token: ApiToken, scope: str) -> bool:
    """Whether the token has the scope, and its person the right behind it, now."""
    if scope not in token.scopes or token.created_by is None:
        return False
    return NEEDS[Scope(scope)] in permissions_of(token.created_by, token.seller)
