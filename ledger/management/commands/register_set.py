"""Register the files of a shoot together, as one evidence set; nothing is opened.

With --json one line per file: {file, status, code, role, sha256}, then one for the set: {set, seq, leaf_hash, files}.
"""

from __future__ import annotations

import hashlib
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ledger.accounts.models import Seller
from ledger.accounts.numbers import new_number, parse_number
from ledger.error_texts import error_text
from ledger.models import EvidenceSet, SetRole
from ledger.services.evidence_sets import (
    MAX_FILE_BYTES,
    Added,
    SetError,
    add_files,
    discard_draft,
    guess_role,
    open_draft,
    register_set,
)
from ledger.services.files import read_capped
from ledger.services.originals import REJECTED, Upload
from ledger.services.setup import prepare


class Command(BaseCommand):
    help = "Register files and folders as one evidence set of one seller."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--seller", required=True, metavar="SLUG")
        parser.add_argument("--title", default="")
        parser.add_argument("--adds", default="", metavar="NUMBER", help="a registered set that this one adds to")
        parser.add_argument(
            "--role", action="append", default=[], metavar="PATTERN=ROLE", help="for example '*.tif=layered'"
        )
        parser.add_argument("--json", action="store_true", help="one JSON line per file, one for the set")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare()
        seller = Seller.objects.filter(slug=options["seller"]).first()
        if seller is None:
            raise CommandError("--seller names no seller")
        draft = open_draft(actor=None, seller=seller, number=new_number(), previous=_previous(seller, options["adds"]))
        patterns = _patterns(options["role"])
        for base, path in _files(options["paths"]):
            self._add(draft, str(path.relative_to(base)), path, patterns, as_json=options["json"])
        try:
            made = register_set(actor=None, draft=draft, title=options["title"])
        except SetError as error:
            text = error_text(error.code)
            discard_draft(actor=None, draft=draft)
            raise CommandError(f"{text.title} {text.advice} ({error.code})") from error
        self._report(made, as_json=options["json"])

    def _add(self, draft: EvidenceSet, name: str, path: Path, patterns: dict[str, str], *, as_json: bool) -> None:
        content = read_capped(path, MAX_FILE_BYTES)
        role = next((role for pattern, role in patterns.items() if path.match(pattern)), guess_role(name))
        (answer,) = add_files(actor=None, draft=draft, uploads=[Upload(name, content)], roles={0: role})
        if as_json:
            digest = hashlib.sha256(content).hexdigest() if answer.status != REJECTED else ""
            row = {"file": name, "status": answer.status, "code": answer.code, "role": role, "sha256": digest}
            self.stdout.write(json.dumps(row, ensure_ascii=False))
        else:
            self.stdout.write(_text(answer, role))

    def _report(self, made: EvidenceSet, *, as_json: bool) -> None:
        assert made.statement is not None  # noqa: S101 - register_set returned it
        seq, leaf, count = made.statement.seq, bytes(made.statement.entry.leaf_hash).hex(), made.files.count()
        row = {"set": made.number, "seq": seq, "leaf_hash": leaf, "files": count}
        self.stdout.write(json.dumps(row) if as_json else f"registered set {made.number}: entry {seq}, {count} files")


def _previous(seller: Seller, text: str) -> EvidenceSet | None:
    if not text:
        return None
    found = EvidenceSet.objects.of(seller).exclude(statement=None).filter(number=parse_number(text) or "").first()
    if found is None:
        raise CommandError(f"{text} is no registered set of this seller")
    return found


def _patterns(texts: list[str]) -> dict[str, str]:
    pairs = dict(text.rpartition("=")[::2] for text in texts)
    wrong = [role for role in pairs.values() if role not in SetRole.values]
    if wrong:
        raise CommandError(f"no such role: {wrong[0]}; there are {', '.join(SetRole.values)}")
    return pairs


def _files(paths: list[Path]) -> list[tuple[Path, Path]]:
    """(folder that names are relative to, file), hidden files left out."""
    found: list[tuple[Path, Path]] = []
    for path in paths:
        if not path.exists():
            raise CommandError(f"{path} does not exist")
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            found += [(path, file) for file in inside]
        else:
            found.append((path.parent, path))
    return found


def _text(answer: Added, role: str) -> str:
    return f"{answer.status:10} {role:10} {answer.file_name}  {answer.code}".rstrip()
