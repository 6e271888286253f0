"""The engine as the copy-detection benchmark wants it: `compliance.search.benchmark:system`.

The same decoder, features, index and score as the product; only the queue, the child process and the database are
missing.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from compliance.search.compare import QueryPicture, make_query
from compliance.search.finder import CopyQuery, Gallery, find_copies
from compliance.search.hints import coarse_look
from compliance.search.index import Item, Probe, ScanIndex
from compliance.search.query import usable_views, view_of
from compliance.search.score import THRESHOLD
from compliance.search.segments import SegmentIndex
from ledger.imaging.analysis import digest_pixels
from ledger.imaging.decode import decode_picture
from ledger.imaging.edits import TINT_SAMPLE
from ledger.imaging.feature_blob import format_features, make_reference, make_tint, parse_features
from ledger.imaging.fingerprint import dihedral_fingerprints, fingerprint
from ledger.imaging.threads import use_one_thread


class Copies:
    """The engine of features: blobs as they are stored, the index sealed when the gallery is complete."""

    name = "originmark.copies"
    threshold = THRESHOLD

    def __init__(self) -> None:
        use_one_thread()  # times are compared per core
        self._ids: list[str] = []
        self._items: list[Item] = []
        self._blobs: list[bytes] = []
        self._index = SegmentIndex()
        self._gallery = Gallery(ScanIndex(), self._index, lambda number: parse_features(self._blobs[number]))
        self.bytes_per_image = 0.0

    def add(self, ident: str, data: bytes) -> None:
        """Take one gallery picture: decode once, keep its blob, its digests and fingerprints, its codes."""
        picture = decode_picture(data)
        number, reference = len(self._ids), make_reference(picture.pixels)
        phash, dhash = view_of(fingerprint(picture.image))
        self._blobs.append(format_features(reference))
        self._items.append(Item(number, hashlib.sha256(data).digest(), digest_pixels(picture.image), phash, dhash))
        self._index.add([(number, reference.features)])
        self._ids.append(ident)

    def finish(self) -> None:
        """Seal what was added."""
        hashes = ScanIndex(self._items)
        self._index.seal()
        self._gallery = Gallery(hashes, self._index, self._gallery.reference)
        self.bytes_per_image = (hashes.size_bytes + self._index.size_bytes) / max(1, len(self._ids))

    def query(self, data: bytes, k: int) -> list[tuple[str, float]]:
        """(id, score 0..100), best first."""
        query = query_of(data)
        return [(self._ids[c.image_id], c.score) for c in find_copies(self._gallery, query, limit=k)]


def query_of(data: bytes) -> CopyQuery:
    """A query from the bytes of a picture file; its features are made when they are first needed."""
    decoded = decode_picture(data)
    pixels = decoded.pixels
    views = usable_views(dihedral_fingerprints(decoded.image))
    probe = Probe(hashlib.sha256(data).digest(), digest_pixels(decoded.image), views)

    @lru_cache(maxsize=1)
    def picture() -> QueryPicture:
        return make_query(pixels)

    return CopyQuery(probe, coarse_look(pixels), make_tint(pixels, TINT_SAMPLE), picture)


def system() -> Copies:
    """A fresh, empty system of the engine of features."""
    return Copies()
