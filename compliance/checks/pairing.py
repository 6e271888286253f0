"""Rules about the two pictures as a pair: same size, same shape, same content."""

from compliance.checks.base import Answer, Box, Level, Rule
from compliance.checks.changes import Changes, changes_of
from compliance.checks.codes import FORECAST
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile
from compliance.checks.ssim import WINDOW
from compliance.checks.words import gettext_noop

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
    """The verdict is on what lies outside the overlays; the whole picture only forecasts the marketplace's own figure.

    The SSIM trap: a perfect hidden image scores below the limit when the removed promotion covered a fifth of the
    frame. That fails nothing here, but the seller is told, because the marketplace may count it.
    """
    allowed = profile.number("ssim_min")
    if min(pair.main_work.shape[:2]) < WINDOW:
        return Answer(None, allowed, "ssim", unknown="too_small")
    changes = changes_of(pair)
    measured = round(changes.ssim_masked, SSIM_DECIMALS)
    if measured < allowed:
        return _mismatch(rule, pair, measured, allowed, "ssim")
    structure, structure_allowed = round(changes.unchanged, 3), profile.number("structure_share_min")
    if structure < structure_allowed:
        return _mismatch(rule, pair, structure, structure_allowed, "share")
    forecast = round(changes.ssim, SSIM_DECIMALS)
    if forecast >= allowed:
        return Answer(measured, allowed, "ssim")
    finding = rule.finding(
        Level.WARNING,
        forecast,
        allowed,
        "ssim",
        bbox=_largest_change(changes, pair),
        detail=f"{FORECAST}{changes.overlay_share:.0%}",
    )
    return Answer(measured, allowed, "ssim", (finding,))


def _mismatch(rule: Rule, pair: Pair, measured: float, allowed: float, unit: str) -> Answer:
    box = _largest_change(changes_of(pair), pair)
    detail = "outside, stretched" if pair.is_stretched else "outside"
    return Answer(
        measured, allowed, unit, (rule.finding(Level.ERROR, measured, allowed, unit, bbox=box, detail=detail),)
    )


def _largest_change(changes: Changes, pair: Pair) -> Box | None:
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in changes.boxes]
    return pair.to_hidden(changes.boxes[areas.index(max(areas))]) if areas else None


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
            "SSIM outside the removed promotion (grey, 7 x 7 window) at 1000 px on the long side, and the share of structure "
            "that is unchanged there. SSIM of the whole picture forecasts the marketplace's figure: below the limit it warns."
        ),
        codes=("ERR_IMG_HID_MISMATCH",),
        limits=("ssim_min", "structure_share_min", "ssim_long_side_px"),
        check=check_ssim,
    ),
)
