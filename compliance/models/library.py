"""Catalogues and their listings, the gallery that a search looks through, and the saved pieces of its index.

The generation number of the gallery tells every process when its copy of the index is old.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Blob, ImageFile, Job, Original, SellerQuerySet


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
    is_missing = models.BooleanField(default=False)  # delisted because a complete feed left it out
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "product_id"], name="listing_once_per_catalogue")]
        indexes = [models.Index(fields=["delisted_at"], name="listing_by_end")]

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
    """How often a seller's gallery changed: the number every process compares before it searches.

    forgotten: rows of taken-out pictures up to that generation may be gone, so an older copy of the index begins anew.
    """

    seller = models.OneToOneField(Seller, on_delete=models.PROTECT, primary_key=True, related_name="+")
    generation = models.BigIntegerField(default=0)
    forgotten = models.BigIntegerField(default=0)
    # How long delisted listings are kept; null: the site's setting, 0: for ever.
    delisted_months = models.PositiveSmallIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.seller} · {self.generation}"


class GalleryItem(models.Model):
    """One searchable picture: a registered original or a listing's picture. Exactly one of the two is set.

    Neither is set where a listing was swept: the row then tells every process that the picture is gone.
    """

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
                condition=(models.Q(original__isnull=False) ^ models.Q(listing_image__isnull=False))
                | models.Q(deleted=True, original=None, listing_image=None),
                name="one_source",
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


# Imports ---------------------------------------------------------------------------------------------------------


class ImportState(models.TextChoices):
    DRAFT = "draft", _("waiting for its columns")
    WAITING = "waiting", _("waiting")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("stopped")


class ImportRun(models.Model):
    """One file that was sent to become listings: what it is, what its columns mean, how far it came."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    catalogue = models.ForeignKey(Catalogue, null=True, on_delete=models.SET_NULL, related_name="imports")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=200)  # of the catalogue
    file_name = models.CharField(max_length=255)
    kind = models.CharField(max_length=8)  # csv, xlsx, jsonl, zip, warc, wacz
    table_name = models.CharField(max_length=1024, blank=True)  # of the table inside a ZIP
    blob = models.OneToOneField(Blob, null=True, on_delete=models.SET_NULL, related_name="+")  # until it is done
    header = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)  # our column -> place in the header
    is_complete = models.BooleanField(default=False)  # what is not in it has been delisted
    state = models.CharField(max_length=10, choices=ImportState.choices, default=ImportState.DRAFT)
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=300, blank=True)
    total = models.IntegerField(default=0)  # pictures in it
    taken = models.IntegerField(default=0)  # of these, in their order, written down with their outcomes
    counts = models.JSONField(default=dict)  # imported, updated, unchanged, rejected, delisted
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="import_list")]

    def __str__(self) -> str:
        return self.file_name


class ImportProblem(models.Model):
    """What was wrong with one row of a file: why it was refused, or what was left out of it."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="problems")
    row = models.IntegerField()  # below the header, from 1
    product_id = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=60)
    is_refused = models.BooleanField()

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["run", "row"], name="problem_list")]

    def __str__(self) -> str:
        return f"{self.row} {self.code}"


class SourceMapping(models.Model):
    """What the columns of files with this header mean, as somebody said last."""

    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="+")
    signature = models.CharField(max_length=64)
    mapping = models.JSONField()
    name = models.CharField(max_length=200)  # of the catalogue it went into
    used_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "signature"], name="mapping_once_per_header")]

    def __str__(self) -> str:
        return self.name


class ListingChange(models.Model):
    """One fact of a listing that a later import changed."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="changes")
    field = models.CharField(max_length=20)
    before = models.CharField(max_length=2048, blank=True)
    after = models.CharField(max_length=2048, blank=True)
    at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["listing", "-id"], name="change_list")]

    def __str__(self) -> str:
        return f"{self.listing} · {self.field}"


class RemotePicture(models.Model):
    """A picture that a feed gave as an address: to be fetched, after its row is there."""

    WAITING, DONE, FAILED = "waiting", "done", "failed"

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="remote_pictures")
    run = models.ForeignKey(ImportRun, null=True, on_delete=models.SET_NULL, related_name="remote_pictures")
    row = models.IntegerField(default=0)
    url = models.CharField(max_length=1024)
    state = models.CharField(
        max_length=8,
        choices=[(WAITING, _("waiting")), (DONE, _("done")), (FAILED, _("failed"))],
        default=WAITING,
    )
    attempts = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    error_code = models.CharField(max_length=60, blank=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "url"], name="address_once_per_listing")]
        indexes = [
            models.Index(fields=["next_at", "seller"], condition=models.Q(state="waiting"), name="remote_due"),
        ]

    def __str__(self) -> str:
        return self.url
