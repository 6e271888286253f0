"""A compliance pack from a registered original: main image with its promotion, hidden image without, detail image.

Main and hidden image are one picture written in one form, so they differ in the promotion's block groups and nowhere
else. With an overlay that picture is the original; with a finished main image it is the original laid into its frame,
and the promotion is taken over from there. Nothing of a given main image ever reaches the hidden one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.checks.check import PairReport, check_pair
from compliance.checks.pair import frame_size
from compliance.checks.profile import Profile
from compliance.packs.blocks import Agreement, measure_agreement
from compliance.packs.errors import FormatNotAllowed, MainReworked, OriginalTooSmall, OverlayAndMain
from compliance.packs.jpeg import JpegForm, encode_below, forms_from, own_forms, read_form
from compliance.packs.laying import lay_original
from compliance.packs.opening import Pixels, Source, open_layer, open_source
from compliance.packs.overlay import check_layer, compose
from compliance.packs.promotion import Box, boxes_of, find_promotion, take_over
from compliance.packs.relation import Relation, relation_of_box
from compliance.packs.strip import strip_jpeg
from ledger.imaging.decode import decode_picture

# The limits of a profile that this module reads beside those of the rules.
PACK_LIMITS = ("pack_main_long_side_px", "pack_detail_long_side_px")
# Beyond this the two are hardly the same picture, and SSIM could never pass.
MOST_PROMOTION = 0.6

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PackFile:
    """One finished file: role main, hidden or detail; width and height in pixels; how it descends from the original."""

    role: str
    data: bytes
    width: int
    height: int
    relation: Relation


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Three files, what is known about the pair, and where the promotion lies (boxes in the main image)."""

    files: tuple[PackFile, ...]
    report: PairReport
    agreement: Agreement
    boxes: tuple[Box, ...]
    timings_ms: dict[str, float]

    def file(self, role: str) -> PackFile:
        """The file of that role."""
        return next(file for file in self.files if file.role == role)


@dataclass(frozen=True, slots=True)
class PackInput:
    """What a pack is made from: the registered original, and an overlay PNG or a finished main image, or neither."""

    original: bytes
    overlay: bytes | None = None
    main: bytes | None = None
    category: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """The two pictures before they are written. boxes: the promotion's places; changed: every pixel it has effect on."""

    clean: Pixels
    promoted: Pixels
    changed: Mask
    boxes: tuple[Box, ...]
    relation: Relation
    forms: tuple[JpegForm, ...]


def make_pack(given: PackInput, profile: Profile, *, clock: Callable[[], float] = perf_counter) -> Pack:
    """The pack, or a PackError that names what stands in its way. Runs on hostile bytes: call it in the limited child."""
    watch = _Watch(clock)
    _check_call(given, profile)
    original = open_source(given.original, "original")
    watch.lap("decode")
    picture = _derive(original, given, profile)
    watch.lap("derive")
    limit = profile.integer("file_size_max_bytes")
    (main, hidden), form = encode_below((picture.promoted, picture.clean), picture.forms, limit)
    detail = _detail(original, profile)
    watch.lap("encode")
    agreement = measure_agreement(decode_picture(main).pixels, decode_picture(hidden).pixels, picture.changed, form)
    watch.lap("compare")
    report = check_pair(
        main,
        hidden,
        main_name="main.jpg",
        hidden_name="hidden.jpg",
        profile=profile,
        category=given.category,
        original=given.original,
        original_name="original",
        clock=clock,
    )
    watch.lap("check")
    height, width = picture.clean.shape[:2]
    overlaid = ("overlaid",) if picture.changed.any() else ()
    files = (
        PackFile("main", main, width, height, _with_steps(picture.relation, overlaid)),
        PackFile("hidden", hidden, width, height, picture.relation),
        detail,
    )
    return Pack(files, report, agreement, picture.boxes, watch.laps)


class _Watch:
    """Milliseconds between calls, by name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = self._clock()
        self.laps[name] = round((now - self._since) * 1000, 2)
        self._since = now


def _check_call(given: PackInput, profile: Profile) -> None:
    if given.overlay is not None and given.main is not None:
        raise OverlayAndMain
    if "JPEG" not in profile.names("formats"):
        raise FormatNotAllowed(f"JPEG, allowed {', '.join(profile.names('formats'))}")


def _derive(original: Source, given: PackInput, profile: Profile) -> _Picture:
    if given.main is not None:
        return _from_main(original, open_source(given.main, "main"), profile)
    if given.overlay is not None:
        return _from_overlay(original, open_layer(given.overlay), profile)
    clean, relation = _scaled(original, profile.integer("pack_main_long_side_px"), profile)
    nothing = np.zeros(clean.shape[:2], np.bool_)
    return _Picture(clean, clean, nothing, (), relation, own_forms())


def _from_overlay(original: Source, layer: Image.Image, profile: Profile) -> _Picture:
    """Nothing is enlarged: the frame is the smallest of the original, the overlay and the profile's size."""
    check_layer(layer, original.size, profile.integer("aspect_tolerance_px"))
    long_side = min(profile.integer("pack_main_long_side_px"), max(layer.size))
    clean, relation = _scaled(original, long_side, profile)
    composed = compose(clean, layer)
    return _Picture(clean, composed.pixels, composed.touched, boxes_of(composed.touched), relation, own_forms())


def _from_main(original: Source, main: Source, profile: Profile) -> _Picture:
    """The main image's own frame and tables; a main image that is no JPEG is written in ours."""
    _check_side(main.size, profile)
    laid = lay_original(original.pixels, main.pixels)
    promotion = find_promotion(main.pixels, laid.pixels)
    share = float(promotion.touched.mean())
    if share > MOST_PROMOTION:
        raise MainReworked(f"{100 * share:.0f} % differs, at most {100 * MOST_PROMOTION:.0f} %")
    form = read_form(main.data)
    return _Picture(
        clean=laid.pixels,
        promoted=take_over(main.pixels, laid.pixels, promotion),
        changed=promotion.touched,
        boxes=promotion.boxes,
        relation=laid.relation,
        forms=forms_from(form) if form else own_forms(),
    )


def _scaled(source: Source, long_side_px: int, profile: Profile) -> tuple[Pixels, Relation]:
    """The picture with its long side at most long_side_px, never enlarged."""
    size = frame_size(*source.size, long_side_px)
    _check_side(size, profile)
    whole = (0.0, 0.0, float(source.size[0]), float(source.size[1]))
    relation = relation_of_box(whole, size, steps=() if size == source.size else ("scaled",))
    if size == source.size:
        return source.pixels, relation
    return np.asarray(Image.fromarray(source.pixels).resize(size, Image.Resampling.LANCZOS)), relation


def _check_side(size: tuple[int, int], profile: Profile) -> None:
    least = profile.integer("side_min_px")
    if min(size) < least:
        raise OriginalTooSmall(f"{size[0]}x{size[1]}, at least {least}x{least}")


def _detail(original: Source, profile: Profile) -> PackFile:
    """The clean picture, large. A JPEG that is within the limits already keeps its pixels: only metadata goes."""
    limit = profile.integer("file_size_max_bytes")
    pixels, relation = _scaled(original, profile.integer("pack_detail_long_side_px"), profile)
    if original.format == "JPEG" and original.is_plain and relation.geometry == "identity":
        stripped = strip_jpeg(original.data, keep_icc=False)
        if len(stripped) <= limit:
            return PackFile("detail", stripped, *original.size, relation)
    (data,), _ = encode_below((pixels,), own_forms(), limit)
    return PackFile("detail", data, pixels.shape[1], pixels.shape[0], relation)


def _with_steps(relation: Relation, more: tuple[str, ...]) -> Relation:
    return Relation(
        relation.across,
        relation.right,
        relation.down,
        relation.lower,
        relation.residual_px,
        (*relation.steps, *more),
    )
