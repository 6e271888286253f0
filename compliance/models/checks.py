"""Checks of hidden images and of quality, alone or many at once; answers and repairs that follow a check."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.searches import RunState
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Blob, Derivative, ImageFile, Job, Original, SellerQuerySet, Statement


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
