"""The engine as the copy-detection benchmark wants it: `compliance.search.benchmark:system`.

The same decoder, fingerprints, index and score as the product; only the queue, the child process and the database
are missing.
"""

from __future__ import annotations

import hashlib

from compliance.search.engine import search
from compliance.search.index import Item, ScanIndex
from compliance.search.query import Query, usable_views, view_of
from compliance.search.score import THRESHOLD
from ledger.imaging.analysis import digest_pixels
from ledger.imaging.decode import decode_picture
from ledger.imaging.fingerprint import dihedral_fingerprints, fingerprint


class System:
    """A gallery that is filled once and then asked."""

    name = "originmark.fingerprints"
    threshold = THRESHOLD

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._items: list[Item] = []
        self._index = ScanIndex()
        self.bytes_per_image = 0.0

    def add(self, ident: str, data: bytes) -> None:
        """Take one gallery picture."""
        image = decode_picture(data).image
        phash, dhash = view_of(fingerprint(image))
        digest = hashlib.sha256(data).digest()
        self._items.append(Item(len(self._ids), digest, digest_pixels(image), phash, dhash))
        self._ids.append(ident)

    def finish(self) -> None:
        """Build the index."""
        self._index = ScanIndex(self._items)
        self.bytes_per_image = self._index.size_bytes / max(1, len(self._items))

    def query(self, data: bytes, k: int) -> list[tuple[str, float]]:
        """(id, score 0..100), best first."""
        image = decode_picture(data).image
        query = Query(hashlib.sha256(data).digest(), digest_pixels(image), usable_views(dihedral_fingerprints(image)))
        return [(self._ids[c.item_id], c.score) for c in search(self._index, query, limit=k)]


def system() -> System:
    """A fresh, empty system."""
    return System()
