"""The witness program under manage.py's roof: the same as `python -m ledger.witness`, which needs no Django."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management import BaseCommand

from ledger.witness import main


class Command(BaseCommand):
    help = "Run a witness for other logs: witness init|trust|run (see python -m ledger.witness --help)."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(main(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        """Never reached: the arguments are the program's own."""
