"""A layered overlay (promotion on transparent ground) laid over the clean picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.packs.errors import OverlayEmpty, OverlayNotLayered, OverlayShape

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """The picture with its promotion, and where that has any effect: bool (height, width)."""

    pixels: Pixels
    touched: Mask


def check_layer(layer: Image.Image, original: tuple[int, int], tolerance_px: int) -> None:
    """Raise OverlayNotLayered, OverlayEmpty or OverlayShape when this overlay cannot go over a picture of that size."""
    lowest, highest = layer.getchannel("A").getextrema() if layer.mode == "RGBA" else (255, 255)
    if lowest == 255:
        raise OverlayNotLayered(f"{layer.width}x{layer.height} without transparency")
    if highest == 0:
        raise OverlayEmpty(f"{layer.width}x{layer.height}, all transparent")
    width, height = original
    if abs(layer.height * width - height * layer.width) > tolerance_px * max(width, layer.width):
        raise OverlayShape(f"{layer.width}x{layer.height} over {width}x{height}")


def compose(clean: Pixels, layer: Image.Image) -> Composed:
    """Lay an RGBA layer over clean pixels, uint8 (height, width, 3); a layer of another size is scaled to the frame.

    A pixel that the layer does not cover keeps its exact value.
    """
    size = (clean.shape[1], clean.shape[0])
    # Colour is scaled premultiplied: else the colour hidden in transparent pixels would bleed into the rims of letters.
    scaled = (
        layer if layer.size == size else layer.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    )
    values = np.asarray(scaled)
    alpha = values[..., 3:].astype(np.uint16)
    ground = clean.astype(np.uint16)
    mixed = (values[..., :3] * alpha + ground * (255 - alpha) + 127) // 255
    return Composed(mixed.astype(np.uint8), alpha[..., 0] > 0)
