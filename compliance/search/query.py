"""What is known of a query picture, as plain records that come back from the child process that touched its bytes.

Nothing here decodes; what is read back is checked, because its author has looked at hostile bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.imaging.features import DIMENSIONS, Features, decode_geometry, encode_geometry
from ledger.imaging.results import Fingerprint, Thumbnail

QUERY_FEATURES_TASK = "compliance.search.worker_tasks:query_features_task"
QUERY_SPOTS_TASK = "compliance.search.worker_tasks:query_spots_task"
# The names ledger.imaging.fingerprint gives its two algorithms and its eight views; repeated because importing that
# module would load the image libraries. A test keeps them equal.
PHASH = "phash64"
DHASH = "dhash64"
VIEW_NAMES = ("upright", "rot90", "rot180", "rot270", "mirror", "mirror_rot90", "mirror_rot180", "mirror_rot270")
# Below this a picture is nearly one plain area (see Fingerprint.quality); its fingerprints resemble every other such
# picture, so it is found by its digests or not at all.
MIN_QUALITY = 4

View = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Query:
    """What an index can be asked with. views: (phash, dhash) in the order of VIEW_NAMES; () = digests only."""

    sha256: bytes
    pixel_sha256: bytes = b""
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What a comparison sees of a query, uint8: coarse (h, w) grey of at most 448 px, frame (h, w) grey of at most 640,
    tint (64, 64, 2), see ledger/imaging/edits.py."""

    coarse: NDArray[np.uint8]
    frame: NDArray[np.uint8]
    tint: NDArray[np.uint8]

    def arrays(self) -> tuple[NDArray[np.uint8], ...]:
        """The three, in the order in which they cross the border of the child process."""
        return self.coarse, self.frame, self.tint


@dataclass(frozen=True, slots=True)
class QueryFeatures:
    """A decoded query: what to ask with, its upright size in pixels, its flags (see Picture), its previews."""

    query: Query
    looks: Looks
    width: int
    height: int
    format: str
    quality: int
    flags: tuple[str, ...]
    thumbnails: tuple[Thumbnail, ...]


def view_of(fingerprints: Sequence[Fingerprint]) -> View:
    """(phash, dhash) as numbers out of the fingerprints of one picture."""
    values = {item.algorithm: int.from_bytes(item.value, "big") for item in fingerprints}
    return values[PHASH], values[DHASH]


def usable_views(views: Sequence[Sequence[Fingerprint]]) -> tuple[View, ...]:
    """The views of a query, or () when the picture is too plain for its fingerprints to mean anything."""
    if not views or any(item.quality < MIN_QUALITY for item in views[0]):
        return ()
    return tuple(view_of(fingerprints) for fingerprints in views)


def format_features(features: QueryFeatures) -> tuple[dict[str, Any], list[bytes]]:
    """JSON values, and the bytes of the looks and the previews in order."""
    looks = features.looks.arrays()
    values: dict[str, Any] = {
        "sha256": features.query.sha256.hex(),
        "pixel_sha256": features.query.pixel_sha256.hex(),
        "views": [[f"{phash:016x}", f"{dhash:016x}"] for phash, dhash in features.query.views],
        "looks": [list(array.shape) for array in looks],
        "width": features.width,
        "height": features.height,
        "format": features.format,
        "quality": features.quality,
        "flags": list(features.flags),
        "thumbnails": [{"long_side": t.long_side, "width": t.width, "height": t.height} for t in features.thumbnails],
    }
    return values, [*(array.tobytes() for array in looks), *(item.data for item in features.thumbnails)]


def parse_features(values: dict[str, Any], blobs: Sequence[bytes]) -> QueryFeatures:
    """The features that `format_features` wrote; ValueError, KeyError or TypeError where they are malformed."""
    views = tuple((_code(phash), _code(dhash)) for phash, dhash in values["views"])
    if len(views) not in (0, len(VIEW_NAMES)):
        raise ValueError(f"{len(views)} views")
    shapes = [tuple(int(side) for side in shape) for shape in values["looks"]]
    coarse, frame, tint = (_array(blob, shape) for blob, shape in zip(blobs[: len(shapes)], shapes, strict=True))
    if coarse.ndim != 2 or frame.ndim != 2 or tint.ndim != 3 or tint.shape[2] != 2:
        raise ValueError(f"looks of {shapes}")
    thumbnails = tuple(
        Thumbnail(int(item["long_side"]), int(item["width"]), int(item["height"]), bytes(blob))
        for item, blob in zip(values["thumbnails"], blobs[len(shapes) :], strict=True)
    )
    return QueryFeatures(
        looks=Looks(coarse, frame, tint),
        query=Query(_digest(values["sha256"]), _digest(values["pixel_sha256"]), views),
        width=int(values["width"]),
        height=int(values["height"]),
        format=str(values["format"]),
        quality=int(values["quality"]),
        flags=tuple(str(flag) for flag in values["flags"]),
        thumbnails=thumbnails,
    )


def format_spots(features: Features) -> tuple[dict[str, Any], list[bytes]]:
    """Local features as JSON values and two blobs."""
    geometry = encode_geometry(features.geometry)
    values = {"width": features.width, "height": features.height}
    return values, [geometry.tobytes(), np.ascontiguousarray(features.descriptors).tobytes()]


def parse_spots(values: dict[str, Any], blobs: Sequence[bytes]) -> Features:
    """The features that `format_spots` wrote; ValueError, KeyError or TypeError where they are malformed."""
    codes, descriptors = blobs
    geometry = decode_geometry(np.frombuffer(codes, np.uint16).reshape(-1, 4))
    spots = np.frombuffer(descriptors, np.uint8).reshape(len(geometry), DIMENSIONS)
    return Features(geometry, spots, int(values["width"]), int(values["height"]))


def _array(blob: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(blob, np.uint8).reshape(shape)


def _code(text: str) -> int:
    value = bytes.fromhex(text)
    if len(value) != 8:
        raise ValueError(f"fingerprint of {len(value)} bytes")
    return int.from_bytes(value, "big")


def _digest(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != 32:
        raise ValueError(f"digest of {len(value)} bytes")
    return value
