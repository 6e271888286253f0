"""Static files for the web server: copied, hashed and compressed when any of them changed since the last start."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command

from ledger.management.supervisor import die_with_parent

# django-htmx brings every build of htmx; pages load htmx-2.min.js. Compressing the others took most of a first start.
IGNORED = ("htmax*", "htmx-4*", "htmx-2.js", "ext")


def collect_meanwhile(let_go: Callable[[], None]) -> Callable[[], None]:
    """Start collecting in a process of its own; the function returned waits for its end.

    let_go runs there first, to give up what that process must not hold. Call it before a database connection is open.
    """
    digest = _digest()
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return lambda: None
    pid = os.fork()
    if pid == 0:
        _collect(stamp, digest, let_go)

    def wait() -> None:
        if os.waitpid(pid, 0)[1] != 0:
            raise CommandError("The static files could not be prepared; the lines above say why.")

    return wait


def _collect(stamp: Path, digest: str, let_go: Callable[[], None]) -> None:
    code = 1
    try:
        die_with_parent()
        let_go()
        call_command(
            "collectstatic",
            verbosity=0,
            interactive=False,
            clear=True,
            skip_checks=True,
            ignore_patterns=list(IGNORED),
        )
        stamp.write_text(digest)  # last: a collection that was cut short is made again
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def _digest() -> str:
    """Changes with any file's name, size or time, those of installed packages included."""
    digest = hashlib.sha256(repr((IGNORED, settings.STORAGES["staticfiles"])).encode())
    for finder in get_finders():
        for name, storage in sorted(finder.list(list(IGNORED)), key=lambda item: str(item[0])):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
