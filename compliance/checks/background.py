"""Rules about the plain background: the same colour in both pictures, and not a white stand-in for the real one.

Only a background that is plain and reaches the frame can be measured; a street scene has none, and the rule says so.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.base import Answer, Level, Rule
from compliance.checks.pair import Floats, Pair, Pixels, fit
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop

Mask = NDArray[np.bool_]

# Backgrounds are wide: 250 x 250 cells show them, and averaging into cells removes the grain of the sensor and of JPEG.
GRID = 250
# Largest step between neighbouring cells (8-bit Lab, 3 x 3) that still counts as plain; textures measure 20 and more.
PLAIN_STEP = 10
# A plain region must hold this many cells of the frame's edge, a tenth of one side, to be background at all.
EDGE_CELLS = 25
# The background is plain when plain regions take this share of the frame's edge.
EDGE_SHARE = 0.6
# Below this share of common plain cells the mean would rest on too little.
COMMON_SHARE = 0.08
# Values this far from the median belong to overlays, not to the background.
TRIM = 3
# White as product pages mean it: 250 leaves room for JPEG at quality 80.
WHITE = 250
# A white region that leaves less than this of the frame holds no product.
EMPTY_SHARE = 0.995


@dataclass(frozen=True, slots=True)
class Background:
    """The plain region of one picture on the grid, and the share of the frame's edge that it takes (0..1)."""

    cells: Pixels
    mask: Mask
    edge_share: float

    @property
    def is_plain(self) -> bool:
        return self.edge_share > EDGE_SHARE


def find_background(pixels: Pixels) -> Background:
    """The smooth region connected with the frame's edge; pixels uint8 (height, width, 3), sRGB."""
    cells = fit(pixels, (GRID, GRID))
    lab = cv2.GaussianBlur(cv2.cvtColor(cells, cv2.COLOR_RGB2LAB), (3, 3), 0)
    step: Any = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    count, labels = cv2.connectedComponents((step < PLAIN_STEP).astype(np.uint8), connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    cells_at_edge = np.bincount(edge, minlength=count)
    cells_at_edge[0] = 0
    wanted = cells_at_edge > EDGE_CELLS
    return Background(cells, np.asarray(wanted[labels]), float(wanted[edge].mean()))


def background_offset(main: Background, hidden: Background) -> Floats | None:
    """Hidden minus main, RGB levels (3,), over their common plain region; None when there is too little of it."""
    if not (main.is_plain and hidden.is_plain):
        return None
    common = cv2.erode((main.mask & hidden.mask).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if common.mean() < COMMON_SHARE:
        return None
    difference = hidden.cells[common].astype(np.float32) - main.cells[common].astype(np.float32)
    near = np.abs(difference - np.median(difference, axis=0)) <= TRIM
    return np.asarray((difference * near).sum(axis=0) / np.maximum(1, near.sum(axis=0)), dtype=np.float32)


def check_colour(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Largest channel offset. Without JPEG the limit is sharp; JPEG moves a flat colour itself, hence the band."""
    allowed = profile.number("background_deviation_max")
    offset = background_offset(find_background(pair.main_work), find_background(pair.hidden_work))
    if offset is None:
        return Answer(None, allowed, "RGB levels", note="no_plain_background")
    measured = round(float(np.abs(offset).max()), 1)
    level = _level(measured, pair.main.is_lossy or pair.hidden.is_lossy, profile)
    if level is None:
        return Answer(measured, allowed, "RGB levels")
    detail = " ".join(f"{channel}{value:+.1f}" for channel, value in zip("RGB", offset, strict=True))
    return Answer(
        measured, allowed, "RGB levels", (rule.finding(level, measured, allowed, "RGB levels", detail=detail),)
    )


def _level(measured: float, is_lossy: bool, profile: Profile) -> Level | None:
    if not is_lossy:
        return Level.ERROR if measured > profile.number("background_deviation_max") else None
    if measured > profile.number("background_jpeg_error_above"):
        return Level.ERROR
    return Level.WARNING if measured >= profile.number("background_jpeg_warn_from") else None


def check_white_stand_in(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The share of the hidden image's white background where the main image shows something else."""
    allowed = profile.number("white_stand_in_share_max")
    hidden = find_background(pair.hidden_work)
    white = hidden.mask & (hidden.cells.min(axis=2) >= WHITE)
    if white.mean() < COMMON_SHARE:
        return Answer(0.0, allowed, "share")
    main = fit(pair.main_work, (GRID, GRID)).astype(np.int16)
    is_other = np.abs(main - hidden.cells).max(axis=2) > profile.number("background_jpeg_error_above")
    replaced = float(is_other[white].mean())
    # A sheet of white without a product replaces the whole picture, however white the main image's background is.
    is_empty = bool(white.mean() > EMPTY_SHARE and is_other.any())
    measured = 1.0 if is_empty else round(replaced, 2)
    if measured <= allowed:
        return Answer(measured, allowed, "share")
    detail = "no_product" if is_empty else "white_background"
    return Answer(measured, allowed, "share", (rule.finding(Level.ERROR, measured, allowed, "share", detail=detail),))


RULES = (
    Rule(
        id="H10",
        family="background",
        title=gettext_noop("Same background colour"),
        requires=gettext_noop("The plain background differs by at most 5 RGB levels."),
        measured_as=gettext_noop(
            "Trimmed mean over the plain background that both pictures share, largest channel. JPEG itself moves a flat "
            "colour, so a JPEG pair is warned from 4 levels and fails above 6.2."
        ),
        codes=("ERR_IMG_HID_BG",),
        limits=("background_deviation_max", "background_jpeg_warn_from", "background_jpeg_error_above"),
        check=check_colour,
    ),
    Rule(
        id="H24",
        family="background",
        title=gettext_noop("No white stand-in"),
        requires=gettext_noop("The hidden image is the real photo, not a picture on plain white."),
        measured_as=gettext_noop("Share of the white background where the main image shows something else."),
        codes=("ERR_IMG_HID_BG",),
        limits=("white_stand_in_share_max", "background_jpeg_error_above"),
        check=check_white_stand_in,
    ),
)
