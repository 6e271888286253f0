"""Makes hidden-image pairs out of a folder of photos: an original, a hidden image drawn from it, a main image with
promotion, and on demand marks that were left in the hidden image. Everything follows from one seed.

Fonts are whatever the machine has; scripts without a font are left out. Used by the figures of tests/bench/checks.py.
"""

import io
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Box = tuple[int, int, int, int]

PATHS = ("same", "scaled", "cropped", "cropped scaled", "graded", "cropped scaled graded")
KINDS = ("text", "watermark", "price", "qr", "logo", "sticker", "arrow")
SMALL = 8  # px: the smallest mark that is promised to be found
TEXTS = {
    "latin": ("SALE", "New Arrival", "Free shipping", "Best price 2024", "Limited offer", "Made with care"),
    "zh": ("限时特惠", "包邮", "新品上市", "厂家直销", "正品保证"),
    "ru": ("Скидка", "Новинка", "Бесплатная доставка", "Хит продаж"),
    "ar": ("تخفيضات", "جديد", "شحن مجاني"),
    "th": ("ลดราคา", "ส่งฟรี", "ใหม่"),
    "ko": ("무료배송", "특가", "신상품"),
}
LANGUAGES = {"latin": "en", "zh": "zh-cn", "ru": "ru", "ar": "ar", "th": "th", "ko": "ko"}
PRICES = ("$19.99", "12,99 €", "¥ 99", "US $5.20", "₽1 990", "-50%")
RESAMPLINGS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BOX, "area")


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn: kind, opacity 0..1, height in pixels of letters (or of a code's side)."""

    kind: str
    opacity: float
    size_px: int


@dataclass(frozen=True, slots=True)
class Made:
    """One case as files; boxes are the marks left in the hidden image, in its pixels."""

    id: str
    path: str
    original: bytes
    main: bytes
    hidden: bytes
    marks: tuple[Mark, ...] = ()
    boxes: tuple[Box, ...] = ()
    contrast: tuple[float, ...] = field(default=())


def photo_files(folder: Path) -> list[Path]:
    """Pictures of a folder, in order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})


def make_cases(
    photos: Sequence[Path],
    count: int,
    *,
    seed: int = 1,
    marks: Sequence[Mark] = (),
    side_px: tuple[int, int] = (600, 1000),
) -> Iterator[Made]:
    """`count` cases, each of one photo and one path; with marks, case number n keeps mark n % len(marks)."""
    for number in range(count):
        random = np.random.default_rng([seed, number])
        photo = Image.open(photos[int(random.integers(len(photos)))]).convert("RGB")
        left = (marks[number % len(marks)],) if marks else ()
        yield make_case(f"{seed}-{number:04}", photo, random, PATHS[number % len(PATHS)], left, side_px)


def make_case(
    name: str, photo: Image.Image, random: Generator, path: str, marks: Sequence[Mark], side_px: tuple[int, int]
) -> Made:
    """One case. The designer works on the decoded original, as everybody does who has only the file."""
    side = int(random.integers(side_px[0], side_px[1] + 1))
    original = _saved(_sized(photo, side), int(random.integers(88, 98)), bool(random.integers(2)))
    clean = derive(Image.open(io.BytesIO(original)).convert("RGB"), path, random)
    hidden, boxes, contrast = clean, [], []
    for mark in marks:
        hidden, box, change = draw_mark(hidden, mark, random)
        boxes.append(box)
        contrast.append(change)
    main = hidden
    for _ in range(int(random.integers(1, 4))):
        promotion = Mark(str(random.choice(KINDS)), 1.0, int(random.integers(24, max(25, min(main.size) // 6))))
        main, _, _ = draw_mark(main, promotion, random)
    encode = _encoder(random)
    return Made(name, path, original, encode(main), encode(hidden), tuple(marks), tuple(boxes), tuple(contrast))


def derive(image: Image.Image, path: str, random: Generator) -> Image.Image:
    """The hidden image's pixels without marks: cut, resized, graded as the path says."""
    if "cropped" in path:
        width, height = image.size
        keep = random.uniform(0.7, 0.97)
        size = int(width * keep), int(height * (keep if random.integers(2) else random.uniform(0.75, 0.97)))
        left, top = (int(random.integers(0, room + 1)) for room in (width - size[0], height - size[1]))
        image = image.crop((left, top, left + size[0], top + size[1]))
    if "scaled" in path:
        image = _resized(image, float(random.uniform(0.5, 0.95)), random)
    return _graded(image, random) if "graded" in path else image


def _resized(image: Image.Image, factor: float, random: Generator) -> Image.Image:
    size = max(16, round(image.width * factor)), max(16, round(image.height * factor))
    kind = RESAMPLINGS[int(random.integers(len(RESAMPLINGS)))]
    if isinstance(kind, str):
        return Image.fromarray(cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA))
    return image.resize(size, kind)


def _graded(image: Image.Image, random: Generator) -> Image.Image:
    """Gain, offset and white balance; every third time a gamma, every third time another saturation."""
    levels = np.asarray(image).astype(np.float64)
    levels = levels * random.uniform(0.92, 1.08) * random.uniform(0.97, 1.03, 3) + random.uniform(-8, 8)
    style = int(random.integers(3))
    if style == 1:
        levels = 255 * (np.clip(levels, 0, 255) / 255) ** random.uniform(0.85, 1.18)
    if style == 2:
        grey = levels.mean(axis=2, keepdims=True)
        levels = grey + (levels - grey) * random.uniform(0.8, 1.25)
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


# Marks ----------------------------------------------------------------------------------------------------------


def draw_mark(image: Image.Image, mark: Mark, random: Generator) -> tuple[Image.Image, Box, float]:
    """The picture with the mark at a random place, its box, and how many levels it changes its pixels at least half of.

    The colour is chosen to be seen: a mark of the picture's own colour is no mark.
    """
    stencil = _stencil(mark, random)
    width, height = min(stencil.width, image.width - 4), min(stencil.height, image.height - 4)
    if (width, height) != stencil.size:
        stencil = stencil.resize((width, height), Image.Resampling.LANCZOS)
    left = int(random.integers(2, image.width - width - 1))
    top = int(random.integers(2, image.height - height - 1))
    pixels = np.asarray(image).astype(np.float32)
    part = pixels[top : top + height, left : left + width]
    colour = _visible(part, random, is_black_white=mark.kind == "qr")
    cover = np.asarray(stencil.getchannel("A")).astype(np.float32)[..., None] / 255 * mark.opacity
    paint = np.asarray(stencil.convert("RGB")).astype(np.float32) if mark.kind == "qr" else colour
    changed = part + cover * (paint - part)
    drawn = cover[..., 0] > 0.5 * mark.opacity
    change = float(np.median(np.abs(changed - part).max(axis=2)[drawn])) if drawn.any() else 0.0
    ys, xs = np.nonzero(np.asarray(stencil.getchannel("A")) > 0)
    pixels[top : top + height, left : left + width] = changed
    box = (left + int(xs.min()), top + int(ys.min()), left + int(xs.max()) + 1, top + int(ys.max()) + 1)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)), box, change


def _visible(part: np.ndarray, random: Generator, *, is_black_white: bool) -> np.ndarray:
    """A colour at least 90 levels from the middle of what lies below, in some channel."""
    if is_black_white:
        return np.zeros(3, np.float32)
    middle = np.median(part.reshape(-1, 3), axis=0)
    palette = np.array(
        [[255, 255, 255], [0, 0, 0], [220, 20, 30], [250, 200, 0], [20, 90, 200], [0, 130, 60], [255, 90, 0]],
        np.float32,
    )
    far = palette[np.abs(palette - middle).max(axis=1) >= 90]
    chosen: np.ndarray = far[int(random.integers(len(far)))]
    return chosen


def _stencil(mark: Mark, random: Generator) -> Image.Image:
    """The mark as RGBA: alpha is its shape."""
    makers = {"qr": _qr, "logo": _logo, "sticker": _sticker, "arrow": _arrow}
    if mark.kind in makers:
        return makers[mark.kind](mark.size_px, random)
    texts = PRICES if mark.kind == "price" else None
    image = _text(mark.size_px, random, texts)
    if mark.kind == "watermark" and mark.size_px >= 16:
        image = image.rotate(float(random.uniform(-30, 30)), Image.Resampling.BICUBIC, expand=True)
    return image


def _text(size_px: int, random: Generator, texts: Sequence[str] | None) -> Image.Image:
    scripts = [script for script in TEXTS if fonts_of(script)]
    script = "latin" if texts else str(random.choice(scripts))
    words = str(random.choice(list(texts or TEXTS[script])))
    paths = fonts_of(script)
    font: Any = ImageFont.load_default(size_px)
    if paths:
        font = ImageFont.truetype(paths[int(random.integers(len(paths)))], size_px)
    left, top, right, bottom = font.getbbox(words)
    image = Image.new("RGBA", (max(4, int(right - left)) + 4, max(4, int(bottom - top)) + 4), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((2 - left, 2 - top), words, font=font, fill=(0, 0, 0, 255))
    return image


def _qr(size_px: int, random: Generator) -> Image.Image:
    text = f"https://{random.integers(100, 999)}.cn/{random.integers(100, 99999)}"
    modules = Image.fromarray(np.asarray(cv2.QRCodeEncoder.create().encode(text)))
    return modules.convert("RGBA").resize((max(8, size_px), max(8, size_px)), Image.Resampling.BOX)


def _logo(size_px: int, random: Generator) -> Image.Image:
    image = Image.new("RGBA", (4 * size_px, 4 * size_px), (0, 0, 0, 0))
    draw, edge = ImageDraw.Draw(image), 4 * size_px - 1
    if random.integers(2):
        draw.ellipse((0, 0, edge, edge), fill=(0, 0, 0, 255))
        draw.ellipse((edge * 0.3, edge * 0.3, edge * 0.7, edge * 0.7), fill=(0, 0, 0, 0))
    else:
        draw.polygon([(edge / 2, 0), (edge, edge), (0, edge)], fill=(0, 0, 0, 255))
    return image.resize((size_px, size_px), Image.Resampling.LANCZOS)


def _sticker(size_px: int, random: Generator) -> Image.Image:
    image = Image.new("RGBA", (4 * size_px, 4 * size_px), (0, 0, 0, 0))
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = 2 * size_px * np.where(np.arange(48) % 2, 0.86, 0.99)
    places = [(2 * size_px + r * np.cos(a), 2 * size_px + r * np.sin(a)) for a, r in zip(angles, reach, strict=True)]
    ImageDraw.Draw(image).polygon(places, fill=(0, 0, 0, 255))
    return image.resize((size_px, size_px), Image.Resampling.LANCZOS)


def _arrow(size_px: int, random: Generator) -> Image.Image:
    wide, tall = 8 * size_px, 4 * size_px
    image = Image.new("RGBA", (wide, tall), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, tall * 0.35, wide * 0.65, tall * 0.65), fill=(0, 0, 0, 255))
    draw.polygon([(wide * 0.6, 0), (wide - 1, tall / 2), (wide * 0.6, tall - 1)], fill=(0, 0, 0, 255))
    image = image.resize((2 * size_px, size_px), Image.Resampling.LANCZOS)
    return image.rotate(float(random.choice([0, 45, 90, 180])), Image.Resampling.BICUBIC, expand=True)


@cache
def fonts_of(script: str) -> tuple[str, ...]:
    """Font files that can write the script, by the system's own list."""
    try:
        command = ["fc-list", f":lang={LANGUAGES[script]}:scalable=true", "file"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    paths = sorted({line.rstrip(": ").strip() for line in listed.splitlines() if line.strip()})
    return tuple(path for path in paths if path.lower().endswith((".ttf", ".ttc", ".otf")))[:60]


# Files ----------------------------------------------------------------------------------------------------------


def _sized(photo: Image.Image, side_px: int) -> Image.Image:
    factor = side_px / max(photo.size)
    size = max(16, round(photo.width * factor)), max(16, round(photo.height * factor))
    enlarged = photo.resize(size, Image.Resampling.LANCZOS)
    # An enlarged photo has no detail of its own size: sensor grain stands in for it.
    if factor > 1:
        enlarged = enlarged.filter(ImageFilter.UnsharpMask(1.5, 60, 2))
    return enlarged


def _saved(image: Image.Image, quality: int, is_sampled: bool) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=int(quality), subsampling=2 if is_sampled else 0)
    return out.getvalue()


def _encoder(random: Generator) -> Any:
    """One way to save both files of a pair: JPEG of some quality and sampling, or every tenth time PNG."""
    if random.integers(10) == 0:
        return _png
    quality, is_sampled = int(random.integers(75, 97)), bool(random.integers(2))
    return lambda image: _saved(image, quality, is_sampled)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
