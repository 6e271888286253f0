"""The skeleton of a picture file: segments, chunks and where the picture ends. No pixel is decoded here.

JPEG markers: ITU-T T.81 annex B. PNG chunks: W3C PNG third edition, section 5. WebP: RFC 9649.
The walkers never fail; what is cut short simply ends early, and `end` stays None when no end marker was met.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_JPEG_SCANS = 100  # libjpeg-turbo's fuzzers stop at 500; cameras and jpegtran write at most about 12
MAX_JPEG_SEGMENTS = 20_000
MAX_PNG_CHUNKS = 20_000
MAX_PNG_DATA_CHUNKS = 200_000  # sound encoders write at least 8 KiB in each: 50 MiB is 6,400 of them
MAX_WEBP_CHUNKS = 20_000

# The loops below are Python: every one of them has to be bounded by a count, never by the size of the file alone.
JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

SOI, EOI, SOS, COM = 0xD8, 0xD9, 0xDA, 0xFE
APP0, APP1, APP2, APP11, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE
DQT = 0xDB
# Start-of-frame markers: C0..CF without the Huffman table (C4), the reserved C8 and the arithmetic table (CC).
SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
STANDALONE = frozenset({0x00, 0x01, SOI, *range(0xD0, 0xD8)})

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # inside entropy-coded data, stuffing and restarts belong to it
_FILL = re.compile(rb"\xff+")  # any number of fill bytes may stand before a marker
_IDAT = b"IDAT"


@dataclass(frozen=True, slots=True)
class Segment:
    """One JPEG segment or PNG/WebP chunk: its name and where its payload lies in the file."""

    name: bytes
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk met. `end` is the offset after the end marker, None when the file stops before it."""

    segments: tuple[Segment, ...]
    end: int | None
    scans: int = 0
    overflow: bool = False


def walk_jpeg(data: bytes, start: int = 0) -> Walk:
    """Markers of one JPEG stream from its SOI at `start`; names are single marker bytes, payloads lack the length."""
    segments: list[Segment] = []
    scans, position, size = 0, start + 2, len(data)
    for _ in range(MAX_JPEG_SEGMENTS):
        if position >= size:
            break
        fill = _FILL.search(data, position)  # garbage between segments: decoders skip it, so do we
        if fill is None or fill.end() >= size:
            break
        position = fill.end()
        marker = data[position]
        position += 1
        if marker == EOI:
            return Walk(tuple(segments), position, scans)
        if marker in STANDALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > size:
            break
        segments.append(Segment(bytes((marker,)), position + 2, position + length))
        position += length
        if marker == SOS:
            scans += 1
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
        if scans > MAX_JPEG_SCANS:
            return Walk(tuple(segments), None, scans)
    else:
        return Walk(tuple(segments), None, scans, overflow=True)
    return Walk(tuple(segments), None, scans)


def walk_png(data: bytes) -> Walk:
    """Chunks of a PNG. Picture data counts as one segment however many IDAT chunks carry it."""
    segments: list[Segment] = []
    position, size, last, data_chunks = len(PNG_MAGIC), len(data), b"", 0
    while position + 12 <= size:
        length = int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        stop = position + 8 + length
        if name != _IDAT or last != _IDAT:
            segments.append(Segment(name, position + 8, min(stop, size)))
        data_chunks += name == _IDAT
        if len(segments) > MAX_PNG_CHUNKS or data_chunks > MAX_PNG_DATA_CHUNKS:
            return Walk(tuple(segments), None, overflow=True)
        last = name
        position = stop + 4
        if name == b"IEND":
            return Walk(tuple(segments), min(position, size) if position <= size else None)
    return Walk(tuple(segments), None)


def walk_webp(data: bytes) -> Walk:
    """Chunks of a WebP; the end is what the RIFF header declares."""
    segments: list[Segment] = []
    declared = 8 + int.from_bytes(data[4:8], "little")
    declared += declared & 1
    position, limit = 12, min(declared, len(data))
    while position + 8 <= limit:
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        segments.append(Segment(data[position : position + 4], position + 8, min(position + 8 + length, limit)))
        if len(segments) > MAX_WEBP_CHUNKS:
            return Walk(tuple(segments), None, overflow=True)
        position += 8 + length + (length & 1)
    # An odd last chunk may lack its padding byte: writers disagree, decoders do not mind.
    return Walk(tuple(segments), min(declared, len(data)) if declared <= len(data) + 1 else None)


def picture_format(data: bytes) -> str | None:
    """JPEG, PNG or WEBP by the first bytes, or None."""
    if data[:3] == JPEG_MAGIC:
        return "JPEG"
    if data[:8] == PNG_MAGIC:
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return None


def walk(data: bytes) -> Walk:
    """The walk that fits the file's own format; an empty one for any other file."""
    match picture_format(data):
        case "JPEG":
            return walk_jpeg(data)
        case "PNG":
            return walk_png(data)
        case "WEBP":
            return walk_webp(data)
    return Walk((), None)


def jpeg_dimensions(data: bytes, walked: Walk) -> tuple[int, int] | None:
    """Width and height from the first frame header, or None."""
    for segment in walked.segments:
        if segment.name[0] in SOF and segment.stop - segment.start >= 6:
            height = int.from_bytes(data[segment.start + 1 : segment.start + 3], "big")
            width = int.from_bytes(data[segment.start + 3 : segment.start + 5], "big")
            return width, height
    return None


def png_dimensions(data: bytes, walked: Walk) -> tuple[int, int] | None:
    """Width and height from IHDR, which has to come first and to be 13 bytes long, or None."""
    if not walked.segments or walked.segments[0].name != b"IHDR":
        return None
    header = walked.segments[0]
    if header.stop - header.start != 13:
        return None
    start = header.start
    return int.from_bytes(data[start : start + 4], "big"), int.from_bytes(data[start + 4 : start + 8], "big")


def webp_dimensions(data: bytes, walked: Walk) -> tuple[int, int] | None:
    """Canvas width and height: VP8X when there is one, else the frame's own header, or None."""
    for segment in walked.segments:
        payload = data[segment.start : min(segment.stop, segment.start + 10)]
        if segment.name == b"VP8X" and len(payload) == 10:
            return int.from_bytes(payload[4:7], "little") + 1, int.from_bytes(payload[7:10], "little") + 1
        if segment.name == b"VP8 " and len(payload) == 10 and payload[3:6] == b"\x9d\x01\x2a":
            width = int.from_bytes(payload[6:8], "little") & 0x3FFF
            return width, int.from_bytes(payload[8:10], "little") & 0x3FFF
        if segment.name == b"VP8L" and len(payload) >= 5 and payload[0] == 0x2F:
            bits = int.from_bytes(payload[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def find_dimensions(data: bytes, walked: Walk) -> tuple[int, int] | None:
    """Declared width and height as stored (before any EXIF orientation), or None when the header has none."""
    match picture_format(data):
        case "JPEG":
            return jpeg_dimensions(data, walked)
        case "PNG":
            return png_dimensions(data, walked)
        case "WEBP":
            return webp_dimensions(data, walked)
    return None


def payloads(data: bytes, walked: Walk, name: bytes) -> Iterator[bytes]:
    """The payloads of every segment of that name, in file order."""
    for segment in walked.segments:
        if segment.name == name:
            yield data[segment.start : segment.stop]
