"""Rule H15: no frame round the picture."""

import numpy as np
from numpy.typing import NDArray

from compliance.checks.base import Answer, Level, Rule
from compliance.checks.pair import Pair, Pixels
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop

# A frame lies within this share of the shorter side; its colour varies less along and between the sides than this;
# and what follows inside differs by more than JPEG or a vignette does.
BORDER_DEPTH = 0.05
BORDER_DEVIATION = 8.0
BORDER_SPREAD = 10.0
BORDER_JUMP = 14.0


def find_border(pixels: Pixels) -> tuple[int, tuple[int, int, int]] | None:
    """Width in pixels and colour of a frame round the picture, or None.

    A frame is a band of one colour within 5 % of all four edges that ends inside that depth on every side. A plain
    background has no end there, so a product on a plain sheet has no frame.
    """
    depth = max(6, round(min(pixels.shape[:2]) * BORDER_DEPTH))
    sides = [_profile(side, depth) for side in _four_sides(pixels)]
    best: tuple[float, int, NDArray[np.float32]] | None = None
    for line in range(depth - 2):
        colours = np.stack([means[line] for means, _ in sides])
        is_even = max(float(deviations[line]) for _, deviations in sides) < BORDER_DEVIATION
        if not is_even or float(np.ptp(colours, axis=0).max()) > BORDER_SPREAD:
            continue
        jump = min(_jump(means, line) for means, _ in sides)
        if jump > BORDER_JUMP and (best is None or jump > best[0]):
            best = (jump, line, colours.mean(axis=0))
    if best is None:
        return None
    return best[1] + 1, (int(best[2][0]), int(best[2][1]), int(best[2][2]))


def _four_sides(pixels: Pixels) -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """The picture four times, each with another edge on top."""
    turned = pixels.transpose(1, 0, 2)
    return pixels, pixels[::-1], turned, turned[::-1]


def _profile(side: Pixels, depth: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean colour (depth, 3) and largest channel deviation (depth,) of each line from the edge, corners left out."""
    lines = side[:depth, depth:-depth].astype(np.float32)
    return lines.mean(axis=1), lines.std(axis=1).max(axis=1)


def _jump(means: NDArray[np.float32], line: int) -> float:
    """Largest difference between a line and the lines further inside, from two lines on."""
    return float(np.abs(means[line + 2 :] - means[line]).max())


def check_border(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """A frame in the hidden image. That the main image has the same one does not help: frames are promotion."""
    allowed = profile.integer("border_max_px")
    found = find_border(pair.hidden_work)
    if found is None:
        return Answer(0, allowed, "px")
    width, colour = found
    measured = max(1, round(width * pair.hidden.width / pair.hidden_work.shape[1]))
    if measured <= allowed:
        return Answer(measured, allowed, "px")
    whole = (0, 0, pair.hidden.width, pair.hidden.height)
    detail = "RGB {} {} {}".format(*colour)
    return Answer(
        measured, allowed, "px", (rule.finding(Level.ERROR, measured, allowed, "px", bbox=whole, detail=detail),)
    )


RULES = (
    Rule(
        id="H15",
        family="graphics",
        title=gettext_noop("No border"),
        requires=gettext_noop("No frame runs round the hidden image."),
        measured_as=gettext_noop(
            "A band of one colour along all four edges, within 5 % of the shorter side, that ends on every side."
        ),
        codes=("ERR_IMG_HID_BORDER",),
        limits=("border_max_px",),
        check=check_border,
    ),
)
