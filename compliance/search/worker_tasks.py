"""What runs in the limited child process for a search: one query picture in, its features out.

Entrance for `ledger.imaging.sandbox`: `query.QUERY_FEATURES_TASK`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from compliance.search.query import Query, QueryFeatures, format_features, usable_views
from ledger.imaging.analysis import digest_pixels
from ledger.imaging.decode import decode_picture
from ledger.imaging.fingerprint import dihedral_fingerprints
from ledger.imaging.metadata import read_metadata
from ledger.imaging.thumbnail import make_thumbnails


def extract_features(data: bytes, *, thumbnails: bool = True) -> QueryFeatures:
    """Decode once and take everything a search needs, or raise DecodeError."""
    picture = decode_picture(data)
    metadata = read_metadata(data)
    views = dihedral_fingerprints(picture.image)
    return QueryFeatures(
        query=Query(hashlib.sha256(data).digest(), digest_pixels(picture.image), usable_views(views)),
        width=picture.width,
        height=picture.height,
        format=picture.format,
        quality=min(item.quality for item in views[0]),
        flags=tuple(dict.fromkeys((*picture.flags, *metadata.flags))),
        thumbnails=make_thumbnails(picture.image) if thumbnails else (),
    )


def query_features_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """One blob in; JSON and previews out. `parse_features` reads it back."""
    return format_features(extract_features(blobs[0], thumbnails=bool(params.get("thumbnails", True))))
