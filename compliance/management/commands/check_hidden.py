"""Check a main and a hidden image, or many pairs, from the command line.

Nothing is stored; the files are decoded and compared in limited child processes. A database is needed only with
--seller, which looks each hidden image up among that seller's registered originals. With --json one object per line, keys as in docs/spec/check-report.md: a pair that cannot be read has "refused" set and the
verdict INDETERMINATE. The exit code is 0 when the check ran, whatever it found; 1 for a wrong call.
"""

from __future__ import annotations

import csv
import json
import os
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from compliance.checks.errors import ProfileUnknown, ReportMalformed
from compliance.checks.profile import Profile, load_profile
from compliance.checks.report import parse_report
from compliance.checks.worker_tasks import CHECK_PAIR_TASK
from compliance.services.original_lookup import find_original
from ledger.accounts.models import Seller
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.sandbox import PixelPool, TaskResult
from ledger.services.blobs import read_blob
from ledger.services.files import read_capped
from ledger.services.setup import prepare

DEFAULT_PROFILE = "aliexpress-seed-2024"
COLUMNS = ("id", "main", "hidden")
NO_RESULT: dict[str, Any] = {
    "verdict": "INDETERMINATE",
    "findings": [],
    "ssim": None,
    "ssim_masked": None,
    "timings_ms": {},
}


@dataclass(frozen=True, slots=True)
class PairFiles:
    """One pair to check; id is empty for a single one."""

    id: str
    main: Path
    hidden: Path
    category: str = ""
    original: Path | None = None


class Command(BaseCommand):
    help = "Check whether a hidden image goes with its main image, and with the registered original."
    requires_system_checks: Sequence[str] = []  # type: ignore[assignment]  # none: they ask the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("main", nargs="?", type=Path, metavar="MAIN")
        parser.add_argument("hidden", nargs="?", type=Path, metavar="HIDDEN")
        parser.add_argument(
            "--pairs", type=Path, metavar="FILE.csv", help="columns id, main, hidden, original, category"
        )
        registered = parser.add_mutually_exclusive_group()
        registered.add_argument("--original", type=Path, metavar="FILE", help="the registered original of the pair")
        registered.add_argument("--seller", metavar="SLUG", help="look for it among this seller's registered originals")
        parser.add_argument("--category", default="", metavar="SLUG")
        parser.add_argument("--profile", default=DEFAULT_PROFILE, metavar="ID")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            profile = load_profile(options["profile"])
        except ProfileUnknown as error:
            raise CommandError(f"{error.code}: {error}") from error
        pairs = self._pairs(options)
        seller = _seller(options["seller"])
        with PixelPool(size=min(len(pairs), os.cpu_count() or 1)) as pool:
            for pair, answer in zip(pairs, _check(pool, pairs, profile, seller), strict=True):
                self.stdout.write(_json_line(pair, answer) if options["json"] else _text(pair, answer))
                self.stdout.flush()  # a reader may follow a long run line by line

    def _pairs(self, options: dict[str, Any]) -> list[PairFiles]:
        """The pairs of the call; in a file of pairs a missing picture is an answer, in a single call a wrong call."""
        main, hidden, listed = options["main"], options["hidden"], options["pairs"]
        if (listed is None) == (main is None or hidden is None):
            raise CommandError("give MAIN and HIDDEN, or --pairs FILE.csv")
        if listed is None:
            for path in (main, hidden, options["original"]):
                if path is not None and not path.is_file():
                    raise CommandError(f"{path} is not a file")
            return [PairFiles("", main, hidden, options["category"], options["original"])]
        if options["original"] is not None:
            raise CommandError("with --pairs, originals stand in the column original")
        return _read_pairs(listed, options["category"])


def _seller(slug: str | None) -> Seller | None:
    if slug is None:
        return None
    prepare()
    seller: Seller | None = Seller.objects.filter(slug=slug).first()
    if seller is None:
        raise CommandError(f"there is no seller {slug}")
    return seller


def _read_pairs(path: Path, category: str) -> list[PairFiles]:
    """The rows of a CSV, pictures relative to its folder."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise CommandError(f"{path} has no column {', '.join(missing)}")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    folder = path.parent
    return [
        PairFiles(
            row["id"] or "",
            folder / (row["main"] or ""),
            folder / (row["hidden"] or ""),
            row.get("category") or category,
            folder / row["original"] if row.get("original") else None,
        )
        for row in rows
    ]


def _check(
    pool: PixelPool, pairs: Sequence[PairFiles], profile: Profile, seller: Seller | None
) -> Iterator[dict[str, Any]]:
    """One answer per pair, in order; files are read while the children are busy with earlier pairs."""
    unreadable: dict[int, dict[str, Any]] = {}

    def jobs() -> Iterator[tuple[list[bytes], dict[str, Any]]]:
        for position, pair in enumerate(pairs):
            files, params = [], _params(pair, profile)
            for side, path in (("main", pair.main), ("hidden", pair.hidden), ("original", pair.original)):
                if path is None:
                    continue
                try:
                    files.append(read_capped(path, settings.UPLOAD_MAX_BYTES))
                except OSError as error:
                    unreadable.setdefault(position, _refused(side, "file_unreadable", type(error).__name__))
                    files.append(b"")
            if seller is not None and pair.original is None:
                _add_registered(files, params, seller)
            yield files, params

    for position, outcome in enumerate(pool.map(CHECK_PAIR_TASK, jobs())):
        yield unreadable.pop(position) if position in unreadable else _answer(outcome)


def _add_registered(files: list[bytes], params: dict[str, Any], seller: Seller) -> None:
    """The registered original as a third file; without one, or when the hidden image is no picture, nothing is added."""
    with suppress(ImagingError):
        original = find_original(seller=seller, data=files[1])
        if original is not None:
            files.append(read_blob(original.image.blob))
            params["original_name"] = original.image.file_name


def _params(pair: PairFiles, profile: Profile) -> dict[str, Any]:
    return {
        "profile": profile.id,
        "profile_version": profile.version,
        "main_name": pair.main.name,
        "hidden_name": pair.hidden.name,
        "original_name": pair.original.name if pair.original else "",
        "category": pair.category,
        "pictures": False,
    }


def _answer(outcome: TaskResult | ImagingError) -> dict[str, Any]:
    """The report with its refusal, or the refusal alone: the keys of NO_RESULT and "refused" are always there."""
    if isinstance(outcome, ImagingError):
        return _refused("", outcome.code, outcome.detail)
    refused = outcome.values.get("refused")
    if isinstance(refused, dict):
        return _refused(str(refused.get("side")), str(refused.get("cause")), str(refused.get("detail")))
    try:
        return {**parse_report(outcome.values).to_dict(), "refused": None}
    except ReportMalformed as error:
        return _refused("", DecodeCrashed.code, str(error))


def _refused(side: str, code: str, detail: str) -> dict[str, Any]:
    return {**NO_RESULT, "refused": {"side": side, "code": code, "detail": detail}}


def _json_line(pair: PairFiles, answer: dict[str, Any]) -> str:
    named = {"id": pair.id, **answer} if pair.id else answer
    return json.dumps(named, ensure_ascii=False)


def _text(pair: PairFiles, answer: dict[str, Any]) -> str:
    """For people at a terminal: the verdict, then one line per finding."""
    name = pair.id or f"{pair.main.name} / {pair.hidden.name}"
    refused = answer["refused"]
    if refused:
        return f"{answer['verdict']:14} {name}  {refused['side']} {refused['code']} {refused['detail']}".rstrip()
    lines = [f"{answer['verdict']:14} {name}"]
    for finding in answer["findings"]:
        measured = f"{finding['measured']} (allowed {finding['allowed']}) {finding['unit']}"
        lines.append(f"  {finding['level']:8} {finding['rule']} {finding['code']}  {measured}")
    unlooked = ", ".join(answer["not_looked_at"])
    return "\n".join([*lines, f"  not looked at: {unlooked}"])
