"""Metadata taken out of a file without touching its pixels: segments are left out, picture data is copied.

What decoders need to show the picture stays: JFIF and Adobe headers, and the colour profile unless it is to go. An
orientation that only EXIF states cannot be kept without metadata: such files are for fixes.py, which turns the pixels.
"""

from ledger.imaging import structure

ICC_HEADER = b"ICC_PROFILE\x00"
JFIF_HEADER = b"JFIF\x00"
JFIF_BYTES = 14  # the header without a thumbnail: one that shows the picture as it was before would be a leak
# Chunks without which the picture would look different. Everything else that is not critical goes.
SHOWN_CHUNKS = frozenset({b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT"})
CRITICAL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})


def strip_jpeg(data: bytes, *, keep_icc: bool) -> bytes:
    """The JPEG without EXIF, XMP, IPTC, comments, further pictures and whatever hangs behind its end."""
    walked = structure.walk_jpeg(data)
    parts: list[bytes] = []
    position = 0
    for segment in walked.segments:
        payload = data[segment.start : segment.stop]
        kept = _kept_segment(segment.name[0], payload, keep_icc=keep_icc)
        if kept == payload:
            continue
        # Marker and length are the four bytes before a payload.
        parts.append(data[position : segment.start - 4])
        if kept is not None:
            parts.append(b"\xff" + segment.name + (len(kept) + 2).to_bytes(2, "big") + kept)
        position = segment.stop
    parts.append(data[position : walked.end])
    return b"".join(parts)


def _kept_segment(marker: int, payload: bytes, *, keep_icc: bool) -> bytes | None:
    if marker == structure.COM:
        return None
    if not 0xE0 <= marker <= 0xEF or marker == structure.APP14:
        return payload
    if marker == structure.APP0 and payload.startswith(JFIF_HEADER) and len(payload) >= JFIF_BYTES:
        return payload if len(payload) == JFIF_BYTES else payload[: JFIF_BYTES - 2] + b"\x00\x00"
    if marker == structure.APP2 and payload.startswith(ICC_HEADER) and keep_icc:
        return payload
    return None


def strip_png(data: bytes, *, keep_icc: bool) -> bytes:
    """The PNG with the chunks that make the picture, and no others."""
    walked = structure.walk_png(data)
    kept = CRITICAL_CHUNKS | SHOWN_CHUNKS | ({b"iCCP"} if keep_icc else set())
    parts = [structure.PNG_MAGIC]
    position, end = len(structure.PNG_MAGIC), walked.end or len(data)
    while position + 12 <= end:
        stop = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] in kept:
            parts.append(data[position:stop])
        position = stop
    return b"".join(parts)
