"""What was put on a picture: words, prices, watermarks, logos, stickers. One list, so that nothing is told twice.

Text, flat shapes and codes are looked for separately and seen together here: words on a badge are the badge, words
beside a small shape are a logo, "words" inside a QR code are the code. What a mark is decides which rule tells it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from compliance.checks.background import GRID, Background, find_background
from compliance.checks.barcodes import codes_of
from compliance.checks.base import Level
from compliance.checks.ink import measure_flatness, measure_opacity
from compliance.checks.ocr import TextBox, find_texts
from compliance.checks.pair import Pixels, Side, fit, frame_size
from compliance.checks.shapes import Region, Shape, find_shapes

SHAPES_PX = 1000  # the scale at which shapes were measured
# Rendered text scores near the detector's ceiling; printed and scene text rarely does.
SURE_SCORE = 0.93
# Faint lettering scores lower, and in scripts that are not read nothing else vouches for it. Of 120 clean photos 4 more
# get a question by this; of 40 lines each of Arabic and Cyrillic at 30 % opacity 10 and 7 more are told.
FAINT_SCORE, FAINT_OPACITY = 0.65, 0.5
# A line is longer than it is high; a round something that is not read may be a button.
LINE_ELONGATION = 2.0
# Text stands on the background, not on the product, when this share of a ring around it does; the ring begins some
# cells of the background's grid away, since letters themselves are not plain, and is as wide.
ON_BACKGROUND_SHARE = 0.5
RING_CELLS = 3
# Ink that varies less was drawn: of 101 surely found lines of print on photographed packages and clothes none was below.
FLAT_INK = 5.0
# Below this opacity text is a watermark; above it is text.
WATERMARK_OPACITY = 0.65
# A shape lies inside a word (it is one of its letters) when this share of it does; likewise a word on a badge.
INSIDE_SHARE = 0.7
# A shape that takes this share of a line is what the detector took for the line.
FILLS_LINE = 0.5
# A logo's picture stands at most this many of its sides from its name.
LOGO_GAP = 0.6

SIGN = r"[$€£¥￥₽₩₹₺₴฿₫]|元|руб|р\.|zł"
LETTERS = r"(?<![A-Za-z])(?:USD|EUR|GBP|RUB|CNY|RMB|JPY|BRL|PLN)(?![A-Za-z])"
CURRENCY = rf"(?:{SIGN}|{LETTERS})"
# The reader knows no rouble sign and takes it for a P.
ROUBLES = r"\d{3,}\s?[PР]$|\d\s\d{3}\s?[PР]$"
AMOUNT = r"\d{1,3}(?:[ .,’']\d{3})*(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
PRICE = re.compile(rf"{CURRENCY}\s?(?:{AMOUNT})|(?:{AMOUNT})\s?{CURRENCY}|{ROUBLES}", re.IGNORECASE)


class Kind(StrEnum):
    """What a mark is, and so which rule tells it."""

    TEXT = "text"
    PRICE = "price"
    WATERMARK = "watermark"
    LOGO = "logo"
    GRAPHIC = "graphic"


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark: box (left, top, right, bottom) in pixels of the file.

    strength: probability of text, 0..1, or levels of deviation of a shape. opacity: 0..1, None where it cannot be told.
    words: as read, or empty. level: how sure it is that this was laid over the photo, rather than printed on the product.
    """

    kind: Kind
    box: Region
    level: Level
    strength: float
    opacity: float | None
    words: str


def marks_of(side: Side) -> tuple[Mark, ...]:
    """The marks of one side; looked for once."""
    return side.once("marks", lambda: find_marks(side))


def texts_of(side: Side) -> tuple[TextBox, ...]:
    """The lines of text of one side, boxes in pixels of `detail`; looked for once."""
    return side.once("texts", lambda: find_texts(side.detail))


def find_marks(side: Side) -> tuple[Mark, ...]:
    """Every mark once, words before shapes."""
    pixels = side.detail
    codes = [code.box for code in codes_of(side)]
    # What is not told as text must not hide a shape: the detector takes many an arrow for a letter.
    texts = [
        text
        for text in texts_of(side)
        if _level(side, text) is not None and not any(share_inside(text.box, code) > 0.5 for code in codes)
    ]
    shapes = [
        shape
        for shape in _shapes_in_detail(pixels)
        if not any(share_inside(shape.box, code) > 0.5 for code in codes) and not _is_letter(shape, texts)
    ]
    drawn: list[Mark] = []
    for shape in shapes:
        mark, texts = _mark_shape(side, shape, texts)
        drawn.append(mark)
    written = (_mark_text(side, text) for text in texts)
    return (*(mark for mark in written if mark is not None), *drawn)


def _shapes_in_detail(pixels: Pixels) -> list[Shape]:
    """Shapes found at their own scale, with boxes in pixels of the given picture."""
    height, width = pixels.shape[:2]
    small = fit(pixels, frame_size(width, height, SHAPES_PX))
    across, down = width / small.shape[1], height / small.shape[0]
    return [shape.scaled(across, down) for shape in find_shapes(small, find_background(small))]


def share_inside(inner: Region, outer: Region) -> float:
    """The share of the first box that lies in the second, 0..1."""
    width = min(inner[2], outer[2]) - max(inner[0], outer[0])
    height = min(inner[3], outer[3]) - max(inner[1], outer[1])
    area = (inner[2] - inner[0]) * (inner[3] - inner[1])
    return width * height / area if width > 0 and height > 0 and area > 0 else 0.0


def _is_letter(shape: Shape, texts: Sequence[TextBox]) -> bool:
    """Large letters are flat and hard-edged too; a shape that fills the line by itself is none."""
    return any(
        share_inside(shape.box, text.box) > INSIDE_SHARE and share_inside(text.box, shape.box) < FILLS_LINE
        for text in texts
    )


def _mark_shape(side: Side, shape: Shape, texts: list[TextBox]) -> tuple[Mark, list[TextBox]]:
    """The mark of a shape with the words that belong to it, and the texts that are left."""
    on_it = [text for text in texts if share_inside(text.box, shape.box) > FILLS_LINE]
    beside = [] if on_it else [text for text in texts if _is_name(text.box, shape.box)]
    own = on_it or beside
    box = shape.box
    for text in own:
        box = min(box[0], text.box[0]), min(box[1], text.box[1]), max(box[2], text.box[2]), max(box[3], text.box[3])
    is_sure = (shape.is_sure and not _may_be_print(side, box)) or any(_level(side, text) is Level.ERROR for text in own)
    kind = Kind.LOGO if beside else Kind.GRAPHIC
    mark = Mark(
        kind=Kind.PRICE if any(_is_price(text) for text in own) else kind,
        box=side.from_detail(box),
        level=Level.ERROR if is_sure else Level.CONFIRM,
        strength=shape.deviation,
        opacity=1.0,
        words=" ".join(text.text for text in own if text.is_read),
    )
    return mark, [text for text in texts if text not in own]


def _is_name(text: Region, shape: Region) -> bool:
    """Whether a line stands right beside or below a shape no larger than three lines, as a name beside its emblem."""
    line = min(text[2] - text[0], text[3] - text[1])
    side = max(shape[2] - shape[0], shape[3] - shape[1])
    if side > 4 * line:
        return False
    gap_across = max(text[0] - shape[2], shape[0] - text[2])
    gap_down = max(text[1] - shape[3], shape[1] - text[3])
    return max(gap_across, gap_down) <= LOGO_GAP * side and min(gap_across, gap_down) < 0


def _mark_text(side: Side, text: TextBox) -> Mark | None:
    """The mark of a line of text, or None when it is neither read, nor surely text, nor faint."""
    level = _level(side, text)
    if level is None:
        return None
    opacity = measure_opacity(side.detail, text.box)
    if _is_price(text):
        kind = Kind.PRICE
    elif opacity is not None and opacity < WATERMARK_OPACITY:
        kind = Kind.WATERMARK
    else:
        kind = Kind.TEXT
    words = text.text if text.is_read else ""
    return Mark(kind, side.from_detail(text.box), level, text.score, opacity, words)


def _level(side: Side, text: TextBox) -> Level | None:
    """ERROR when it is surely text and cannot be print on the product; CONFIRM when it may be; None for no text.

    On a plain background the product's outline is known, and text within it may belong to it. Elsewhere the ink
    decides. A price is never a part of the product.
    """
    is_sure = text.score >= SURE_SCORE
    if not text.is_read and not (text.elongation >= LINE_ELONGATION and (is_sure or _is_faint(side, text))):
        return None
    is_print = not _is_price(text) and (_may_be_print(side, text.box) or _has_varied_ink(side, text.box))
    return Level.ERROR if is_sure and not is_print else Level.CONFIRM


def _is_faint(side: Side, text: TextBox) -> bool:
    """Whether what the detector half believes in covers the picture as lightly as a watermark does."""
    if text.score < FAINT_SCORE:
        return False
    opacity = measure_opacity(side.detail, text.box)
    return opacity is not None and opacity < FAINT_OPACITY


def _may_be_print(side: Side, box: Region) -> bool:
    """Whether a place of `detail` lies within the product, as far as its outline is known."""
    background = background_of(side)
    return background.is_plain and not stands_on(background, box, side.detail)


def _has_varied_ink(side: Side, box: Region) -> bool:
    """Whether letters in a scene look photographed; asked only where no plain background shows the product's outline."""
    if background_of(side).is_plain:
        return False
    flatness = measure_flatness(side.detail, box)
    return flatness is None or flatness > FLAT_INK


def _is_price(text: TextBox) -> bool:
    return text.is_read and PRICE.search(text.text) is not None


def background_of(side: Side) -> Background:
    """The plain background of one side; looked for once."""
    return side.once("background", lambda: find_background(side.detail))


def stands_on(background: Background, box: Region, pixels: Pixels) -> bool:
    """Whether the ring around a box of the picture lies on the background for the most part."""
    height, width = pixels.shape[:2]
    left, right = box[0] * GRID // width, -(-box[2] * GRID // width)
    top, bottom = box[1] * GRID // height, -(-box[3] * GRID // height)
    near, far = RING_CELLS, 2 * RING_CELLS
    outer = background.mask[max(0, top - far) : bottom + far, max(0, left - far) : right + far]
    inner = background.mask[max(0, top - near) : bottom + near, max(0, left - near) : right + near]
    ring = outer.size - inner.size
    return ring > 0 and (int(outer.sum()) - int(inner.sum())) / ring >= ON_BACKGROUND_SHARE
