"""`python -m tests.journeys.audit audit < acknowledged.json`: is everything that was acknowledged in the log, once?

A process of its own, because it looks at the data of a running or stopped site, not at a test's.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from typing import Any


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    json.dump(audit(json.load(sys.stdin)), sys.stdout)
    return 0


def audit(acknowledged: list[dict[str, object]]) -> dict[str, object]:
    from ledger.models import Entry, ImageFile, Job, Original
    from tests.log_checks import check_log

    entries = check_log()
    leaves = {row.seq: bytes(row.leaf_hash).hex() for row in Entry.objects.all()}
    originals = Counter((row.seller_id, bytes(row.sha256).hex()) for row in Original.objects.all())
    registered = {sha256 for _seller, sha256 in originals}
    statements = Counter(Original.objects.values_list("statement__entry_id", flat=True))
    return {
        "entries": entries,
        "originals": sum(originals.values()),
        "lost": sum(
            leaves.get(int(str(line["seq"]))) != line["leaf_hash"] or line["sha256"] not in registered
            for line in acknowledged
        ),
        "unreadable": sum(not is_readable(image) for image in ImageFile.objects.select_related("blob")),
        "doubled": sum(number > 1 for number in [*originals.values(), *statements.values()]),
        "picture_entries": sum(b"image" in bytes(row.body) for row in Entry.objects.all()),
        "pictures": dict(Counter(ImageFile.objects.values_list("state", flat=True))),
        "jobs": dict(Counter(Job.objects.values_list("state", flat=True))),
        "retried": Job.objects.filter(attempts__gt=1).count(),
    }


def is_readable(image: Any) -> bool:
    """Whether the sealed file decrypts to the very bytes that were registered."""
    from ledger.services.blobs import BlobUnreadableError, read_blob

    try:
        return hashlib.sha256(read_blob(image.blob)).digest() == bytes(image.sha256)
    except BlobUnreadableError:
        return False


if __name__ == "__main__":
    raise SystemExit(main())
