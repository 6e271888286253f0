"""Check the whole log against itself and against everything that was signed; names the first wrong entry.

Exit codes: 0 PASSED, 1 FAILED, 2 INDETERMINATE (something could not be told). Reads only. --json prints one stable
object: audit, verdict, origin, size, root, first_wrong_entry, epochs[], parts[], problems[].
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.services.audit import Audit, Part, audit_log
from ledger.services.audit_parts import audit_blobs, audit_epochs, audit_statements, audit_tokens
from ledger.services.keys import KeyMissingError
from ledger.services.log import LogNotReadyError
from ledger.services.tile_export import audit_tiles
from ledger.tlog.report import Verdict

EXIT_CODES = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INDETERMINATE: 2}
BAR = 30


class Command(BaseCommand):
    help = "Audit the log in the database: entries, tree, head, checkpoints, signer, statements, tokens."
    requires_system_checks = ()  # what they would refuse is what this command has to report

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--blobs", action="store_true", help="also read and hash every stored file")
        parser.add_argument("--tiles", type=Path, metavar="DIR", help="also compare what export_tiles wrote to DIR")
        parser.add_argument(
            "--processes",
            type=int,
            default=1,
            help="how many processes read entries at once; each costs some 60 MiB of memory",
        )

    def handle(self, *args: Any, processes: int, blobs: bool, tiles: Path | None, **options: Any) -> None:
        extra: list[Any] = [audit_statements, audit_tokens, audit_epochs]
        if blobs:
            extra.append(audit_blobs)
        if tiles is not None:
            extra.append(audit_tiles(tiles))
        try:
            audit = audit_log(processes=processes, progress=self._progress, extra_parts=extra)
        except (LogNotReadyError, KeyMissingError) as error:
            raise CommandError(str(error), returncode=EXIT_CODES[Verdict.INDETERMINATE]) from error
        if options["json"]:
            self.stdout.write(json.dumps(audit.to_dict(), ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join(_lines(audit)))
        if audit.verdict is not Verdict.PASSED:
            sys.exit(EXIT_CODES[audit.verdict])

    def _progress(self, part: str, done: int, total: int) -> None:
        """A bar on standard error where somebody watches; nothing in a pipe."""
        if not self.stderr.isatty():
            return
        filled = BAR * done // total if total else BAR
        end = "\n" if done >= total else ""
        self.stderr.write(f"\r{part:12} [{'#' * filled}{'.' * (BAR - filled)}] {done:,} of {total:,}", ending=end)
        self.stderr.flush()


def _lines(audit: Audit) -> list[str]:
    lines = [_part_line(part) for part in audit.parts.values()]
    for part in audit.parts.values():
        lines += [f"  {problem.code}: {problem.item}: {problem.detail}" for problem in part.problems]
        if part.problem_count > len(part.problems):
            lines.append(f"  and {part.problem_count - len(part.problems)} more among the {part.name}")
        lines += [f"  not told: {reason}" for reason in part.unknown]
    if audit.first_wrong_entry is not None:
        lines.append(f"first wrong entry: {audit.first_wrong_entry}")
    for span in audit.spans:
        if span.past is not None:
            lost = f", {span.past.lost} signed entries are lost" if span.past.lost else ""
            lines.append(f"epoch {span.number}: log {span.origin}, ended with {span.size} entries{lost}")
    root = audit.root.hex() if audit.root is not None else "unknown"
    return [*lines, f"{audit.verdict}: log {audit.origin}, {audit.size} entries, root {root}"]


def _part_line(part: Part) -> str:
    return f"{part.verdict.value:<13} {part.name:<12} {part.checked:,} checked"
