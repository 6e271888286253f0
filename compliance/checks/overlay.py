"""Rules about how the promotion was removed: whole, not faded, and without a visible patch.

Ghost: with the main image M = C + a (O - C) for an overlay O on a clean picture C, and a rest of strength b left in the
hidden image H = C + b (O - C), H repeats a share b / a of the overlay's edges that M shows. A clean removal repeats none:
the texture of C has no reason to follow the edges of O.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.base import Answer, Box, Level, Rule
from compliance.checks.changes import QUIET, Changes, changes_of
from compliance.checks.pair import Floats, Pair
from compliance.checks.profile import Profile
from compliance.checks.ssim import WINDOW, grey
from compliance.checks.words import gettext_noop

# Edges of the removed overlay, by Sobel slope; texture that it hid is weaker.
EDGE = 60
FEWEST_EDGES = 60
# Neighbouring pixels repeat each other: the error of the slope is this many times what independent pixels would give.
CORRELATED = 4.0
# How many standard errors above zero a slope must lie.
SURE = 4.5
# A rest is weaker than what it is a rest of; edges that the hidden image shows as strongly are its own.
STRONGEST = 0.8
# At an edge half of the window is covered: that much of the texture an opaque overlay leaves. Then it is measured.
HALF_COVERED = 0.5
ROUNDS = 3
# An overlay that lets more through than this was transparent itself. How much cannot be told well enough there, and too
# little taken off would look like a ghost: all of it is taken off, which can only hide one.
MOSTLY_KEPT = 0.6
SMALLEST_GHOST, SMALLEST_PATCH = 150, 400
# When most of the frame changed there is no "around the patch" left, and no overlay to speak of.
MOST_CHANGED = 0.6
RING = 24
# Grain weaker than this (absolute Laplacian) is none: on flat ground every patch matches.
GRAINLESS = 2.0
STEADY = 0.7


@dataclass(frozen=True, slots=True)
class Trace:
    """What one removed overlay left: slope (0 when it left nothing that is sure) and its box in the working frame."""

    slope: float
    box: Box


def check_ghost(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The steepest sure slope of all removed overlays."""
    allowed = profile.number("ghost_slope_max")
    changes, note = _comparable(pair, profile)
    if changes is None:
        return Answer(None, allowed, "slope", note=note)
    traces = _traces(pair, changes)
    measured = round(max((trace.slope for trace in traces), default=0.0), 3)
    findings = tuple(
        rule.finding(Level.ERROR, round(trace.slope, 3), allowed, "slope", bbox=pair.to_hidden(trace.box))
        for trace in traces
        if trace.slope > allowed
    )
    return Answer(measured, allowed, "slope", findings)


def check_repair(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The grain of every repaired patch against that of a ring around it; a warning, since marketplaces look less closely."""
    allowed = profile.number("repair_grain_max")
    changes, note = _comparable(pair, profile)
    if changes is None:
        return Answer(None, allowed, "log ratio", note=note)
    grain = np.abs(cv2.Laplacian(grey(pair.hidden_work), cv2.CV_32F, ksize=3))
    patches = [(_grain_ratio(grain, changes, number, box), box) for number, box in enumerate(changes.boxes, 1)]
    measured = round(max((ratio for ratio, _ in patches), default=0.0), 2)
    findings = tuple(
        rule.finding(Level.WARNING, round(ratio, 2), allowed, "log ratio", bbox=pair.to_hidden(box))
        for ratio, box in patches
        if ratio > allowed
    )
    return Answer(measured, allowed, "log ratio", findings)


def _comparable(pair: Pair, profile: Profile) -> tuple[Changes | None, str]:
    """The changes when overlays can be looked at, or the note that says why not."""
    if min(pair.main_work.shape[:2]) < WINDOW:
        return None, "too_small"
    if pair.is_stretched:
        return None, "stretched"
    changes = changes_of(pair)
    if changes.present < profile.number("same_photo_share_min") or changes.overlay_share > MOST_CHANGED:
        return None, "other_photo"
    if changes.typical > QUIET:
        return None, "differs_everywhere"
    return changes, ""


def _traces(pair: Pair, changes: Changes) -> list[Trace]:
    """The slope of each change, from sums over its edges; all changes at once."""
    main, hidden = pair.main_work.astype(np.float32), pair.hidden_work.astype(np.float32)
    count = len(changes.boxes) + 1
    labels = cv2.dilate(changes.labels.astype(np.float32), np.ones((7, 7), np.uint8)).astype(np.int32)
    slopes = [(cv2.Sobel(each, cv2.CV_32F, 1, 0), cv2.Sobel(each, cv2.CV_32F, 0, 1)) for each in (main, hidden)]
    removed = cv2.magnitude(slopes[0][0] - slopes[1][0], slopes[0][1] - slopes[1][1])
    is_edge = (removed > EDGE) & (labels > 0)[..., None]
    owner = np.broadcast_to(labels[..., None], is_edge.shape)[is_edge]
    edges = _Edges(*(each[is_edge].astype(np.float64) for pair_of in slopes for each in pair_of))
    return [_trace(edges.slope(owner, count), changes, number) for number in range(1, count)]


@dataclass(frozen=True, slots=True)
class _Edges:
    """Gradients (n,) of main and hidden image, across and down, at the edges of overlays."""

    main_x: NDArray[np.float64]
    main_y: NDArray[np.float64]
    hidden_x: NDArray[np.float64]
    hidden_y: NDArray[np.float64]

    def slope(self, owner: NDArray[np.int32], count: int) -> NDArray[np.float64]:
        """Sums (4, count) for each owner: x x, x y, y y and the number of edges, for y = slope * x.

        Along an edge there is only the photo's texture, in both pictures: it tells which share of the texture the main
        image still shows there. That share is taken off before the gradients across the edge are compared.
        """
        kept = np.full(count, HALF_COVERED)
        for _ in range(ROUNDS):
            across_x = self.main_x - kept[owner] * self.hidden_x
            across_y = self.main_y - kept[owner] * self.hidden_y
            length = np.maximum(np.hypot(across_x, across_y), 1e-6)
            across_x, across_y = across_x / length, across_y / length
            main_along = self.main_y * across_x - self.main_x * across_y
            hidden_along = self.hidden_y * across_x - self.hidden_x * across_y
            textures = np.bincount(owner, hidden_along**2, minlength=count)
            shared = np.bincount(owner, main_along * hidden_along, minlength=count)
            kept = np.clip(shared / np.maximum(textures, 1e-6), 0, 1)
        kept = np.where(kept > MOSTLY_KEPT, 1.0, kept)
        main_across = self.main_x * across_x + self.main_y * across_y
        hidden_across = self.hidden_x * across_x + self.hidden_y * across_y
        x, y = main_across - kept[owner] * hidden_across, hidden_across
        return np.array([np.bincount(owner, each, minlength=count) for each in (x * x, x * y, y * y, np.ones_like(x))])


def _trace(sums: NDArray[np.float64], changes: Changes, number: int) -> Trace:
    box = changes.boxes[number - 1]
    squares, products, seen, edges = (float(value) for value in sums[:, number])
    if edges < FEWEST_EDGES or (box[2] - box[0]) * (box[3] - box[1]) < SMALLEST_GHOST:
        return Trace(0.0, box)
    slope = products / squares
    left_over = max(0.0, seen - slope * products)
    error = CORRELATED * np.sqrt(left_over / edges / squares) + 1e-9
    is_ghost = slope / error > SURE and slope < STRONGEST
    return Trace(slope if is_ghost else 0.0, box)


def _grain_ratio(grain: Floats, changes: Changes, number: int, box: Box) -> float:
    """How much smoother a change is than what lies around it: ln of the ratio of their grain, 0 where it is not.

    Every way of filling loses grain; a patch that is rougher is a seam between a product and its background.
    """
    left, top, right, bottom = max(0, box[0] - RING), max(0, box[1] - RING), box[2] + RING, box[3] + RING
    part, labels = grain[top:bottom, left:right], changes.labels[top:bottom, left:right]
    inside, around = labels == number, labels == 0
    if inside.sum() < SMALLEST_PATCH or around.sum() < SMALLEST_PATCH:
        return 0.0
    within, beyond = float(np.median(part[inside])), float(np.median(part[around]))
    if beyond <= GRAINLESS:
        return 0.0
    return max(0.0, float(np.log((beyond + STEADY) / (within + STEADY))))


RULES = (
    Rule(
        id="H18",
        family="overlay",
        title=gettext_noop("Promotion removed, not faded"),
        requires=gettext_noop("Nothing of the removed promotion shines through."),
        measured_as=gettext_noop(
            "How much of the edges that each removed overlay has in the main image the hidden image repeats."
        ),
        codes=("ERR_IMG_HID_GHOST",),
        limits=("ghost_slope_max", "same_photo_share_min"),
        check=check_ghost,
    ),
    Rule(
        id="H19",
        family="overlay",
        title=gettext_noop("No visible repair"),
        requires=gettext_noop("Where promotion was removed the picture looks as around it."),
        measured_as=gettext_noop(
            "How much weaker the grain inside each removed overlay is than that of a ring around it, as a logarithm."
        ),
        codes=("WARN_IMG_HID_INPAINT",),
        limits=("repair_grain_max", "same_photo_share_min"),
        check=check_repair,
    ),
)
