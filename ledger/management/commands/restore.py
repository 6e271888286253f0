"""Fill an empty installation from a backup; also the way from SQLite to PostgreSQL.

The key directory has to be in place. A backup whose head is older than what was signed needs --accept-older and --reason.
With --json one line: {size, rows, files, behind}; refusals: {code, detail}, exit status 1.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.error_texts import error_text
from ledger.services.log import log_head
from ledger.services.log_state import NoEpochError, accept_older_head
from ledger.services.restore import BackupError, restore_backup
from ledger.services.setup import bring_up_to_date


class Command(BaseCommand):
    help = "Restore a backup made by export into an empty installation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--accept-older", action="store_true", help="the entries behind this backup are lost")
        parser.add_argument("--reason", default="", help="what happened; entered in the log")
        parser.add_argument("--json", action="store_true", help="one JSON line")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if options["accept_older"] and not options["reason"].strip():
            raise CommandError("--accept-older needs --reason: say what happened")
        bring_up_to_date()
        quiet = options["json"] or options["verbosity"] == 0
        try:
            manifest, behind = restore_backup(
                file,
                accept_older=options["accept_older"],
                progress=lambda what, count: None if quiet else self.stdout.write(f"{count:8} {what}"),
            )
        except BackupError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"code": error.code, "detail": error.detail}))
            text = error_text(error.code)
            raise CommandError(f"{text.title} {text.advice} ({error})") from error
        told = {
            "size": manifest["size"],
            "rows": sum(fact["rows"] for fact in manifest["tables"].values()),
            "files": len(manifest["files"]),
            "behind": behind.signed_size - behind.size if behind else 0,
        }
        self.stdout.write(json.dumps(told) if options["json"] else _text(told))
        if behind is not None:
            self._accept(options["reason"])

    def _accept(self, reason: str) -> None:
        try:
            accept_older_head(log_head(), reason=reason)
        except NoEpochError as error:
            text = error_text(error.code)
            self.stderr.write(f"{text.title} {text.advice} ({error.code})")


def _text(told: dict[str, Any]) -> str:
    lines = [f"restored a log of {told['size']} entries, {told['rows']} rows, {told['files']} files"]
    if told["behind"]:
        lines.append(f"{told['behind']} signed entries are missing in it")
    return "\n".join(lines)
