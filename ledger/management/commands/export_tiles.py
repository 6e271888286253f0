"""Write the public log as static files (C2SP tlog-tiles) that any web server can hand out; run it again to catch up."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.services.keys import KeyMissingError
from ledger.services.log import LogForkError, LogNotReadyError
from ledger.services.tile_export import ExportFolderError, export_tiles


class Command(BaseCommand):
    help = "Export checkpoint, hash tiles and entry bundles of the log to a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="made if it does not exist")
        parser.add_argument("--epoch", type=int, metavar="N", help="an ended log instead of the present one")

    def handle(self, *args: Any, out: Path, epoch: int | None, **options: Any) -> None:
        try:
            done = export_tiles(folder=out, epoch=epoch)
        except (ExportFolderError, LogForkError, LogNotReadyError, KeyMissingError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{out}: {done.tree_size} entries, {done.files} files written")
