"""Packets that were built: what was in them, their ZIP parts as they were handed out, and their entry in the log."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from compliance.models.cases import Case, CaseKind
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.models import Blob, Original, SellerQuerySet, Statement


class CasePacket(models.Model):
    """One packet of a case. Its parts never change; whoever wants another packet builds one."""

    number = models.CharField(max_length=16, unique=True, default=new_number)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="packets")
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="packet")
    originals = models.ManyToManyField(Original, related_name="packets")  # erasing one erases the packet
    kind = models.CharField(max_length=16, choices=CaseKind.choices)
    target = models.CharField(max_length=40)
    languages = models.JSONField(default=list)
    files = models.JSONField(default=list)  # rows of the manifest
    left_out = models.JSONField(default=list)  # [name, why] of what was not ticked
    manifest_sha256 = models.BinaryField(max_length=32)
    size_bytes = models.BigIntegerField()
    took_ms = models.IntegerField()
    built_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    built_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["seller", "-id"], name="packet_list")]

    def __str__(self) -> str:
        return self.number


class PacketPart(models.Model):
    """One ZIP, sealed as it was built."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    packet = models.ForeignKey(CasePacket, on_delete=models.PROTECT, related_name="parts")
    number = models.IntegerField()  # from 1
    blob = models.OneToOneField(Blob, on_delete=models.PROTECT, related_name="+")
    sha256 = models.BinaryField(max_length=32)
    size_bytes = models.BigIntegerField()

    objects = SellerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["packet", "number"], name="part_once_per_packet")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.packet_id} · {self.number}"
