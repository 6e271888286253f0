"""What a file itself says about being generated. Markers in metadata only: pixels are never guessed at.

Sources: IPTC "Digital Source Type NewsCodes" (XMP, and inside C2PA claims), GB 45438-2025 (the AIGC label that
Chinese services have to write), and what common generators leave in EXIF, XMP and PNG texts.
A generated picture without metadata passes, and rule H22 says so.
"""

import re
import zlib
from collections.abc import Iterator

from ledger.imaging import structure

MAX_INFLATED = 1 << 20  # a ComfyUI graph of hundreds of nodes is about 200 KB
MAX_SEARCHED = 8 << 20  # depth maps in extended XMP are larger, and carry no sentences

# What carries sentences: JPEG application segments but JFIF, ICC and Adobe's transform; comments; PNG and WebP chunks.
JPEG_NAMES = frozenset(
    bytes((marker,))
    for marker in (*range(0xE0, 0xF0), structure.COM)
    if marker not in {structure.APP0, structure.APP2, structure.APP14}
)
CHUNK_NAMES = frozenset({b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"EXIF", b"XMP ", b"caBX", b"C2PA"})

# Name of a marker as findings tell it, and the bytes that show it. Names of programs stand with a boundary on both
# sides; words that are also ordinary language ("imagen", "firefly") count only in their maker's full spelling.
MARKERS: tuple[tuple[str, "re.Pattern[bytes]"], ...] = (
    (
        "DigitalSourceType",
        re.compile(rb"\b(?:(?:compositeWith)?trainedAlgorithmicMedia|algorithmicMedia|compositeSynthetic)\b", re.I),
    ),
    ("AIGC label", re.compile(rb"\bAIGC\b.{0,80}?\bLabel\b", re.S)),
    ("Stable Diffusion", re.compile(rb"\bstable[ _-]?diffusion\b|\bSteps: \d+, Sampler: |\bsdxl\b", re.I)),
    ("ComfyUI", re.compile(rb'\bcomfyui\b|"class_type"\s*:\s*"', re.I)),
    ("InvokeAI", re.compile(rb"\binvoke[ -]?ai\b", re.I)),
    ("NovelAI", re.compile(rb"\bnovel ?ai\b", re.I)),
    ("Midjourney", re.compile(rb"\bmidjourney\b", re.I)),
    ("DALL-E", re.compile(rb"\bdall[ -]?e(?:[ -]?[23])?\b|\bgpt-image\b|\bchatgpt\b", re.I)),
    ("Adobe Firefly", re.compile(rb"\badobe[ _]firefly\b|\bgenerative fill\b", re.I)),
    ("Google AI", re.compile(rb"\b(?:made|edited) with google ai\b", re.I)),
    ("FLUX", re.compile(rb"\bflux\.?1[ -](?:dev|schnell|pro)\b|\bblack forest labs\b", re.I)),
    ("Leonardo.Ai", re.compile(rb"\bleonardo\.ai\b", re.I)),
    ("Ideogram", re.compile(rb"\bideogram\.ai\b|\bideogram ai\b", re.I)),
)


def find_generator_marks(data: bytes) -> tuple[str, ...]:
    """Names of the markers in a file's metadata, each once, in the order of MARKERS. Never raises."""
    searched = 0
    found: set[str] = set()
    for text in _texts(data):
        searched += len(text)
        if searched > MAX_SEARCHED:
            break
        # EXIF comments may be UTF-16: without its zeros, what is written in ASCII reads the same.
        plain = text.replace(b"\x00", b"") if b"\x00" in text else text
        found |= {name for name, pattern in MARKERS if pattern.search(text) or pattern.search(plain)}
    return tuple(name for name, _ in MARKERS if name in found)


def _texts(data: bytes) -> Iterator[bytes]:
    names = JPEG_NAMES if structure.picture_format(data) == "JPEG" else CHUNK_NAMES
    for segment in structure.walk(data).segments:
        if segment.name in names:
            payload = data[segment.start : segment.stop]
            yield payload
            yield from _inflated(segment.name, payload)


def _inflated(name: bytes, payload: bytes) -> Iterator[bytes]:
    """The text of a compressed PNG chunk; W3C PNG third edition, 11.3.3."""
    packed = b""
    _, _, rest = payload.partition(b"\x00")
    if name == b"zTXt":
        packed = rest[1:]
    elif name == b"iTXt" and rest[:1] == b"\x01":
        packed = rest[2:].split(b"\x00", 2)[-1]
    if packed:
        try:
            yield zlib.decompressobj().decompress(packed, MAX_INFLATED)
        except zlib.error:
            return
