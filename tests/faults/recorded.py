"""What happens on the site whose power fails: pictures are registered and sealed; each receipt is marked in the record."""

from __future__ import annotations

import hashlib
import sys

import django

django.setup()

from django.db import connection  # noqa: E402

from ledger.services.log import latest_checkpoint, seal  # noqa: E402
from ledger.services.originals import Upload, register_originals  # noqa: E402
from ledger.services.setup import prepare  # noqa: E402
from tests.factories import make_seller  # noqa: E402
from tests.faults.shim import Faults  # noqa: E402
from tests.images import jpeg_bytes, noise_picture  # noqa: E402


def main(pictures: int, *, careless: bool = False) -> None:
    """careless: with a database that syncs nothing, to see that the replay notices."""
    faults = Faults()
    prepare()
    if careless:
        connection.cursor().execute("PRAGMA synchronous=OFF")
    seller = make_seller("acme")
    faults.mark("ready")
    for number in range(pictures):
        content = jpeg_bytes(noise_picture(number, (24, 24)))
        (answer,) = register_originals(actor=None, seller=seller, uploads=[Upload("a.jpg", content)])
        faults.mark(f"receipt {hashlib.sha256(content).hexdigest()} {answer.original.statement.entry_id}")
        if number % 4 == 3:
            seal()
            faults.mark(f"checkpoint {latest_checkpoint().tree_size}")
        if number % 10 == 9:  # the write-ahead log moves into the database file, as it does by itself when it is long
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    main(int(sys.argv[1]), careless="careless" in sys.argv)
