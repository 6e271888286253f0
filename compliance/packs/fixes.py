"""Repairs of a hidden image, one function each: bytes in, bytes and a record of what was done out.

Each does one thing and says how far pixels moved. A repair that cannot be done properly raises a named error; none
invents pixels. Everything runs on hostile bytes: call it in the limited child.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.checks.profile import Profile
from compliance.packs.backgrounds import measure_offset, pad_to_ratio, shift_background
from compliance.packs.errors import (
    BackgroundNotPlain,
    FileTooLarge,
    FixUnknown,
    FormatNotAllowed,
    MainMissing,
    NothingToFix,
    OriginalMissing,
    PackError,
    RatioDiffers,
    RegionsMissing,
)
from compliance.packs.fix_table import FIXES, SPECS, Fix, FixSpec
from compliance.packs.jpeg import JpegForm, Pixels, encode_below, encode_jpeg, forms_from, own_forms, read_form, turned
from compliance.packs.laying import lay_original
from compliance.packs.opening import Source, open_source
from compliance.packs.strip import strip_jpeg, strip_png
from ledger.imaging import structure
from ledger.imaging.decode import decode_picture

Box = tuple[int, int, int, int]

# A pasted region takes in a rim of this many pixels (of 1000), over which it fades into the picture around it.
PASTE_RIM = 6


@dataclass(frozen=True, slots=True)
class FixInput:
    """The hidden image and what the repair may need: main image, registered original, regions to repair.

    regions: (left, top, right, bottom) in pixels of the upright hidden image.
    """

    hidden: bytes
    main: bytes | None = None
    original: bytes | None = None
    regions: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Fixed:
    """The new file and what was done: pixels_kept says that every pixel is as it was; largest_change is in levels
    (None when the size changed). facts: measured values by name.
    """

    fix: Fix
    data: bytes
    pixels_kept: bool
    largest_change: int | None
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values, without the bytes."""
        return {
            "fix": self.fix.value,
            "bytes": len(self.data),
            "pixels_kept": self.pixels_kept,
            "largest_change": self.largest_change,
            **self.facts,
        }


def apply_fix(code: str, given: FixInput, profile: Profile) -> Fixed:
    """The repair for this finding code, or a PackError: FixUnknown, or what the repair itself raises."""
    if code not in FIXES:
        raise FixUnknown(code)
    fix = FIXES[code]
    spec = SPECS[fix]
    missing = missing_input(spec, given)
    if missing is not None:
        raise missing
    return FUNCTIONS[fix](given, profile)


def missing_input(spec: FixSpec, given: FixInput) -> PackError | None:
    """What the repair needs and was not given, or None."""
    if spec.needs_main and given.main is None:
        return MainMissing(spec.fix.value)
    if spec.needs_original and given.original is None:
        return OriginalMissing(spec.fix.value)
    if spec.needs_regions and not given.regions:
        return RegionsMissing(spec.fix.value)
    return None


def strip_metadata(data: bytes, *, keep_icc: bool = True) -> Fixed:
    """The file without metadata. Pixels are copied, never decoded, unless only metadata says how to show them.

    That is so with an EXIF orientation, and with a colour profile that is not to be kept and is not sRGB: then the
    shown pixels are written anew, a PNG exactly, a JPEG with its own tables.
    """
    source = open_source(data, "hidden")
    is_turned = "rotated" in source.flags
    if source.format == "WEBP":
        raise FormatNotAllowed("WEBP: convert it first")
    if not is_turned and (keep_icc or "icc_converted" not in source.flags):
        stripped = (strip_jpeg if source.format == "JPEG" else strip_png)(data, keep_icc=keep_icc)
        return _fixed(Fix.STRIP, stripped, source.pixels, {"removed_bytes": len(data) - len(stripped)})
    form = read_form(data)
    if form is not None and structure.find_dimensions(data, structure.walk(data)) != source.size:
        form = turned(form)
    written = encode_jpeg(source.pixels, form) if form else _write_like(source.pixels, source)
    return _fixed(Fix.STRIP, written, source.pixels, {"removed_bytes": len(data) - len(written), "turned": is_turned})


def reencode_like(hidden: bytes, main: bytes) -> Fixed:
    """The hidden image with the main image's tables, sampling and kind of scans.

    A hidden image whose pixels come from a lossless file gets the very bytes that the main image's encoder would have
    written. Raises FormatNotAllowed when the main image is no JPEG.
    """
    form, own = read_form(main), read_form(hidden)
    if form is None:
        raise FormatNotAllowed("the main image is no JPEG")
    source = open_source(hidden, "hidden")
    if own is not None and (own.tables, own.sampling) == (form.tables, form.sampling):
        raise NothingToFix("same tables and sampling")
    return _fixed(Fix.REENCODE, encode_jpeg(source.pixels, form), source.pixels, {"sampling": form.sampling})


def resize_like(hidden: bytes, main: bytes, profile: Profile) -> Fixed:
    """The hidden image at the main image's width and height, when the ratio is the same within the profile's limit."""
    source, target = open_source(hidden, "hidden"), open_source(main, "main")
    width, height = target.size
    if source.size == target.size:
        raise NothingToFix(f"{width}x{height}")
    if not is_same_ratio(source.size, target.size, profile):
        raise RatioDiffers(f"{source.size[0]}x{source.size[1]} for {width}x{height}")
    resized = np.asarray(Image.fromarray(source.pixels).resize(target.size, Image.Resampling.LANCZOS))
    facts = {"width": width, "height": height, "enlarged": width > source.size[0]}
    return _fixed(Fix.RESIZE, _write_like(resized, source, target), None, facts)


def enlarge_from_original(hidden: bytes, main: bytes, original: bytes, profile: Profile) -> Fixed:
    """The original laid into the main image's frame and colours, in place of a hidden image that is too small.

    Enlarging a small picture only blurs it, and the check sees that; the original still has the detail. Whatever was
    left on the hidden image is not on the original. Raises NothingToFix unless the picture would be enlarged.
    """
    source, target, clean = open_source(hidden, "hidden"), open_source(main, "main"), open_source(original, "original")
    if source.size[0] >= target.size[0]:
        raise NothingToFix(f"{source.size[0]} px wide")
    if not is_same_ratio(source.size, target.size, profile):
        raise RatioDiffers(f"{source.size[0]}x{source.size[1]} for {target.size[0]}x{target.size[1]}")
    laid = lay_original(clean.pixels, target.pixels)
    facts = {"width": target.size[0], "height": target.size[1], "enlarged": False, "from_original": True}
    return _fixed(Fix.RESIZE, _write_like(laid.pixels, source, target), None, facts)


def is_same_ratio(size: tuple[int, int], target: tuple[int, int], profile: Profile) -> bool:
    """Rule H04: scaled to the target's width, the heights differ by at most the profile's pixels."""
    off = abs(size[1] * target[0] - target[1] * size[0])
    return off <= profile.integer("aspect_tolerance_px") * size[0]


def pad_like(hidden: bytes, main: bytes, profile: Profile) -> Fixed:
    """The hidden image on a sheet of the main image's shape: more of its plain background, at the main image's place.

    Raises BackgroundNotPlain when the sides that grow are no plain background.
    """
    source, target = open_source(hidden, "hidden"), open_source(main, "main")
    if is_same_ratio(source.size, target.size, profile):
        raise NothingToFix("same ratio")
    padded, place = pad_to_ratio(source.pixels, target.pixels)
    return _fixed(Fix.PAD, _write_like(padded, source, target), None, {"place": list(place)})


def convert_format(data: bytes, format_name: str = "JPEG") -> Fixed:
    """The shown pixels as JPEG or PNG; a PNG keeps each of them."""
    source = open_source(data, "hidden")
    if source.format == format_name:
        raise NothingToFix(format_name)
    if format_name not in {"JPEG", "PNG"}:
        raise FormatNotAllowed(format_name)
    written = encode_png(source.pixels) if format_name == "PNG" else encode_jpeg(source.pixels, own_forms()[0])
    return _fixed(Fix.CONVERT, written, source.pixels, {"from": source.format, "to": format_name})


def recompress_below(data: bytes, limit_bytes: int) -> Fixed:
    """The picture as JPEG of at most limit_bytes, width and height kept; FileTooLarge when no form is small enough."""
    if len(data) <= limit_bytes:
        raise NothingToFix(f"{len(data)} bytes")
    source = open_source(data, "hidden")
    form = read_form(data)
    (written,), _ = encode_below((source.pixels,), forms_from(form) if form else own_forms(), limit_bytes)
    return _fixed(Fix.RECOMPRESS, written, source.pixels, {"was_bytes": len(data)})


def offset_background(hidden: bytes, main: bytes) -> Fixed:
    """The plain background moved to the main image's colour by the measured deviation; the product stays."""
    source, target = open_source(hidden, "hidden"), open_source(main, "main")
    offset = measure_offset(target.pixels, source.pixels)
    if offset is None:
        raise BackgroundNotPlain("no common plain background")
    if float(np.abs(offset).max()) < 0.5:
        raise NothingToFix("background agrees")
    moved = shift_background(source.pixels, -offset)
    facts = {"offset": [round(float(value), 2) for value in offset]}
    return _fixed(Fix.BACKGROUND, _write_like(moved, source, target), source.pixels, facts)


def paste_from_original(hidden: bytes, original: bytes, regions: Sequence[Box]) -> Fixed:
    """The regions replaced by the registered original, laid into the hidden image's frame and matched in colour.

    Raises MainNotFromOriginal and its kin when the original does not lie in the picture.
    """
    source, clean = open_source(hidden, "hidden"), open_source(original, "original")
    laid = lay_original(clean.pixels, source.pixels)
    opacity = _soft_regions(regions, source.size)
    mixed = source.pixels * (1 - opacity) + laid.pixels * opacity
    pasted = np.where(opacity > 0, np.rint(mixed), source.pixels).astype(np.uint8)
    facts = {"pasted_share": round(float((opacity > 0).mean()), 4), "relation": laid.relation.to_dict()}
    return _fixed(Fix.FROM_ORIGINAL, _write_like(pasted, source), source.pixels, facts)


def encode_png(pixels: Pixels) -> bytes:
    """A PNG of uint8 (height, width, 3) without metadata."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=False)
    return out.getvalue()


def _soft_regions(regions: Sequence[Box], size: tuple[int, int]) -> NDArray[np.float32]:
    """float32 (height, width, 1): 1 in the regions, falling to 0 over a rim around them."""
    width, height = size
    solid = np.zeros((height, width), np.float32)
    rim = max(2, round(PASTE_RIM * max(size) / 1000))
    for left, top, right, bottom in regions:
        solid[max(0, top - rim) : max(0, bottom + rim), max(0, left - rim) : max(0, right + rim)] = 1
    if not solid.any():
        raise RegionsMissing(f"none lies within {width}x{height}")
    soft = cv2.blur(solid, (2 * rim + 1, 2 * rim + 1))
    return np.asarray(np.clip(2 * soft - 1, 0, 1)[..., None])


def _write_like(pixels: Pixels, source: Source, target: Source | None = None) -> bytes:
    """Pixels in the target's JPEG form if it has one, else in the source's own form or as PNG."""
    form = _form(target) if target is not None else None
    if form is None and source.format == "PNG":
        return encode_png(pixels)
    return encode_jpeg(pixels, form or _form(source) or own_forms()[0])


def _form(source: Source) -> JpegForm | None:
    return read_form(source.data)


def _fixed(fix: Fix, data: bytes, before: Pixels | None, facts: Mapping[str, Any]) -> Fixed:
    """The record, with the change measured on the decoded new file, not promised."""
    if before is None:
        return Fixed(fix, data, pixels_kept=False, largest_change=None, facts=facts)
    after = decode_picture(data).pixels
    if after.shape != before.shape:
        raise FileTooLarge(f"{after.shape[1]}x{after.shape[0]}")
    change = int(cv2.absdiff(after, before).max())
    return Fixed(fix, data, pixels_kept=change == 0, largest_change=change, facts=facts)


FUNCTIONS: Mapping[Fix, Callable[[FixInput, Profile], Fixed]] = {
    Fix.STRIP: lambda given, _: strip_metadata(given.hidden),
    Fix.REENCODE: lambda given, _: reencode_like(given.hidden, given.main or b""),
    Fix.RESIZE: lambda given, profile: resize_like(given.hidden, given.main or b"", profile),
    Fix.PAD: lambda given, profile: pad_like(given.hidden, given.main or b"", profile),
    Fix.CONVERT: lambda given, profile: convert_format(given.hidden, profile.names("formats")[0]),
    Fix.RECOMPRESS: lambda given, profile: recompress_below(given.hidden, profile.integer("file_size_max_bytes")),
    Fix.BACKGROUND: lambda given, _: offset_background(given.hidden, given.main or b""),
    Fix.FROM_ORIGINAL: lambda given, _: paste_from_original(given.hidden, given.original or b"", given.regions),
}
