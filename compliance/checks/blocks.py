"""Which kinds of metadata a file carries, told from its segments alone, so that an unreadable block counts too.

Not counted: what decoders need to show the picture (JFIF, Adobe transform, ICC profile) and PNG's time stamp.
"""

from ledger.imaging import structure
from ledger.imaging.metadata import read_metadata

XMP_START = (b"http://ns.adobe.com/xap/1.0/", b"http://ns.adobe.com/xmp/extension/")
NAMED_CHUNKS = {
    b"eXIf": "EXIF",
    b"EXIF": "EXIF",
    b"XMP ": "XMP",
    b"tEXt": "PNG text",
    b"zTXt": "PNG text",
    b"caBX": "JUMBF",
    b"C2PA": "JUMBF",
}
NEEDED_APPS = frozenset({structure.APP0, structure.APP2, structure.APP14})
APPS = range(0xE0, 0xF0)


def list_blocks(data: bytes) -> tuple[str, ...]:
    """The kinds found, each once, in file order: EXIF, XMP, IPTC, JUMBF, comment, PNG text, or APPn for others."""
    is_jpeg = structure.picture_format(data) == "JPEG"
    name_block = _name_jpeg_block if is_jpeg else _name_chunk
    found = []
    for segment in structure.walk(data).segments:
        payload = data[segment.start : min(segment.stop, segment.start + 64)]
        found.append(name_block(segment.name, payload))
    return tuple(dict.fromkeys(name for name in found if name))


def has_position(data: bytes) -> bool:
    """Whether the file tells a place on earth, in EXIF or in XMP."""
    private = read_metadata(data).private
    if private.latitude is not None or private.longitude is not None or private.altitude_m is not None:
        return True
    walked = structure.walk(data)
    packets = (bytes((structure.APP1,)), b"XMP ", b"iTXt")
    return any(b"GPSLatitude" in payload for name in packets for payload in structure.payloads(data, walked, name))


def _name_jpeg_block(name: bytes, payload: bytes) -> str:
    marker = name[0]
    if marker == structure.COM:
        return "comment"
    if marker not in APPS or marker in NEEDED_APPS:
        return ""
    if marker == structure.APP1 and payload.startswith(XMP_START):
        return "XMP"
    if marker == structure.APP1 and payload.startswith(b"Exif"):
        return "EXIF"
    if marker == structure.APP11:
        return "JUMBF"
    return "IPTC" if marker == structure.APP13 else f"APP{marker - APPS.start}"


def _name_chunk(name: bytes, payload: bytes) -> str:
    if name == b"iTXt":
        return "XMP" if payload.startswith(b"XML:com.adobe.xmp") else "PNG text"
    return NAMED_CHUNKS.get(name, "")
