"""Link files that were made from a registered original to it, each by an entry of the log.

With --json one line per file: {file, status: linked|rejected, code, seq, number, geometry, residual_px}.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from ledger.accounts.models import Seller
from ledger.accounts.numbers import parse_number
from ledger.imaging.errors import ImagingError
from ledger.models import Derivative, DerivativeRole, Original
from ledger.services.blobs import BlobUnreadableError
from ledger.services.files import read_capped
from ledger.services.linking import SameFileError, UnrelatedError, link_upload
from ledger.services.originals import Upload
from ledger.services.setup import prepare


class Command(BaseCommand):
    help = "Link derived files to a registered original of one seller."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--seller", required=True, metavar="SLUG")
        parser.add_argument("--original", required=True, metavar="NUMBER")
        parser.add_argument("--role", default=DerivativeRole.UPLOAD, choices=DerivativeRole.values)
        parser.add_argument("--json", action="store_true", help="one JSON line per file")

    def handle(self, *args: Any, paths: list[Path], **options: Any) -> None:
        prepare()
        seller = Seller.objects.filter(slug=options["seller"]).first()
        rows = Original.objects.select_related("image__blob", "statement__entry", "seller")
        number = parse_number(options["original"]) or ""
        original = rows.filter(seller=seller, number=number).first() if seller else None
        if original is None:
            raise CommandError("no such original of this seller")
        failed = 0
        for path in paths:
            line = self._link(original, path, options["role"])
            failed += line["status"] == "rejected"
            self.stdout.write(json.dumps(line, ensure_ascii=False) if options["json"] else _text(line))
        if failed:
            raise CommandError(f"{failed} of {len(paths)} files were not linked")

    def _link(self, original: Original, path: Path, role: str) -> dict[str, Any]:
        try:
            upload = Upload(path.name, read_capped(path, settings.UPLOAD_MAX_BYTES))
            made = link_upload(actor=None, original=original, upload=upload, role=role)
        except FileNotFoundError as error:
            raise CommandError(f"{path} does not exist") from error
        except (ImagingError, BlobUnreadableError, UnrelatedError, SameFileError) as error:
            return {"file": str(path), "status": "rejected", "code": error.code}
        return {"file": str(path), "status": "linked", "code": "", **_facts(made)}


def _facts(made: Derivative) -> dict[str, Any]:
    return {
        "seq": made.statement.seq,
        "number": made.statement.number,
        "geometry": made.geometry,
        "residual_px": made.residual_milli / 1000,
    }


def _text(line: dict[str, Any]) -> str:
    if line["status"] == "rejected":
        return f"rejected   {line['file']}  {line['code']}"
    return f"linked     {line['file']}  entry {line['seq']}, {line['geometry']}, {line['residual_px']:.2f} px left over"
