"""What counts for a store at its marketplace: strikes and the quota of a day."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.checks import CheckRun
from ledger.accounts.models import Seller, Store, User
from ledger.accounts.numbers import new_number
from ledger.models import SellerQuerySet


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
