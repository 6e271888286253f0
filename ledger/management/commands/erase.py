"""Erase an original or a person of one seller for good; without either, finish erasures that were interrupted.

With --json one line: {target, lost, entries, handed_out, holds} for --dry-run; {number, target, state, entries, lost,
handed_out} when done. Exit status 1 with {code} when it is refused.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import parse_number
from ledger.error_texts import error_text
from ledger.models import Erasure, ErasureState, Original
from ledger.services.erase_person import (
    LastOwnerError,
    UnknownPersonError,
    erase_person,
    find_person,
    preview_person,
)
from ledger.services.erasure import ORIGINAL, PERSON, AlreadyErasedError, OnHoldError, clean_up, erase_original
from ledger.services.erasure_plan import Preview, preview_erasure
from ledger.tlog.claims import ERASURE_REASONS

REFUSALS = (OnHoldError, AlreadyErasedError, LastOwnerError, UnknownPersonError)


class Command(BaseCommand):
    help = "Erase an original or a person of one seller for good; the log keeps its entries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seller", metavar="SLUG")
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--original", metavar="NUMBER", help="proof number or SHA-256")
        target.add_argument("--person", metavar="EMAIL")
        parser.add_argument("--reason", default="request", choices=ERASURE_REASONS)
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and write nothing")
        parser.add_argument("--json", action="store_true", help="one JSON line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["original"] or options["person"]:
                self._erase(options)
            else:
                self._finish_all(as_json=options["json"])
        except REFUSALS as refusal:
            reasons = getattr(refusal, "reasons", ())
            if options["json"]:
                self.stdout.write(json.dumps({"code": refusal.code, "reasons": list(reasons)}, ensure_ascii=False))
            text = error_text(refusal.code)
            raise CommandError(" ".join([f"{text.title} {text.advice} ({refusal.code})", *reasons])) from refusal

    def _erase(self, options: dict[str, Any]) -> None:
        seller = Seller.objects.filter(slug=options["seller"] or "").first()
        if seller is None:
            raise CommandError("--seller names no seller")
        target: Original | User
        if options["original"]:
            target = _find_original(seller, options["original"])
        else:
            target = find_person(seller=seller, email=options["person"])
        if options["dry_run"]:
            self._show(_preview(seller, target), target, as_json=options["json"])
            return
        if isinstance(target, Original):
            erasure = erase_original(actor=None, original=target, reason=options["reason"])
        else:
            erasure = erase_person(actor=None, seller=seller, user=target, reason=options["reason"])
        self._report(clean_up(erasure.pk), as_json=options["json"])

    def _finish_all(self, *, as_json: bool) -> None:
        for pk in list(Erasure.objects.filter(state=ErasureState.CLEANING).values_list("pk", flat=True)):
            self._report(clean_up(pk), as_json=as_json)

    def _show(self, preview: Preview, target: Original | User, *, as_json: bool) -> None:
        values = {
            "target": ORIGINAL if isinstance(target, Original) else PERSON,
            "lost": preview.lost,
            "entries": list(preview.entries),
            "handed_out": preview.handed_out,
            "holds": list(preview.holds),
        }
        if as_json:
            self.stdout.write(json.dumps(values, ensure_ascii=False))
            return
        for kind, count in preview.lost.items():
            self.stdout.write(f"would erase {count:6} {kind}")
        self.stdout.write(f"entries {', '.join(map(str, preview.entries)) or 'none'}")
        for row in preview.handed_out:
            self.stdout.write(f"handed out before: {row['kind']} of entry {row['entry']} at {row['at']}")
        for reason in preview.holds:
            self.stdout.write(f"on hold: {reason}")

    def _report(self, erasure: Erasure, *, as_json: bool) -> None:
        values = {
            "number": erasure.number,
            "target": erasure.target,
            "state": erasure.state,
            "entries": erasure.entries,
            "lost": erasure.lost,
            "handed_out": erasure.handed_out,
        }
        if as_json:
            self.stdout.write(json.dumps(values, ensure_ascii=False))
            return
        logged = ", ".join(map(str, erasure.entries)) or "no entry"
        self.stdout.write(f"erased a target of kind {erasure.target}: {logged} in the log, {erasure.state}")
        if erasure.state != ErasureState.DONE:
            self.stdout.write("The database is busy; a worker, or this command again, overwrites the old copies.")


def _preview(seller: Seller, target: Original | User) -> Preview:
    if isinstance(target, Original):
        return preview_erasure(actor=None, original=target)
    return preview_person(actor=None, seller=seller, user=target)


def _find_original(seller: Seller, text: str) -> Original:
    rows = Original.with_erased.of(seller).select_related("seller")
    number = parse_number(text)
    found = rows.filter(number=number).first() if number else None
    if found is None and len(text) == 64 and not set(text.lower()) - set("0123456789abcdef"):
        found = rows.filter(sha256=bytes.fromhex(text)).first()
    if found is None:
        raise CommandError(f"{text} is no original of this seller")
    return found
