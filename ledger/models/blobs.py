"""Sealed files: exact bytes, encrypted under a key of their own."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from ledger.accounts.models import Seller
from ledger.models.rows import SellerQuerySet


class Blob(models.Model):
    """One encrypted file under its seller. Destroying the wrapped key erases it wherever copies are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    size_bytes = models.BigIntegerField()  # of the plain bytes
    wrapped_key = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = SellerQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.id)
