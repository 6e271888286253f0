"""Revoke a key of the log that no longer signs: its signatures stop counting here, and an entry says since when."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.services.keys import KeyMissingError
from ledger.services.log import LogForkError, LogNotReadyError
from ledger.services.log_keys import KeyInUseError, KeyUnknownError, revoke_key
from ledger.tlog.claims import KEY_REASONS


class Command(BaseCommand):
    help = "Revoke a replaced key of the log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="its id (8 hex digits) or the SHA-256 of the public key")
        parser.add_argument("--reason", choices=KEY_REASONS, required=True)

    def handle(self, *args: Any, key: str, reason: str, **options: Any) -> None:
        try:
            row = revoke_key(key_id=key, reason=reason)
        except (KeyInUseError, KeyMissingError, KeyUnknownError, LogForkError, LogNotReadyError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"revoked {row.key.name}+{row.key.key_id.hex()} from {row.since} on")
