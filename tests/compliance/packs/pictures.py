"""What packs are made from: a drawn original, overlays, and main images derived from the original in every way."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from compliance.checks.base import Level
from compliance.checks.check import PairReport
from compliance.checks.profile import load_profile
from ledger.imaging.decode import decode_picture
from tests.images import jpeg_bytes, png_bytes, product_photo

PROFILE = load_profile("aliexpress-seed-2024")
SIZE = (720, 900)
BANNER = (60, 70, 400, 150)


@cache
def photo(seed: int = 5, size: tuple[int, int] = SIZE) -> Image.Image:
    return product_photo(seed, size)


@cache
def original(seed: int = 5) -> bytes:
    """The registered original: a JPEG from a camera."""
    return jpeg_bytes(photo(seed), quality=94)


def layer(size: tuple[int, int] = SIZE, box=BANNER, colour=(210, 20, 30, 255), text="SALE -50%") -> Image.Image:
    """An overlay: a banner with a caption on transparent ground."""
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(box, radius=12, fill=colour)
    font = ImageFont.load_default(size=(box[3] - box[1]) // 2)
    draw.text((box[0] + 16, box[1] + 16), text, font=font, fill=(255, 255, 255, 255))
    return image


def overlay(size: tuple[int, int] = SIZE, **changes) -> bytes:
    return png_bytes(layer(size, **changes))


def promoted(image: Image.Image, **changes) -> Image.Image:
    """The picture with the banner burnt in, as designers deliver main images."""
    base = image.convert("RGBA")
    base.alpha_composite(layer(image.size, **changes))
    return base.convert("RGB")


def graded(image: Image.Image, gain=1.12, offset=-6.0, white=(1.03, 1.0, 0.96)) -> Image.Image:
    values = np.asarray(image, np.float32) * gain * np.array(white, np.float32) + offset
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def pixels(data: bytes) -> NDArray[np.uint8]:
    return decode_picture(data).pixels


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def faults(report: PairReport) -> list[str]:
    """Errors and warnings against the pair; questions, such as about the promotion's size, are the seller's to answer."""
    return [f"{each.rule} {each.code}" for each in report.findings if each.level is not Level.CONFIRM]
