"""Which repair answers which finding, as data: the column "auto-fix" of the rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fix(StrEnum):
    """The repairs; each is a function of fixes.py."""

    STRIP = "strip"
    REENCODE = "reencode"
    RESIZE = "resize"
    PAD = "pad"
    CONVERT = "convert"
    RECOMPRESS = "recompress"
    BACKGROUND = "background"
    FROM_ORIGINAL = "from_original"


@dataclass(frozen=True, slots=True)
class FixSpec:
    """What a repair needs beside the hidden image; lossless says that pixels stay exactly as they are."""

    fix: Fix
    needs_main: bool = False
    needs_original: bool = False
    needs_regions: bool = False
    lossless: bool = False


SPECS: Mapping[Fix, FixSpec] = {
    spec.fix: spec
    for spec in (
        FixSpec(Fix.STRIP, lossless=True),
        FixSpec(Fix.REENCODE, needs_main=True),
        FixSpec(Fix.RESIZE, needs_main=True),
        FixSpec(Fix.PAD, needs_main=True),
        FixSpec(Fix.CONVERT),
        FixSpec(Fix.RECOMPRESS),
        FixSpec(Fix.BACKGROUND, needs_main=True),
        FixSpec(Fix.FROM_ORIGINAL, needs_original=True, needs_regions=True),
    )
}

# Codes that are not here have no repair: the seller has to make another picture. Among them are different subjects,
# other light, missing hidden images and pictures that are too small.
FIXES: Mapping[str, Fix] = {
    "ERR_IMG_HID_SIZE": Fix.RESIZE,
    "ERR_IMG_HID_RATIO": Fix.PAD,
    "ERR_IMG_HID_FORMAT": Fix.CONVERT,
    "ERR_IMG_HID_FILESIZE": Fix.RECOMPRESS,
    "ERR_IMG_HID_BG": Fix.BACKGROUND,
    "ERR_IMG_HID_TEXT": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_QRCODE": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_LOGO": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_WATERMARK": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_PRICE": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_GRAPHIC": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_GHOST": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_RESIDUE": Fix.FROM_ORIGINAL,
    "WARN_IMG_HID_INPAINT": Fix.FROM_ORIGINAL,
    "ERR_IMG_HID_JPEG": Fix.REENCODE,
    "ERR_IMG_HID_META": Fix.STRIP,
    "ERR_IMG_HID_GPS": Fix.STRIP,
}
