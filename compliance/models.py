"""Compliance tables: catalogues and their listings, the search gallery, searches, hidden-image checks.

Every row carries one seller. The gallery is what a search looks through; its generation number tells every process
when its copy of the index is old.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, Store, User
from ledger.accounts.numbers import new_number
from ledger.models import Blob, Derivative, ImageFile, Job, Original, SellerQuerySet, Statement


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


class RunState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class Scope(models.TextChoices):
    ALL = "all", _("everything")
    RECENT = "90d", _("last 90 days")
    REGISTERED = "registered", _("registered originals")


class SearchRun(models.Model):
    """One query: what was asked, what was searched, what came out."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="search_run")
    image = models.ForeignKey(ImageFile, null=True, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=10)  # upload, original, url
    source_url = models.CharField(max_length=2048, blank=True)
    scope = models.CharField(max_length=12, choices=Scope.choices, default=Scope.ALL)
    threshold = models.SmallIntegerField(default=85)
    category = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    error_code = models.CharField(max_length=60, blank=True)
    searched = models.JSONField(default=dict)  # how many of what, newest import
    engine = models.CharField(max_length=60, blank=True)
    verdict = models.CharField(max_length=30, blank=True)  # class of the best candidate
    took_ms = models.IntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="search_list")]

    def __str__(self) -> str:
        return self.number


class Candidate(models.Model):
    """One of the pictures a search found, with its facts as they were then."""

    run = models.ForeignKey(SearchRun, on_delete=models.CASCADE, related_name="candidates")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    rank = models.SmallIntegerField()
    score_milli = models.IntegerField()  # 0..100,000: thousandths of a point
    verdict = models.CharField(max_length=30)
    distances = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict)  # how the picture lies in the query and what was done to it
    facts = models.JSONField(default=dict)  # product id, listing time, country, title, url as of the search
    image = models.ForeignKey(ImageFile, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, null=True, on_delete=models.SET_NULL, related_name="+")
    listing_image = models.ForeignKey(ListingImage, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "rank"], name="candidate_rank")]
        ordering = ["rank"]

    def __str__(self) -> str:
        return f"{self.run} · {self.rank}"

    @property
    def score(self) -> float:
        return self.score_milli / 1000


class CheckRun(models.Model):
    """One hidden-image check of a main and a hidden image, with the profile version it used."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="check_run")
    main_image = models.ForeignKey(ImageFile, on_delete=models.PROTECT, related_name="+")
    hidden_image = models.ForeignKey(ImageFile, on_delete=models.PROTECT, related_name="+")
    # What the hidden image was compared with, found by the job; null when none was registered then.
    original = models.ForeignKey(Original, null=True, on_delete=models.SET_NULL, related_name="+")
    profile_id = models.CharField(max_length=60)
    profile_version = models.CharField(max_length=20)
    category = models.CharField(max_length=40, blank=True)
    sku = models.CharField(max_length=100, blank=True)  # the seller's own number of the product, if it was given
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    error_code = models.CharField(max_length=60, blank=True)
    # With the seller's answers; the report is what the check itself said, before any answer.
    verdict = models.CharField(max_length=20, blank=True)
    report = models.JSONField(default=dict)
    # What came after it, once the main image of this SKU is another one: {by, number, at}.
    stale = models.JSONField(default=dict)
    answers = models.JSONField(default=list)  # as of the newest entry; form: services/answers.py
    heatmap = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")
    took_ms = models.IntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "-id"], name="check_list"),
            models.Index(fields=["seller", "sku", "-id"], name="check_by_sku"),
        ]

    def __str__(self) -> str:
        return self.number


class Finding(models.Model):
    """One violation that a check found."""

    run = models.ForeignKey(CheckRun, on_delete=models.CASCADE, related_name="findings")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    position = models.SmallIntegerField()
    rule = models.CharField(max_length=10)
    code = models.CharField(max_length=40)
    level = models.CharField(max_length=10)
    bbox = models.JSONField(null=True)
    measured = models.CharField(max_length=200, blank=True)
    allowed = models.CharField(max_length=200, blank=True)
    unit = models.CharField(max_length=30, blank=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="finding_position")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.rule} {self.code}"


class BatchKind(models.TextChoices):
    PAIRS = "pairs", _("pairs of files")
    SKUS = "skus", _("SKUs of one collage")


class CheckBatch(models.Model):
    """Many hidden images ordered at once: pairs of files, each a check of its own, or the SKUs of one collage."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=10, choices=BatchKind.choices)
    label = models.CharField(max_length=200, blank=True)
    archive = models.OneToOneField(Blob, null=True, on_delete=models.PROTECT, related_name="+")  # what was sent
    profile_id = models.CharField(max_length=60)
    profile_version = models.CharField(max_length=20)
    category = models.CharField(max_length=40, blank=True)
    # Of a collage: its picture, and one result and one entry for all of its SKUs.
    main_image = models.ForeignKey(ImageFile, null=True, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="check_batch")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    error_code = models.CharField(max_length=60, blank=True)
    verdict = models.CharField(max_length=20, blank=True)
    report = models.JSONField(default=dict)
    stale = models.JSONField(default=dict)  # as in CheckRun
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "kind", "-id"], name="batch_list")]

    def __str__(self) -> str:
        return self.number


class CheckItem(models.Model):
    """One row of a batch: what its files are called, and the check that was made of them, or why there is none."""

    batch = models.ForeignKey(CheckBatch, on_delete=models.CASCADE, related_name="items")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    position = models.SmallIntegerField()
    sku = models.CharField(max_length=100)
    main_name = models.CharField(max_length=255, blank=True)
    hidden_name = models.CharField(max_length=255, blank=True)
    original_name = models.CharField(max_length=255, blank=True)  # as written: proof number, digest or file name
    category = models.CharField(max_length=40, blank=True)
    run = models.OneToOneField(CheckRun, null=True, on_delete=models.PROTECT, related_name="batch_item")
    image = models.ForeignKey(ImageFile, null=True, on_delete=models.PROTECT, related_name="+")  # of a collage's SKU
    report = models.JSONField(default=dict)  # of a collage's SKU
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=200, blank=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="batch_position")]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.sku


class HiddenShot(models.Model):
    """Which SKU a hidden image was used for, with a small copy of its pixels to find it again."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    sku = models.CharField(max_length=100)
    image = models.ForeignKey(ImageFile, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(CheckRun, null=True, on_delete=models.CASCADE, related_name="+")
    batch = models.ForeignKey(CheckBatch, null=True, on_delete=models.CASCADE, related_name="+")
    level = models.SmallIntegerField()  # tenths of the mean level: near pictures have near means
    small = models.BinaryField(max_length=3072)  # uint8 (32, 32, 3)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "sku"], name="shot_once_per_sku")]
        indexes = [models.Index(fields=["seller", "level"], name="shot_by_level")]

    def __str__(self) -> str:
        return f"{self.sku} · {self.image}"


class QualityRun(models.Model):
    """One quality check of a picture that was not kept: its digest, what was measured, and the entry that says so."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="quality_run")
    file_name = models.CharField(max_length=255)
    sha256 = models.BinaryField(max_length=32)
    size_bytes = models.BigIntegerField()
    verdict = models.CharField(max_length=20)
    report = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="quality_list")]

    def __str__(self) -> str:
        return self.number


class PackRun(models.Model):
    """One order of compliance packs, for one or many originals."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    profile_id = models.CharField(max_length=60)
    profile_version = models.CharField(max_length=20)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="pack_list")]

    def __str__(self) -> str:
        return self.number


class PromotionKind(models.TextChoices):
    NONE = "", _("without promotion")
    OVERLAY = "overlay", _("promotion as overlay")
    MAIN = "main", _("finished main image")


class PackItem(models.Model):
    """One pack of an order: what it is made from, and its three files once they are made."""

    run = models.ForeignKey(PackRun, on_delete=models.CASCADE, related_name="items")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    position = models.SmallIntegerField()
    sku = models.CharField(max_length=100)
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="+")
    promotion = models.ForeignKey(ImageFile, null=True, on_delete=models.PROTECT, related_name="+")
    promotion_kind = models.CharField(max_length=10, blank=True, choices=PromotionKind.choices)
    category = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=200, blank=True)
    verdict = models.CharField(max_length=20, blank=True)
    report = models.JSONField(default=dict)
    main = models.OneToOneField(Derivative, null=True, on_delete=models.PROTECT, related_name="+")
    hidden = models.OneToOneField(Derivative, null=True, on_delete=models.PROTECT, related_name="+")
    detail = models.OneToOneField(Derivative, null=True, on_delete=models.PROTECT, related_name="+")

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="pack_position"),
            models.UniqueConstraint(fields=["run", "sku"], name="pack_sku"),
        ]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.sku

    @property
    def files(self) -> tuple[tuple[str, Derivative], ...]:
        """(role, derivative) of the three files; empty until they are made."""
        made = (("main", self.main), ("hidden", self.hidden), ("detail", self.detail))
        return tuple((role, file) for role, file in made if file is not None)


class StoreTier(models.TextChoices):
    NEW = "new", _("new store")
    GROWTH = "growth", _("growing store")


class StoreCalendar(models.TextChoices):
    CN = "CN", _("mainland China")
    WEEKENDS = "WEEKENDS", _("weekends only")


class StoreRules(models.Model):
    """By which quota and calendar a store is counted; a store without a row is a new one with the calendar of China."""

    store = models.OneToOneField(Store, on_delete=models.CASCADE, primary_key=True, related_name="rules")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    tier = models.CharField(max_length=10, choices=StoreTier.choices, default=StoreTier.NEW)
    calendar = models.CharField(max_length=10, choices=StoreCalendar.choices, default=StoreCalendar.CN)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.store} · {self.tier}"


class StoreEventKind(models.TextChoices):
    FAILURE = "failure", _("refused by the marketplace")
    SUBMISSION = "submission", _("submitted to the marketplace")


class StoreEvent(models.Model):
    """Something that happened to a store at its marketplace, recorded by hand; a mistaken record is withdrawn, not
    deleted."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=StoreEventKind.choices)
    happened_at = models.DateTimeField()
    product = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=60, blank=True)  # the marketplace's, of a failure
    amount = models.SmallIntegerField(default=1)  # of submissions
    run = models.ForeignKey(CheckRun, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["store", "kind", "happened_at"], name="store_event_time"),
            models.Index(fields=["seller", "-id"], name="store_event_list"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.product}"


class FindingAnswer(models.Model):
    """What a seller said about a question of a check; it holds for the same SKU, code and place until withdrawn."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=120)  # sku:…, original:… or main:…
    code = models.CharField(max_length=40)
    place = models.JSONField(null=True)  # box in ten thousandths of the hidden image's sides
    belongs = models.BooleanField()  # to the product; else it was added
    run = models.ForeignKey(CheckRun, on_delete=models.CASCADE, related_name="+")  # where it was given
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "subject"], name="answer_subject")]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}"


class CheckVerdict(models.Model):
    """A later entry about a check: its verdict with the answers given since. The first entry stays as it was."""

    run = models.ForeignKey(CheckRun, on_delete=models.CASCADE, related_name="verdicts")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="check_verdict")
    verdict = models.CharField(max_length=20)
    answers = models.JSONField(default=list)

    objects = SellerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.run} · {self.verdict}"


class Repair(models.Model):
    """A hidden image repaired after a check: which repairs, the new file, and the check that it then got."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    run = models.ForeignKey(CheckRun, on_delete=models.CASCADE, related_name="repairs")
    fixes = models.CharField(max_length=120)  # names of packs.fix_table, in the order of making
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.WAITING)
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=200, blank=True)
    report = models.JSONField(default=dict)  # steps and failures
    image = models.OneToOneField(ImageFile, null=True, on_delete=models.PROTECT, related_name="+")
    derivative = models.OneToOneField(Derivative, null=True, on_delete=models.PROTECT, related_name="+")
    check_run = models.OneToOneField(CheckRun, null=True, on_delete=models.SET_NULL, related_name="repair")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "fixes"], name="repair_once")]

    def __str__(self) -> str:
        return self.number
