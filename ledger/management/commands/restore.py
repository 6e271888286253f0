"""Fill an empty installation from a backup; also the way from SQLite to PostgreSQL.

The key directory has to be in place. A backup whose head is older than what was signed needs --accept-older and --reason:
then the log is ended and a new epoch begins (begin_epoch).
With --json one line: {size, rows, files, behind, epoch}; refusals: {code, detail}, exit status 1.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.error_texts import error_text
from ledger.management.commands.begin_epoch import REFUSALS, describe, read_seen
from ledger.management.commands.begin_epoch import told as epoch_told
from ledger.services.epochs import KEY_LOST, Epoch, begin_epoch
from ledger.services.restore import BackupError, restore_backup
from ledger.services.setup import bring_up_to_date
from ledger.tlog.claims import EPOCH_REASONS


class Command(BaseCommand):
    help = "Restore a backup made by export into an empty installation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--accept-older", action="store_true", help="the entries behind this backup are lost")
        parser.add_argument("--reason", choices=EPOCH_REASONS, default="", help="what happened; entered in the log")
        parser.add_argument("--seen", type=Path, help="a later checkpoint or evidence ZIP that somebody else kept")
        parser.add_argument("--note", default="", help="your own words; kept beside the log, at most 500 characters")
        parser.add_argument("--json", action="store_true", help="one JSON line")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if options["accept_older"] and not options["reason"]:
            raise CommandError(f"--accept-older needs --reason: one of {', '.join(EPOCH_REASONS)}")
        bring_up_to_date()
        quiet = options["json"] or options["verbosity"] == 0
        try:
            manifest, behind = restore_backup(
                file,
                accept_older=options["accept_older"],
                seen=read_seen(options["seen"]) if options["seen"] else None,
                key_lost=options["accept_older"] and options["reason"] == KEY_LOST,
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
            "behind": behind.lost if behind else 0,
        }
        if not options["json"]:
            self.stdout.write(_text(told))
        epoch = None
        if behind is not None or (options["accept_older"] and options["reason"] == KEY_LOST):
            epoch = self._begin_epoch(options["reason"], options["note"])
        if options["json"]:
            self.stdout.write(json.dumps(told | {"epoch": describe(epoch) if epoch else None}))
        elif epoch:
            self.stdout.write(epoch_told(epoch))

    def _begin_epoch(self, reason: str, note: str) -> Epoch:
        """The rows are there by now; where this fails, `begin_epoch` says why and does it later."""
        try:
            return begin_epoch(reason=reason, remark=note)
        except REFUSALS as error:
            text = error_text(error.code)
            raise CommandError(f"The data are restored. {text.title} {text.advice} ({error.code}: {error})") from error


def _text(told: dict[str, Any]) -> str:
    lines = [f"restored a log of {told['size']} entries, {told['rows']} rows, {told['files']} files"]
    if told["behind"]:
        lines.append(f"{told['behind']} signed entries are missing in it")
    return "\n".join(lines)
