"""The original laid into the frame of a main image that was made from it: same, scaled, cropped, graded, or several.

Features find roughly where it lies; many small windows, each compared for its own shift, say it to a twentieth of a
pixel, and windows covered by promotion are outvoted. Then the likeliest ways in which a program scales are tried, and
the one whose pixels come nearest is kept. Only crops and scales are followed; anything else is a named error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.packs.errors import MainBeyondOriginal, MainNotFromOriginal, MainTransformed
from compliance.packs.relation import Relation, relation_of_box
from compliance.packs.tone import UNCHANGED, Tone, find_tone
from ledger.imaging.agreement import between_centres
from ledger.imaging.features import Profile, extract, inverted, mirrored
from ledger.imaging.geometry import Placement, locate

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Box = tuple[float, float, float, float]

FEATURES = Profile(long_side=640, limit=800)
# Fewer agreeing spots than this are met between unrelated pictures of one shop (its frame, its logo).
FEWEST_SPOTS = 12
# Half a degree over 1000 px moves a corner by 4 px: more than the windows below could follow.
MOST_TURN = 0.5
# Both scales of a crop that was resized to whole pixels differ by a pixel in the shorter side, 1/600 at most.
MOST_STRETCH = 0.02
MOST_SLANT = 0.02
# Windows are compared at this long side, where a shift of a twentieth of a pixel is a tenth at 2000 px.
WORK_SIDE = 1000
WINDOW = 64
ROUNDS = 4
STILL_PX = 0.1  # then another round would not change which pixels or edges are chosen
FEWEST_WINDOWS = 8
# Grey levels; a window with less texture says nothing about its place.
LEAST_SPREAD = 3.0
# A window that the transform misses by more was covered, or looks the same a few pixels further.
FAR_PX = 0.6
# How much of the frame may lie outside the original: rounding of a crop, not a larger canvas.
OUTSIDE_PX = 1.0
# Designers crop at whole pixels of the original; a box this near to one is taken for it if the pixels do not object.
SNAP_PX = 0.6
# The whole original is likelier than a crop by this little of each side.
NEAR_FULL_PX = 3.0
# A less likely box must come nearer by 8 %: resampling alone, which softens grain, brings a picture nearer by 2 to 3 %.
NOT_WORTH = 1.08
MOST_MISS = 16
ROWS_LOOKED_AT = 8
FILTERS = (
    Image.Resampling.LANCZOS,
    Image.Resampling.BICUBIC,
    Image.Resampling.BILINEAR,
    Image.Resampling.BOX,
)


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """The original in the main image's frame: uint8 (height, width, 3) with the main image's colours, and how it got
    there. miss: mean difference to the main image in levels after all this, each pixel counted up to 16.
    """

    pixels: Pixels
    relation: Relation
    tone: Tone
    miss: float


def lay_original(original: Pixels, main: Pixels) -> Laid:
    """Find the original in the main image and bring it into its frame.

    Both uint8 (height, width, 3), sRGB, upright. Raises MainNotFromOriginal, MainTransformed or MainBeyondOriginal.
    """
    size = (main.shape[1], main.shape[0])
    rough = _find(original, main)
    fine = _refine(original, main, rough)
    best: Laid | None = None
    for relation in _likely(fine, original, size):
        laid = _nearest(original, main, relation)
        if best is None or laid.miss < best.miss / NOT_WORTH:
            best = laid
    if best is None:
        raise MainBeyondOriginal(_beyond(fine, original, size))
    return best


def render(original: Pixels, box: Box, size: tuple[int, int], kernel: Image.Resampling) -> Pixels:
    """A part of the original, (left, top, right, bottom) in pixel edges, at (width, height), smoothed as it shrinks."""
    height, width = original.shape[:2]
    left, top, right, bottom = box
    inside = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
    if inside == box and all(float(edge).is_integer() for edge in box) and (right - left, bottom - top) == size:
        return original[int(top) : int(bottom), int(left) : int(right)]
    return np.asarray(Image.fromarray(original).resize(size, kernel, box=inside))


# Roughly: features ------------------------------------------------------------------------------------------------


def _find(original: Pixels, main: Pixels) -> Relation:
    query, reference = extract(main, FEATURES), extract(original, FEATURES)
    placement = locate(query, reference)
    if placement is None or placement.inliers < FEWEST_SPOTS:
        for view, name in ((mirrored(query), "mirrored"), (inverted(query), "inverted")):
            other = locate(view, reference)
            if other is not None and other.inliers >= FEWEST_SPOTS:
                raise MainTransformed(name)
        raise MainNotFromOriginal(f"{placement.inliers if placement else 0} common spots, at least {FEWEST_SPOTS}")
    seen = np.array([query.width / main.shape[1], query.height / main.shape[0]])
    known = np.array([reference.width / original.shape[1], reference.height / original.shape[0]])
    _refuse_turned(np.linalg.inv(between_centres(seen)) @ placement.matrix @ between_centres(known))
    return _axes(placement, query.geometry[:, :2] / seen, reference.geometry[:, :2] / known)


def _refuse_turned(matrix: Floats) -> None:
    linear = matrix[:2, :2]
    across, down = np.linalg.norm(linear[:, 0]), np.linalg.norm(linear[:, 1])
    turn = float(np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])))
    slant = abs(float((linear[:, 0] @ linear[:, 1]) / (across * down)))
    if abs(turn) > MOST_TURN:
        raise MainTransformed(f"turned by {turn:.1f} degrees")
    if slant > MOST_SLANT or abs(across / down - 1) > MOST_STRETCH:
        raise MainTransformed("slanted" if slant > MOST_SLANT else f"stretched by {100 * abs(across / down - 1):.0f} %")


def _axes(placement: Placement, seen: Floats32, known: Floats32) -> Relation:
    """Scale and shift of each axis by least squares over the agreeing spots."""
    target = seen[placement.query].astype(np.float64)
    source = known[placement.reference].astype(np.float64)
    across, right = np.polyfit(source[:, 0], target[:, 0], 1)
    down, lower = np.polyfit(source[:, 1], target[:, 1], 1)
    return Relation(float(across), float(right), float(down), float(lower))


# Finely: windows --------------------------------------------------------------------------------------------------


def _refine(original: Pixels, main: Pixels, rough: Relation) -> Relation:
    """The relation that most windows agree on."""
    height, width = main.shape[:2]
    factor = min(1.0, WORK_SIDE / max(width, height))
    size = (max(WINDOW, round(width * factor)), max(WINDOW, round(height * factor)))
    target = _grey(np.asarray(Image.fromarray(main).resize(size, Image.Resampling.BOX)))
    found = rough
    for _ in range(ROUNDS):
        box = found.box((width, height))
        laid = _grey(_render_padded(original, box, size))
        places, shifts = _window_shifts(laid, target)
        if len(places) < FEWEST_WINDOWS:
            raise MainNotFromOriginal(f"{len(places)} windows with texture agree, at least {FEWEST_WINDOWS}")
        (grow_x, move_x, miss_x), (grow_y, move_y, miss_y) = (
            _line(places[:, axis], shifts[:, axis]) for axis in (0, 1)
        )
        # Laid places p go to p + shift(p), both in the work frame; the main image's own frame is larger.
        zoom = np.array([width / size[0], height / size[1]])
        step = Relation(1 + grow_x, move_x * zoom[0], 1 + grow_y, move_y * zoom[1])
        found = _after(found, step, zoom)
        miss = float(np.hypot(miss_x * zoom[0], miss_y * zoom[1]))
        found = replace(found, residual_px=miss)
        moved = abs(grow_x) * size[0] + abs(move_x) + abs(grow_y) * size[1] + abs(move_y)
        if moved < STILL_PX:
            break
    return found


def _after(first: Relation, step: Relation, zoom: Floats) -> Relation:
    """The relation of doing `first`, then `step`, whose growth is about the work frame's origin."""
    # A place of the work frame is (x + 0.5) / zoom - 0.5; growing it there shifts the large frame a little.
    shift_x = step.right + (step.across - 1) * (0.5 - 0.5 * zoom[0])
    shift_y = step.lower + (step.down - 1) * (0.5 - 0.5 * zoom[1])
    return Relation(
        first.across * step.across,
        first.right * step.across + float(shift_x),
        first.down * step.down,
        first.lower * step.down + float(shift_y),
    )


def _render_padded(original: Pixels, box: Box, size: tuple[int, int]) -> Pixels:
    """Like `render`, with the original's rim repeated where a rough box reaches beyond it."""
    height, width = original.shape[:2]
    left, top, right, bottom = box
    rims = (max(0, int(np.ceil(-left))), max(0, int(np.ceil(-top))))
    ends = (max(0, int(np.ceil(right - width))), max(0, int(np.ceil(bottom - height))))
    if max(*rims, *ends) > max(width, height):
        raise MainBeyondOriginal(f"{max(*rims, *ends)} px")
    if max(*rims, *ends):
        original = cv2.copyMakeBorder(original, rims[1], ends[1], rims[0], ends[0], cv2.BORDER_REPLICATE)
    moved = (left + rims[0], top + rims[1], right + rims[0], bottom + rims[1])
    return np.asarray(Image.fromarray(original).resize(size, Image.Resampling.BOX, box=moved))


def _grey(pixels: Pixels) -> Floats32:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)


def _window_shifts(laid: Floats32, target: Floats32) -> tuple[Floats, Floats]:
    """Middles of the windows with texture, (n, 2), and how far the target lies from the laid picture there."""
    height, width = laid.shape
    taper = cv2.createHanningWindow((WINDOW, WINDOW), cv2.CV_32F)
    places, shifts = [], []
    for top, left in product(range(0, height - WINDOW + 1, WINDOW // 2), range(0, width - WINDOW + 1, WINDOW // 2)):
        here = laid[top : top + WINDOW, left : left + WINDOW]
        there = target[top : top + WINDOW, left : left + WINDOW]
        if min(float(here.std()), float(there.std())) < LEAST_SPREAD:
            continue
        (right, down), _ = cv2.phaseCorrelate(here - here.mean(), there - there.mean(), taper)
        if max(abs(right), abs(down)) < WINDOW / 4:
            places.append((left + (WINDOW - 1) / 2, top + (WINDOW - 1) / 2))
            shifts.append((right, down))
    return np.array(places).reshape(-1, 2), np.array(shifts).reshape(-1, 2)


def _line(places: Floats, shifts: Floats) -> tuple[float, float, float]:
    """Slope, value at 0 and root mean square miss of the line that most points are near to.

    The median decides where most are, then least squares over what is near it, in a net that is drawn in.
    """
    slope, value = 0.0, float(np.median(shifts))
    for reach in (4.0, 2.0, FAR_PX, FAR_PX):
        near = np.abs(shifts - slope * places - value) < reach
        if near.sum() < FEWEST_WINDOWS:
            raise MainNotFromOriginal(f"{int(near.sum())} windows agree, at least {FEWEST_WINDOWS}")
        spread = places[near] - places[near].mean()
        slope = float(spread @ shifts[near] / max(1.0, float(spread @ spread)))
        value = float(shifts[near].mean() - slope * places[near].mean())
    miss = shifts[near] - slope * places[near] - value
    return slope, value, float(np.sqrt((miss**2).mean()))


# Exactly: likely boxes and scalings -------------------------------------------------------------------------------


def _likely(found: Relation, original: Pixels, size: tuple[int, int]) -> Iterator[Relation]:
    """The whole original when the box is near it, the box at whole pixels, the box as measured; likeliest first."""
    height, width = original.shape[:2]
    full = (0.0, 0.0, float(width), float(height))
    box = found.box(size)
    reach = [1 / scale for scale in (found.across, found.down)] * 2  # one pixel of the main image in the original's
    off = [abs(edge - whole) / one for edge, whole, one in zip(box, full, reach, strict=True)]
    if max(off) <= NEAR_FULL_PX:
        yield _stepped(full, size, original, found.residual_px)
    if max(off) <= 1 or not _is_inside(found, original, size):
        return
    snapped = _within(tuple(float(round(edge)) for edge in box), full)
    if snapped != full and all(
        abs(edge - whole) <= SNAP_PX * max(1.0, one) for edge, whole, one in zip(box, snapped, reach, strict=True)
    ):
        yield _stepped(snapped, size, original, found.residual_px)
    yield _stepped(_within(box, full), size, original, found.residual_px)


def _within(box: Sequence[float], full: Box) -> Box:
    return max(full[0], box[0]), max(full[1], box[1]), min(full[2], box[2]), min(full[3], box[3])


def _is_inside(found: Relation, original: Pixels, size: tuple[int, int]) -> bool:
    return max(_overhang(found, original, size)) <= OUTSIDE_PX


def _overhang(found: Relation, original: Pixels, size: tuple[int, int]) -> tuple[float, ...]:
    """How far the frame reaches beyond the original on each side, in pixels of the main image: what would be missing."""
    height, width = original.shape[:2]
    left, top, right, bottom = found.box(size)
    return -left * found.across, -top * found.down, (right - width) * found.across, (bottom - height) * found.down


def _beyond(found: Relation, original: Pixels, size: tuple[int, int]) -> str:
    sides = zip(("left", "top", "right", "bottom"), _overhang(found, original, size), strict=True)
    return ", ".join(f"{round(px)} px {side}" for side, px in sides if px > OUTSIDE_PX)


def _stepped(box: Box, size: tuple[int, int], original: Pixels, residual_px: float) -> Relation:
    height, width = original.shape[:2]
    is_cropped = box != (0.0, 0.0, float(width), float(height))
    is_scaled = (box[2] - box[0], box[3] - box[1]) != size
    steps = tuple(name for name, done in (("cropped", is_cropped), ("scaled", is_scaled)) if done)
    return relation_of_box(box, size, residual_px, steps)


def _nearest(original: Pixels, main: Pixels, relation: Relation) -> Laid:
    """This part of the original in the scaling kernel and the colours that come nearest to the main image."""
    size = (main.shape[1], main.shape[0])
    left, top, right, bottom = (round(edge, 6) for edge in relation.box(size))
    box = (left, top, right, bottom)
    kernels = FILTERS if "scaled" in relation.steps else FILTERS[:1]
    # Every eighth row decides; colours are matched on the first, since kernels differ in sharpness alone.
    seen = main[::ROWS_LOOKED_AT]
    tone: Tone | None = None
    best, least = original, float("inf")
    for kernel in kernels:
        pixels = render(original, box, size, kernel)
        tone = tone or find_tone(pixels, main)
        miss = _miss(tone.apply(pixels[::ROWS_LOOKED_AT]), seen)
        if miss < least:
            best, least = pixels, miss
    tone = tone or UNCHANGED
    steps = (*relation.steps, *(("graded",) if tone.is_change else ()))
    return Laid(tone.apply(best), replace(relation, steps=steps), tone, least)


def _miss(pixels: Pixels, main: Pixels) -> float:
    """Mean difference in levels, in which a covered pixel weighs no more than a badly scaled edge."""
    return float(np.minimum(cv2.absdiff(pixels, main), MOST_MISS).mean())
