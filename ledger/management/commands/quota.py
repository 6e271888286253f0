"""How much a seller stores, and how much it may: shown, or set for one seller instead of the site's default."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.accounts.models import Seller
from ledger.services.room import files_today, quota_of, set_quota, used_bytes

MIB = 2**20


class Command(BaseCommand):
    help = "Show or set how much a seller may store; without options nothing is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("seller", metavar="SLUG")
        parser.add_argument("--mib", type=int, metavar="N", help="MiB in all, 0 for no limit")
        parser.add_argument("--files", type=int, metavar="N", help="files a day, 0 for no limit")
        parser.add_argument("--default", action="store_true", help="back to the site's quota (the settings)")

    def handle(self, *args: Any, seller: str, mib: int | None, files: int | None, **options: Any) -> None:
        found = Seller.objects.filter(slug=seller).first()
        if found is None:
            raise CommandError(f"There is no seller {seller}.")
        if (mib or 0) < 0 or (files or 0) < 0:
            raise CommandError("A quota is 0 or more.")
        if options["default"]:
            set_quota(found, max_bytes=None, max_files_per_day=None)
        elif mib is not None or files is not None:
            set_quota(
                found,
                max_bytes=found.max_bytes if mib is None else mib * MIB,
                max_files_per_day=found.max_files_per_day if files is None else files,
            )
        found.refresh_from_db()
        max_bytes, max_files = quota_of(found)
        self.stdout.write(f"{used_bytes(found) / MIB:.1f} MiB of {max_bytes // MIB if max_bytes else 'any number'}")
        self.stdout.write(f"{files_today(found)} files today of {max_files or 'any number'}")
