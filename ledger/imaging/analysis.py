"""Everything the ledger keeps about a picture, from one single decode. Runs inside the limited child process."""

import hashlib
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ledger.imaging.decode import decode_picture
from ledger.imaging.feature_blob import format_features, make_reference
from ledger.imaging.fingerprint import fingerprint
from ledger.imaging.metadata import read_metadata
from ledger.imaging.results import Analysis, format_analysis
from ledger.imaging.thumbnail import make_thumbnails

STRIP_BYTES = 1 << 18  # packed pixels hashed at a time; stays in the second-level cache


def analyse_picture(data: bytes, *, thumbnails: bool = True) -> Analysis:
    """Decode once and take digest, fingerprints, features, metadata and previews, or raise DecodeError."""
    picture = decode_picture(data)
    metadata = read_metadata(data)
    flags = dict.fromkeys((*picture.flags, *metadata.flags))
    return Analysis(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        source_mode=picture.source_mode,
        pixel_sha256=digest_pixels(picture.image),
        metadata=metadata,
        fingerprints=fingerprint(picture.image),
        thumbnails=make_thumbnails(picture.image) if thumbnails else (),
        flags=tuple(flags),
        features=format_features(make_reference(picture.pixels)),
    )


def digest_pixels(image: Image.Image) -> bytes:
    """SHA-256 of packed RGB rows, in strips: a whole copy of a 50 MP picture would be 150 MB."""
    digest = hashlib.sha256()
    rows = max(1, STRIP_BYTES // (3 * image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        digest.update(strip.tobytes())
    return digest.digest()


def features_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """For pictures analysed before: one blob in, the blob of its features out."""
    return {}, [format_features(make_reference(decode_picture(blobs[0]).pixels))]


def analyse_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """The sandbox's entrance: one blob in; JSON and the thumbnails out. `parse_analysis` reads it back."""
    analysis = analyse_picture(blobs[0], thumbnails=bool(params.get("thumbnails", True)))
    return format_analysis(analysis)
