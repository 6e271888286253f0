"""Make compliance packs from originals, one or many, from the command line.

Nothing is registered and no database is needed; pixel work runs in limited child processes. With --json one object per
pack, keys as in docs/spec/pack-report.md: one that cannot be made has "refused" set and the verdict INDETERMINATE. The
exit code is 0 when every row was answered, whatever the answers; 1 for a wrong call.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from compliance.checks.errors import ProfileUnknown
from compliance.checks.profile import Profile, load_profile
from compliance.packs.batch import BatchRow, parse_batch
from compliance.packs.errors import BatchMalformed, OverlayAndMain, ReportMalformed
from compliance.packs.report import ROLES, parse_pack
from compliance.packs.summary import SummaryRow, format_summary
from compliance.packs.worker_tasks import MAKE_PACK_TASK
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.sandbox import PixelPool, TaskResult
from ledger.services.files import read_capped

DEFAULT_PROFILE = "aliexpress-seed-2024"
SUMMARY_FILE = "packs.csv"
NO_PACK: dict[str, Any] = {"verdict": "INDETERMINATE", "files": [], "check": None, "timings_ms": {}}


@dataclass(frozen=True, slots=True)
class PackCall:
    """One pack to make; sku is empty for a single one."""

    sku: str
    original: Path
    overlay: Path | None
    main: Path | None
    category: str


class Command(BaseCommand):
    help = "Make main, hidden and detail image from an original. Needs no database."
    requires_system_checks: Sequence[str] = []  # type: ignore[assignment]  # none: they ask the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("original", nargs="?", type=Path, metavar="ORIGINAL")
        parser.add_argument("--overlay", type=Path, metavar="PNG", help="the promotion on transparent ground")
        parser.add_argument("--main", type=Path, metavar="FILE", help="a finished main image made from the original")
        parser.add_argument(
            "--batch", type=Path, metavar="FILE.csv", help="columns sku, original, overlay, main, category"
        )
        parser.add_argument("--out", type=Path, required=True, metavar="DIR")
        parser.add_argument("--category", default="", metavar="SLUG")
        parser.add_argument("--profile", default=DEFAULT_PROFILE, metavar="ID")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            profile = load_profile(options["profile"])
        except ProfileUnknown as error:
            raise CommandError(f"{error.code}: {error}") from error
        calls = _calls(options)
        out: Path = options["out"]
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"{out} cannot be made: {error}") from error
        rows: list[SummaryRow] = []
        with PixelPool(size=min(max(1, len(calls)), os.cpu_count() or 1)) as pool:
            for call, (answer, files) in zip(calls, _make(pool, calls, profile), strict=True):
                _write(out, call, answer, files)
                rows += _summary(call, answer)
                self.stdout.write(_json_line(call, answer) if options["json"] else _text(call, answer))
                self.stdout.flush()  # a reader may follow a long run line by line
        if options["batch"] is not None:
            (out / SUMMARY_FILE).write_bytes(format_summary(rows))


def _calls(options: dict[str, Any]) -> list[PackCall]:
    """In a batch a missing picture is an answer, in a single call a wrong call."""
    original, overlay, main, batch = options["original"], options["overlay"], options["main"], options["batch"]
    if (batch is None) == (original is None):
        raise CommandError("give ORIGINAL, or --batch FILE.csv")
    if batch is not None:
        if overlay is not None or main is not None:
            raise CommandError("with --batch, overlays and main images stand in the file")
        return _read_batch(batch, options["category"])
    if overlay is not None and main is not None:
        raise CommandError(f"{OverlayAndMain.code}: give --overlay or --main, not both")
    for path in (original, overlay, main):
        if path is not None and not path.is_file():
            raise CommandError(f"{path} is not a file")
    return [PackCall("", original, overlay, main, options["category"])]


def _read_batch(path: Path, category: str) -> list[PackCall]:
    """The rows of a CSV, pictures relative to its folder."""
    try:
        rows = parse_batch(path.read_bytes())
    except (OSError, BatchMalformed) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    return [_call(row, path.parent, category) for row in rows]


def _call(row: BatchRow, folder: Path, category: str) -> PackCall:
    return PackCall(
        sku=row.sku,
        original=folder / row.original,
        overlay=folder / row.overlay if row.overlay else None,
        main=folder / row.main if row.main else None,
        category=row.category or category,
    )


def _make(
    pool: PixelPool, calls: Sequence[PackCall], profile: Profile
) -> Iterator[tuple[dict[str, Any], Sequence[bytes]]]:
    """One answer per call, in order, with its files; inputs are read while the children are busy with earlier ones."""
    unreadable: dict[int, dict[str, Any]] = {}

    def jobs() -> Iterator[tuple[list[bytes], dict[str, Any]]]:
        for position, call in enumerate(calls):
            files = []
            for side, path in (("original", call.original), ("overlay", call.overlay), ("main", call.main)):
                if path is None:
                    continue
                try:
                    files.append(read_capped(path, settings.UPLOAD_MAX_BYTES))
                except OSError as error:
                    unreadable.setdefault(position, _refused("file_unreadable", side, detail=type(error).__name__))
                    files.append(b"")
            if call.overlay is not None and call.main is not None:
                unreadable.setdefault(position, _refused(OverlayAndMain.code))
            yield files, _params(call, profile)

    for position, outcome in enumerate(pool.map(MAKE_PACK_TASK, jobs())):
        if position in unreadable:
            yield unreadable.pop(position), []
        else:
            yield _answer(outcome)


def _params(call: PackCall, profile: Profile) -> dict[str, Any]:
    return {
        "profile": profile.id,
        "profile_version": profile.version,
        "category": call.category,
        "with": "overlay" if call.overlay else "main" if call.main else "",
    }


def _answer(outcome: TaskResult | ImagingError) -> tuple[dict[str, Any], Sequence[bytes]]:
    """The report with its refusal, or the refusal alone: the keys of NO_PACK and "refused" are always there."""
    if isinstance(outcome, ImagingError):
        return _refused(outcome.code, detail=outcome.detail), []
    refused = outcome.values.get("refused")
    if isinstance(refused, dict):
        cause = str(refused.get("cause") or refused.get("code"))
        return _refused(cause, str(refused.get("side")), detail=str(refused.get("detail"))), []
    if len(outcome.blobs) != len(ROLES):
        return _refused(DecodeCrashed.code, detail="files missing"), []
    try:
        report = parse_pack(outcome.values, outcome.blobs)
    except ReportMalformed as error:
        return _refused(DecodeCrashed.code, detail=error.detail), []
    return {**report.values, "refused": None}, outcome.blobs


def _refused(code: str, side: str = "", *, detail: str = "") -> dict[str, Any]:
    return {**NO_PACK, "refused": {"side": side, "code": code, "detail": detail}}


def _write(out: Path, call: PackCall, answer: dict[str, Any], files: Sequence[bytes]) -> None:
    """The pack's files, and their names into the answer. A single pack lies in the folder itself."""
    folder = out / call.sku if call.sku else out
    for row, data in zip(answer["files"], files, strict=True):
        folder.mkdir(exist_ok=True)
        path = folder / f"{row['role']}.jpg"
        path.write_bytes(data)
        row["file"] = path.relative_to(out).as_posix()


def _summary(call: PackCall, answer: dict[str, Any]) -> list[SummaryRow]:
    if answer["refused"]:
        return [SummaryRow(call.sku, verdict=answer["verdict"], refused=answer["refused"]["code"])]
    return [
        SummaryRow(
            sku=call.sku,
            file=row["file"],
            sha256=row["sha256"],
            width=row["width"],
            height=row["height"],
            size_bytes=row["bytes"],
            verdict=answer["verdict"],
            reasons=" ".join(dict.fromkeys(found["code"] for found in answer["check"]["findings"])),
        )
        for row in answer["files"]
    ]


def _json_line(call: PackCall, answer: dict[str, Any]) -> str:
    named = {"sku": call.sku, **answer} if call.sku else answer
    return json.dumps(named, ensure_ascii=False)


def _text(call: PackCall, answer: dict[str, Any]) -> str:
    """For people at a terminal: the verdict, then one line per file and finding."""
    name = call.sku or call.original.name
    refused = answer["refused"]
    if refused:
        return f"{'NO PACK':14} {name}  {refused['side']} {refused['code']} {refused['detail']}".rstrip()
    lines = [f"{answer['verdict']:14} {name}"]
    lines += [f"  {row['file']}  {row['width']}x{row['height']}  {row['bytes']} bytes" for row in answer["files"]]
    for finding in answer["check"]["findings"]:
        measured = f"{finding['measured']} (allowed {finding['allowed']}) {finding['unit']}"
        lines.append(f"  {finding['level']:8} {finding['rule']} {finding['code']}  {measured}")
    return "\n".join(lines)
