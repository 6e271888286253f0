"""The outside clocks of this site, for whoever has the machine: list, add, try, switch off."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.models import TimeAuthority
from ledger.services.authorities import (
    AuthorityError,
    AuthoritySettings,
    save_authority,
    settings_of,
    state_of,
    states,
    try_authority,
)
from ledger.services.setup import prepare


class Command(BaseCommand):
    help = "List, add, try or switch off the time-stamping authorities of this site (docs/operate/outside-time.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--add", metavar="NAME", help="add one, or change the one of that name")
        action.add_argument("--try", metavar="NAME", dest="try_", help="ask it for one token")
        action.add_argument("--off", metavar="NAME", help="ask it no more")
        action.add_argument("--on", metavar="NAME", help="ask it again")
        parser.add_argument("--url", default="", help="with --add: where it is asked")
        parser.add_argument("--anchors", type=Path, help="with --add: its root certificate as PEM, from elsewhere")
        parser.add_argument("--policy", default="", help="object identifier to ask for")
        parser.add_argument("--accredited", action="store_true", help="your word that it is accredited")
        parser.add_argument("--local", action="store_true", help="its address may be inside this network")
        parser.add_argument("--priority", type=int, default=10, help="lower is asked first")
        parser.add_argument("--quota", default="1/60", metavar="CALLS/SECONDS")

    def handle(self, **options: Any) -> None:
        prepare()
        try:
            if options["add"]:
                self._add(options)
            elif options["try_"]:
                self._try(self._named(options["try_"]))
            elif options["on"] or options["off"]:
                self._switch(self._named(options["on"] or options["off"]), bool(options["on"]))
            else:
                self._list()
        except AuthorityError as error:
            raise CommandError(str(error)) from error

    def _named(self, name: str) -> TimeAuthority:
        row = TimeAuthority.objects.filter(name=name).first()
        if row is None:
            raise CommandError(f"no authority is called {name}")
        return row

    def _list(self) -> None:
        for found in states():
            row = found.authority
            last = f"last token {row.last_token_at:%Y-%m-%d %H:%M} UTC" if row.last_token_at else "no token yet"
            trouble = (
                f", last error {row.last_error} at {row.last_error_at:%Y-%m-%d %H:%M} UTC" if row.last_error_at else ""
            )
            self.stdout.write(
                f"{row.name}: {found.state}, {found.tokens} tokens, {last}, {found.quota_left} calls left{trouble}"
            )
        if not TimeAuthority.objects.exists():
            self.stdout.write("No outside clock is set up: certificates end at level L1.")

    def _add(self, options: dict[str, Any]) -> None:
        calls, _, seconds = options["quota"].partition("/")
        if not (calls.isdecimal() and seconds.isdecimal() and int(calls) and int(seconds)):
            raise CommandError("--quota is calls/seconds, such as 20/1200")
        if not options["url"] or not options["anchors"]:
            raise CommandError("--add needs --url and --anchors")
        try:
            anchors = options["anchors"].read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"cannot read {options['anchors']}: {error}") from error
        wanted = AuthoritySettings(
            name=options["add"],
            url=options["url"],
            trust_anchors=anchors,
            policy=options["policy"],
            is_accredited=options["accredited"],
            allows_local=options["local"],
            priority=options["priority"],
            quota_calls=int(calls),
            quota_window_s=int(seconds),
        )
        known = TimeAuthority.objects.filter(name=wanted.name).first()
        save_authority(actor=None, wanted=wanted, authority=known)
        self.stdout.write(f"{wanted.name} is {'changed' if known else 'added'}.")

    def _try(self, row: TimeAuthority) -> None:
        stamp = try_authority(actor=None, authority=row, nonce=secrets.randbits(63)).stamp
        until = f"valid until {stamp.valid_until:%Y-%m-%d}"
        self.stdout.write(f"{stamp.gen_time:%Y-%m-%d %H:%M:%S} UTC by {stamp.authority}, {until}")

    def _switch(self, row: TimeAuthority, is_enabled: bool) -> None:
        save_authority(actor=None, wanted=replace(settings_of(row), is_enabled=is_enabled), authority=row)
        self.stdout.write(f"{row.name}: {state_of(row, timezone.now()).state}")
