"""Write a backup with its head: everything but the keys, of one moment, read back before it gets its name.

--out is a file that does not exist, or a folder, in which the file is named after the log's size and the time.
With --json one line: {file, size, rows, files, bytes}.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.error_texts import error_text
from ledger.services.backup import export_backup, publish
from ledger.services.restore import BackupError, verify_backup


class Command(BaseCommand):
    help = "Write a backup with its head (database and files, no keys), also while the site runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", required=True, type=Path, metavar="FILE|FOLDER")
        parser.add_argument("--json", action="store_true", help="one JSON line")

    def handle(self, *args: Any, out: Path, **options: Any) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = out / f"originmark-{stamp}.tar" if out.is_dir() else out
        if target.exists():
            raise CommandError(f"{target} exists; a backup is never overwritten")
        if not target.parent.is_dir():
            raise CommandError(f"{target.parent} does not exist")
        quiet = options["json"] or options["verbosity"] == 0
        manifest = export_backup(target, progress=lambda what, count: None if quiet else self._say(what, count))
        partial = target.with_name(f"{target.name}.partial")
        try:
            verify_backup(partial)
        except BackupError as error:
            partial.unlink(missing_ok=True)
            text = error_text(error.code)
            raise CommandError(f"{text.title} {text.advice} ({error})") from error
        publish(target)
        told = {
            "file": str(target),
            "size": manifest["size"],
            "rows": sum(fact["rows"] for fact in manifest["tables"].values()),
            "files": len(manifest["files"]),
            "bytes": target.stat().st_size,
        }
        if options["json"]:
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(f"{target}: log of {told['size']} entries, {told['rows']} rows, {told['files']} files")
            self.stdout.write("Read back and checked. The keys are not in it: back up ORIGINMARK_KEYS apart from it.")

    def _say(self, what: str, count: int) -> None:
        self.stdout.write(f"{count:8} {what}")
