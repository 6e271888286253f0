"""Check pictures before they are registered or searched with: size, text, screenshots, lost metadata.

Nothing is stored and no database is needed: files are decoded in limited child processes. With --json one object per
file and line, keys as in docs/spec/quality-report.md. The exit code is 0 when the check ran, whatever it found.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from compliance.checks.errors import ProfileUnknown
from compliance.checks.profile import Profile, load_profile
from compliance.checks.worker_tasks import CHECK_QUALITY_TASK
from compliance.management.commands.check_hidden import DEFAULT_PROFILE
from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import PixelPool, TaskResult
from ledger.services.files import read_capped

NO_RESULT: dict[str, Any] = {"verdict": "INDETERMINATE", "findings": [], "timings_ms": {}}


class Command(BaseCommand):
    help = "Check pictures before registration or a search. Needs no database."
    requires_system_checks: Sequence[str] = []  # type: ignore[assignment]  # none: they ask the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
        parser.add_argument("--category", default="", metavar="SLUG")
        parser.add_argument(
            "--without-hidden", action="store_true", help="the pictures are main images without a hidden image"
        )
        parser.add_argument("--profile", default=DEFAULT_PROFILE, metavar="ID")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            profile = load_profile(options["profile"])
        except ProfileUnknown as error:
            raise CommandError(f"{error.code}: {error}") from error
        images: list[Path] = options["images"]
        with PixelPool(size=min(len(images), os.cpu_count() or 1)) as pool:
            for path, answer in zip(images, _check(pool, images, profile, options), strict=True):
                line = {"file": str(path), **answer}
                self.stdout.write(json.dumps(line, ensure_ascii=False) if options["json"] else _text(path, answer))
                self.stdout.flush()  # a reader may follow a long run line by line


def _check(
    pool: PixelPool, images: Sequence[Path], profile: Profile, options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """One answer per picture, in order; files are read while the children are busy with earlier ones."""
    unreadable: dict[int, dict[str, Any]] = {}

    def jobs() -> Iterator[tuple[list[bytes], dict[str, Any]]]:
        for position, path in enumerate(images):
            data = b""
            try:
                data = read_capped(path, settings.UPLOAD_MAX_BYTES)
            except OSError as error:
                unreadable[position] = _refused("file_unreadable", type(error).__name__)
            yield (
                [data],
                {
                    "profile": profile.id,
                    "profile_version": profile.version,
                    "name": path.name,
                    "category": options["category"],
                    "without_hidden": options["without_hidden"],
                },
            )

    for position, outcome in enumerate(pool.map(CHECK_QUALITY_TASK, jobs())):
        yield unreadable.pop(position) if position in unreadable else _answer(outcome)


def _answer(outcome: TaskResult | ImagingError) -> dict[str, Any]:
    if isinstance(outcome, ImagingError):
        return _refused(outcome.code, outcome.detail)
    refused = outcome.values.get("refused")
    if isinstance(refused, dict):
        return _refused(str(refused.get("cause")), str(refused.get("detail")))
    return {**outcome.values, "refused": None}


def _refused(code: str, detail: str) -> dict[str, Any]:
    return {**NO_RESULT, "refused": {"code": code, "detail": detail}}


def _text(path: Path, answer: dict[str, Any]) -> str:
    """For people at a terminal: the verdict, then one line per finding."""
    refused = answer["refused"]
    if refused:
        return f"{answer['verdict']:14} {path.name}  {refused['code']} {refused['detail']}".rstrip()
    lines = [f"{answer['verdict']:14} {path.name}"]
    for finding in answer["findings"]:
        measured = f"{finding['measured']} (allowed {finding['allowed']}) {finding['unit']}"
        lines.append(f"  {finding['level']:8} {finding['rule']} {finding['code']}  {measured}")
    return "\n".join(lines)
