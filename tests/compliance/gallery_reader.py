"""Another process that holds a seller's index: `python -m tests.compliance.gallery_reader SETTINGS_JSON SELLER_ID`.

Every line it reads is the digest of a file; it answers with how many rows its index holds by then and which of them
are that file, as one line of JSON.
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402 - models need the set-up above

from compliance.search.index import Probe  # noqa: E402
from compliance.services.gallery import indexes  # noqa: E402


def main() -> None:
    connection.settings_dict.update(json.loads(sys.argv[1]))
    for line in sys.stdin:
        index = indexes.get(int(sys.argv[2]))
        hits = index.query(Probe(sha256=bytes.fromhex(line.strip())), k=10)
        print(json.dumps({"rows": len(index), "exact": [hit.item_id for hit in hits]}), flush=True)


if __name__ == "__main__":
    main()
