"""Register photos from files and folders; works while the server runs and while it does not.

With --json one line per file: {file, status: registered|existing|rejected, code, sha256, seq, leaf_hash}.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from ledger.accounts.models import Seller
from ledger.accounts.services import create_seller
from ledger.categories import load_categories
from ledger.services.files import read_capped
from ledger.services.originals import BATCH_BYTES, BATCH_FILES, REJECTED, Registration, Upload, register_originals
from ledger.services.setup import prepare

Named = tuple[Path, Upload]


class Command(BaseCommand):
    help = "Register photos (files or folders) as originals of one seller."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--seller", required=True, metavar="SLUG", help="made if it does not exist")
        parser.add_argument(
            "--category", default="", choices=["", *(c.slug for c in load_categories())], metavar="SLUG"
        )
        parser.add_argument("--json", action="store_true", help="one JSON line per file")

    def handle(self, *args: Any, paths: list[Path], seller: str, category: str, **options: Any) -> None:
        for path in paths:
            if not path.exists():
                raise CommandError(f"{path} does not exist")
        prepare()
        tenant = self._seller(seller)
        counts: dict[str, int] = {}
        for batch in _batches(_files(paths)):
            uploads = [upload for _path, upload in batch]
            answers = register_originals(actor=None, seller=tenant, uploads=uploads, category=category)
            for (path, _upload), answer in zip(batch, answers, strict=True):
                counts[answer.status] = counts.get(answer.status, 0) + 1
                self.stdout.write(_json_line(path, answer) if options["json"] else _text_line(path, answer))
            self.stdout.flush()  # what is printed is durable: a reader may rely on it
        if not options["json"]:
            self.stdout.write(
                ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "no files"
            )

    def _seller(self, slug: str) -> Seller:
        found = Seller.objects.filter(slug=slug).first()
        if found is None:
            found = create_seller(name=slug, slug=slug)
            self.stderr.write(f"Seller {slug} did not exist and was made.")
        return found


def _files(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those inside the folders named, in a stable order; hidden files are left out."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path


def _batches(paths: Iterator[Path]) -> Iterator[list[Named]]:
    batch: list[Named] = []
    size = 0
    for path in paths:
        content = read_capped(path, settings.UPLOAD_MAX_BYTES)
        batch.append((path, Upload(path.name, content)))
        size += len(content)
        if len(batch) == BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _json_line(path: Path, answer: Registration) -> str:
    statement = answer.original.statement if answer.original else None
    row = {
        "file": str(path),
        "status": answer.status,
        "code": answer.code,
        "sha256": answer.sha256.hex(),
        "seq": statement.seq if statement else None,
        "leaf_hash": bytes(statement.entry.leaf_hash).hex() if statement else None,
    }
    return json.dumps(row, ensure_ascii=False)


def _text_line(path: Path, answer: Registration) -> str:
    if answer.status == REJECTED or answer.original is None:
        return f"{answer.status:10} {path}  {answer.code} {answer.detail}".rstrip()
    return f"{answer.status:10} {path}  entry {answer.original.statement.seq}"
