"""What runs in the limited child process for a search: one query picture in, what a search needs of it out.

Entrances for `ledger.imaging.sandbox`: `query.QUERY_FEATURES_TASK`, and `QUERY_SPOTS_TASK` where digests and
fingerprints have not settled everything: local features cost ten times the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from compliance.search.hints import coarse_look
from compliance.search.query import Looks, Query, QueryFeatures, format_features, format_spots, usable_views
from ledger.imaging.analysis import digest_pixels
from ledger.imaging.decode import decode_picture
from ledger.imaging.edits import TINT_SAMPLE
from ledger.imaging.feature_blob import make_tint
from ledger.imaging.features import QUERY, extract_grey, grey_frame
from ledger.imaging.fingerprint import dihedral_fingerprints
from ledger.imaging.metadata import read_metadata
from ledger.imaging.thumbnail import make_thumbnails


def extract_features(data: bytes, *, thumbnails: bool = True) -> QueryFeatures:
    """Decode once and take everything a search needs, or raise DecodeError."""
    picture = decode_picture(data)
    pixels = picture.pixels
    metadata = read_metadata(data)
    views = dihedral_fingerprints(picture.image)
    return QueryFeatures(
        query=Query(hashlib.sha256(data).digest(), digest_pixels(picture.image), usable_views(views)),
        looks=Looks(coarse_look(pixels), grey_frame(pixels, QUERY), make_tint(pixels, TINT_SAMPLE)),
        width=picture.width,
        height=picture.height,
        format=picture.format,
        quality=min(item.quality for item in views[0]),
        flags=tuple(dict.fromkeys((*picture.flags, *metadata.flags))),
        thumbnails=make_thumbnails(picture.image) if thumbnails else (),
    )


def query_features_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """One blob in; JSON, looks and previews out. `parse_features` reads it back."""
    return format_features(extract_features(blobs[0], thumbnails=bool(params.get("thumbnails", True))))


def query_spots_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """The grey frame of a query in; its local features out. `parse_spots` reads them back."""
    frame = np.frombuffer(blobs[0], np.uint8).reshape(int(params["height"]), int(params["width"]))
    return format_spots(extract_grey(frame, QUERY))
