"""Send one picture of the probe's own through everything, as a customer's would go.

Exit codes: 0 nothing failed, 1 something did. --json prints one line: status, entry, steps[] with name, state (ok, failed,
skipped), seconds, code, detail.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.db import DatabaseError, InterfaceError

from ledger.services.probe import OK, Probe, run_probe
from ledger.services.setup import prepare


class Command(BaseCommand):
    help = "Register, prove, verify, analyse, anchor and erase one picture in a seller of the probe's own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON line")
        parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="how long workers may take")

    def handle(self, *args: Any, wait: float, **options: Any) -> None:
        try:
            prepare()
        except (DatabaseError, InterfaceError) as error:
            found: dict[str, Any] = {"status": "failed", "entry": None, "steps": [], "code": "health_database"}
            self.stdout.write(json.dumps(found) if options["json"] else f"failed: {str(error).strip()}")
            sys.exit(1)
        probe = run_probe(wait_s=wait)
        self.stdout.write(json.dumps(probe.to_dict(), ensure_ascii=False) if options["json"] else _lines(probe))
        if not probe.is_ok:
            sys.exit(1)


def _lines(probe: Probe) -> str:
    steps = [f"{s.state:<8} {s.name:<16} {s.seconds:6.2f} s  {s.code} {s.detail}".rstrip() for s in probe.steps]
    return "\n".join([*steps, OK if probe.is_ok else "failed"])
