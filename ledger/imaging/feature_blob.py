"""Features of one picture as bytes for the blob store, with a small grey portrait of it. Evidence: versioned, checked.

Little endian: magic, version, working frame (width, height), count of features, portrait length, CRC-32 of all but
itself, then geometry (uint16 x 4 each), descriptors (128 bytes each), tint (16 x 16 x 2), portrait (grey WebP). With
tint and portrait two pictures can be compared pixel by pixel, and the comparison shown, without the original file.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ledger.imaging.errors import ImagingError
from ledger.imaging.features import (
    DIMENSIONS,
    REFERENCE,
    Features,
    Grey,
    decode_geometry,
    encode_geometry,
    extract_grey,
    grey_frame,
)

MAGIC = b"OMSF"
VERSION = 2  # 2: spots are chosen fairly over the picture
HEADER = struct.Struct("<4sBxHHHI")
CHECKSUM = struct.Struct("<I")
PREFIX_BYTES = HEADER.size + CHECKSUM.size
BYTES_PER_FEATURE = 8 + DIMENSIONS
MAX_BYTES = 60_000
PORTRAIT_SIDE = 224
TINT_SIDE = 16
TINT_BYTES = 2 * TINT_SIDE**2
# Tried in turn until the blob fits: 400 features leave about 5 KB. Of 100 photos 46 fitted at 80, 27 at 60, 22 at 45 or
# 30, and 5 below.
PORTRAIT_QUALITIES = (80, 60, 45, 30, 15, 5, 0)
PORTRAIT_METHOD = 4  # libwebp's default effort


class FeatureBlobError(ImagingError):
    """A blob of features that is cut, altered or of an unknown version; detail says which."""

    code = "feature_blob"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What is kept of a picture for comparisons: its features, its portrait as grey WebP bytes, and its colours.

    tint: uint8 (16, 16, 2), Cr and Cb (ITU-R BT.601, 128 = grey) of a 16 x 16 reduction, whatever the picture's shape.
    """

    features: Features
    portrait: bytes
    tint: NDArray[np.uint8]

    def decode_portrait(self) -> Grey:
        """The portrait, uint8 (height, width) with a long side of at most 224, or FeatureBlobError."""
        try:
            with Image.open(io.BytesIO(self.portrait), formats=["WEBP"]) as image:
                if max(image.size) > PORTRAIT_SIDE:
                    raise FeatureBlobError(f"portrait of {image.width}x{image.height}")
                return np.asarray(image.convert("L"))
        except (OSError, ValueError, SyntaxError) as error:
            raise FeatureBlobError(f"portrait: {type(error).__name__}") from error


def make_reference(pixels: NDArray[np.uint8]) -> Reference:
    """Features and portrait of uint8 (height, width, 3) sRGB upright or grey pixels."""
    grey = grey_frame(pixels, REFERENCE)
    features = extract_grey(grey, REFERENCE)
    room = MAX_BYTES - PREFIX_BYTES - len(features) * BYTES_PER_FEATURE - TINT_BYTES
    return Reference(features, _portrait(grey, room), make_tint(pixels))


def make_tint(pixels: NDArray[np.uint8], side: int = TINT_SIDE) -> NDArray[np.uint8]:
    """uint8 (side, side, 2): Cr and Cb of a reduction of uint8 (height, width, 3) sRGB; 128 for grey pixels."""
    if pixels.ndim == 2:
        return np.full((side, side, 2), 128, np.uint8)
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    tint: NDArray[np.uint8] = np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)[..., 1:])
    return tint


def format_features(reference: Reference) -> bytes:
    """At most 60,000 bytes for a reference made here."""
    features = reference.features
    body = b"".join(
        (
            encode_geometry(features.geometry).astype("<u2").tobytes(),
            np.ascontiguousarray(features.descriptors).tobytes(),
            reference.tint.tobytes(),
            reference.portrait,
        )
    )
    counts = (features.width, features.height, len(features), len(reference.portrait))
    head = HEADER.pack(MAGIC, VERSION, *counts)
    return head + CHECKSUM.pack(zlib.crc32(body, zlib.crc32(head))) + body


def parse_features(data: bytes) -> Reference:
    """What `format_features` wrote, or FeatureBlobError."""
    if len(data) < PREFIX_BYTES:
        raise FeatureBlobError(f"{len(data)} bytes")
    magic, version, width, height, count, portrait_bytes = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FeatureBlobError("not a feature blob")
    if version != VERSION:
        raise FeatureBlobError(f"version {version}")
    head, body = data[: HEADER.size], memoryview(data)[PREFIX_BYTES:]
    if len(body) != count * BYTES_PER_FEATURE + TINT_BYTES + portrait_bytes:
        raise FeatureBlobError(f"{len(data)} bytes for {count} features")
    if CHECKSUM.unpack_from(data, HEADER.size) != (zlib.crc32(body, zlib.crc32(head)),):
        raise FeatureBlobError("checksum")
    geometry = np.frombuffer(body[: 8 * count], "<u2").reshape(count, 4)
    descriptors = np.frombuffer(body[8 * count : BYTES_PER_FEATURE * count], np.uint8).reshape(count, DIMENSIONS)
    features = Features(decode_geometry(geometry), descriptors, width, height)
    rest = body[BYTES_PER_FEATURE * count :]
    tint = np.frombuffer(rest[:TINT_BYTES], np.uint8).reshape(TINT_SIDE, TINT_SIDE, 2)
    return Reference(features, bytes(rest[TINT_BYTES:]), tint)


def _portrait(grey: Grey, room: int) -> bytes:
    image = Image.fromarray(grey)
    image.thumbnail((PORTRAIT_SIDE, PORTRAIT_SIDE), Image.Resampling.BOX)
    encoded = b""
    for quality in PORTRAIT_QUALITIES:
        out = io.BytesIO()
        image.save(out, "WEBP", quality=quality, method=PORTRAIT_METHOD)
        encoded = out.getvalue()
        if len(encoded) <= room:
            break
    return encoded
