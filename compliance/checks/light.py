"""Rule about light: the subject is as bright and as coloured in the hidden image as in the main image."""

import numpy as np

from compliance.checks.background import find_background
from compliance.checks.base import Answer, Level, Rule
from compliance.checks.changes import changes_of
from compliance.checks.pair import Pair, fit
from compliance.checks.profile import Profile
from compliance.checks.ssim import WINDOW
from compliance.checks.words import gettext_noop

# A subject smaller than this many pixels of the working frame has no light of its own to measure.
FEWEST_PIXELS = 1000


def check_light(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The median difference of the subject outside the overlays, in its worst channel."""
    allowed = profile.number("light_difference_max")
    if min(pair.main_work.shape[:2]) < WINDOW:
        return Answer(None, allowed, "RGB levels", unknown="too_small")
    changes = changes_of(pair)
    if changes.present < profile.number("same_photo_share_min"):
        return Answer(None, allowed, "RGB levels", note="other_photo")
    background = find_background(pair.hidden_work)
    subject = changes.outside.copy()
    if background.is_plain:
        height, width = subject.shape
        subject &= fit(background.mask.astype(np.uint8), (width, height)) == 0
    if subject.sum() < FEWEST_PIXELS:
        return Answer(None, allowed, "RGB levels", note="no_subject")
    difference = pair.hidden_work[subject].astype(np.int16) - pair.main_work[subject]
    offset = np.median(difference, axis=0)
    measured = round(float(np.abs(offset).max()), 1)
    if measured <= allowed:
        return Answer(measured, allowed, "RGB levels")
    detail = " ".join(f"{channel}{value:+.1f}" for channel, value in zip("RGB", offset, strict=True))
    finding = rule.finding(Level.ERROR, measured, allowed, "RGB levels", detail=detail)
    return Answer(measured, allowed, "RGB levels", (finding,))


RULES = (
    Rule(
        id="H11",
        family="light",
        title=gettext_noop("Same light"),
        requires=gettext_noop("The subject is lit the same in both pictures."),
        measured_as=gettext_noop(
            "Median difference of the subject outside the removed promotion, in its worst channel; a plain background is "
            "not the subject."
        ),
        codes=("ERR_IMG_HID_LIGHT",),
        limits=("light_difference_max", "same_photo_share_min"),
        check=check_light,
    ),
)
