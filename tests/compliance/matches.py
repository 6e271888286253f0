"""Plain functions for tests of the watch: originals, listings that copy them, and matches made by the real engine."""

from __future__ import annotations

from compliance.models import MatchState, WatchMatch
from compliance.services.alerts import raise_alerts
from compliance.services.watch import sweep_watch, watch_gallery
from ledger.accounts.models import Seller
from ledger.models import Original
from tests.compliance.listings import SIZE, import_listings, photo, work
from tests.factories import register
from tests.images import captioned, jpeg_bytes, mirrored, product_photo

NORTH = {"shop_id": "N-1", "shop_name": "North"}


def mirrored_copy(seed: int) -> bytes:
    """The photo of that seed, mirrored, with a caption laid over it."""
    return jpeg_bytes(captioned(mirrored(product_photo(seed, SIZE))), quality=80)


def own(seller: Seller, *seeds: int) -> list[Original]:
    """Registered, analysed and searchable originals; nothing is watched yet."""
    answers = register(seller, *(photo(seed) for seed in seeds))
    work()
    return [answer.original for answer in answers if answer.original]


def watched(seller: Seller) -> list[WatchMatch]:
    """Let the watch do what it would, and give back all matches in the order in which they were found."""
    sweep_watch()
    work()
    return list(WatchMatch.objects.of(seller).order_by("pk"))


def edited_match(seller: Seller, seed: int = 1, product: str = "P1", **facts: str) -> WatchMatch:
    """A listing of the shop North shows a mirrored copy of an original."""
    own(seller, seed)
    row = {"product_id": product, "image": "1.jpg", **NORTH, **facts}
    import_listings(seller, row, pictures={"1.jpg": mirrored_copy(seed)})
    work()
    watch_gallery(seller=seller)
    return WatchMatch.objects.of(seller).select_related("listing_image__listing", "original").latest("pk")


def many_matches(seller: Seller, count: int) -> list[WatchMatch]:
    """Rows of matches for pages: one measured match, and copies of its row about other listings of ten shops."""
    first = edited_match(seller)
    rows = [
        {"product_id": f"M{n}", "image": "1.jpg", "shop_id": f"s{n % 10}", "shop_name": f"Shop {n % 10}"}
        for n in range(1, count)
    ]
    import_listings(seller, *rows, pictures={"1.jpg": photo(2)}, name="many")
    pictures = first.listing_image.__class__.objects.of(seller).exclude(pk=first.listing_image_id)
    made = WatchMatch.objects.bulk_create(
        WatchMatch(
            seller=seller,
            original=first.original,
            listing_image=picture,
            engine=first.engine,
            score_milli=first.score_milli,
            verdict=first.verdict,
            transform=first.transform,
            evidence=first.evidence,
            shop_key=f"id:{picture.listing.shop_id}",
            shop_name=picture.listing.shop_name,
            state=MatchState.OPEN,
        )
        for picture in pictures.select_related("listing")
    )
    raise_alerts(seller, made)
    return [first, *made]
