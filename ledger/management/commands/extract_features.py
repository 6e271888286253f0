"""Make the local features of analysed pictures that have none of the present version, after an update; says how far it is.

Works while `up` runs and while it does not; a chore of `up` does the same bit by bit.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from ledger.models import ImageFile
from ledger.services.pictures import extract_features, without_features
from ledger.services.setup import prepare

PORTION = 100


class Command(BaseCommand):
    help = "Make the local features of pictures analysed by an earlier version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seller", metavar="SLUG", default="", help="only this seller's pictures")

    def handle(self, *args: Any, seller: str, **options: Any) -> None:
        prepare()
        waiting = without_features()
        if seller:
            waiting = waiting.filter(seller__slug=seller)
        image_ids = list(waiting.order_by("pk").values_list("pk", flat=True))
        made = lost = 0
        for start in range(0, len(image_ids), PORTION):
            portion = image_ids[start : start + PORTION]
            made += extract_features(image_ids=portion)
            # What workers were faster with is neither made here nor lost.
            lost += ImageFile.objects.filter(pk__in=portion, features_version__lt=0).count()
            self.stderr.write(f"{start + len(portion)} of {len(image_ids)}")
        self.stdout.write(f"Features of {made} pictures made, {lost} could not be.")
