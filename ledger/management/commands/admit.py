"""Say of files whether the gate lets them in, and at what cost; nothing is stored.

With --json one object per file and line: file, verdict (accept or reject), code, flags, cpu_s, rss_mb, kind, detail.
The exit code is 0 when every file was looked at, whatever became of it.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand

from ledger.admission.gate import admit, gate_pool
from ledger.admission.kinds import KINDS
from ledger.admission.verdict import Verdict
from ledger.imaging.scan import MAX_FILE_BYTES
from ledger.services.files import read_capped


class Command(BaseCommand):
    help = "Say whether files would be let in: pictures, ZIP archives, PDF attachments, CSV tables. Needs no database."
    requires_system_checks: Sequence[str] = []  # type: ignore[assignment]  # none: they ask the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH")
        parser.add_argument("--as", dest="kind", choices=KINDS, default="", help="default: by the first bytes")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        # One child: the peak of memory is that of one file.
        with gate_pool() as pool:
            for given in options["paths"]:
                try:
                    # One byte more than is taken, so that the gate itself says that it is too much.
                    data = read_capped(Path(given), MAX_FILE_BYTES)
                    verdict = admit(pool, data, name=Path(given).name, kind=options["kind"])
                except OSError as error:
                    verdict = Verdict(options["kind"], "file_unreadable", type(error).__name__)
                line = {"file": given, **verdict.to_dict()}
                self.stdout.write(json.dumps(line, ensure_ascii=False) if options["json"] else _text(given, verdict))
                self.stdout.flush()


def _text(given: str, verdict: Verdict) -> str:
    said = " ".join([verdict.code, verdict.detail, *verdict.flags]).strip()
    return f"{'accept' if verdict.is_accepted else 'reject':8} {given}  {said}".rstrip()
