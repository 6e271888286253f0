"""Registers one picture after another while the disk fails at one call after another; run by tests/faults/test_append.py.

For each errno, each call of the append path fails once, and then again with every later call failing too. Prints JSON: per
errno how many calls there were, what people were told, and what the log holds of it in the end.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections import Counter
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from ledger.models import Entry, LogHead, Original  # noqa: E402
from ledger.services.blobs import read_blob  # noqa: E402
from ledger.services.log import seal  # noqa: E402
from ledger.services.originals import Upload, register_originals  # noqa: E402
from ledger.services.setup import prepare  # noqa: E402
from ledger.services.storage import StorageError  # noqa: E402
from tests.factories import make_seller  # noqa: E402
from tests.faults.shim import Faults  # noqa: E402
from tests.images import jpeg_bytes, noise_picture  # noqa: E402
from tests.log_checks import check_log  # noqa: E402

ERRORS = (errno.ENOSPC, errno.EIO, errno.ENOMEM)
MOST_CALLS = 500


def main() -> None:
    prepare()
    seller = make_seller("acme")
    faults = Faults()
    receipts: dict[str, int] = {}  # SHA-256 -> entry number
    unanswered: list[bytes] = []
    report: dict[str, Any] = {"errors": {}, "false_receipts": 0, "unnamed": []}
    number = 0
    for code in ERRORS:
        for keep in (False, True):
            told: Counter[str] = Counter()
            for call in range(1, MOST_CALLS):
                number += 1
                content = jpeg_bytes(noise_picture(number, (24, 24)))
                faults.arm(call, code, keep=keep)
                try:
                    (answer,) = register_originals(actor=None, seller=seller, uploads=[Upload("a.jpg", content)])
                except StorageError as error:
                    told[error.code] += 1
                    unanswered.append(content)
                except Exception as error:  # noqa: BLE001 - the find of this program
                    report["unnamed"].append(f"call {call} {errno.errorcode[code]}: {type(error).__name__}: {error}")
                    unanswered.append(content)
                    connection.close()
                else:
                    if answer.original is None:  # the disk is full, said of this one file
                        told[answer.code] += 1
                        unanswered.append(content)
                    else:
                        told["receipt"] += 1
                        receipts[hashlib.sha256(content).hexdigest()] = answer.original.statement.entry_id
                counted = faults.disarm()
                if counted < call:
                    break  # the path has no call of that number
            report["errors"][f"{errno.errorcode[code]}{' from then on' if keep else ''}"] = {"calls": call - 1, **told}
    report["receipts"] = len(receipts)
    report["lost"] = sum(not is_there(sha256, seq) for sha256, seq in receipts.items())
    report["unanswered"] = len(unanswered)
    before = LogHead.objects.get().size
    again = [register_originals(actor=None, seller=seller, uploads=[Upload("a.jpg", c)])[0] for c in unanswered]
    report["kept_without_receipt"] = sum(answer.status == "existing" for answer in again)
    report["after"] = sum(answer.original is not None for answer in again)
    report["doubled"] = Original.objects.count() - len(receipts) - len(unanswered)
    report["grown"] = LogHead.objects.get().size - before
    seal()
    report["entries"] = check_log()
    print(json.dumps(report))


def is_there(sha256: str, seq: int) -> bool:
    """The entry exists, says so, and the very bytes can be read."""
    row = Original.objects.select_related("statement", "image__blob").filter(sha256=bytes.fromhex(sha256)).first()
    if row is None or row.statement.entry_id != seq or not Entry.objects.filter(pk=seq).exists():
        return False
    return hashlib.sha256(read_blob(row.image.blob)).hexdigest() == sha256


if __name__ == "__main__":
    main()
