"""Listings that are gone are kept for some months, then swept: pictures, features, index entries and history.

Evidence in use is never swept: what somebody decided about, what a case names and what was captured stays. A portion of
listings goes in one transaction, which destroys the keys of their pictures; a crash before it changed nothing, one after
it leaves files and index entries, which the next run removes before anything else. The rows of taken-out pictures stay
until the run after that, so that processes take the deletions in and need not read the whole gallery anew.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from compliance.cases.deadlines import add_months
from compliance.models import (
    Capture,
    Catalogue,
    Gallery,
    GalleryItem,
    Infringement,
    Listing,
    ListingImage,
    MatchDecision,
    MatchState,
    WatchMatch,
)
from compliance.services.feature_index import purge_segments
from compliance.services.gallery import drop_from_gallery
from ledger.accounts.models import Seller
from ledger.services.blobs import batched
from ledger.services.discarding import discard_pictures, forget_pictures, remove_discarded
from ledger.services.jobs import enqueue_job
from ledger.services.log import lock_head
from ledger.services.scrubbing import forget_deleted_rows

KIND = "catalogues.sweep"
PORTION = 100  # listings that go together: a fraction of a second in which nobody else appends
AT_ONCE = 500
BUDGET_S = 420.0  # below the job's own limit; the next run goes on with the rest
FOR_EVER = 0
MOST_MONTHS = 1200


def _say_nothing(done: int, total: int) -> None:
    """Progress that nobody reads."""


# How long ---------------------------------------------------------------------------------------------------------


def months_kept(seller: Seller) -> int:
    """For how many months the seller's delisted listings are kept, 0 for ever: its own number, else the site's."""
    own = Gallery.objects.filter(pk=seller.pk).values_list("delisted_months", flat=True).first()
    return settings.DELISTED_MONTHS if own is None else own


def set_months_kept(seller: Seller, months: int | None) -> None:
    """The seller's own period; None for the site's, 0 for ever. For the operator of the machine."""
    if months is not None and not 0 <= months <= MOST_MONTHS:
        raise ValueError(f"{months} months")
    Gallery.objects.update_or_create(seller=seller, defaults={"delisted_months": months})


def kept_until(listing: Listing, months: int) -> datetime | None:
    """Until when a listing is kept at least; None for one that is not delisted, or where nothing is swept.

    Counted from when it was delisted or last named by a feed, whichever is later: a feed that goes on naming what is
    gone would only bring it back.
    """
    if listing.delisted_at is None or months == FOR_EVER:
        return None
    return _shifted(max(listing.delisted_at, listing.last_seen), months)


def _shifted(moment: datetime, months: int) -> datetime:
    moment = moment.astimezone(UTC)
    return datetime.combine(add_months(moment.date(), months), moment.timetz())


def due_listings(seller: Seller, now: datetime) -> QuerySet[Listing]:
    """Listings whose time is over, held ones among them."""
    months = months_kept(seller)
    rows: QuerySet[Listing] = Listing.objects.of(seller)
    if months == FOR_EVER:
        return rows.none()
    before = _shifted(now, -months)
    return rows.filter(delisted_at__lte=before, last_seen__lte=before)


def held_listings(listing_ids: Collection[int]) -> set[int]:
    """Those that are evidence in use: decided about, named in a case, or captured."""
    pictured = "listing_image__listing"
    decided = WatchMatch.objects.filter(**{f"{pictured}__in": listing_ids}).exclude(state=MatchState.OPEN)
    decisions = MatchDecision.objects.filter(**{f"match__{pictured}__in": listing_ids}, undone_at=None)
    uses = [
        model.objects.filter(listing__in=listing_ids).order_by().values_list("listing")
        for model in (Infringement, Capture)
    ]
    found = decided.values_list(pictured).union(decisions.order_by().values_list(f"match__{pictured}"), *uses)
    return {listing for (listing,) in found}


# Sweeping ---------------------------------------------------------------------------------------------------------


def sweep_delisted() -> int:
    """Have workers sweep where listings are due or an earlier run is unfinished; called once a day by the supervisor."""
    now, enqueued = timezone.now(), 0
    for seller in Seller.objects.all():
        if due_listings(seller, now).exists() or _taken_out(seller).exists():
            with transaction.atomic():
                enqueue_job(kind=KIND, args={}, seller=seller, actor=None, dedupe_key="sweep")
            enqueued += 1
    return enqueued


def sweep_listings(
    *,
    seller: Seller,
    now: datetime,
    progress: Callable[[int, int], None] = _say_nothing,
    cancelled: Callable[[], bool] = lambda: False,
    budget_s: float = BUDGET_S,
) -> int:
    """Sweep a seller's listings that are due at `now`, portion by portion; how many went. Safe to stop anywhere."""
    end, swept = time.monotonic() + budget_s, 0
    forget_deleted_rows()
    _forget(seller)
    due, last = due_listings(seller, now).order_by("pk"), 0
    total = due.count()
    while time.monotonic() < end and not cancelled():
        portion = list(due.filter(pk__gt=last).values_list("pk", flat=True)[:PORTION])
        if not portion:
            break
        swept += _take_out(seller, portion, now)
        last = portion[-1]
        progress(swept, total)
    _clean(seller)
    return swept


def _take_out(seller: Seller, listing_ids: Sequence[int], now: datetime) -> int:
    """Delete a portion, save what is held or was listed again meanwhile; nothing of it can be read afterwards."""
    with transaction.atomic():
        lock_head()  # a search that is being recorded names its candidates under the same lock
        due = due_listings(seller, now).filter(pk__in=listing_ids)
        catalogues = list(due.order_by("catalogue").values_list("catalogue", flat=True).distinct())
        list(Catalogue.objects.select_for_update().filter(pk__in=catalogues).order_by("pk"))  # against imports
        # Matches are locked by whoever decides about them.
        list(WatchMatch.objects.select_for_update().filter(listing_image__listing__in=listing_ids).values_list("pk"))
        rows = list(due.select_for_update().values_list("pk", "catalogue_id"))
        held = held_listings([pk for pk, _catalogue in rows])
        gone = {pk: catalogue for pk, catalogue in rows if pk not in held}
        pictures = dict(ListingImage.objects.filter(listing__in=gone).values_list("image_id", "listing_id"))
        drop_from_gallery(seller=seller, image_ids=pictures)
        discard_pictures(pictures.keys())
        Listing.objects.filter(pk__in=gone).delete()
        _count_down(gone, pictures)
    return len(gone)


def _count_down(gone: dict[int, int], pictures: dict[int, int]) -> None:
    listings, images = Counter(gone.values()), Counter(gone[listing] for listing in pictures.values())
    for catalogue, count in listings.items():
        Catalogue.objects.filter(pk=catalogue).update(
            listing_count=F("listing_count") - count, picture_count=F("picture_count") - images[catalogue]
        )


def _taken_out(seller: Seller) -> QuerySet[GalleryItem]:
    """What is left of swept pictures."""
    rows: QuerySet[GalleryItem] = GalleryItem.objects.of(seller)
    return rows.filter(deleted=True, original=None, listing_image=None)


def _clean(seller: Seller) -> None:
    """The files of swept pictures, and the index on disk without them."""
    images = list(_taken_out(seller).values_list("image_id", flat=True))
    if images:
        purge_segments(seller.pk)
        for portion in batched(images, AT_ONCE):
            remove_discarded(portion)


def _forget(seller: Seller) -> None:
    """Finish earlier runs: clean up once more, then delete the rows, and have copies that missed them begin anew."""
    _clean(seller)
    rows = list(_taken_out(seller).values_list("pk", "image_id"))
    for portion in batched(rows, AT_ONCE):
        with transaction.atomic():
            gallery = Gallery.objects.select_for_update().get(pk=seller.pk)
            items = _taken_out(seller).filter(pk__in=[pk for pk, _image in portion])
            newest = items.aggregate(newest=Max("generation"))["newest"] or 0
            gallery.forgotten = max(gallery.forgotten, newest)
            gallery.save(update_fields=["forgotten"])
            items.delete()
            forget_pictures([image for _pk, image in portion])
