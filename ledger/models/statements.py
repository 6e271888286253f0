"""What stands behind an entry and can be erased: the salted documents, and the certificates made of them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from ledger.accounts.models import Seller, User
from ledger.models.blobs import Blob
from ledger.models.clocks import TimeAuthority
from ledger.models.log import Entry
from ledger.models.rows import SHA256_BYTES, SellerQuerySet


class Statement(models.Model):
    """What an entry says, for those who may read it: the salted claim and identity documents and whose they are.

    Erasing these leaves the entry, the root and every other proof as they are.
    """

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="statement")
    seq = models.BigIntegerField()  # the entry's number in its own log, as people are shown it
    number = models.CharField(max_length=16, unique=True)
    seller = models.ForeignKey(Seller, null=True, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=32)
    request_id = models.CharField(max_length=80)
    claim = models.BinaryField()
    identity = models.BinaryField()
    logged_at = models.DateTimeField()
    label = models.CharField(max_length=255)  # file name or the like, for lists
    outcome = models.CharField(max_length=20, blank=True)  # a status chip's state, for lists
    outdated_at = models.DateTimeField(null=True)  # since when what it is about has changed, for lists
    # Set when claim and identity were erased; the entry, its proof and its number stay.
    erasure = models.ForeignKey("Erasure", null=True, on_delete=models.PROTECT, related_name="erased_statements")

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "request_id"], name="request_once_per_seller")]
        indexes = [
            # With the label: a search by name reads this index and nothing else until it finds something.
            models.Index(fields=["seller", "-entry", "label"], name="statement_search"),
            models.Index(fields=["seller", "kind", "-entry"], name="statement_history_kind"),
            models.Index(fields=["seller", "kind", "logged_at"], name="statement_by_time"),  # counts by week
            models.Index(
                fields=["seller", "outdated_at"],
                condition=models.Q(outdated_at__isnull=False),
                name="statement_outdated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"

    @property
    def first(self) -> int:
        """The key of entry 0 of the log it is in."""
        return self.entry_id - self.seq


class Certificate(models.Model):
    """A signed PDF that was handed out, kept as it was."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="certificates")
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="+")
    tree_size = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    layout_version = models.SmallIntegerField()
    stage = models.SmallIntegerField(default=0)  # how far outside time had proven it then: more makes a new one
    # PAdES B-LTA: a second row beside the one first handed out, whose signature and pages it has.
    is_archival = models.BooleanField(default=False)
    room_bytes = models.IntegerField(default=0)  # left in the signature for a time-stamp; 0: cannot become archival
    signature_token = models.BinaryField(default=b"")  # over the signature, once an authority has answered
    time_authority = models.ForeignKey(TimeAuthority, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["statement", "layout_version", "stage", "is_archival"], name="certificate_once_per_stage"
            )
        ]
        indexes = [models.Index(fields=["is_archival", "-id"], name="certificate_by_archival")]

    def __str__(self) -> str:
        return f"certificate of #{self.statement_id}"
