"""The difference map: grey where the pictures agree, colour where they differ, findings numbered as in the list.

Words in it are few and in Latin letters, because the explanation stands beside it on the page in the reader's language.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compliance.checks.base import Finding, Level
from compliance.checks.pair import Floats, Pair, Pixels, fit, frame_size

# Differences up to here are what JPEG does to equal pictures; they stay grey.
QUIET = 4.0
# From QUIET to here the colour fades in, so that edges of a change do not look like changes of their own.
FADE = 16.0
# The end of the scale: a difference of 80 of 255 levels is as visible as any.
FULL = 80.0
PANEL_MIN_PX, PANEL_MAX_PX = 640, 1000
MARGIN = 16
LINE = 26
BAR = 20
INK = (31, 35, 40)
PAPER = (255, 255, 255)
MARKS = {Level.ERROR: (178, 30, 35), Level.CONFIRM: (112, 66, 176), Level.WARNING: (150, 88, 0)}
PALE = (np.arange(256) // 2 + 110).astype(np.uint8)
TICKS = (0, 20, 40, 60, 80)

Sizes = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Panel:
    """The picture part of the map and the factor from pixels of the hidden image to pixels of the panel."""

    image: Image.Image
    across: float
    down: float


def difference(main: Pixels, hidden: Pixels) -> Floats:
    """Largest channel difference, 3 x 3 mean, float32 (height, width) of the main image's frame, 0..255."""
    fitted = fit(hidden, (main.shape[1], main.shape[0]))
    red, green, blue = cv2.split(cv2.absdiff(main, fitted))
    largest = cv2.max(cv2.max(red, green), blue)
    return np.asarray(cv2.blur(largest.astype(np.float32), (3, 3)), dtype=np.float32)


def difference_overlay(main: Pixels, hidden: Pixels) -> Pixels:
    """The hidden image in pale grey with every difference in colour, uint8 (height, width, 3) of the main frame."""
    fitted = fit(hidden, (main.shape[1], main.shape[0]))
    levels = np.rint(difference(main, fitted)).astype(np.uint8)
    keep, colours = _scale_tables()
    pale = cv2.LUT(cv2.cvtColor(fitted, cv2.COLOR_RGB2GRAY), PALE)
    ground = cv2.cvtColor(cv2.multiply(pale, cv2.LUT(levels, keep), scale=1 / 255), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.add(ground, cv2.LUT(cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB), colours[None])))


def difference_heatmap(
    main: Pixels, hidden: Pixels, findings: Sequence[Finding], *, sizes: Sizes | None = None
) -> bytes:
    """A PNG: the overlay with numbered boxes, the colour scale, and one line for each finding.

    main, hidden: uint8 (height, width, 3), sRGB, upright; they may differ in size, and then the map says so.
    sizes: the files' own (width, height) of main and hidden, when the arrays are working copies.
    """
    sizes = sizes or ((main.shape[1], main.shape[0]), (hidden.shape[1], hidden.shape[0]))
    panel = _panel(main, hidden, sizes[1])
    notes = _notes(sizes)
    height = panel.image.height + 2 * MARGIN + BAR + LINE + LINE * (len(notes) + max(1, len(findings))) + MARGIN
    sheet = Image.new("RGB", (panel.image.width, height), PAPER)
    sheet.paste(panel.image, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for number, finding in enumerate(findings, 1):
        _draw_box(draw, panel, number, finding)
    top = panel.image.height + MARGIN
    _draw_scale(sheet, draw, top)
    _draw_list(draw, top + BAR + LINE + MARGIN, notes, findings)
    return _png(sheet)


def pair_heatmap(pair: Pair, findings: Sequence[Finding]) -> bytes:
    """The difference map of a pair, drawn in its working frame, with boxes and sizes of the files themselves."""
    sizes = (pair.main.width, pair.main.height), (pair.hidden.width, pair.hidden.height)
    return difference_heatmap(pair.main_work, pair.hidden_work, findings, sizes=sizes)


def pair_overlay(pair: Pair) -> Pixels:
    """The difference of a pair without scale and list, at most PANEL_MAX_PX long: for a page that has its own legend."""
    size = frame_size(pair.main_work.shape[1], pair.main_work.shape[0], PANEL_MAX_PX)
    return difference_overlay(fit(pair.main_work, size), fit(pair.hidden_work, size))


def _panel(main: Pixels, hidden: Pixels, hidden_size: tuple[int, int]) -> Panel:
    size = frame_size(main.shape[1], main.shape[0], PANEL_MAX_PX)
    overlay = difference_overlay(fit(main, size), fit(hidden, size))
    # A small picture grows by a whole factor without smoothing: it shows its own pixels, not invented ones.
    grow = max(1, PANEL_MIN_PX // max(size))
    overlay = np.asarray(overlay.repeat(grow, axis=0).repeat(grow, axis=1))
    # A narrow one keeps its shape and leaves paper beside it, so that the lines below stay readable.
    image = Image.new("RGB", (max(PANEL_MIN_PX, overlay.shape[1]), overlay.shape[0]), PAPER)
    image.paste(Image.fromarray(overlay), (0, 0))
    return Panel(image, overlay.shape[1] / hidden_size[0], overlay.shape[0] / hidden_size[1])


def _notes(sizes: Sizes) -> tuple[str, ...]:
    (main_width, main_height), (hidden_width, hidden_height) = sizes
    if sizes[0] == sizes[1]:
        return ()
    return (
        f"Hidden image ({hidden_width} x {hidden_height} px) "
        f"stretched to the main image's frame ({main_width} x {main_height} px)",
    )


def _scale_tables() -> tuple[Pixels, Pixels]:
    """For each of 256 levels of difference: how much of the grey stays (0..255), and the colour laid over it."""
    levels = np.arange(256, dtype=np.float32)
    alpha = np.clip((levels - QUIET) / (FADE - QUIET), 0, 1) * 0.9
    keep = np.rint((1 - alpha) * 255).astype(np.uint8)
    return keep, np.rint(_colours(levels[None])[0] * alpha[:, None]).astype(np.uint8)


def _colours(strength: Floats) -> Pixels:
    """The colour of each difference at full strength, uint8 (height, width, 3)."""
    levels = np.clip(strength * (255 / FULL), 0, 255).astype(np.uint8)
    coloured: Any = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB))


def _draw_box(draw: ImageDraw.ImageDraw, panel: Panel, number: int, finding: Finding) -> None:
    if finding.bbox is None:
        return
    left, top, right, bottom = finding.bbox
    box = (left * panel.across, top * panel.down, right * panel.across, bottom * panel.down)
    colour = MARKS[finding.level]
    draw.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), outline=PAPER, width=5)
    draw.rectangle((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), outline=colour, width=3)
    tag_top = box[1] - 28 if box[1] >= 28 else box[1] + 2
    _draw_number(draw, (max(0.0, box[0] - 2), tag_top), number, colour)


def _draw_number(
    draw: ImageDraw.ImageDraw, corner: tuple[float, float], number: int, colour: tuple[int, int, int]
) -> None:
    left, top = corner
    draw.rounded_rectangle((left, top, left + 24, top + 22), radius=4, fill=colour)
    draw.text((left + 12, top + 11), str(number), font=_font(15), fill=PAPER, anchor="mm")


def _draw_scale(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
    """A swatch for "identical", then the colours from QUIET to FULL with their levels."""
    swatch = 120
    draw.rectangle((MARGIN, top, MARGIN + swatch - 12, top + BAR), fill=(190, 190, 190))
    draw.text((MARGIN, top + BAR + 4), "identical", font=_font(14), fill=INK)
    left, width = MARGIN + swatch, sheet.width - 2 * MARGIN - swatch - 170
    ramp = np.tile(np.linspace(0, FULL, width, dtype=np.float32), (BAR, 1))
    sheet.paste(Image.fromarray(_colours(ramp)), (left, top))
    for tick in TICKS:
        anchor = "la" if tick == 0 else "ra" if tick == FULL else "ma"
        label = f"{tick}+" if tick == FULL else str(tick)
        draw.text((left + width * tick / FULL, top + BAR + 4), label, font=_font(14), fill=INK, anchor=anchor)
    draw.text((left + width + 12, top + BAR / 2), "levels of 255", font=_font(14), fill=INK, anchor="lm")


def _draw_list(draw: ImageDraw.ImageDraw, top: int, notes: Sequence[str], findings: Sequence[Finding]) -> None:
    for note in notes:
        draw.text((MARGIN, top), note, font=_font(15), fill=INK)
        top += LINE
    if not findings:
        draw.text((MARGIN, top), "No findings", font=_font(15), fill=INK)
    for number, finding in enumerate(findings, 1):
        _draw_number(draw, (MARGIN, top - 2), number, MARKS[finding.level])
        text = f"{finding.rule}  {finding.code}  {finding.measured} / {finding.allowed} {finding.unit}"
        draw.text((MARGIN + 34, top), text, font=_font(15), fill=INK)
        top += LINE


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _png(sheet: Image.Image) -> bytes:
    out = io.BytesIO()
    # Level 2: a quarter larger than the default and two and a half times as fast.
    sheet.save(out, "PNG", compress_level=2)
    return out.getvalue()
