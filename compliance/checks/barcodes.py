"""Rule H13: no QR code or barcode, read by zxing-cpp at the picture's own size and, for small codes, enlarged."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import zxingcpp

from compliance.checks.base import Answer, Box, Level, Rule
from compliance.checks.pair import Pair, Pixels, Side
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop

# Enlarged three times, a code of 20 px (one pixel a module) has modules that the reader can sample; measured with
# tests/bench/content_checks.py: 24 px alone 17 of 30, enlarged 30 of 30. Larger pictures get what fits.
ENLARGE_MAX = 3.0
ENLARGED_SIDE_MAX_PX = 4800
# A QR code that cannot be decoded is still one: three finder patterns in a right angle do not come about by chance.
# One pattern (Micro QR) and stripes do, so every other code has to be decoded.
QR = zxingcpp.BarcodeFormat.QRCode


@dataclass(frozen=True, slots=True)
class Code:
    """One code: its format as the standard calls it, its box in pixels of the picture, and what it says, if read."""

    format: str
    box: Box
    text: str


def find_codes(pixels: Pixels) -> tuple[Code, ...]:
    """Codes in a picture, each once; pixels uint8 (height, width, 3), sRGB, upright."""
    grey: Any = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    found = _read(grey, zxingcpp.BarcodeFormat.All, 1.0)
    enlarge = min(ENLARGE_MAX, ENLARGED_SIDE_MAX_PX / max(grey.shape))
    if enlarge > 1:
        size = round(grey.shape[1] * enlarge), round(grey.shape[0] * enlarge)
        large: Any = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)
        found += [code for code in _read(large, QR, enlarge) if not _is_known(code, found)]
    return tuple(found)


def _read(grey: Any, formats: Any, scale: float) -> list[Code]:
    read = zxingcpp.read_barcodes(np.ascontiguousarray(grey), formats=formats, return_errors=True)
    return [
        Code(str(code.format), _box_of(code.position, scale), code.text)
        for code in read
        if code.valid or code.format == QR
    ]


def _box_of(position: Any, scale: float) -> Box:
    corners = (position.top_left, position.top_right, position.bottom_left, position.bottom_right)
    across, down = [corner.x / scale for corner in corners], [corner.y / scale for corner in corners]
    return int(min(across)), int(min(down)), int(max(across)) + 1, int(max(down)) + 1


def _is_known(code: Code, others: list[Code]) -> bool:
    middle = (code.box[0] + code.box[2]) / 2, (code.box[1] + code.box[3]) / 2
    return any(
        other.box[0] <= middle[0] <= other.box[2] and other.box[1] <= middle[1] <= other.box[3] for other in others
    )


def codes_of(side: Side) -> tuple[Code, ...]:
    """The codes of one side, boxes in pixels of `detail`; looked for once."""
    return side.once("codes", lambda: find_codes(side.detail))


def check_codes(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Codes in the hidden image. One that the main image alone carries was removed, as it should be."""
    allowed = profile.integer("codes_max")
    codes = codes_of(pair.hidden)
    findings = tuple(
        rule.finding(
            Level.ERROR,
            max(code.box[2] - code.box[0], code.box[3] - code.box[1]),
            allowed,
            "px",
            bbox=pair.hidden.from_detail(code.box),
            detail=code.format,
        )
        for code in codes
    )
    return Answer(len(codes), allowed, "codes", findings)


RULES = (
    Rule(
        id="H13",
        family="codes",
        title=gettext_noop("No QR code or barcode"),
        requires=gettext_noop("The hidden image carries no QR code or barcode, not even a small one."),
        measured_as=gettext_noop(
            "Codes read by zxing-cpp at the picture's own size and enlarged; a QR code counts even when it cannot be "
            "decoded. From 20 px on they are found reliably."
        ),
        codes=("ERR_IMG_HID_QRCODE",),
        limits=("codes_max",),
        check=check_codes,
    ),
)
