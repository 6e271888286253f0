"""Rules about what the two pictures show: the same cut of the same photo, with the same subject.

A pair whose structure agrees in place has the same composition, and nothing more is computed. Otherwise the main image
is laid over the hidden one: structure that agrees after a move was moved, structure that agrees nowhere is another
photo.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from compliance.checks.aligning import Matrix, grey_of, refine
from compliance.checks.base import Answer, Level, Rule
from compliance.checks.changes import PRESENT, changes_of, share_above, structure_of
from compliance.checks.pair import Pair, Pixels
from compliance.checks.placing import find_place
from compliance.checks.profile import Profile
from compliance.checks.ssim import WINDOW, grey, ssim_map
from compliance.checks.words import gettext_noop

# From here structure agrees in place.
IN_PLACE = 0.98
# A move is believed when it brings this much more structure to agree, and more where less than half of it agrees: much
# may be covered by overlays. Above SURE there is no better one to look for.
GAIN, LARGE_GAIN, BROUGHT = 0.02, 0.15, 0.5
SURE = 0.9
SIDES = (120, 320, 640)
# The scale at which shifts are stated.
STATED_PX = 500


@dataclass(frozen=True, slots=True)
class Motion:
    """How the hidden image was moved against the main image.

    turn in degrees, scale as a share of the size, shift of the frame's middle in pixels at 500 px on the long side.
    agrees: share of structure that agrees once the move is undone, 0..1.
    """

    turn: float
    scale: float
    shift: float
    is_mirrored: bool
    agrees: float


STILL = Motion(0.0, 0.0, 0.0, is_mirrored=False, agrees=1.0)


def motion_of(pair: Pair) -> Motion:
    """The move between the two pictures, shared by all rules."""
    return pair.once(_find_motion)


def _find_motion(pair: Pair) -> Motion:
    changes = changes_of(pair)
    if changes.present >= IN_PLACE and changes.ssim_masked >= IN_PLACE:
        return STILL
    main, hidden = grey_of(pair.main_work), grey_of(pair.hidden_work)
    matrix = refine(main, hidden, np.eye(3), SIDES)
    agrees = _agreement(pair, matrix, is_mirrored=False)
    if agrees < SURE and (better := _agreement(pair, shifted := _shift(main, hidden), is_mirrored=False)) > agrees:
        matrix, agrees = shifted, better
    if agrees < SURE and changes.present < BROUGHT:
        place = find_place(pair.main_work, pair.hidden_work)
        if place is not None:
            sheet = np.ascontiguousarray(main[:, ::-1]) if place.is_mirrored else main
            found = refine(sheet, hidden, place.matrix, SIDES[-1:])
            better = _agreement(pair, found, is_mirrored=place.is_mirrored)
            if better > max(agrees, BROUGHT):
                return _motion(found, pair, place.is_mirrored, better)
    if agrees > changes.present + (GAIN if agrees > BROUGHT else LARGE_GAIN):
        return _motion(matrix, pair, False, agrees)
    return Motion(0.0, 0.0, 0.0, is_mirrored=False, agrees=max(agrees, changes.present))


def _shift(main: Pixels, hidden: Pixels) -> Matrix:
    """The shift alone, by phase correlation: overlays with strong edges of their own cannot pull it elsewhere."""
    window = cv2.createHanningWindow((main.shape[1], main.shape[0]), cv2.CV_32F)
    (across, down), _ = cv2.phaseCorrelate(hidden.astype(np.float32), main.astype(np.float32), window)
    return np.array([[1, 0, across], [0, 1, down], [0, 0, 1.0]])


def _agreement(pair: Pair, matrix: Matrix, *, is_mirrored: bool) -> float:
    """Share of the hidden image's structure that the main image shows once it is moved."""
    main = np.ascontiguousarray(pair.main_work[:, ::-1]) if is_mirrored else pair.main_work
    height, width = main.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved: Any = cv2.warpAffine(main, matrix[:2], (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    luma = grey(pair.hidden_work)
    return share_above(ssim_map(grey(np.asarray(moved)), luma), structure_of(luma), PRESENT)


def _motion(matrix: Matrix, pair: Pair, is_mirrored: bool, agrees: float) -> Motion:
    height, width = pair.hidden_work.shape[:2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    shift = float(np.hypot(*(matrix @ middle - middle)[:2])) * STATED_PX / max(height, width)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    turn = float(np.degrees(np.arctan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1])))
    return Motion(abs(turn), abs(scale - 1), shift, is_mirrored, agrees)


def check_composition(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Turn, scale and shift against their limits; the one that goes furthest beyond is stated."""
    if min(pair.main_work.shape[:2]) < WINDOW:
        return Answer(None, profile.number("shift_max_px"), "px", unknown="too_small")
    motion = motion_of(pair)
    measures = (
        (round(motion.shift, 2), profile.number("shift_max_px"), "px", "shifted"),
        (round(motion.turn, 2), profile.number("turn_max_deg"), "deg", "turned"),
        (round(motion.scale, 4), profile.number("scale_max"), "share", "scaled"),
    )
    measured, allowed, unit, detail = max(measures, key=lambda item: item[0] / item[1])
    if motion.is_mirrored:
        finding = rule.finding(Level.ERROR, 1, 0, "mirrored", detail="mirrored")
        return Answer(1, 0, "mirrored", (finding,))
    if measured <= allowed:
        return Answer(measured, allowed, unit)
    return Answer(measured, allowed, unit, (rule.finding(Level.ERROR, measured, allowed, unit, detail=detail),))


def check_subject(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Structure that agrees in place outside the overlays; of another photo hardly any agrees anywhere."""
    allowed = profile.number("subject_share_min")
    if min(pair.main_work.shape[:2]) < WINDOW:
        return Answer(None, allowed, "share", unknown="too_small")
    changes, motion = changes_of(pair), motion_of(pair)
    if motion.is_mirrored or motion.shift or motion.turn or motion.scale:
        return Answer(round(motion.agrees, 3), allowed, "share", note="moved")
    is_other = changes.present < profile.number("same_photo_share_min")
    measured = round(changes.present if is_other else changes.unchanged, 3)
    if not is_other and measured >= allowed:
        return Answer(measured, allowed, "share")
    detail = "other_photo" if is_other else "changed_outside"
    return Answer(measured, allowed, "share", (rule.finding(Level.ERROR, measured, allowed, "share", detail=detail),))


RULES = (
    Rule(
        id="H08",
        family="composition",
        title=gettext_noop("Same composition"),
        requires=gettext_noop(
            "The hidden image is the same cut of the photo: not shifted, turned, scaled or mirrored."
        ),
        measured_as=gettext_noop(
            "The similarity transform between the two pictures, when their structure does not agree in place: shift of the "
            "middle in pixels at 500 px on the long side, turn in degrees, scale as a share."
        ),
        codes=("ERR_IMG_HID_GEOMETRY",),
        limits=("shift_max_px", "turn_max_deg", "scale_max"),
        check=check_composition,
    ),
    Rule(
        id="H09",
        family="composition",
        title=gettext_noop("Same subject"),
        requires=gettext_noop("At least 95 % of the subject is the same in both pictures."),
        measured_as=gettext_noop(
            "The share of structure outside the removed promotion that is unchanged (SSIM of 7 x 7 windows); when less "
            "than 45 % of all structure is there at all, the photo is another one."
        ),
        codes=("ERR_IMG_HID_SUBJECT",),
        limits=("subject_share_min", "same_photo_share_min"),
        check=check_subject,
    ),
)
