"""End a log that lost signed entries, and go on in a new one: the operator's word, entered in the log for ever.

For a database that was put back by hand; `restore --accept-older` does the same at the end. Asks before it does it.
With --json one line: {epoch, origin, ended, held, signed, lost, again, key}.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.error_texts import error_text
from ledger.services.epochs import Epoch, NotBehindError, begin_epoch, what_is_missing
from ledger.services.keys import KeyMissingError
from ledger.services.log import LogForkError, LogNotReadyError, log_head, log_signer
from ledger.services.reminding import SeenCheckpointError, remind_signer
from ledger.tlog.claims import EPOCH_REASONS
from ledger.tlog.note import format_vkey

REFUSALS = (NotBehindError, LogForkError, LogNotReadyError, KeyMissingError, SeenCheckpointError)


class Command(BaseCommand):
    help = "Begin a new epoch when signed entries are lost for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", choices=EPOCH_REASONS, required=True, help="what happened; entered in the log")
        parser.add_argument("--seen", type=Path, help="a later checkpoint or evidence ZIP that somebody else kept")
        parser.add_argument("--note", default="", help="your own words; kept beside the log, at most 500 characters")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--json", action="store_true", help="one JSON line")

    def handle(self, *args: Any, reason: str, note: str, yes: bool, **options: Any) -> None:
        try:
            if options["seen"]:
                remind_signer(log_head().origin, read_seen(options["seen"]))
            if not yes:
                self._ask(reason)
            done = begin_epoch(reason=reason, remark=note)
        except REFUSALS as error:
            text = error_text(error.code)
            raise CommandError(f"{text.title} {text.advice} ({error.code}: {error})") from error
        self.stdout.write(json.dumps(describe(done)) if options["json"] else told(done))

    def _ask(self, reason: str) -> None:
        """The name of the log has to be typed: this cannot be taken back."""
        head = log_head()
        missing = what_is_missing(head, reason)
        self.stdout.write(
            f"The log {head.origin} holds {missing.size} entries; {missing.lost} that were signed are not here. "
            "A newer backup would bring them back: a new epoch gives them up for ever."
        )
        try:
            typed = input("Type the name of the log to end it: ").strip()
        except EOFError:
            typed = ""
        if typed != head.origin:
            raise CommandError("That is not its name; nothing was changed.")


def read_seen(file: Path) -> bytes:
    """What --seen names; CommandError where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}. Nothing was changed.") from error


def describe(done: Epoch) -> dict[str, object]:
    """What was done, for programs."""
    return {
        "epoch": done.number,
        "origin": done.origin,
        "ended": done.ended.origin,
        "held": done.ended.size,
        "signed": done.ended.signed_size,
        "lost": done.lost,
        "again": done.again,
        "key": format_vkey(log_signer().key),
    }


def told(done: Epoch) -> str:
    """What was done and what the operator has to do now."""
    ended = done.ended
    lines = [f"epoch {done.number} begins as the log {done.origin}"]
    if ended.lost:
        last = ended.signed_size - 1
        lines.append(f"lost for good: entries {ended.size} to {last} of {ended.origin}; receipts for them stay valid")
    if done.again:
        lines.append(f"entered once more, because no checkpoint that is here covers them: {done.again} entries")
    lines.append(f"publish the new key, also to your witnesses: {format_vkey(log_signer().key)}")
    lines.append("copy the key directory to its backup now, and make a new backup of the data")
    return "\n".join(lines)
