"""Pictures, the originals among them, and what is derived from their pixels and can be made again."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, Store, User
from ledger.accounts.numbers import new_number
from ledger.models.blobs import Blob
from ledger.models.rows import SHA256_BYTES, SellerQuerySet
from ledger.models.statements import Statement


class ImageState(models.TextChoices):
    SEALED = "sealed", _("sealed, waiting for analysis")
    READY = "ready", _("ready")
    UNDECODABLE = "undecodable", _("sealed, cannot be opened as a picture")
    ERASED = "erased", _("erased")  # the row stays for what points at it; nothing of the picture does


class ImageFile(models.Model):
    """A stored picture file and what was computed from it; all but sha256 and size can be computed again."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="image")
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    size_bytes = models.BigIntegerField()
    file_name = models.CharField(max_length=255)
    format = models.CharField(max_length=10)
    mime = models.CharField(max_length=40)
    flags = models.JSONField(default=list)
    state = models.CharField(max_length=12, choices=ImageState.choices, default=ImageState.SEALED)
    error_code = models.CharField(max_length=40, blank=True)
    width = models.IntegerField(null=True)  # pixels, upright
    height = models.IntegerField(null=True)
    pixel_sha256 = models.BinaryField(max_length=SHA256_BYTES, null=True)
    metadata = models.JSONField(default=dict)
    private_metadata = models.JSONField(default=dict)  # place and serial numbers
    analysis_version = models.SmallIntegerField(default=0)
    has_thumbnails = models.BooleanField(default=False)
    features_version = models.SmallIntegerField(default=0)  # of the part with local features; 0 none, < 0 failed
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "sha256"], name="image_by_digest"),
            models.Index(fields=["seller", "state", "-id"], name="image_by_state"),
            models.Index(fields=["state", "features_version"], name="image_by_features"),
        ]

    def __str__(self) -> str:
        return self.file_name


class Fingerprint(models.Model):
    """A perceptual fingerprint of a picture, with the algorithm that made it."""

    image = models.ForeignKey(ImageFile, on_delete=models.CASCADE, related_name="fingerprints")
    algorithm = models.CharField(max_length=20)
    version = models.SmallIntegerField()
    value = models.BinaryField()
    quality = models.SmallIntegerField(default=100)  # 0..100: how much picture there was to code

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "algorithm", "version"], name="fingerprint_unique")]

    def __str__(self) -> str:
        return f"{self.algorithm}:{bytes(self.value).hex()}"


class OriginalManager(models.Manager.from_queryset(SellerQuerySet["Original"])):  # type: ignore[misc]
    """Leaves erased originals out of every list, search and choice; rows that point at one still find it."""

    def get_queryset(self) -> SellerQuerySet[Original]:
        rows: SellerQuerySet[Original] = super().get_queryset().filter(erased_at=None)
        return rows


class Original(models.Model):
    """A registered picture: exact bytes durable and entry committed. An erased one keeps number and entry only."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="original")
    image = models.OneToOneField(ImageFile, on_delete=models.PROTECT, related_name="original")
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    store = models.ForeignKey(Store, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    category = models.CharField(max_length=40, blank=True)
    title = models.CharField(max_length=255, blank=True)
    search_text = models.CharField(max_length=512, blank=True)  # title and file name: what a search by name looks at
    registered_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    registered_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=10, blank=True)  # a PictureSource, as declared last; empty: not declared

    objects = OriginalManager()
    with_erased = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "sha256"], name="original_once_per_seller")]
        indexes = [
            models.Index(fields=["seller", "-id", "search_text"], name="original_search"),
            models.Index(fields=["seller", "category", "-id"], name="original_by_category"),
        ]

    def __str__(self) -> str:
        return self.title or self.image.file_name


class DerivativeRole(models.TextChoices):
    MAIN = "main", _("main image")
    HIDDEN = "hidden", _("hidden image")
    DETAIL = "detail", _("detail image")
    UPLOAD = "upload", _("upload copy")


class Derivative(models.Model):
    """A file made from an original, with the entry that says so and how it descends from it."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="derivatives")
    image = models.OneToOneField(ImageFile, on_delete=models.PROTECT, related_name="derivative")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="derivative")
    role = models.CharField(max_length=10, choices=DerivativeRole.choices)
    geometry = models.CharField(max_length=12)  # identity, similarity, affine, homography
    matrix_micro = models.JSONField()  # 9 whole numbers, row by row: original to derivative, millionths
    residual_milli = models.BigIntegerField()  # thousandths of a pixel
    steps = models.JSONField(default=list)  # what was done: cropped, scaled, graded, overlaid
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "original", "-id"], name="derivative_list")]

    def __str__(self) -> str:
        return f"{self.role} of {self.original_id}"

    @property
    def residual_px(self) -> float:
        return self.residual_milli / 1000


class PictureSource(models.TextChoices):
    SELF = "self", _("made by us")
    SUPPLIER = "supplier", _("from a supplier")
    AI = "ai", _("made by an AI")


class SourceDeclaration(models.Model):
    """What somebody declared about where an original comes from, and when; the newest one holds. Nothing checks it."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="source_declarations")
    source = models.CharField(max_length=10, choices=PictureSource.choices, blank=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.original_id} · {self.source}"
