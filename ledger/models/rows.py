"""Rows that carry one seller, and the size of a digest: what every other module of tables begins with."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models

from ledger.accounts.models import Seller

SHA256_BYTES = 32


ModelT = TypeVar("ModelT", bound=models.Model)


class SellerQuerySet(models.QuerySet[ModelT]):
    """Rows that carry one seller."""

    def visible_to(self, user: Any) -> Self:
        """The rows whose seller this person belongs to: where every read of a seller's rows starts."""
        return self.filter(seller__in=Seller.objects.visible_to(user))

    def of(self, seller: Seller) -> Self:
        return self.filter(seller=seller)
