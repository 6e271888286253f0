"""Before a listing: did somebody show the picture before it was registered, and what does its file still tell strangers?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from compliance.models import Candidate, Listing, MatchState, RuleKind, SearchRun, WatchMatch
from compliance.search.copy_score import COPIES
from compliance.services.shops import rules_of, shop_key
from ledger.models import Original

# What was said of a match that makes it nobody's theft: the listing is no copy, ours, or allowed to show the picture.
HARMLESS = (MatchState.NOT_A_COPY, MatchState.OURS, MatchState.LICENSED)
# What a stranger could read: sort of fact -> names in ImageFile.private_metadata.
LEFTOVERS = {
    "place": ("latitude", "gps_time", "altitude_m"),
    "serial": ("body_serial", "lens_serial"),
    "name": ("owner", "artist"),
}


def shown_since(listed_at: datetime | None, first_seen: datetime) -> datetime:
    """Since when a listing is known to show its picture: the feed says so, or an import saw it earlier."""
    return min(listed_at or first_seen, first_seen)


def was_listed_before(original: Original, listing: Listing) -> bool:
    """Whether a listing was there before the original was registered here."""
    return shown_since(listing.listed_at, listing.first_seen) < original.registered_at


def earlier_matches(original: Original) -> QuerySet[WatchMatch]:
    """Copies in listings that were there before the original was registered, the watch's order; harmless ones left out."""
    listing, at = "listing_image__listing", original.registered_at
    before = Q(**{f"{listing}__listed_at__lt": at}) | Q(**{f"{listing}__first_seen__lt": at})
    rows: QuerySet[WatchMatch] = WatchMatch.objects.of(original.seller).filter(before, original=original)
    rows = rows.exclude(state__in=HARMLESS).exclude(rule=RuleKind.ALLOW)
    return rows.select_related("listing_image__listing__catalogue").defer("evidence").order_by("pk")


def registered_at(run: SearchRun, rows: Iterable[Candidate]) -> datetime | None:
    """When the picture that was searched with was registered: itself, or the original that it is a copy of."""
    original = getattr(run.image, "original", None)
    if original is not None:
        return original.registered_at  # type: ignore[no-any-return]
    known = [row.facts["listed_at"] for row in rows if row.facts["kind"] == "original" and _is_copy(row, run)]
    return min(map(datetime.fromisoformat, known), default=None)


def earlier_candidates(run: SearchRun, rows: Iterable[Candidate]) -> set[int]:
    """Ranks of the listings that showed the picture before it was registered; where it is not, of all that show it.

    Shops that are the seller's own or allowed are left out.
    """
    rows = list(rows)
    since = registered_at(run, rows)
    found = [row for row in rows if row.facts["kind"] == "listing" and _is_copy(row, run)]
    found = [row for row in found if since is None or _shown_since(row.facts) < since]
    listings = {row.rank: row.listing_image.listing for row in found if row.listing_image is not None}
    rules = rules_of(run.seller, listings.values()) if listings else {}
    allowed = {
        rank for rank, one in listings.items() if rules.get(shop_key(one.shop_id, one.shop_name)) == RuleKind.ALLOW
    }
    return {row.rank for row in found} - allowed


def _is_copy(row: Candidate, run: SearchRun) -> bool:
    return row.verdict in COPIES and row.score_milli >= run.threshold * 1000


def _shown_since(facts: Mapping[str, Any]) -> datetime:
    listed_at = facts.get("listed_at")
    return shown_since(
        datetime.fromisoformat(listed_at) if listed_at else None, datetime.fromisoformat(facts["first_seen"])
    )


def leftovers(private: Mapping[str, Any]) -> list[str]:
    """Which sorts of private facts a file holds, in the order of LEFTOVERS."""
    return [sort for sort, names in LEFTOVERS.items() if any(private.get(name) not in (None, "") for name in names)]
