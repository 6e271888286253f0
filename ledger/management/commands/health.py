"""Ask every part of the site whether it works; what the health page shows to who runs the site.

Exit codes: 0 ok, 1 degraded. --json prints one line: status, parts[] with name, state (ok, degraded, down, off), code, detail.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from ledger.services.health import look


class Command(BaseCommand):
    help = "Say whether database, file store, disk, workers, clocks and the rest work."
    requires_system_checks = ()  # what they would refuse is what this command has to report

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON line")

    def handle(self, *args: Any, **options: Any) -> None:
        found = look()
        lines = [f"{part.state:<8} {part.name:<13} {part.code} {part.detail}".rstrip() for part in found.parts]
        self.stdout.write(json.dumps(found.to_dict()) if options["json"] else "\n".join([*lines, found.status]))
        if not found.is_ok:
            sys.exit(1)
