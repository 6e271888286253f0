"""Signs of life of the background processes, as the times of small files, and the newest look at the site's health.

Files and not rows: they are there when the database is not, a page reads one in microseconds, and they cost no commit.
Nothing here is worth an fsync.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from ledger.services.files import make_directories, read_capped, write_quickly

BEAT_S = 5.0  # how often a process gives a sign
SILENT_AFTER_S = 30.0  # several may be late on a loaded machine
MAX_BYTES = 64 * 1024


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "run"


def beat(name: str) -> None:
    """Say that this process goes on; a disk that takes no file must not end it."""
    try:
        make_directories(_folder())
        (_folder() / f"{name}.beat").touch(mode=0o600)
    except OSError:
        return


def silence_s(name: str) -> float | None:
    """Seconds since that process gave its last sign; None when it never did."""
    try:
        return max(0.0, time.time() - (_folder() / f"{name}.beat").stat().st_mtime)
    except OSError:
        return None


def is_alive(name: str) -> bool:
    silent = silence_s(name)
    return silent is not None and silent < SILENT_AFTER_S


def write_look(look: dict[str, Any]) -> None:
    """Keep a look at the site's health for pages and strangers, who shall not cause one each."""
    make_directories(_folder())
    write_quickly(_folder() / "health.json", json.dumps(look).encode())


def read_look() -> dict[str, Any] | None:
    """The last look that was kept, or None; whoever reads it asks is_alive("clock") how old it may be."""
    try:
        look = json.loads(read_capped(_folder() / "health.json", MAX_BYTES))
    except (OSError, ValueError):
        return None
    return look if isinstance(look, dict) else None
