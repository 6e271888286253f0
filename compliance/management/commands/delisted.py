"""How long one seller's delisted listings are kept: shown, or set instead of the site's period; or swept at once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from compliance.models import Listing
from compliance.services.retention import (
    AT_ONCE,
    FOR_EVER,
    MOST_MONTHS,
    due_listings,
    held_listings,
    months_kept,
    set_months_kept,
    sweep_listings,
)
from ledger.accounts.models import Seller
from ledger.services.blobs import batched


class Command(BaseCommand):
    help = "Show or set how long a seller's delisted listings are kept; without options nothing is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("seller", metavar="SLUG")
        parser.add_argument("--months", type=int, metavar="N", help=f"0 to {MOST_MONTHS}; 0 keeps them for ever")
        parser.add_argument("--default", action="store_true", help="back to the site's period (the settings)")
        parser.add_argument("--sweep", action="store_true", help="sweep what is due now instead of in the daily run")

    def handle(self, *args: Any, seller: str, months: int | None, **options: Any) -> None:
        found = Seller.objects.filter(slug=seller).first()
        if found is None:
            raise CommandError(f"There is no seller {seller}.")
        if months is not None and not 0 <= months <= MOST_MONTHS:
            raise CommandError(f"--months is 0 to {MOST_MONTHS}; 0 keeps delisted listings for ever.")
        if options["default"] or months is not None:
            set_months_kept(found, None if options["default"] else months)
        now = timezone.now()
        if options["sweep"]:
            self.stdout.write(f"{sweep_listings(seller=found, now=now)} listings swept")
        kept = months_kept(found)
        due = list(due_listings(found, now).values_list("pk", flat=True))
        held = sum(len(held_listings(portion)) for portion in batched(due, AT_ONCE))
        gone = Listing.objects.of(found).exclude(delisted_at=None).count()
        self.stdout.write(f"kept {'for ever' if kept == FOR_EVER else f'{kept} months'}")
        self.stdout.write(f"{gone} delisted, {len(due)} of them due, of these {held} in use as evidence")
