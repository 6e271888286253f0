"""The gate in front of the ledger: looks at header and structure of a file and says whether it may be sealed.

Pure Python over bytes, no pixel is decoded, so it may run in a web request. What passes here and still cannot be
decoded later stays sealed and is flagged; what is refused here was never kept.
"""

from dataclasses import dataclass
from pathlib import PurePath

from ledger.imaging import structure
from ledger.imaging.errors import (
    Animated,
    BadDimensions,
    CorruptStructure,
    EmptyFile,
    MetadataTooLarge,
    Polyglot,
    TooLarge,
    TooManyScans,
    TypeMismatch,
    UnsupportedType,
)
from ledger.imaging.structure import Walk

MAX_FILE_BYTES = 50 << 20
MAX_PIXELS = 50_000_000
MAX_SIDE = 20_000
SMALL_SIDE = 600  # marketplaces' smallest accepted listing picture; below it a picture is kept, with a flag
MAX_METADATA_BYTES = 24 << 20  # depth maps and gain maps in extended XMP reach several MiB; twice the largest met
MAX_FURTHER_JPEGS = 8  # stereo pairs have one, a gain map plus a depth map two
APP_FIRST, APP_LAST = 0xE0, 0xEF
PIXEL_CHUNKS = frozenset({b"IDAT", b"VP8 ", b"VP8L", b"ALPH"})

MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}

# Every picture extension we know. None as format: no such file is taken, so any content disagrees with it.
EXTENSIONS: dict[str, str | None] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    ".webp": "WEBP",
    **dict.fromkeys((".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jxl"), None),
    **dict.fromkeys((".jp2", ".j2k", ".psd", ".svg", ".ico", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf"), None),
}
# fmt: off
RAW_EXTENSIONS = frozenset({
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".raf", ".orf", ".rw2", ".pef", ".srw",
    ".x3f", ".3fr", ".iiq", ".erf", ".kdc", ".rwl",
})
# fmt: on
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

# First bytes of what people drop by mistake, so that the refusal can say what to do instead.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"FUJIFILMCCD-RAW", "raw"),
    (b"IIU\x00", "raw"),
    (b"IIRO", "raw"),
    (b"IIRS", "raw"),
    (b"FOVb", "raw"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"8BPS", "psd"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"\x00\x00\x00\x0cjP  ", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"\x00\x00\x00\x0cJXL ", "jpegxl"),
    (b"\xff\x0a", "jpegxl"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"<svg", "svg"),
    (b"<?xml", "svg"),
)

# A second file behind the picture: what counts anywhere in the tail, because its readers look for it anywhere ...
TAIL_ANYWHERE: tuple[tuple[bytes, str], ...] = (
    (b"%pdf-", "pdf"),
    (b"<html", "html"),
    (b"<!doctype", "html"),
    (b"<script", "html"),
    (b"<?php", "php"),
    (b"<svg ", "svg"),
    (b"rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
)
# ... and what counts only where the tail begins: these are too short to look for in the noise of a film.
TAIL_START: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "executable"),
    (b"\x7fELF", "executable"),
    (b"PK\x03\x04", "zip"),
    (b"#!", "script"),
    (structure.PNG_MAGIC, "png"),
    (b"GIF8", "gif"),
    (b"RIFF", "riff"),
    (b"<", "markup"),
)
ZIP_END = b"PK\x05\x06"
ZIP_END_REACH = 22 + 0xFFFF  # readers look for the directory's end record no further back than its longest comment
PDF_HEAD_REACH = 1024  # readers accept a PDF whose header starts this late, so it can hide in a comment
PADDING = b"\x00\xff\r\n\t "


@dataclass(frozen=True, slots=True)
class FileScan:
    """What header and structure say. Width and height are as stored, before any EXIF orientation.

    flags: too_small, too_many_pixels (will not be decoded), truncated, trailing_data, multi_picture.
    """

    format: str
    mime: str
    width: int
    height: int
    size_bytes: int
    flags: tuple[str, ...]


def scan_picture(data: bytes | memoryview, *, file_name: str) -> FileScan:
    """Say what the file is, or raise the AdmissionError that names why it may not be sealed.

    The name serves only for its extension, which has to agree with the bytes when it is a picture's.
    """
    raw = data if isinstance(data, bytes) else bytes(data)
    if not raw:
        raise EmptyFile
    if len(raw) > MAX_FILE_BYTES:
        raise TooLarge(f"{len(raw)} > {MAX_FILE_BYTES}")
    extension = PurePath(file_name).suffix.lower()
    picture_format = structure.picture_format(raw)
    if picture_format is None:
        raise UnsupportedType(name_type(raw, extension))
    if EXTENSIONS.get(extension, picture_format) != picture_format:
        raise TypeMismatch(f"{extension[1:]}/{picture_format.lower()}")
    if b"%PDF-" in raw[:PDF_HEAD_REACH] and b"%%EOF" in raw:
        raise Polyglot("pdf")
    walked = structure.walk(raw)
    _refuse_excess(raw, walked)
    width, height = _dimensions(raw, walked)
    flags = [*_size_flags(width, height), *_tail_flags(raw, walked, picture_format)]
    return FileScan(picture_format, MIME_TYPES[picture_format], width, height, len(raw), tuple(flags))


def name_type(data: bytes, extension: str = "") -> str:
    """A short token for a file we do not take: heic, avif, raw, gif, tiff, bmp, psd, svg, pdf, video, ... unknown."""
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in HEIC_BRANDS:
            return "heic"
        if brand in {b"avif", b"avis"}:
            return "avif"
        return "raw" if brand == b"crx " else "video"
    for signature, name in SIGNATURES:
        if data.startswith(signature):
            return "raw" if name == "tiff" and extension in RAW_EXTENSIONS else name
    return "unknown"


def _refuse_excess(data: bytes, walked: Walk) -> None:
    if walked.scans > structure.MAX_JPEG_SCANS:
        raise TooManyScans(f"> {structure.MAX_JPEG_SCANS}")
    if walked.overflow:
        raise MetadataTooLarge("segments")
    picture_format = structure.picture_format(data)
    metadata_bytes = 0
    for segment in walked.segments:
        if picture_format == "JPEG":
            marker = segment.name[0]
            is_metadata = APP_FIRST <= marker <= APP_LAST or marker == structure.COM
        else:
            if _is_animation(data, segment):
                raise Animated(segment.name.decode("latin-1"))
            is_metadata = segment.name not in PIXEL_CHUNKS
        if is_metadata:
            metadata_bytes += segment.stop - segment.start
    if metadata_bytes > MAX_METADATA_BYTES:
        raise MetadataTooLarge(f"{metadata_bytes} > {MAX_METADATA_BYTES}")


def _is_animation(data: bytes, segment: structure.Segment) -> bool:
    if segment.name in {b"ANIM", b"ANMF", b"fcTL", b"fdAT"}:
        return True
    if segment.name == b"VP8X":
        return bool(data[segment.start : segment.start + 1] and data[segment.start] & 0x02)
    # An acTL with a single frame is a still picture written by an animation tool.
    return segment.name == b"acTL" and data[segment.start : segment.start + 4] != b"\x00\x00\x00\x01"


def _dimensions(data: bytes, walked: Walk) -> tuple[int, int]:
    found = structure.find_dimensions(data, walked)
    if found is None:
        raise CorruptStructure("no frame header")
    width, height = found
    if width == 0 or height == 0:
        raise CorruptStructure(f"{width}x{height}")
    if max(width, height) > MAX_SIDE and width * height <= MAX_PIXELS:
        raise BadDimensions(f"{width}x{height}")
    return width, height


def _size_flags(width: int, height: int) -> list[str]:
    if width * height > MAX_PIXELS:
        return ["too_many_pixels"]
    return ["too_small"] if min(width, height) < SMALL_SIDE else []


def _tail_flags(data: bytes, walked: Walk, picture_format: str) -> list[str]:
    if walked.end is None:
        return ["truncated"]
    if walked.end >= len(data):
        return []
    flags: list[str] = []
    end: int | None = walked.end
    if picture_format == "JPEG":
        end, pictures = _skip_further_jpegs(data, walked.end)
        if pictures:
            flags.append("multi_picture")
    tail = data[end:].lstrip(PADDING)
    if not tail:
        return flags
    also = name_tail(tail)
    if also:
        raise Polyglot(also)
    return [*flags, "trailing_data"]


def _skip_further_jpegs(data: bytes, end: int) -> tuple[int, int]:
    """Where the last of several JPEGs in one file ends (MPO, gain maps), and how many follow the first."""
    pictures = 0
    while pictures < MAX_FURTHER_JPEGS:
        start = data.find(structure.JPEG_MAGIC, end)
        if start < 0 or data[end:start].strip(PADDING):
            break
        walked = structure.walk_jpeg(data, start)
        if walked.end is None:
            break
        end, pictures = walked.end, pictures + 1
    return end, pictures


def name_tail(tail: bytes) -> str:
    """The kind of second file that follows a picture, or an empty string."""
    for signature, name in TAIL_START:
        if tail.startswith(signature):
            return name
    if ZIP_END in tail[-ZIP_END_REACH:]:
        return "zip"
    lowered = tail.lower()
    for signature, name in TAIL_ANYWHERE:
        if signature in lowered:
            return name
    return ""
