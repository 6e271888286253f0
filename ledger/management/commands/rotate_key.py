"""Replace the log's signing key by a fresh one; the change is an entry, and old checkpoints stay valid."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.services.keys import KeyMissingError
from ledger.services.log import LogForkError, LogNotReadyError
from ledger.services.log_keys import FILES, rotate_key
from ledger.tlog.claims import KEY_REASONS
from ledger.tlog.note import format_vkey


class Command(BaseCommand):
    help = "Replace the log's signing key; run again after a crash, it finishes what was begun."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--algorithm", choices=sorted(FILES), default="ed25519")
        parser.add_argument("--reason", choices=KEY_REASONS, default="scheduled")

    def handle(self, *args: Any, algorithm: str, reason: str, **options: Any) -> None:
        try:
            done = rotate_key(algorithm=algorithm, reason=reason)
        except (KeyMissingError, LogForkError, LogNotReadyError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"entry {done.seq}: {done.old.key_id.hex()} was replaced by {done.new.key_id.hex()}")
        self.stdout.write(f"publish the new key: {format_vkey(done.new)}")
        self.stdout.write("copy the key directory to its backup now")
