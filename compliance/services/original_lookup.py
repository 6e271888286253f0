"""Which registered original a picture descends from: the seller's own originals, asked with the picture as a query."""

from __future__ import annotations

from compliance.models import GalleryItem
from compliance.search.copy_score import COPIES
from compliance.search.index import Filter
from compliance.search.index import Scope as IndexScope
from compliance.services.answering import ask_gallery, query_features
from ledger.accounts.models import Seller
from ledger.models import ImageState, Original

# More than one, because an original may have been withdrawn since the index was written.
CANDIDATES = 5


def find_original(*, seller: Seller, data: bytes) -> Original | None:
    """The best registered original of this seller that the picture is a copy of, or None.

    Rights are checked by whoever asks. Raises ImagingError when the bytes are no picture.
    """
    query = query_features(data, thumbnails=False)
    found = ask_gallery(seller=seller, query=query, where=Filter(IndexScope.REGISTERED), limit=CANDIDATES)
    copies = [candidate.image_id for candidate in found if candidate.verdict in COPIES]
    # A candidate is a row of the gallery, which has numbers of its own.
    rows = GalleryItem.objects.of(seller).filter(deleted=False, original__image__state=ImageState.READY)
    by_row = rows.select_related("original__image__blob").in_bulk(copies)
    return next((by_row[row].original for row in copies if row in by_row), None)
