"""What a file says about itself: EXIF, XMP, ICC, comments, quantisation tables. Claims, never proof.

Reads the file's own segments and never a pixel; broken parts become a flag. EXIF is read by Pillow, XMP by defusedxml
alone. Texts are cut and lose control characters, since a seller's page and a database will show and keep them.
"""

import hashlib
import math
import struct
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from ledger.imaging import structure
from ledger.imaging.exif_check import is_whole
from ledger.imaging.results import MAX_TEXT, Metadata, PrivateMetadata
from ledger.imaging.structure import Walk

MAX_XMP_BYTES = 1 << 20  # the main packet; extended XMP (depth maps) is not read
MAX_ICC_INFLATED = 4 << 20
MAX_COMMENTS = 8
MAX_COMMENTS_READ = 32

EXIF_HEADER = b"Exif\x00\x00"
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\x00"
ICC_HEADER = b"ICC_PROFILE\x00"
XMP_KEYWORD = b"XML:com.adobe.xmp"

NS_IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
NS_XMP = "{http://ns.adobe.com/xap/1.0/}"
NS_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

Values = dict[str, Any]


def read_metadata(data: bytes) -> Metadata:
    """Everything found, with flags for what could not be read. Never raises, whatever the bytes."""
    values: Values = {"private": PrivateMetadata()}
    flags: list[str] = []
    walked = structure.walk(data)
    readers: tuple[tuple[str, Callable[[bytes, Walk], Values]], ...] = (
        ("metadata_unreadable", _read_exif),
        ("metadata_unreadable", _check_exif),
        ("metadata_unreadable", _read_xmp),
        ("icc_unreadable", _read_icc),
        ("metadata_unreadable", _read_comments),
        ("metadata_unreadable", _read_tables),
        ("metadata_unreadable", _read_provenance),
    )
    for flag, reader in readers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow also warns about every oddity that it gets over
                values.update(reader(data, walked))
        except Exception:  # noqa: BLE001 - readers of hostile metadata fail in every way; the picture is still good
            flags.append(flag)
    if values.get("has_c2pa"):
        flags.append("c2pa")
    return Metadata(**values, flags=tuple(dict.fromkeys(flags)))


def clean_text(value: object) -> str:
    """Text fit for a page and a database: no control or formatting characters, one line, at most 200 characters."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str | int | float):
        return ""
    kept = "".join(
        " " if unicodedata.category(letter) == "Cc" else letter
        for letter in str(value)[: 4 * MAX_TEXT].rstrip("\x00")
        if unicodedata.category(letter) not in {"Cf", "Cs", "Co", "Cn"}
    )
    return " ".join(kept.split())[:MAX_TEXT]


# --- EXIF -----------------------------------------------------------------------------------------------------------


def _exif_block(data: bytes, walked: Walk) -> bytes | None:
    """The TIFF structure inside APP1, eXIf or EXIF, or None."""
    for payload in structure.payloads(data, walked, bytes((structure.APP1,))):
        if payload.startswith(EXIF_HEADER):
            return payload[len(EXIF_HEADER) :]
    for name in (b"eXIf", b"EXIF"):
        for payload in structure.payloads(data, walked, name):
            return payload.removeprefix(EXIF_HEADER)
    return None


def _check_exif(data: bytes, walked: Walk) -> Values:
    """Pillow reads around what is broken; that something is broken is worth saying."""
    block = _exif_block(data, walked)
    if block is not None and not is_whole(block):
        raise ValueError("EXIF directories or values lie outside of the block")
    return {}


def _read_exif(data: bytes, walked: Walk) -> Values:
    block = _exif_block(data, walked)
    if block is None:
        return {}
    exif = Image.Exif()
    exif.load(EXIF_HEADER + block)
    main: Mapping[int, Any] = dict(exif)
    details: Mapping[int, Any] = exif.get_ifd(IFD.Exif)
    place: Mapping[int, Any] = exif.get_ifd(IFD.GPSInfo)
    orientation = main.get(Base.Orientation)
    iso = details.get(Base.ISOSpeedRatings)
    return {
        "has_exif": True,
        "camera_make": clean_text(main.get(Base.Make)),
        "camera_model": clean_text(main.get(Base.Model)),
        "lens_model": clean_text(details.get(Base.LensModel)),
        "captured_at": _moment(details.get(Base.DateTimeOriginal), details.get(Base.OffsetTimeOriginal)),
        "modified_at": _moment(main.get(Base.DateTime), details.get(Base.OffsetTime)),
        "software": clean_text(main.get(Base.Software)),
        "description": clean_text(main.get(Base.ImageDescription)),
        "copyright": clean_text(main.get(Base.Copyright)),
        "orientation": orientation if isinstance(orientation, int) and 0 <= orientation <= 0xFFFF else None,
        "exposure_time_s": _number(details.get(Base.ExposureTime)),
        "f_number": _number(details.get(Base.FNumber)),
        "iso": iso if isinstance(iso, int) and 0 < iso < 1 << 31 else None,
        "focal_length_mm": _number(details.get(Base.FocalLength)),
        "private": PrivateMetadata(
            latitude=_degrees(place.get(GPS.GPSLatitude), place.get(GPS.GPSLatitudeRef), 90.0),
            longitude=_degrees(place.get(GPS.GPSLongitude), place.get(GPS.GPSLongitudeRef), 180.0),
            altitude_m=_altitude(place.get(GPS.GPSAltitude), place.get(GPS.GPSAltitudeRef)),
            gps_time=_gps_time(place),
            body_serial=clean_text(details.get(Base.BodySerialNumber)),
            lens_serial=clean_text(details.get(Base.LensSerialNumber)),
            owner=clean_text(details.get(Base.CameraOwnerName)),
            artist=clean_text(main.get(Base.Artist)),
        ),
    }


def _number(value: Any) -> float | None:
    """A finite float out of a rational, or None: x/0 and NaN exist in real files and in no JSON."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return round(number, 9) if math.isfinite(number) else None


def _moment(value: Any, offset: Any = None) -> str:
    """EXIF's `2024:05:01 12:30:00` as `2024-05-01T12:30:00`, with `+08:00` where the file says so; else empty."""
    text = clean_text(value)
    digits = text.replace(":", "").replace(" ", "").replace("-", "").replace("T", "")
    if len(text) < 19 or len(digits) < 14 or not digits[:14].isascii() or not digits[:14].isdigit():
        return ""
    if not int(digits[:8]):
        return ""
    day, clock = digits[:8], digits[8:14]
    zone = clean_text(offset)
    is_zone = len(zone) == 6 and zone[0] in "+-" and zone[3] == ":" and (zone[1:3] + zone[4:]).isdecimal()
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}{zone if is_zone else ''}"


def _degrees(value: Any, reference: Any, limit: float) -> float | None:
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    parts = [_number(part) for part in value]
    if any(part is None for part in parts):
        return None
    degrees, minutes, seconds = (part or 0.0 for part in parts)
    total = degrees + minutes / 60 + seconds / 3600
    if not 0 <= total <= limit:
        return None
    return round(-total if clean_text(reference).upper() in {"S", "W"} else total, 7)


def _altitude(value: Any, reference: Any) -> float | None:
    metres = _number(value)
    if metres is None:
        return None
    return -metres if reference in {1, b"\x01"} else metres


def _gps_time(place: Mapping[int, Any]) -> str:
    day = clean_text(place.get(GPS.GPSDateStamp))
    clock = place.get(GPS.GPSTimeStamp)
    if not isinstance(clock, tuple) or len(clock) != 3:
        return ""
    parts = [_number(part) for part in clock]
    if any(part is None or not 0 <= part < 61 for part in parts):
        return ""
    hour, minute, second = (int(part or 0) for part in parts)
    moment = _moment(f"{day} {hour:02}:{minute:02}:{second:02}")
    return f"{moment}Z" if moment else ""


# --- XMP ------------------------------------------------------------------------------------------------------------


def _xmp_packet(data: bytes, walked: Walk) -> bytes | None:
    for payload in structure.payloads(data, walked, bytes((structure.APP1,))):
        if payload.startswith(XMP_HEADER):
            return payload[len(XMP_HEADER) :]
    for payload in structure.payloads(data, walked, b"XMP "):
        return payload
    for payload in structure.payloads(data, walked, b"iTXt"):
        keyword, _, rest = payload.partition(b"\x00")
        if keyword == XMP_KEYWORD and rest[:1] == b"\x00":  # XMP is never compressed, its specification says
            return rest[2:].split(b"\x00", 2)[-1]
    return None


def _read_xmp(data: bytes, walked: Walk) -> Values:
    packet = _xmp_packet(data, walked)
    if packet is None:
        return {}
    if len(packet) > MAX_XMP_BYTES:
        raise ValueError("XMP packet too large")
    try:
        root = fromstring(packet.strip(b"\x00 \r\n\t"), forbid_dtd=True)
    except (DefusedXmlException, ParseError) as error:
        raise ValueError("XMP unreadable") from error
    source_type = _xmp_value(root, NS_IPTC_EXT + "DigitalSourceType")
    return {
        "has_xmp": True,
        "digital_source_type": clean_text(source_type.rstrip("/").rpartition("/")[2]),
        "creator_tool": clean_text(_xmp_value(root, NS_XMP + "CreatorTool")),
    }


def _xmp_value(root: Element, name: str) -> str:
    """A property's value, whether written as an attribute, as text, or as an rdf:resource; else empty."""
    for element in root.iter():
        if name in element.attrib:
            return element.attrib[name]
        if element.tag == name:
            return element.text or element.attrib.get(NS_RDF + "resource", "")
    return ""


# --- ICC, comments, tables, provenance ------------------------------------------------------------------------------


def _icc_profile(data: bytes, walked: Walk) -> bytes:
    parts = {}
    for payload in structure.payloads(data, walked, bytes((structure.APP2,))):
        if payload.startswith(ICC_HEADER) and len(payload) > len(ICC_HEADER) + 2:
            parts[payload[len(ICC_HEADER)]] = payload[len(ICC_HEADER) + 2 :]
    if parts:
        return b"".join(parts[number] for number in sorted(parts))
    for payload in structure.payloads(data, walked, b"ICCP"):
        return payload
    for payload in structure.payloads(data, walked, b"iCCP"):
        return zlib.decompressobj().decompress(payload.partition(b"\x00")[2][1:], MAX_ICC_INFLATED)
    return b""


def _read_icc(data: bytes, walked: Walk) -> Values:
    profile = _icc_profile(data, walked)
    return {"icc_bytes": len(profile), "icc_name": _icc_name(profile)} if profile else {}


def _icc_name(profile: bytes) -> str:
    """The text of the `desc` tag: a textDescription (ICC.1:2001) or the first record of an mluc (ICC.1:2010)."""
    count = struct.unpack_from(">I", profile, 128)[0]
    for index in range(min(count, 100)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name != b"desc":
            continue
        tag = profile[offset : offset + size]
        if tag[:4] == b"mluc":
            length, start = struct.unpack_from(">II", tag, 20)
            return clean_text(tag[start : start + length].decode("utf-16-be", "replace"))
        length = struct.unpack_from(">I", tag, 8)[0]
        return clean_text(tag[12 : 12 + length].split(b"\x00")[0].decode("latin-1"))
    return ""


def _read_comments(data: bytes, walked: Walk) -> Values:
    found = [clean_text(comment) for comment in islice(_comments(data, walked), MAX_COMMENTS_READ)]
    software = next((text.partition(": ")[2] for text in found if text.startswith("Software: ")), "")
    values: Values = {"comments": tuple(text for text in found if text)[:MAX_COMMENTS]}
    return values | ({"software": software} if software else {})


def _comments(data: bytes, walked: Walk) -> Iterator[str]:
    """JPEG comments, and PNG texts as `Keyword: text`. Compressed PNG texts are named, not inflated."""
    for payload in structure.payloads(data, walked, bytes((structure.COM,))):
        yield payload[: 4 * MAX_TEXT].decode("utf-8", "replace")
    for payload in structure.payloads(data, walked, b"tEXt"):
        keyword, _, text = payload[: 4 * MAX_TEXT].partition(b"\x00")
        yield f"{keyword.decode('latin-1')}: {text.decode('latin-1')}"
    for payload in structure.payloads(data, walked, b"iTXt"):
        keyword, _, rest = payload[: 8 * MAX_TEXT].partition(b"\x00")
        text = rest[2:].split(b"\x00", 2)[-1] if rest[:1] == b"\x00" else b"(compressed)"
        if keyword != XMP_KEYWORD:
            yield f"{keyword.decode('latin-1')}: {text.decode('utf-8', 'replace')}"
    for payload in structure.payloads(data, walked, b"zTXt"):
        keyword = payload[:80].partition(b"\x00")[0]
        yield f"{keyword.decode('latin-1')}: (compressed)"


def _read_tables(data: bytes, walked: Walk) -> Values:
    """Quantisation tables: the quality an encoder of the IJG family was asked for, and a digest to compare by."""
    tables: dict[int, tuple[int, ...]] = {}
    for payload in structure.payloads(data, walked, bytes((structure.DQT,))):
        tables.update(_quantisation_tables(payload))
    if not tables:
        return {}
    packed = b"".join(bytes((number,)) + struct.pack(">64H", *tables[number]) for number in sorted(tables))
    quality, standard = _estimate_quality(tables.get(0, tables[min(tables)]))
    frames = {segment.name[0] for segment in walked.segments if segment.name[0] in structure.SOF}
    return {
        "jpeg_quality": quality,
        "jpeg_standard_tables": standard,
        "jpeg_tables_sha256": hashlib.sha256(packed).hexdigest(),
        "jpeg_progressive": bool(frames & {0xC2, 0xC6, 0xCA, 0xCE}),
    }


def _quantisation_tables(payload: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(number, 64 values in zigzag order) for each table of one DQT segment; ITU-T T.81 B.2.4.1."""
    position = 0
    while position < len(payload):
        wide, number = payload[position] >> 4, payload[position] & 15
        layout = ">64H" if wide else ">64B"
        if wide > 1 or position + 1 + struct.calcsize(layout) > len(payload):
            return
        yield number, struct.unpack_from(layout, payload, position + 1)
        position += 1 + struct.calcsize(layout)


def _estimate_quality(luminance: tuple[int, ...]) -> tuple[int, bool]:
    """The IJG quality whose luminance table is nearest, and whether it is that very table."""
    tables, sums = _standard_tables()
    total = sum(luminance)
    # Sums fall as quality rises, so the nearest table is among those with the nearest sums.
    near = sorted(range(100), key=lambda index: abs(sums[index] - total))[:3]
    distances = {
        index: sum(abs(ours - theirs) for ours, theirs in zip(luminance, tables[index], strict=True)) for index in near
    }
    best = min(near, key=distances.__getitem__)
    return best + 1, distances[best] == 0


@lru_cache(maxsize=1)
def _standard_tables() -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Luminance tables of qualities 1..100 in zigzag order, and their sums: ITU-T T.81 table K.1 scaled as jpeg_quality_scaling does."""
    tables = []
    for quality in range(1, 101):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        tables.append(tuple(min(max((value * scale + 50) // 100, 1), 255) for value in LUMINANCE))
    return tuple(tables), tuple(map(sum, tables))


# ITU-T T.81 table K.1 in zigzag order.
# fmt: off
LUMINANCE = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)
# fmt: on


def _read_provenance(data: bytes, walked: Walk) -> Values:
    """Whether C2PA claims are embedded (JUMBF in APP11, caBX or C2PA chunk); they are not verified here."""
    jumbf = any(b"jumb" in payload[:64] for payload in structure.payloads(data, walked, bytes((structure.APP11,))))
    chunk = any(segment.name in {b"caBX", b"C2PA"} for segment in walked.segments)
    return {"has_c2pa": jumbf or chunk}
