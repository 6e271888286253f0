"""Catalogues and their listings, the gallery that a search looks through, and the saved pieces of its index.

The generation number of the gallery tells every process when its copy of the index is old.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import ImageFile, Original, SellerQuerySet


class Catalogue(models.Model):
    """One imported feed of listings."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    imported_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    # Counted by the import, under this row's lock: counting 100,000 pictures anew for every page would take too long.
    listing_count = models.IntegerField(default=0)
    picture_count = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "name"], name="catalogue_once_per_seller")]

    def __str__(self) -> str:
        return self.name


class Listing(models.Model):
    """One item page of somebody's shop, as a feed described it; missing facts stay empty."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    catalogue = models.ForeignKey(Catalogue, on_delete=models.CASCADE, related_name="listings")
    product_id = models.CharField(max_length=120)
    url = models.CharField(max_length=2048, blank=True)
    title = models.CharField(max_length=500, blank=True)
    shop_id = models.CharField(max_length=120, blank=True)  # the marketplace's own id of the shop
    shop_name = models.CharField(max_length=200, blank=True)
    shop_country = models.CharField(max_length=2, blank=True)
    category = models.CharField(max_length=40, blank=True)  # our slug when known
    category_raw = models.CharField(max_length=200, blank=True)
    price = models.CharField(max_length=60, blank=True)
    language = models.CharField(max_length=12, blank=True)
    listed_at = models.DateTimeField(null=True)
    delisted_at = models.DateTimeField(null=True)
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "product_id"], name="listing_once_per_catalogue")]

    def __str__(self) -> str:
        return self.product_id


class ListingImage(models.Model):
    """A picture of a listing."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="images")
    image = models.OneToOneField(ImageFile, on_delete=models.PROTECT, related_name="listing_image")
    sha256 = models.BinaryField(max_length=32)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "sha256"], name="picture_once_per_listing")]

    def __str__(self) -> str:
        return f"{self.listing} · {self.image}"


class Gallery(models.Model):
    """How often a seller's gallery changed: the number every process compares before it searches."""

    seller = models.OneToOneField(Seller, on_delete=models.PROTECT, primary_key=True, related_name="+")
    generation = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.seller} · {self.generation}"


class GalleryItem(models.Model):
    """One searchable picture: a registered original or a listing's picture. Exactly one of the two is set."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    generation = models.BigIntegerField()
    image = models.OneToOneField(ImageFile, on_delete=models.PROTECT, related_name="gallery_item")
    original = models.OneToOneField(Original, null=True, on_delete=models.CASCADE, related_name="gallery_item")
    listing_image = models.OneToOneField(ListingImage, null=True, on_delete=models.CASCADE, related_name="gallery_item")
    deleted = models.BooleanField(default=False)
    # The version of the watch that compared it with the other side; 0 = to be compared, -1 = could not be read.
    watched = models.SmallIntegerField(default=0)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(original__isnull=False) ^ models.Q(listing_image__isnull=False), name="one_source"
            )
        ]
        indexes = [
            models.Index(fields=["seller", "generation"], name="gallery_changes"),
            # Originals have no listing image, so both numbers of a search page are read from this index alone.
            models.Index(fields=["seller", "deleted", "listing_image"], name="gallery_counts"),
            models.Index(
                fields=["seller", "listing_image"],
                condition=models.Q(watched=0, deleted=False),
                name="gallery_unwatched",
            ),
        ]

    def __str__(self) -> str:
        return str(self.image)


class IndexSegment(models.Model):
    """Sealed features of a seller's gallery on disk: a cache of blobs that every process opens instead of reading them.

    It holds each picture of generations up to `generation` that no segment with a lower number holds.
    """

    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="+")
    number = models.IntegerField()
    generation = models.BigIntegerField()
    pictures = models.IntegerField()
    features_version = models.SmallIntegerField()
    folder = models.CharField(max_length=40)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "number"], name="segment_number")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.seller} · {self.number}"
