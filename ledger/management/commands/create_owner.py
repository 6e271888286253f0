"""Make a person owner of a seller, from a terminal or a script. Safe to run again.

Whoever has no account gets one with the password given; whoever has one keeps theirs unless --reset-password is said:
that is also how a forgotten password is replaced on a site without mail. The very first person becomes site staff.
"""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.core.validators import validate_slug

from ledger.accounts.models import User, normalise_email
from ledger.accounts.services import make_owner
from ledger.services.setup import prepare


class Command(BaseCommand):
    help = "Make a person owner of a seller; both are made if they do not exist."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--seller", required=True, metavar="SLUG", help="made if it does not exist")
        parser.add_argument("--name", default="", help="the person's name, for the team page")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument("--reset-password", action="store_true", help="also replace an existing person's password")
        parser.add_argument("--json", action="store_true", help="print {email, seller, created}")

    def handle(self, *args: Any, email: str, seller: str, name: str, **options: Any) -> None:
        prepare()
        exists = User.objects.filter(email=normalise_email(email)).exists()
        needs_password = options["reset_password"] or not exists
        password = _read_password(from_stdin=options["password_stdin"]) if needs_password else ""
        try:
            validate_slug(seller)
            made = make_owner(
                email=email, seller_slug=seller, password=password, name=name, reset=options["reset_password"]
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if made.seller_created:
            self.stderr.write(f"Seller {seller} did not exist and was made.")
        if exists and not options["reset_password"]:
            self.stderr.write(f"{made.user.email} already has an account and keeps the password.")
        if options["json"]:
            row = {"email": made.user.email, "seller": made.seller.slug, "created": made.user_created}
            self.stdout.write(json.dumps(row))
        else:
            self.stdout.write(f"{made.user.email} is owner of {made.seller.slug}.")


def _read_password(*, from_stdin: bool) -> str:
    """One line of standard input, or what a person types unseen, twice."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("Give the password on standard input with --password-stdin.")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("The two passwords differ; nothing was changed.")
    return password
