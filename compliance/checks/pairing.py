"""Rules about the two pictures as a pair: same size, same shape, same content."""

import cv2
import numpy as np

from compliance.checks.base import Answer, Box, Level, Rule
from compliance.checks.pair import Floats, Pair
from compliance.checks.profile import Profile
from compliance.checks.ssim import WINDOW, grey, mean_ssim, ssim_map
from compliance.checks.words import gettext_noop

# Where a window scores below this, an eye sees the change; perfect pairs stay above 0.9995 outside overlays.
CHANGED_BELOW = 0.9
# Compared with the decimals that are shown: what a person reads is what was judged.
SSIM_DECIMALS = 4


def check_size(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Width and height as people see them (EXIF orientation applied); one pixel may be an export tool's rounding."""
    main, hidden = pair.main, pair.hidden
    measured, allowed = f"{hidden.width}x{hidden.height}", f"{main.width}x{main.height}"
    off = max(abs(hidden.width - main.width), abs(hidden.height - main.height))
    if off == 0:
        return Answer(measured, allowed, "px")
    level = Level.WARNING if off <= profile.integer("size_difference_warn_px") else Level.ERROR
    return Answer(measured, allowed, "px", (rule.finding(level, measured, allowed, "px", detail=f"{off} px"),))


def check_aspect(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """How far the heights differ once the hidden image is scaled to the main image's width."""
    allowed = profile.integer("aspect_tolerance_px")
    main, hidden = pair.main, pair.hidden
    # Whole numbers decide, so that exactly 1 px can never be lost to a rounded fraction.
    off = abs(hidden.height * main.width - main.height * hidden.width)
    measured = round(off / hidden.width, 2)
    if off <= allowed * hidden.width:
        return Answer(measured, allowed, "px")
    return Answer(measured, allowed, "px", (rule.finding(Level.ERROR, measured, allowed, "px"),))


def check_ssim(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The forecast of the marketplace's own figure, and therefore never a verdict.

    A perfect hidden image scores below the limit when the removed promotion covered a fifth of the frame, and one with
    all its text left scores 1. So a low value asks the seller, and a high value does not pass.
    """
    allowed = profile.number("ssim_min")
    if min(pair.main_work.shape[:2]) < WINDOW:
        return Answer(None, allowed, "ssim", unknown="too_small")
    similarity = ssim_map(grey(pair.main_work), grey(pair.hidden_work))
    measured = round(mean_ssim(similarity), SSIM_DECIMALS)
    if measured >= allowed:
        return Answer(measured, allowed, "ssim", unknown="forecast_only")
    finding = rule.finding(
        Level.CONFIRM,
        measured,
        allowed,
        "ssim",
        bbox=_largest_change(similarity, pair),
        detail="forecast, stretched" if pair.is_stretched else "forecast",
    )
    return Answer(measured, allowed, "ssim", (finding,), unknown="forecast_only")


def _largest_change(similarity: Floats, pair: Pair) -> Box | None:
    changed = (similarity < CHANGED_BELOW).astype(np.uint8)
    # Letters of one caption become one place when gaps of two windows are closed.
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(changed)
    if count < 2:
        return None
    left, top, width, height, _ = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())]
    return pair.to_hidden((int(left), int(top), int(left + width), int(top + height)))


RULES = (
    Rule(
        id="H03",
        family="pairing",
        title=gettext_noop("Same resolution"),
        requires=gettext_noop("Both pictures have the same width and height."),
        measured_as=gettext_noop("Upright width and height; a difference of 1 px is a warning."),
        codes=("ERR_IMG_HID_SIZE",),
        limits=("size_difference_warn_px",),
        check=check_size,
    ),
    Rule(
        id="H04",
        family="pairing",
        title=gettext_noop("Same aspect ratio"),
        requires=gettext_noop("The aspect ratios agree within 1 px."),
        measured_as=gettext_noop("Height difference once the hidden image is scaled to the main image's width."),
        codes=("ERR_IMG_HID_RATIO",),
        limits=("aspect_tolerance_px",),
        check=check_aspect,
    ),
    Rule(
        id="H07",
        family="pairing",
        title=gettext_noop("Structural similarity"),
        requires=gettext_noop("SSIM of the pair is at least 0.92."),
        measured_as=gettext_noop(
            "SSIM of the whole picture (grey, 7 x 7 window) at 1000 px on the long side: a forecast of the "
            "marketplace's figure, so alone it leaves the pair undecided."
        ),
        codes=("ERR_IMG_HID_MISMATCH",),
        limits=("ssim_min", "ssim_long_side_px"),
        check=check_ssim,
    ),
)
