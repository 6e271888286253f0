"""Captures: what was seen under an address, by whom, and when it was sealed here. The files are evidence, never opened."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.models.library import Listing
from compliance.models.searches import RunState
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Blob, Job, Original, SellerQuerySet, Statement


class CaptureKind(models.TextChoices):
    SCREENSHOT = "screenshot", _("screenshot")
    HTML = "html", _("saved page (HTML)")
    WARC = "warc", _("web archive (WARC)")
    WACZ = "wacz", _("web archive (WACZ)")
    VIDEO = "video", _("screen recording")


class Observer(models.TextChoices):
    """Who looked: what a capture is worth depends on it."""

    PARTY = "party", _("we ourselves (party)")
    OUR_SERVER = "our_server", _("this server")
    THIRD_PARTY = "third_party", _("a third party")


class Capture(models.Model):
    """One look at one address. A failed or waiting server fetch has no files and no entry."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="capture")
    listing = models.ForeignKey(Listing, null=True, on_delete=models.SET_NULL, related_name="captures")
    original = models.ForeignKey(Original, null=True, on_delete=models.PROTECT, related_name="captures")  # it shows
    kind = models.CharField(max_length=10, choices=CaptureKind.choices)
    observer = models.CharField(max_length=12, choices=Observer.choices)
    observer_name = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=2000)
    product_id = models.CharField(max_length=100, blank=True)
    shop = models.CharField(max_length=200, blank=True)
    captured_at = models.DateTimeField()  # the capturing machine's clock: somebody's word, unless this server looked
    environment = models.JSONField(default=dict)  # clean-machine record: field -> text
    notes = models.CharField(max_length=2000, blank=True)
    blob = models.OneToOneField(Blob, null=True, on_delete=models.PROTECT, related_name="+")
    record = models.OneToOneField(Blob, null=True, on_delete=models.PROTECT, related_name="+")  # JSON, in the claim too
    file_name = models.CharField(max_length=255, blank=True)
    mime = models.CharField(max_length=100, blank=True)
    sha256 = models.BinaryField(max_length=32, default=b"")
    size_bytes = models.BigIntegerField(default=0)
    http_status = models.IntegerField(null=True)  # what the server answered, for a fetch
    has_preview = models.BooleanField(default=False)
    preview_code = models.CharField(max_length=60, blank=True)  # why a screenshot has none
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.DONE)
    error_code = models.CharField(max_length=60, blank=True)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    captured_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "-id"], name="capture_list"),
            models.Index(fields=["seller", "sha256"], name="capture_by_digest"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_erased(self) -> bool:
        return self.statement is not None and self.statement.erasure_id is not None
