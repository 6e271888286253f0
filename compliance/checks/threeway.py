"""Residues: what the hidden image shows and the registered original, laid over it, does not.

The original goes through the hidden image's own compression first, so that what is left over is neither sampling nor
JPEG. The difference is averaged over 5 x 5 pixels, because noise changes its sign from pixel to pixel and a mark does
not, and is held against the noise that this very picture shows where it has as much texture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.checks.cells import LUMA_CHROMA, planes_of, unexplained
from compliance.checks.jpeg import lose_like
from compliance.checks.pair import Floats, Mask, Pair, Pixels, Side
from compliance.checks.second_look import regrade, unfilter

Box = tuple[int, int, int, int]

WINDOW = (5, 5)
# Texture classes of the original, by mean gradient in levels per pixel: noise is measured in each.
TEXTURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# Texture is classed in steps of a quarter level; all that a byte can hold of them lies above the last limit.
TEXTURE_STEPS = 4
CLASS_OF_TEXTURE = np.searchsorted(TEXTURES, np.arange(256) / TEXTURE_STEPS).astype(np.uint8)
# Noise of a class: this quantile of its differences. A residue seldom covers as much as a quarter of a class.
QUANTILE = 0.75
# Levels of noise that even the quietest picture has: the rounding of two encoders.
NOISE_FLOOR = 0.5
FEWEST_MEMBERS = 50
# A grade is never found exactly, least of all in deep shadow: its misfit shows as noise of one level of light. It is
# believed up to this many levels only, since a mark may cover all there is of one level.
LIGHT_STEP, MISFIT_MOST = 16, 1.5
# A grade is fitted worst at its ends, where channels are clipped and a whole dark or light patch may be off by a few
# levels: this floor holds for pixels with a channel this near to 0 or 255.
CLIPPED_FLOOR, CLIPPED_NEAR = 0.8, 12
# Multiples of the noise from which a pixel begins a residue, and down to which it belongs to one.
SEED, GROWN = 6.0, 3.0
# Colour is sampled and quantised more coarsely than light: its noise comes in larger pieces.
CHROMA_CAUTION = 1.5
# Resampling knows nothing beyond the frame: its outermost pixels say little.
RIM = 3
# Fewest pixels of seed and of the whole: below that it is a speck of ringing.
SEED_PIXELS, FEWEST_PIXELS = 8, 24
# Marks nearer than this share of the long side are one: letters of a caption, modules of a code.
GAP = 0.016
# When more of the frame differs, the original is another picture, or another version of it.
MOST = 0.4
RGB = np.linalg.inv(LUMA_CHROMA).astype(np.float32)
KIND_UNKNOWN = "unknown"
NO_ORIGINAL = "no_original"


@dataclass(frozen=True, slots=True)
class Residue:
    """One mark in the hidden image that the original does not have.

    box: (left, top, right, bottom) in pixels of the hidden image. strength: largest difference in levels, averaged over
    5 x 5 pixels. opacity: the least that any overlay colour needs to make that difference, 0..1. kind: unknown here.
    """

    box: Box
    strength: float
    opacity: float
    kind: str = KIND_UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class ThreeWay:
    """The comparison with the original: residues, largest first, or the reason why there is none (codes.REASONS).

    path: how the hidden image came from the original. judged: bool in the frame of Side.detail, where the original has
    pixels and agrees; None without a comparison.
    """

    residues: tuple[Residue, ...] = ()
    reason: str = ""
    path: str = ""
    judged: Mask | None = None

    @property
    def is_made(self) -> bool:
        return self.judged is not None


class Groups:
    """Pixels sorted by a number of theirs below 255, so that a quantile of each group is cheap to ask for many times.

    Means of 5 x 5 pixels change slowly: every second pixel of every fourth row says as much as all.
    """

    def __init__(self, numbers: NDArray[np.uint8], inside: Mask) -> None:
        few = np.where(inside[::4, ::2], numbers[::4, ::2], np.uint8(255)).ravel()
        self._order = np.argsort(few, kind="stable")
        self._ends = np.cumsum(np.bincount(few, minlength=256))

    def quantiles(self, size: Floats) -> Iterator[tuple[int, float]]:
        """(number, QUANTILE of its members' sizes) of every number with enough members; size float32 (height, width)."""
        parts = np.split(size[::4, ::2].ravel()[self._order], self._ends[:-1])
        for number, members in enumerate(parts[:255]):
            if members.size >= FEWEST_MEMBERS:
                yield number, float(np.quantile(members, QUANTILE))


def compare_original(pair: Pair) -> ThreeWay:
    """The pair's hidden image against its original; made once for all rules, use `three_way`."""
    original, hidden = pair.original, pair.hidden
    if original is None:
        return ThreeWay(reason=NO_ORIGINAL)
    if original.laid is None:
        return ThreeWay(reason=original.reason)
    expected = original.laid.pixels
    planes = planes_of(expected)
    levels = _difference(planes, expected, hidden)
    is_graded = "graded" in original.laid.path
    floor = _floor(expected, is_graded=is_graded)
    noises = _noises(levels, planes, original.laid.inside, floor)
    scores = _scores(levels, noises, original.laid.inside)
    labels, kept = _marks(scores)
    changed = np.isin(labels, kept)
    if changed.mean() > MOST:
        return ThreeWay(reason="original_differs", path=original.laid.path)
    grown = scores > GROWN
    # An original of the same size that was not graded has been copied: there is nothing to be off by a little.
    if kept and original.laid.path != "same":
        left = _second_look(expected, hidden, changed & grown, is_graded=is_graded)
        kept = _still_marks(_scores(left, noises, original.laid.inside), labels, kept)
        changed = np.isin(labels, kept)
    residues = [_residue((labels == label) & grown, levels, expected, hidden) for label in kept]
    residues.sort(key=lambda residue: -_area(residue.box))
    return ThreeWay(tuple(residues), "", original.laid.path, original.laid.inside & ~changed)


def three_way(pair: Pair) -> ThreeWay:
    """The comparison with the original, shared by all rules."""
    return pair.once(compare_original)


def explained_by_original(pair: Pair, box: Box) -> bool:
    """Whether what stands in this box of the hidden image stands in the original too, so that nothing was added there.

    box: (left, top, right, bottom) in pixels of the hidden image. False without a comparison: then nothing is known.
    """
    found = three_way(pair)
    if found.judged is None:
        return False
    judged = found.judged
    across, down = judged.shape[1] / pair.hidden.width, judged.shape[0] / pair.hidden.height
    left, top = max(0, int(box[0] * across)), max(0, int(box[1] * down))
    part = judged[top : max(top + 1, round(box[3] * down)), left : max(left + 1, round(box[2] * across))]
    # A mark on a print leaves most of the print unchanged: it takes little of the box to call it unexplained.
    return bool(part.size) and bool(part.mean() > 0.98) and residue_in(pair, box) is None


def residue_in(pair: Pair, box: Box) -> Residue | None:
    """The residue that shares most with this box of the hidden image, or None where nothing was left over."""
    shared = [(_area(_intersection(residue.box, box)), residue) for residue in three_way(pair).residues]
    overlap, best = max(shared, key=lambda item: item[0], default=(0, None))
    return best if overlap > 0 else None


def intersection_share(box: Box, other: Box) -> float:
    """Which share of a box another one covers, 0..1."""
    return _area(_intersection(box, other)) / max(1, _area(box))


def _difference(planes: Sequence[Floats], expected: Pixels, hidden: Side) -> list[Floats]:
    """Hidden minus expected in luma and two chroma levels, float32 (height, width), means of 5 x 5 pixels.

    planes: those of the expected picture.
    """
    jpeg = hidden.jpeg if hidden.detail.shape[:2] == (hidden.height, hidden.width) else None
    seen = planes_of(hidden.detail)
    if jpeg is None:
        return [_averaged(one - other) for one, other in zip(seen, planes, strict=True)]
    lossy = planes_of(lose_like(expected, jpeg))
    levels = [_averaged(one - other) for one, other in zip(seen, lossy, strict=True)]
    # Two explanations with different weaknesses: a coefficient near the border of its cell falls to the other side in
    # the first, colours that are clipped to 0..255 spoil the second. A mark is explained by neither.
    outside = unexplained(planes, seen, jpeg)
    if outside is None:
        return levels
    return [_nearer_to_nothing(_averaged(one), other) for one, other in zip(outside, levels, strict=True)]


def _second_look(expected: Pixels, hidden: Side, seeming: Mask, *, is_graded: bool) -> list[Floats]:
    """What is left of the differences once the grade and the resampling are allowed to be off by a little."""
    regraded = regrade(expected, hidden.detail, seeming) if is_graded else expected
    planes = planes_of(regraded)
    return unfilter(_difference(planes, regraded, hidden), planes, seeming, WINDOW)


def _averaged(plane: Floats) -> Floats:
    return np.asarray(cv2.blur(plane, WINDOW), np.float32)


def _nearer_to_nothing(first: Floats, second: Floats) -> Floats:
    return np.where(np.abs(first) < np.abs(second), first, second)


def _floor(expected: Pixels, *, is_graded: bool) -> Floats:
    """Levels of noise that are always allowed, at every pixel."""
    if not is_graded:
        return np.full(expected.shape[:2], NOISE_FLOOR, np.float32)
    lowest, highest = np.asarray(_smallest(expected)), np.asarray(_largest(expected))
    is_clipped = (lowest < CLIPPED_NEAR) | (highest > 255 - CLIPPED_NEAR)
    return np.where(is_clipped, np.float32(CLIPPED_FLOOR), np.float32(NOISE_FLOOR))


def _noises(levels: Sequence[Floats], planes: Sequence[Floats], inside: Mask, floor: Floats) -> list[Floats]:
    """The picture's own noise in levels, for each plane, which is never less than the floor.

    Luma and chroma apart: where colour is sampled coarsely, its noise must not hide a grey mark.
    """
    steps = (planes[0] / LIGHT_STEP).astype(np.uint8)
    light = Groups(steps, inside)
    noises = []
    for channel, (plane, level) in enumerate(zip(planes, levels, strict=True)):
        size = np.abs(level)
        noise = _noise(size, _texture_classes(plane), inside)
        noise = cv2.max(cv2.max(noise, _noise_of_light(size, steps, light)), floor)
        noises.append(np.asarray(noise * CHROMA_CAUTION if channel else noise, np.float32))
    return noises


def _scores(levels: Sequence[Floats], noises: Sequence[Floats], inside: Mask) -> Floats:
    """Difference as a multiple of the noise, the largest of the planes."""
    scores = np.zeros(inside.shape, np.float32)
    for level, noise in zip(levels, noises, strict=True):
        scores = np.maximum(scores, np.abs(level) / noise)
    rim = cv2.erode(inside.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8), borderValue=0)
    scores[rim == 0] = 0
    return scores


def _texture_classes(plane: Floats) -> NDArray[np.uint8]:
    """The class of every pixel, 0..len(TEXTURES), by the mean gradient around it."""
    across, down = cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=1 / 4), cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=1 / 4)
    # JPEG spreads what an edge costs over its whole block, and that far the class must reach.
    texture = cv2.blur(cv2.magnitude(across, down), (11, 11))
    return np.asarray(cv2.LUT(cv2.convertScaleAbs(texture, alpha=TEXTURE_STEPS), CLASS_OF_TEXTURE))


def _noise(size: Floats, classes: NDArray[np.uint8], inside: Mask) -> Floats:
    """Noise in levels at every pixel: that of its texture class, never less than that of a smoother one."""
    by_class = np.full(256, NOISE_FLOOR, np.float32)
    for number, noise in Groups(classes, inside).quantiles(size):
        by_class[number] = noise
    return np.asarray(cv2.LUT(classes, np.maximum.accumulate(by_class)))


def _noise_of_light(size: Floats, steps: NDArray[np.uint8], light: Groups) -> Floats:
    """Noise in levels at every pixel: what the grade misses at its level of light, at most MISFIT_MOST."""
    by_step = np.full(256, NOISE_FLOOR, np.float32)
    for step, noise in light.quantiles(size):
        by_step[step] = np.clip(noise, NOISE_FLOOR, MISFIT_MOST)
    return np.asarray(cv2.LUT(steps, by_step))


def _marks(scores: Floats) -> tuple[NDArray[np.int32], list[int]]:
    """Connected marks as labels, and which of them have a seed: strong enough in enough pixels."""
    grown = (scores > GROWN).astype(np.uint8)
    reach = max(3, round(GAP * max(scores.shape))) | 1
    joined = cv2.morphologyEx(grown, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    seeds = np.bincount(labels[scores > SEED], minlength=count)
    pixels = np.bincount(labels[grown > 0], minlength=count)
    kept = (seeds >= SEED_PIXELS) & (pixels >= FEWEST_PIXELS)
    kept[0] = False
    return labels, [int(label) for label in np.flatnonzero(kept)]


def _still_marks(scores: Floats, labels: NDArray[np.int32], kept: Sequence[int]) -> list[int]:
    """Those of the marks that have a seed in these scores too."""
    count = int(labels.max()) + 1
    seeds = np.bincount(labels[scores > SEED], minlength=count)
    pixels = np.bincount(labels[scores > GROWN], minlength=count)
    return [label for label in kept if seeds[label] >= SEED_PIXELS and pixels[label] >= FEWEST_PIXELS]


def _residue(mark: Mask, levels: Sequence[Floats], expected: Pixels, hidden: Side) -> Residue:
    ys, xs = np.nonzero(mark)
    # The mean over 5 x 5 pixels makes every mark two pixels wider than it is.
    left, top, right, bottom = int(xs.min()) + 1, int(ys.min()) + 1, int(xs.max()), int(ys.max())
    across, down = hidden.width / hidden.detail.shape[1], hidden.height / hidden.detail.shape[0]
    box = (
        int(left * across),
        int(top * down),
        max(int(left * across) + 1, round(right * across)),
        max(int(top * down) + 1, round(bottom * down)),
    )
    opacity = _opacity(hidden.detail[ys, xs].astype(np.float32), expected[ys, xs].astype(np.float32))
    strength = np.abs(np.stack([plane[ys, xs] for plane in levels], axis=1) @ RGB.T).max()
    return Residue(box, round(float(strength), 1), round(min(1.0, opacity), 2))


def _opacity(seen: Floats, wanted: Floats) -> float:
    """The least opacity, 0..1, with which some colour of 0..255 turns the wanted pixels (n, 3) into those that are seen.

    The strongest twentieth decides: beside a mark's strokes there is much that they only touch.
    """
    change = seen - wanted
    room = np.maximum(np.where(change > 0, 255 - wanted, wanted), 32)
    return float(np.percentile((np.abs(change) / room).max(axis=1), 95))


def _largest(levels: Any) -> Any:
    """The largest of three channels; numpy's own maximum over so short an axis takes twenty times as long."""
    first, second, third = cv2.split(levels)
    return cv2.max(cv2.max(first, second), third)


def _smallest(levels: Any) -> Any:
    first, second, third = cv2.split(levels)
    return cv2.min(cv2.min(first, second), third)


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _intersection(first: Box, second: Box) -> Box:
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )
