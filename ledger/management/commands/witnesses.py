"""Choose who watches the log: list witnesses, add or remove one, or ask those that are due now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from ledger.models import Witness
from ledger.services.witnesses import WitnessSettingError, add_witness, cosign, remove_witness


class Command(BaseCommand):
    help = "List, add or remove witnesses of the log; ask them now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True)
        commands.add_parser("list")
        commands.add_parser("ask", help="ask those that are due about the newest checkpoint")
        add = commands.add_parser("add")
        add.add_argument("name", help="a short name for policies and pages")
        add.add_argument("vkey", help="the witness's verifier key, from the witness itself")
        add.add_argument("url", help="its submission prefix")
        add.add_argument("--local", action="store_true", help="its address may be inside this network")
        commands.add_parser("remove").add_argument("name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "add":
                names = {name: options[name] for name in ("name", "vkey", "url")}
                add_witness(**names, allows_local=options["local"])
            elif action == "remove":
                remove_witness(name=options["name"])
            elif action == "ask":
                self.stdout.write(f"{cosign()} cosigned")
        except WitnessSettingError as error:
            raise CommandError(str(error)) from error
        for row in Witness.objects.all():
            trouble = f"{row.last_error}: {row.last_error_detail}" if row.last_error else "no error"
            self.stdout.write(f"{row.name}  {row.url}  cosigned {row.seen_size} entries  {trouble}")
        self.stdout.write(f"quorum: {settings.WITNESS_QUORUM}")
