"""A way back in for somebody who lost the password, or the second factor too; for the person at the server.

Prints a link that works once, for a day, by which the person chooses a new password. With --drop-second-factor the
person's authenticator app, passkeys and recovery codes are forgotten and every session ends; make sure first, by
another way than mail, that it is that person who asks.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.urls import reverse

from ledger.accounts.models import User
from ledger.accounts.services import recover_person


class Command(BaseCommand):
    help = "Print a one-day link by which a person chooses a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--drop-second-factor", action="store_true", help="also forget app, passkeys and codes")
        parser.add_argument("--port", type=int, default=8000, help="of a local site; a public one has its own address")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        try:
            link = recover_person(email=email, drop_second_factor=options["drop_second_factor"])
        except User.DoesNotExist:
            raise CommandError(f"Nobody who may sign in has the address {email}.") from None
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": link.uid, "key": link.key})
        base = settings.PUBLIC_URL or f"http://localhost:{options['port']}"
        self.stdout.write(base + path)
        if options["drop_second_factor"]:
            self.stderr.write("The second factor is forgotten and every session has ended.")
