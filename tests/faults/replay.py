"""Starting the site on states after a power cut: every receipt given until then has to be there, and the site goes on.

Run as a program of its own on a record: python -m tests.faults.replay LOG SITE STATES SEED. Prints one JSON line.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.exceptions import ObjectDoesNotExist  # noqa: E402
from django.db import DatabaseError, connection  # noqa: E402

from ledger.accounts.models import Seller  # noqa: E402
from ledger.models import Checkpoint, Original  # noqa: E402
from ledger.services import keys, log_state  # noqa: E402
from ledger.services.blobs import BlobUnreadableError, read_blob  # noqa: E402
from ledger.services.keys import KeyMissingError  # noqa: E402
from ledger.services.log import LogForkError, LogNotReadyError, seal  # noqa: E402
from ledger.services.log_state import LogBehindError  # noqa: E402
from ledger.services.originals import Upload, register_originals  # noqa: E402
from tests.faults.power import read_events, states  # noqa: E402
from tests.images import jpeg_bytes, noise_picture  # noqa: E402
from tests.log_checks import check_log  # noqa: E402


def main(log: Path, site: Path, count: int, seed: int) -> dict[str, Any]:
    events = read_events(log)
    found: dict[str, Any] = {"events": len(events), "states": 0, "receipts": 0, "lost": 0, "broken": []}
    started = time.monotonic()
    work = Path(settings.DATA_DIR).parent / "state"
    for moment, marks, files in states(events, count, seed):
        found["states"] += 1
        try:
            _lay_out(site, work, files)
            found["lost"] += _check(marks, found)
        except BROKEN as error:
            found["broken"].append(f"after {moment} events: {type(error).__name__}: {error}"[:300])
        connection.close()
    found["seconds"] = round(time.monotonic() - started, 1)
    return found


BROKEN = (
    DatabaseError,
    ObjectDoesNotExist,
    AssertionError,
    LogForkError,
    LogBehindError,
    LogNotReadyError,
    BlobUnreadableError,
    KeyMissingError,
    OSError,
)


def _lay_out(site: Path, work: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(work, ignore_errors=True)
    for path, content in files.items():
        if path.endswith("-shm"):  # the index of the write-ahead log is memory, made anew
            continue
        target = work / Path(path).relative_to(site)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    settings.DATA_DIR, settings.KEYS_DIR = work / "data", work / "keys"
    connection.settings_dict["NAME"] = str(work / "data" / "originmark.sqlite3")
    log_state._current.clear()
    for cache in CACHES:
        cache()


# What a process remembers of the keys it read: another state is another site.
CACHES = [value.cache_clear for value in vars(keys).values() if hasattr(value, "cache_clear")]


def _check(marks: list[str], found: dict[str, Any]) -> int:
    """How many receipts are not there; raises for a log that does not hold together or cannot go on."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check")
        assert cursor.fetchone()[0] == "ok"
    lost = 0
    for mark in marks:
        words = mark.split()
        if words[0] == "receipt":
            found["receipts"] += 1
            lost += not _is_there(words[1], int(words[2]))
        elif words[0] == "checkpoint":
            assert Checkpoint.objects.filter(pk=int(words[1])).exists(), f"checkpoint {words[1]} is gone"
    content = jpeg_bytes(noise_picture(10**6, (24, 24)))
    register_originals(actor=None, seller=Seller.objects.get(), uploads=[Upload("after.jpg", content)])
    seal()
    check_log()
    return lost


def _is_there(sha256: str, seq: int) -> bool:
    row = Original.objects.select_related("statement", "image__blob").filter(sha256=bytes.fromhex(sha256)).first()
    if row is None or row.statement.entry_id != seq:
        return False
    return hashlib.sha256(read_blob(row.image.blob)).hexdigest() == sha256


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
