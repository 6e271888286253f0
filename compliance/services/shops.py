"""Shops on marketplaces: how one is recognised in feeds, and what a seller thinks of it (allow, deny, watch)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet

from compliance.models import Listing, MatchState, RuleKind, SellerRule, WatchMatch
from ledger.accounts.models import Seller, Store, User
from ledger.accounts.permissions import Permission, require_permission

BY_ID, BY_NAME = "id:", "name:"


class UnknownShopError(LookupError):
    """No match of this seller is about that shop."""

    code = "watch.unknown_shop"


def shop_key(shop_id: str, shop_name: str) -> str:
    """What makes two listings one shop's: the marketplace's id, else the name without regard to case and spaces."""
    if shop_id:
        return BY_ID + shop_id.casefold()
    name = " ".join(shop_name.casefold().split())
    return BY_NAME + name if name else ""


def rules_of(seller: Seller, listings: Iterable[Listing]) -> dict[str, str]:
    """The rule of each shop among these listings, by shop key. The seller's own stores are allowed."""
    keys = {shop_key(listing.shop_id, listing.shop_name) for listing in listings} - {""}
    own = Store.objects.of(seller).values_list("shop_id", flat=True)
    rules = {shop_key(shop_id, ""): str(RuleKind.ALLOW) for shop_id in own if shop_id}
    said = SellerRule.objects.of(seller).filter(shop_key__in=keys).values_list("shop_key", "kind")
    return {key: kind for key, kind in (rules | dict(said)).items() if key in keys}


def set_rule(*, actor: User | None, seller: Seller, key: str, kind: str, note: str = "") -> None:
    """Say what is thought of a shop that some match names, or nothing any more (kind "").

    Matches nobody has decided about yet follow. Raises UnknownShopError.
    """
    require_permission(actor, seller, Permission.TRIAGE)
    if kind and kind not in RuleKind.values:
        raise ValueError(f"no such rule: {kind!r}")
    matches = WatchMatch.objects.of(seller).filter(shop_key=key)
    named = matches.exclude(shop_key="").order_by("-pk").values_list("shop_name", flat=True).first()
    if named is None:
        raise UnknownShopError(key)
    with transaction.atomic():
        if kind:
            values = {"kind": kind, "note": note[:200], "made_by": actor, "shop_name": named or key[:200]}
            SellerRule.objects.update_or_create(seller=seller, shop_key=key, defaults=values)
        else:
            SellerRule.objects.of(seller).filter(shop_key=key).delete()
        matches.update(rule=kind)


def shops_of(seller: Seller) -> QuerySet[WatchMatch, Any]:
    """Shops with matches, worst first: shop_key, name, copies (decided so), waiting, all, originals."""
    rows = WatchMatch.objects.of(seller).exclude(shop_key="").values("shop_key")
    return rows.annotate(
        name=Max("shop_name"),
        kind=Max("rule"),
        copies=Count("pk", filter=Q(state=MatchState.COPY)),
        waiting=Count("pk", filter=Q(state__in=[MatchState.OPEN, MatchState.LATER])),
        all=Count("pk"),
        originals=Count("original", distinct=True),
    ).order_by("-copies", F("all").desc(), "shop_key")


def copies_by(seller: Seller, keys: Iterable[str]) -> dict[str, int]:
    """How many matches of each shop were called copies: from the second on, a repeat offender."""
    rows = WatchMatch.objects.of(seller).filter(shop_key__in=set(keys) - {""}, state=MatchState.COPY)
    return dict(rows.values_list("shop_key").annotate(n=Count("pk")))
