"""Draws what hidden images must not carry on pictures of any size: text in several scripts, codes, logos, arrows,
stickers, borders. Everything comes from a seed; fonts are those the machine has.

`Mark` says what was drawn and where, so that a bench can ask whether it was found in the right place.
"""

import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import segno
from PIL import Image, ImageDraw, ImageFont

FONT_FOLDERS = (Path("/usr/share/fonts"), Path(__file__).resolve().parents[2] / "ledger" / "pdf" / "fonts")
FONT_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
SCRIPTS = {
    "latin": (string.ascii_uppercase + string.ascii_lowercase + string.digits + "%&!", 4, 14),
    "chinese": ("限时特惠包邮到家全场五折正品保障新款上市买一送热卖爆款品质旗舰店赠礼大促冬夏男女衣鞋帽原创设计", 2, 8),
    "cyrillic": ("абвгдежзиклмнопрстуфхцчшщыэюяАБВГДЕЖЗИКЛМНОПРСТ", 4, 14),
    "arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", 4, 12),
    "thai": ("กขคงจชซญดตถทนบปผพฟมยรลวสหอฮ", 4, 12),
}
PALETTE = (
    (255, 255, 255),
    (0, 0, 0),
    (220, 20, 30),
    (255, 200, 0),
    (0, 90, 200),
    (20, 140, 60),
    (240, 100, 170),
    (60, 60, 60),
)
# A designer picks a colour that can be seen: this far from the mean of what lies below it, in luma levels.
CONTRAST_MIN = 100

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was drawn: kind, box (left, top, right, bottom), and how (script, font, text)."""

    kind: str
    box: Box
    note: str = ""


def overlaps(box: Box | None, mark: Mark, share: float = 0.3) -> bool:
    """Whether a finding's box covers that share of the mark, or lies in it for the most part."""
    if box is None:
        return False
    width = min(box[2], mark.box[2]) - max(box[0], mark.box[0])
    height = min(box[3], mark.box[3]) - max(box[1], mark.box[1])
    if width <= 0 or height <= 0:
        return False
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, mark.box)]
    return width * height >= share * max(1, min(areas))


# --- fonts and words ------------------------------------------------------------------------------------------------


@cache
def font_files(script: str) -> tuple[str, ...]:
    """Files whose font can draw every letter of a script's alphabet."""
    found: list[str] = []
    for folder in FONT_FOLDERS:
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in FONT_SUFFIXES and _can_draw(str(file), SCRIPTS[script][0]):
                found.append(str(file))
    return tuple(found)


def _can_draw(file: str, letters: str) -> bool:
    try:
        font = ImageFont.truetype(file, 20)
        missing = bytes(font.getmask("\U0010ffff"))
        return all(bytes(font.getmask(letter)) not in {missing, b""} for letter in letters[::5])
    except (OSError, ValueError):
        return False


def scripts_here() -> tuple[str, ...]:
    """Scripts for which the machine has a font."""
    return tuple(script for script in SCRIPTS if font_files(script))


def random_words(rng: np.random.Generator, script: str) -> str:
    """Some letters of a script, in one or two words where the script writes words."""
    letters, shortest, longest = SCRIPTS[script]
    text = "".join(letters[i] for i in rng.integers(0, len(letters), int(rng.integers(shortest, longest + 1))))
    if script != "chinese" and len(text) > 7 and rng.random() < 0.5:
        text = f"{text[: len(text) // 2]} {text[len(text) // 2 :]}"
    return text


# --- drawing --------------------------------------------------------------------------------------------------------


def with_text(
    rng: np.random.Generator, image: Image.Image, script: str, *, opacity: float, height_px: int
) -> tuple[Image.Image, Mark]:
    """A line of random text somewhere on the picture; height_px is the font's size."""
    files = font_files(script)
    file = files[int(rng.integers(len(files)))]
    font = ImageFont.truetype(file, height_px)
    for _ in range(50):
        words = random_words(rng, script)
        left, top, right, bottom = font.getbbox(words)
        if right - left < image.width * 0.9:
            break
    size = int(right - left) + 2, int(bottom - top) + 2

    def draw(layer: ImageDraw.ImageDraw, corner: tuple[int, int], colour: Colour) -> None:
        layer.text((corner[0] - left, corner[1] - top), words, font=font, fill=(*colour, round(255 * opacity)))

    picture, box = _overlay(rng, image, size, draw)
    return picture, Mark("text", box, f"{script} {Path(file).name} {height_px}px {words}")


def with_price(
    rng: np.random.Generator, image: Image.Image, *, opacity: float, height_px: int
) -> tuple[Image.Image, Mark]:
    """A price in some currency."""
    files = font_files("latin")
    font = ImageFont.truetype(files[int(rng.integers(len(files)))], height_px)
    amount = f"{rng.integers(1, 999)}.{rng.integers(0, 100):02}"
    words = str(
        rng.choice([f"${amount}", f"US ${amount}", f"{amount} EUR", f"€{amount}", f"£{amount}", f"{amount} USD"])
    )
    left, top, right, bottom = font.getbbox(words)

    def draw(layer: ImageDraw.ImageDraw, corner: tuple[int, int], colour: Colour) -> None:
        layer.text((corner[0] - left, corner[1] - top), words, font=font, fill=(*colour, round(255 * opacity)))

    picture, box = _overlay(rng, image, (int(right - left) + 2, int(bottom - top) + 2), draw)
    return picture, Mark("price", box, words)


def with_code(rng: np.random.Generator, image: Image.Image, *, side_px: int) -> tuple[Image.Image, Mark]:
    """A QR code of that side without its quiet zone, on white, as designers paste it."""
    payload = "".join(rng.choice(list(string.ascii_letters + string.digits), int(rng.integers(6, 17))))
    matrix = np.array([[bool(cell) for cell in row] for row in segno.make(payload, micro=False, error="l").matrix])
    code = Image.fromarray(np.where(matrix, 0, 255).astype(np.uint8)).convert("RGB")
    quiet = max(2, round(2 * side_px / matrix.shape[0]))
    exact = side_px % matrix.shape[0] == 0
    code = code.resize((side_px, side_px), Image.Resampling.NEAREST if exact else Image.Resampling.LANCZOS)
    full = side_px + 2 * quiet
    left, top = (int(rng.integers(4, side - full - 4)) for side in image.size)
    picture = image.copy()
    picture.paste((255, 255, 255), (left, top, left + full, top + full))
    picture.paste(code, (left + quiet, top + quiet))
    return picture, Mark("code", (left, top, left + full, top + full), f"{matrix.shape[0]} modules, {payload}")


def with_graphic(rng: np.random.Generator, image: Image.Image, kind: str, *, side_px: int) -> tuple[Image.Image, Mark]:
    """An opaque arrow, sticker (a badge, burst or ribbon with a word) or logo (flat shapes and a name)."""
    painters: dict[str, Callable[[np.random.Generator, ImageDraw.ImageDraw, Box, Colour], None]] = {
        "arrow": _arrow,
        "sticker": _sticker,
        "logo": _logo,
    }
    tall = side_px if kind != "arrow" else max(10, round(side_px * float(rng.uniform(0.35, 0.7))))
    size = (side_px, tall) if rng.random() < 0.7 else (tall, side_px)

    def draw(layer: ImageDraw.ImageDraw, corner: tuple[int, int], colour: Colour) -> None:
        painters[kind](rng, layer, (*corner, corner[0] + size[0], corner[1] + size[1]), colour)

    picture, box = _overlay(rng, image, size, draw)
    return picture, Mark(kind, box, f"{side_px}px")


def with_border(rng: np.random.Generator, image: Image.Image) -> tuple[Image.Image, Mark]:
    """A frame of one colour round the picture, 0.8 to 4 % of the shorter side wide, at the edge or a little inside."""
    picture = image.copy()
    thick = max(3, round(min(image.size) * float(rng.uniform(0.008, 0.04))))
    inset = 0 if rng.random() < 0.7 else int(rng.integers(1, max(2, round(min(image.size) * 0.01))))
    box = (inset, inset, image.width - 1 - inset, image.height - 1 - inset)
    colour = _pick_colour(rng, np.asarray(image.convert("L"), np.float32).mean())
    ImageDraw.Draw(picture).rectangle(box, outline=colour, width=thick)
    return picture, Mark("border", (0, 0, *image.size), f"{thick}px inset {inset} {colour}")


def _overlay(
    rng: np.random.Generator,
    image: Image.Image,
    size: tuple[int, int],
    draw: Callable[[ImageDraw.ImageDraw, tuple[int, int], Colour], None],
) -> tuple[Image.Image, Box]:
    """Draw on a layer of its own at a random place, in a colour that shows there, and lay it over the picture."""
    left, top = (int(rng.integers(2, max(3, side - length - 2))) for side, length in zip(image.size, size, strict=True))
    box = (left, top, left + size[0], top + size[1])
    below = float(np.asarray(image.crop(box).convert("L"), np.float32).mean())
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw(ImageDraw.Draw(layer), (left, top), _pick_colour(rng, below))
    drawn = layer.getbbox() or box
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB"), drawn


def _pick_colour(rng: np.random.Generator, below: float) -> Colour:
    fit = [c for c in PALETTE if abs(0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2] - below) >= CONTRAST_MIN]
    choice: Iterable[Colour] = fit or PALETTE[:2]
    options = list(choice)
    return options[int(rng.integers(len(options)))]


def _arrow(rng: np.random.Generator, layer: ImageDraw.ImageDraw, box: Box, colour: Colour) -> None:
    left, top, right, bottom = box
    if right - left >= bottom - top:
        neck, shaft = left + (right - left) * 0.6, (bottom - top) * float(rng.uniform(0.15, 0.3))
        middle = (top + bottom) / 2
        points = [
            (left, middle - shaft),
            (neck, middle - shaft),
            (neck, top),
            (right, middle),
            (neck, bottom),
            (neck, middle + shaft),
            (left, middle + shaft),
        ]
    else:
        neck, shaft = top + (bottom - top) * 0.6, (right - left) * float(rng.uniform(0.15, 0.3))
        middle = (left + right) / 2
        points = [
            (middle - shaft, top),
            (middle - shaft, neck),
            (left, neck),
            (middle, bottom),
            (right, neck),
            (middle + shaft, neck),
            (middle + shaft, top),
        ]
    if rng.random() < 0.5:
        points = [(left + right - x, top + bottom - y) for x, y in points]
    layer.polygon(points, fill=(*colour, 255))


def _sticker(rng: np.random.Generator, layer: ImageDraw.ImageDraw, box: Box, colour: Colour) -> None:
    left, top, right, bottom = box
    shape = rng.integers(3)
    if shape == 0:
        layer.ellipse(box, fill=(*colour, 255))
    elif shape == 1:
        layer.rounded_rectangle(box, radius=(right - left) / 6, fill=(*colour, 255))
    else:
        middle, radius, spikes = ((left + right) / 2, (top + bottom) / 2), (right - left) / 2, int(rng.integers(8, 17))
        angles = np.arange(2 * spikes) * np.pi / spikes
        reach = radius * np.where(np.arange(2 * spikes) % 2, 0.78, 1.0)
        layer.polygon(
            [(middle[0] + r * np.cos(a), middle[1] + r * np.sin(a)) for a, r in zip(angles, reach, strict=True)],
            fill=(*colour, 255),
        )
    if rng.random() < 0.6:
        files = font_files("latin")
        font = ImageFont.truetype(files[int(rng.integers(len(files)))], max(8, (right - left) // 4))
        ink = (0, 0, 0, 255) if sum(colour) > 380 else (255, 255, 255, 255)
        words = str(rng.choice(["NEW", "-30%", "HOT", "TOP", "5+1"]))
        layer.text(((left + right) / 2, (top + bottom) / 2), words, font=font, fill=ink, anchor="mm")


def _logo(rng: np.random.Generator, layer: ImageDraw.ImageDraw, box: Box, colour: Colour) -> None:
    left, top, right, bottom = box
    kind, side = rng.integers(3), min(right - left, bottom - top)
    mark = (left, top, left + side, top + side)
    if kind == 0:
        layer.ellipse(mark, outline=(*colour, 255), width=max(3, side // 6))
        layer.rectangle((left + side * 0.4, top + side * 0.4, left + side * 0.6, top + side * 0.6), fill=(*colour, 255))
    elif kind == 1:
        layer.polygon([(left + side / 2, top), (left + side, top + side), (left, top + side)], fill=(*colour, 255))
    else:
        layer.pieslice(mark, 30, 330, fill=(*colour, 255))
    if rng.random() < 0.5:
        files = font_files("latin")
        font = ImageFont.truetype(files[int(rng.integers(len(files)))], max(9, side // 3))
        layer.text(
            (left + side + 4, top + side / 2),
            random_words(rng, "latin")[:6],
            font=font,
            fill=(*colour, 255),
            anchor="lm",
        )
