"""Who looked at what, and who a seller is: the access log, verification documents, the bank's tick."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models.blobs import Blob
from ledger.models.rows import SellerQuerySet


class AccessKind(models.TextChoices):
    ORIGINAL = "original", _("original, exact file")
    EVIDENCE_FILE = "evidence_file", _("file of an evidence set")
    BUNDLE_WITH_FILES = "bundle_with_files", _("evidence with files")
    PACK = "pack", _("pack of images")
    PACKET = "packet", _("complaint packet")
    CAPTURE = "capture", _("capture of a page")
    VERIFICATION = "verification", _("verification document")


class AccessRecord(models.Model):
    """One download of something that must not leak. Triggers refuse every change but forgetting the person."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    token = models.CharField(max_length=16, blank=True)  # number of the API token, if it was one
    kind = models.CharField(max_length=20, choices=AccessKind.choices)
    number = models.CharField(max_length=16)  # of what was taken
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="access_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class PaperKind(models.TextChoices):
    LICENCE = "licence", _("business licence")
    IDENTITY = "identity", _("identity document of the legal representative")
    AUTHORISATION = "authorisation", _("power of attorney")
    OTHER = "other", _("other document")


class PaperState(models.TextChoices):
    PENDING = "pending", _("waiting for review")
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("refused")


class SellerPaper(models.Model):
    """A document that says who the seller is: sealed under its own key, reviewed by site staff, in no packet unless
    ticked. An erased one keeps its number and dates only."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="papers")
    person = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")  # whom it is about
    uploaded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=20, choices=PaperKind.choices)
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=255, blank=True)
    mime = models.CharField(max_length=40)
    in_packets = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=PaperState.choices, default=PaperState.PENDING)
    reason = models.CharField(max_length=500, blank=True)  # why it was refused
    reviewed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["seller", "-id"], name="paper_list"),
            models.Index(fields=["state", "-id"], condition=Q(erased_at=None), name="paper_review"),
        ]

    def __str__(self) -> str:
        return self.number


class BankTick(models.Model):
    """That site staff saw a micro-deposit from the seller's own account arrive, and on which day. No account numbers."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="bank_ticks")
    arrived_on = models.DateField()
    ticked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.arrived_on)
