"""The search gallery: which pictures a seller's search looks through, and when that changed.

Rows here are derived from originals and listings; sweep_gallery() adds what is missing. Every change raises the
seller's generation in the same transaction, which is how other processes learn that their copy of the index is old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from compliance.indexes.hash_scan import Change, SellerIndexes
from compliance.models import Catalogue, Gallery, GalleryItem, ListingImage
from compliance.search.index import Item, country_number
from compliance.search.query import DHASH, MIN_QUALITY, PHASH
from ledger.accounts.models import Seller
from ledger.categories import load_categories
from ledger.models import Fingerprint, ImageFile, ImageState, Original
from ledger.services.jobs import enqueue_job


def enqueue_gallery_update(*, seller_id: int, image_ids: Sequence[int]) -> None:
    """Have a worker add these pictures; called after their analysis is committed."""
    seller = Seller.objects.get(pk=seller_id)
    with transaction.atomic():
        enqueue_job(kind="gallery.update", args={"image_ids": list(image_ids)}, seller=seller, actor=None)


def enqueue_gallery_refresh(*, seller_id: int, image_ids: Sequence[int]) -> None:
    """Have a worker make every process read these rows again; called when a fact that searches filter by changed."""
    seller = Seller.objects.get(pk=seller_id)
    with transaction.atomic():
        args = {"image_ids": list(image_ids), "refresh": True}
        enqueue_job(kind="gallery.update", args=args, seller=seller, actor=None)


def update_gallery(*, seller: Seller, image_ids: Iterable[int]) -> int:
    """Add pictures that are ready and not there yet; return how many. Every process sees them at its next search."""
    ids = list(image_ids)
    with transaction.atomic():
        gallery = _locked(seller)  # first: two jobs with the same pictures must not both find them missing
        ready = ImageFile.objects.of(seller).filter(pk__in=ids, state=ImageState.READY, gallery_item=None)
        items = list(_items(seller, list(ready.values_list("pk", flat=True)), gallery.generation + 1))
        if items:
            GalleryItem.objects.bulk_create(items)
            _count_change(gallery)
    return len(items)


def refresh_gallery(*, seller: Seller, image_ids: Iterable[int]) -> int:
    """Have every process read these rows again, because a fact that searches filter by has changed."""
    return _change(seller, image_ids, {})


def remove_from_gallery(*, seller: Seller, image_ids: Iterable[int]) -> int:
    """Take pictures out of every search; return how many were in it. The row stays, so that no sweep adds it again."""
    return _change(seller, image_ids, {"deleted": True})


def drop_from_gallery(*, seller: Seller, image_ids: Iterable[int]) -> None:
    """Take listings' pictures out for good, in the caller's transaction: their rows point at no listing any more.

    Pictures that no search has seen yet get such a row too, so that one list tells what is left to be removed.
    """
    ids = list(image_ids)
    if not ids:
        return
    gallery = _locked(seller)
    known = GalleryItem.objects.of(seller).filter(image__in=ids)
    missing = set(ids) - set(known.values_list("image_id", flat=True))
    common = {"seller": seller, "generation": gallery.generation + 1, "deleted": True}
    known.update(generation=gallery.generation + 1, deleted=True, listing_image=None)
    GalleryItem.objects.bulk_create(GalleryItem(image_id=image, **common) for image in sorted(missing))
    _count_change(gallery)


def _change(seller: Seller, image_ids: Iterable[int], values: dict[str, Any]) -> int:
    with transaction.atomic():
        gallery = _locked(seller)
        rows = GalleryItem.objects.of(seller).filter(image__in=list(image_ids), deleted=False)
        changed = rows.update(generation=gallery.generation + 1, **values)
        if changed:
            _count_change(gallery)
    return changed


def _items(seller: Seller, image_ids: Sequence[int], generation: int) -> Iterator[GalleryItem]:
    common = {"seller": seller, "generation": generation}
    for original in Original.objects.of(seller).filter(image__in=image_ids).order_by("pk"):
        yield GalleryItem(image_id=original.image_id, original=original, **common)
    for listing_image in ListingImage.objects.of(seller).filter(image__in=image_ids).order_by("pk"):
        yield GalleryItem(image_id=listing_image.image_id, listing_image=listing_image, **common)


def _locked(seller: Seller) -> Gallery:
    """The seller's row, locked until the transaction ends: generations become visible in the order of their numbers.

    Without the lock a late commit with a low number would be skipped by a process that has seen a higher one.
    """
    Gallery.objects.get_or_create(seller=seller)
    return Gallery.objects.select_for_update().get(seller=seller)


def _count_change(gallery: Gallery) -> None:
    gallery.generation += 1
    gallery.save(update_fields=["generation"])


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
    """When a catalogue was last read: part of what a search page says it looked through."""
    newest: datetime | None = Catalogue.objects.of(seller).aggregate(newest=Max("updated_at"))["newest"]
    return newest


# The index: what a search asks -----------------------------------------------------------------------------------

LOAD_ROWS = 2000
SECONDS_MAX = 2**32 - 1
CATEGORY_NUMBERS = {category.slug: number for number, category in enumerate(load_categories(), start=1)}
ROW_FIELDS = (
    "pk",
    "deleted",
    "image_id",
    "image__sha256",
    "image__pixel_sha256",
    "image__created_at",
    "original_id",
    "original__category",
    "listing_image__listing__category",
    "listing_image__listing__shop_country",
    "listing_image__listing__listed_at",
    "listing_image__listing__first_seen",
    "listing_image__listing__delisted_at",
)


class GallerySource:
    """One seller's gallery rows as an index wants them."""

    def __init__(self, seller_id: int) -> None:
        self.seller_id = seller_id

    def current_generation(self) -> int:
        """How often the gallery changed; one cheap query."""
        return Gallery.objects.filter(pk=self.seller_id).values_list("generation", flat=True).first() or 0

    def forgotten_generation(self) -> int:
        """Up to which change deleted rows may be gone."""
        return Gallery.objects.filter(pk=self.seller_id).values_list("forgotten", flat=True).first() or 0

    def load_since(self, generation: int) -> Iterator[Change]:
        """Rows changed after a generation, a portion at a time."""
        changed = GalleryItem.objects.filter(seller=self.seller_id, generation__gt=generation).order_by("pk")
        last = 0
        while rows := list(changed.filter(pk__gt=last).values(*ROW_FIELDS)[:LOAD_ROWS]):
            codes = codes_of([row["image_id"] for row in rows])
            for row in rows:
                yield Change(row["pk"], None if row["deleted"] else _index_item(row, codes.get(row["image_id"], {})))
            last = rows[-1]["pk"]


def codes_of(image_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Fingerprints as numbers, by image and algorithm; those of nearly plain pictures are left out."""
    rows = Fingerprint.objects.filter(image__in=image_ids, quality__gte=MIN_QUALITY)
    codes: dict[int, dict[str, int]] = {}
    for image_id, algorithm, value in rows.values_list("image_id", "algorithm", "value"):
        codes.setdefault(image_id, {})[algorithm] = int.from_bytes(bytes(value), "big")
    return codes


def _seconds(moment: datetime | None) -> int:
    """Epoch seconds within what an index row can hold, 0 for unknown: one odd date must not stop every search."""
    return min(max(int(moment.timestamp()), 0), SECONDS_MAX) if moment is not None else 0


def _index_item(row: dict[str, Any], codes: dict[str, int]) -> Item:
    is_original = row["original_id"] is not None
    prefix = "listing_image__listing__"
    category = row["original__category"] if is_original else row[prefix + "category"]
    return Item(
        id=row["pk"],
        sha256=bytes(row["image__sha256"]),
        pixel_sha256=bytes(row["image__pixel_sha256"] or b""),
        phash=codes.get(PHASH, 0),
        dhash=codes.get(DHASH, 0),
        is_original=is_original,
        listed_at=_seconds(row[prefix + "listed_at"]),
        first_seen=_seconds(row[prefix + "first_seen"] or row["image__created_at"]),
        delisted_at=_seconds(row[prefix + "delisted_at"]),
        category=CATEGORY_NUMBERS.get(category or "", 0),
        country=country_number(row[prefix + "shop_country"] or ""),
    )


# This process's copies; each asks for the generation before every search.
indexes = SellerIndexes(GallerySource)
