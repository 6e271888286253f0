"""Compliance packs made from registered originals."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.searches import RunState
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Derivative, ImageFile, Job, Original, SellerQuerySet


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
