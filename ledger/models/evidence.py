"""What proves more than one picture does: evidence sets with their files, and records of rights."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models.blobs import Blob
from ledger.models.pictures import Original
from ledger.models.rows import SHA256_BYTES, SellerQuerySet
from ledger.models.statements import Statement


class EvidenceSet(models.Model):
    """A shoot: files of any kind registered together by one entry; a draft until it has a statement.

    A supplement lists its predecessor's files again (docs/adr/0041-supplements-repeat.md).
    """

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="evidence_set")
    title = models.CharField(max_length=200, blank=True)
    previous = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="supplements")
    registered_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    registered_at = models.DateTimeField(null=True)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="set_list")]

    def __str__(self) -> str:
        return self.title or self.number


class SetRole(models.TextChoices):
    """The roles of docs/spec/claim.md; a release is a contract."""

    ORIGINAL = "original", _("original")
    RAW = "raw", _("camera RAW")
    LAYERED = "layered", _("layered source")
    OUTTAKE = "outtake", _("outtake")
    CONTRACT = "contract", _("contract or release")
    DERIVATIVE = "derivative", _("file made from it")


class EvidenceFile(models.Model):
    """One file of a set: stored encrypted, never opened. position is its place in the claim, from 0."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    evidence_set = models.ForeignKey(EvidenceSet, on_delete=models.PROTECT, related_name="files")
    position = models.IntegerField()
    role = models.CharField(max_length=10, choices=SetRole.choices)
    file_name = models.CharField(max_length=255)
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    size_bytes = models.BigIntegerField()
    mime = models.CharField(max_length=100)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")  # shared with the sets it supplements
    is_erased = models.BooleanField(default=False)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evidence_set", "position"], name="set_position")]
        indexes = [models.Index(fields=["seller", "sha256"], name="set_file_by_digest")]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.file_name


class RightKind(models.TextChoices):
    COPYRIGHT = "copyright", _("copyright registration")
    TRADEMARK = "trademark", _("trademark")
    DESIGN = "design", _("design patent")
    NOTARY = "notary", _("notarial certificate")
    TIMESTAMP = "timestamp", _("timestamp certificate of a third party")
    PLATFORM = "platform", _("receipt of an evidence platform")
    OTHER = "other", _("other document")


class RightRecord(models.Model):
    """What somebody else certified: a registration, a notary's deed, a platform's receipt, a time-stamp token.

    Its document is an evidence set of one file: registered in the log, stored encrypted. Only a time-stamp token is
    checked by machine (ledger/services/right_tokens.py); nothing else is opened.
    """

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=RightKind.choices)
    title = models.CharField(max_length=200)
    registration_number = models.CharField(max_length=100, blank=True)
    authority = models.CharField(max_length=200, blank=True)
    valid_from = models.DateField(null=True)
    valid_until = models.DateField(null=True)
    document = models.ForeignKey(EvidenceSet, null=True, on_delete=models.PROTECT, related_name="rights")
    trust_anchors = models.TextField(blank=True)  # PEM, for a token: whom to believe, from elsewhere than the token
    token = models.JSONField(default=dict)  # what the check of a token found; empty: its document is none
    originals = models.ManyToManyField(Original, related_name="rights")
    sets = models.ManyToManyField(EvidenceSet, related_name="right_records")
    # What was entered stays as it was: a correction is another record, with the reason.
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    correction = models.CharField(max_length=300, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "valid_until"], name="right_by_expiry")]

    def __str__(self) -> str:
        return self.title

    @property
    def successor(self) -> RightRecord | None:
        """The record that replaces this one."""
        return getattr(self, "replaced_by", None)

    @property
    def is_current(self) -> bool:
        return self.withdrawn_at is None and self.successor is None
