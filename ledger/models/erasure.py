"""Erasing and what stands against it: holds, what was handed out before, and the record of each erasure."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models.pictures import Original
from ledger.models.rows import SellerQuerySet
from ledger.models.statements import Statement


class Hold(models.Model):
    """Why something must not be erased now; it refuses erasure until it is released."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(Original, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=200)
    placed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    placed_at = models.DateTimeField(default=timezone.now)
    released_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    released_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.reason


class Handout(models.Model):
    """That something about a statement left the site, and how often; what erasure cannot call back."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="handouts")
    kind = models.CharField(max_length=20)  # bundle, bundle_with_files, file, packet
    times = models.IntegerField(default=1)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["statement", "kind"], name="handout_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of #{self.statement_id}"


class ErasureState(models.TextChoices):
    CLEANING = "cleaning", _("rows erased, cleaning files")
    DONE = "done", _("done")


class Erasure(models.Model):
    """One erasure: whom or what it was about, what was lost, and what had been handed out before. Names nothing."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    target = models.CharField(max_length=10)  # original, person
    original = models.ForeignKey(Original, null=True, on_delete=models.PROTECT, related_name="erasures")
    reason = models.CharField(max_length=12)  # of docs/spec/claim.md
    state = models.CharField(max_length=10, choices=ErasureState.choices, default=ErasureState.CLEANING)
    entries = models.JSONField(default=list)  # numbers of the erasure entries in the log
    lost = models.JSONField(default=dict)  # kind -> count
    handed_out = models.JSONField(default=list)  # {kind, entry, at, times, sha256 of the PDF}
    blobs = models.JSONField(default=list)  # ids whose files are to be removed
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="erasure_list")]

    def __str__(self) -> str:
        return self.number
