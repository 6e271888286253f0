"""Pictures for the search tests, drawn from a number."""

import io

import numpy as np
from PIL import Image


def draw(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """A picture with coarse structure, different for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encode(image: Image.Image, name: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()
