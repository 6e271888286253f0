"""Say of an address whether the server would fetch it, without connecting to it.

With --dns FILE names are looked up in that table only, {"host": ["address", ...]}, also when it stands under the key "dns" of a
larger file; a name that is missing there has no address. Without it the system's resolver is asked. With --json one
object: url as given, verdict (accept or reject), code ("ok" when accepted). The exit code is 0 either way.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.anchors.address import OK, Resolve, check_url, system_resolve


class Command(BaseCommand):
    help = "Say whether an address would be fetched: scheme, host, port, and every address behind the name."
    requires_system_checks: Sequence[str] = []  # type: ignore[assignment]  # none: they ask the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("urls", nargs="+", metavar="URL")
        parser.add_argument("--dns", type=Path, metavar="FILE", help="a JSON table of names and addresses")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        resolve = _table(options["dns"]) if options["dns"] else system_resolve
        for url in options["urls"]:
            code = check_url(url, resolve)
            line = {"url": url, "verdict": "accept" if code == OK else "reject", "code": code}
            self.stdout.write(
                json.dumps(line) if options["json"] else f"{line['verdict']:8} {code:16} {ascii(url)[1:-1]}"
            )


def _table(path: Path) -> Resolve:
    try:
        read = json.loads(path.read_text("utf-8"))
        table = read.get("dns", read)
        known = {str(host).lower(): [str(address) for address in found] for host, found in table.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is no table of names and addresses: {error}") from error
    return lambda host: known.get(host.lower(), [])
