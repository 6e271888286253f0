"""Make the keys that are missing, and encrypt those that lie there in the open when there is a passphrase."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.services.keys import KeyMissingError, unprotected
from ledger.services.log_keys import make_keys


class Command(BaseCommand):
    help = "Make missing keys; encrypt key files when ORIGINMARK_KEY_PASSPHRASE is set. Existing keys stay."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made, encrypted = make_keys()
        except KeyMissingError as error:
            raise CommandError(str(error)) from error
        for word, names in (("made", made), ("encrypted", encrypted)):
            for name in names:
                self.stdout.write(f"{word} {name}")
        if not made and not encrypted:
            self.stdout.write("nothing to do: every key is there")
        for name in unprotected():
            self.stderr.write(f"{name} is not encrypted: set ORIGINMARK_KEY_PASSPHRASE and run this again")
