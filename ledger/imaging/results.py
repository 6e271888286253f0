"""What is known about one picture, as plain records that cross the border of the child process as JSON and bytes.

No image library is imported here, so that a web process can read results without being able to decode anything.
`format_analysis` and `parse_analysis` round-trip; what is read back comes from a process that has touched hostile
bytes, so its types are checked.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

MAX_TEXT = 200  # characters kept of any text a file claims about itself


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`value` is 8 bytes, first bit of the first row first. `quality` 0..100: how much picture there was to code.

    A blank sheet has quality 0 and matches every other blank sheet: search leaves low quality alone.
    """

    algorithm: str
    version: int
    value: bytes
    quality: int


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """`data` is a WebP without metadata; `long_side` is the box it was made for, smaller pictures keep their size."""

    long_side: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class PrivateMetadata:
    """What a seller shows to nobody unless he chooses to: place, serial numbers, names. Degrees WGS 84, metres."""

    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    gps_time: str = ""
    body_serial: str = ""
    lens_serial: str = ""
    owner: str = ""
    artist: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the file says about itself: claims, none of them checked. Empty text or None where it says nothing.

    captured_at is EXIF's own `YYYY:MM:DD HH:MM:SS` turned into ISO 8601, with the zone only when the file has one.
    digital_source_type is the last part of the IPTC URI, such as trainedAlgorithmicMedia.
    flags: metadata_unreadable, icc_unreadable, c2pa.
    """

    camera_make: str = ""
    camera_model: str = ""
    lens_model: str = ""
    captured_at: str = ""
    modified_at: str = ""
    software: str = ""
    description: str = ""
    copyright: str = ""
    orientation: int | None = None
    exposure_time_s: float | None = None
    f_number: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None
    icc_name: str = ""
    icc_bytes: int = 0
    has_exif: bool = False
    has_xmp: bool = False
    has_c2pa: bool = False
    digital_source_type: str = ""
    creator_tool: str = ""
    comments: tuple[str, ...] = ()
    jpeg_quality: int | None = None
    jpeg_standard_tables: bool = False
    jpeg_tables_sha256: str = ""
    jpeg_progressive: bool = False
    private: PrivateMetadata = field(default_factory=PrivateMetadata)
    flags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values; `parse_metadata` is its inverse."""
        values = asdict(self)
        values["comments"], values["flags"] = list(self.comments), list(self.flags)
        return values


@dataclass(frozen=True, slots=True)
class Analysis:
    """Width and height are upright. pixel_sha256 is the SHA-256 of the upright sRGB pixels, 3 bytes each, row by row.

    features: the blob of feature_blob.py, at most 60,000 bytes.
    """

    width: int
    height: int
    format: str
    source_mode: str
    pixel_sha256: bytes
    metadata: Metadata
    fingerprints: tuple[Fingerprint, ...]
    thumbnails: tuple[Thumbnail, ...]
    flags: tuple[str, ...]
    features: bytes


def parse_metadata(values: dict[str, Any]) -> Metadata:
    """Metadata from its JSON; fields it does not know are dropped, missing ones keep their default."""
    known = {item.name for item in fields(Metadata)}
    private_known = {item.name for item in fields(PrivateMetadata)}
    kept = {name: value for name, value in values.items() if name in known}
    private = {name: value for name, value in dict(kept.pop("private", {})).items() if name in private_known}
    kept["comments"] = tuple(kept.get("comments", ()))
    kept["flags"] = tuple(kept.get("flags", ()))
    return Metadata(**kept, private=PrivateMetadata(**private))


def format_analysis(analysis: Analysis) -> tuple[dict[str, Any], list[bytes]]:
    """JSON values, and the thumbnails' bytes in order, the features' bytes last."""
    values: dict[str, Any] = {
        "width": analysis.width,
        "height": analysis.height,
        "format": analysis.format,
        "source_mode": analysis.source_mode,
        "pixel_sha256": analysis.pixel_sha256.hex(),
        "metadata": analysis.metadata.to_json(),
        "fingerprints": [
            {"algorithm": item.algorithm, "version": item.version, "value": item.value.hex(), "quality": item.quality}
            for item in analysis.fingerprints
        ],
        "thumbnails": [
            {"long_side": item.long_side, "width": item.width, "height": item.height} for item in analysis.thumbnails
        ],
        "flags": list(analysis.flags),
    }
    return values, [*(item.data for item in analysis.thumbnails), analysis.features]


def parse_analysis(values: dict[str, Any], blobs: Sequence[bytes]) -> Analysis:
    """The analysis that `format_analysis` wrote; ValueError, KeyError or TypeError where it is malformed."""
    *previews, features = blobs
    fingerprints = tuple(
        Fingerprint(str(item["algorithm"]), int(item["version"]), bytes.fromhex(item["value"]), int(item["quality"]))
        for item in values["fingerprints"]
    )
    thumbnails = tuple(
        Thumbnail(int(item["long_side"]), int(item["width"]), int(item["height"]), bytes(blob))
        for item, blob in zip(values["thumbnails"], previews, strict=True)
    )
    return Analysis(
        width=int(values["width"]),
        height=int(values["height"]),
        format=str(values["format"]),
        source_mode=str(values["source_mode"]),
        pixel_sha256=bytes.fromhex(values["pixel_sha256"]),
        metadata=parse_metadata(values["metadata"]),
        fingerprints=fingerprints,
        thumbnails=thumbnails,
        flags=tuple(str(flag) for flag in values["flags"]),
        features=bytes(features),
    )
