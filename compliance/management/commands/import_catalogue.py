"""Import a catalogue: a CSV of listings and a folder with their pictures. Works while the server runs or not.

With --json one line per row: {row, product_id, status: imported|updated|unchanged|rejected, code}; row counts the rows
below the header from 1. Every printed line is committed: stopping and running again goes on where it stopped.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from compliance.catalogues.errors import FeedError
from compliance.catalogues.feed import Feed, read_feed
from compliance.catalogues.tables import MAX_FILE_BYTES
from compliance.services.catalogues import find_or_create_catalogue, folder_reader, import_rows
from ledger.accounts.models import Seller
from ledger.accounts.services import create_seller
from ledger.error_texts import error_text
from ledger.services.setup import prepare


class Command(BaseCommand):
    help = "Import listings and their pictures from a CSV file and a folder, as a catalogue of one seller."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="where the pictures are")
        parser.add_argument("--seller", required=True, metavar="SLUG", help="made if it does not exist")
        parser.add_argument("--name", default="", help="of the catalogue; the file's name unless given")
        parser.add_argument("--json", action="store_true", help="one JSON line per row")

    def handle(self, *args: Any, file: Path, images: Path, seller: str, name: str, **options: Any) -> None:
        if not images.is_dir():
            raise CommandError(f"{images} is not a folder")
        feed = _read(file)
        prepare()
        tenant = self._seller(seller)
        catalogue = find_or_create_catalogue(actor=None, seller=tenant, name=name.strip() or file.stem)
        outcomes = import_rows(actor=None, catalogue=catalogue, feed=feed, read_picture=folder_reader(images))
        counts: dict[str, int] = {}
        for outcome in outcomes:
            counts[outcome.status] = counts.get(outcome.status, 0) + 1
            if options["json"]:
                row = {"row": outcome.row, "product_id": outcome.product_id}
                self._line(json.dumps(row | {"status": outcome.status, "code": outcome.code}, ensure_ascii=False))
            elif outcome.code:
                title = error_text(outcome.code).title
                self._line(f"row {outcome.row} ({outcome.product_id or '-'}) {outcome.status}: {title} {outcome.code}")
        if not options["json"]:
            numbers = ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "no rows"
            self.stdout.write(f"{catalogue.name}: {numbers}")

    def _line(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # what is printed is durable: a reader may rely on it

    def _seller(self, slug: str) -> Seller:
        found = Seller.objects.filter(slug=slug).first()
        if found is None:
            found = create_seller(name=slug, slug=slug)
            self.stderr.write(f"Seller {slug} did not exist and was made.")
        return found


def _read(file: Path) -> Feed:
    try:
        with file.open("rb") as stream:
            return read_feed(stream.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    except FeedError as error:
        text = error_text(error.code)
        raise CommandError(f"{file}: {text.title} {text.advice} ({error.code}: {error})") from error
