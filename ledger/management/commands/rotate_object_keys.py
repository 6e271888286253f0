"""Wrap the key of every stored file with a new storage key: on a schedule, or when the old one may be known.

Two runs: the first makes the new key and wraps, the second, with --finish and an hour or more later, forgets the old key.
Pictures open all the while, and no file is written anew. Back up the key directory after each run.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.services.blobs import BlobUnreadableError, rotate_object_keys
from ledger.services.keys import KeyMissingError


class Command(BaseCommand):
    help = "Wrap every stored file's key with a new storage key; then, with --finish, forget the old one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--finish", action="store_true", help="wrap what is left and forget the old storage key")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = rotate_object_keys(finish=options["finish"])
        except (KeyMissingError, BlobUnreadableError) as error:
            raise CommandError(f"{error}; nothing was forgotten") from error
        self.stdout.write(f"{done.wrapped} keys wrapped anew")
        if done.is_finished:
            self.stdout.write("the old storage key is forgotten; older data backups need the key backup of their time")
        else:
            self.stdout.write("back up the key directory now; run again with --finish after an hour")
