"""Searches for copies and what they found."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.library import ListingImage
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import ImageFile, Job, Original, SellerQuerySet, Statement


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
