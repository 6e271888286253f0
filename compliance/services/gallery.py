"""The search gallery: which pictures a seller's search looks through, and when that changed.

Rows here are derived: rebuild_gallery() makes them again from originals and listings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F

from compliance.models import Gallery, GalleryItem, ListingImage
from ledger.accounts.models import Seller
from ledger.models import ImageFile, ImageState, Original
from ledger.services.jobs import enqueue_job


def enqueue_gallery_update(*, seller_id: int, image_ids: Sequence[int]) -> None:
    """Have a worker add these pictures; called after their analysis is committed."""
    seller = Seller.objects.get(pk=seller_id)
    with transaction.atomic():
        enqueue_job(kind="gallery.update", args={"image_ids": list(image_ids)}, seller=seller, actor=None)


def update_gallery(*, seller: Seller, image_ids: Iterable[int]) -> int:
    """Add pictures that are ready and not there yet; return how many. Every process sees them at its next search."""
    ids = list(image_ids)
    with transaction.atomic():
        ready = ImageFile.objects.of(seller).filter(pk__in=ids, state=ImageState.READY, gallery_item=None)
        items = list(_items(seller, list(ready.values_list("pk", flat=True))))
        if items:
            generation = _next_generation(seller)
            for item in items:
                item.generation = generation
            GalleryItem.objects.bulk_create(items)
    return len(items)


def _items(seller: Seller, image_ids: Sequence[int]) -> Iterator[GalleryItem]:
    originals = Original.objects.of(seller).filter(image__in=image_ids).order_by("pk")
    for original in originals:
        yield GalleryItem(seller=seller, image_id=original.image_id, original=original)
    for listing_image in ListingImage.objects.of(seller).filter(image__in=image_ids).order_by("pk"):
        yield GalleryItem(seller=seller, image_id=listing_image.image_id, listing_image=listing_image)


def _next_generation(seller: Seller) -> int:
    """Count the change; the row lock lets changes of one seller happen one after the other."""
    Gallery.objects.get_or_create(seller=seller)
    gallery = Gallery.objects.select_for_update().get(seller=seller)
    Gallery.objects.filter(seller=seller).update(generation=F("generation") + 1)
    return gallery.generation + 1


def sweep_gallery(*, limit: int = 500) -> int:
    """Find analysed pictures whose news was lost and add them; called from time to time by the supervisor."""
    missed = ImageFile.objects.filter(state=ImageState.READY, gallery_item=None)
    missed = missed.exclude(original=None, listing_image=None)
    found: dict[int, list[int]] = {}
    for image_id, seller_id in missed.values_list("pk", "seller_id")[:limit]:
        found.setdefault(seller_id, []).append(image_id)
    return sum(
        update_gallery(seller=seller, image_ids=found[seller.pk]) for seller in Seller.objects.filter(pk__in=found)
    )


def newest_import(seller: Seller) -> datetime | None:
    """When a listing was last seen: part of what a search page says it looked through."""
    return (
        ListingImage.objects.of(seller)
        .order_by("-listing__last_seen")
        .values_list("listing__last_seen", flat=True)
        .first()
    )
