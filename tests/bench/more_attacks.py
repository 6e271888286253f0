"""Further attacks on which the score of copies is fitted beside the benchmark's own: `--extra-attacks` of its programs.

Chosen for what the benchmark's list leaves out (inversion, other backgrounds, smaller parts, more edits at once), not
for what any engine finds hard. It runs with the benchmark's folder on the path, which is where `attacks` comes from.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

attacks: Any = importlib.import_module("attacks")
Attack = Callable[[Image.Image, np.random.Generator, Any], Image.Image]


def add(name: str, group: str, attack: Attack) -> None:
    """Register one attack that is used only when asked for."""
    attacks.add(name, group, attack, True)


def on_a_picture(image: Image.Image, rng: np.random.Generator, context: Any) -> Image.Image:
    """The foreground on another photograph."""
    other = context.fillers[int(rng.integers(len(context.fillers)))]()
    return attacks._background(image, rng, "picture", other)


def other_gamma(image: Image.Image, rng: np.random.Generator, _context: Any) -> Image.Image:
    """Much darker or much lighter midtones."""
    gamma = float(rng.choice([0.45, 2.2]))
    return image.point([int(255 * (value / 255) ** gamma) for value in range(256)] * 3)


def rippled(image: Image.Image, rng: np.random.Generator, _context: Any) -> Image.Image:
    """Bent by two waves of 2 to 4 pixels."""
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    length, depth = rng.uniform(40, 90), rng.uniform(2, 4)
    bent_x = x + depth * np.sin(2 * np.pi * y / length)
    bent_y = y + depth * np.cos(2 * np.pi * x / length)
    return Image.fromarray(cv2.remap(pixels, bent_x, bent_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def blurred_parts(image: Image.Image, rng: np.random.Generator, _context: Any) -> Image.Image:
    """Four boxes made unreadable."""
    pixels = np.asarray(image).copy()
    height, width = pixels.shape[:2]
    for _ in range(4):
        wide, tall = int(width * rng.uniform(0.15, 0.35)), int(height * rng.uniform(0.15, 0.35))
        x, y = int(rng.integers(0, width - wide)), int(rng.integers(0, height - tall))
        box = pixels[y : y + tall, x : x + wide]
        pixels[y : y + tall, x : x + wide] = cv2.GaussianBlur(box, (0, 0), 15)
    return Image.fromarray(pixels)


def turned_far(image: Image.Image, rng: np.random.Generator, _context: Any) -> Image.Image:
    """Turned by 20 to 160 degrees over white."""
    return image.rotate(rng.uniform(20, 160), Image.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255))


add("x_invert", "colour", lambda i, r, c: ImageOps.invert(i))
add("x_invert_crop", "combined", lambda i, r, c: attacks._crop_keep(ImageOps.invert(i), r.uniform(0.6, 0.9), r))
add("x_bg_picture", "background", on_a_picture)
add("x_collage3", "collage", lambda i, r, c: attacks._collage(i, r, c, 3))
add("x_pip_mirror", "collage", lambda i, r, c: attacks._picture_in_picture(ImageOps.mirror(i), r, c))
add("x_combined5", "combined", lambda i, r, c: attacks._combined(i, r, c, 5))
add("x_poster", "colour", lambda i, r, c: ImageOps.posterize(i, 2))
add("x_gamma", "brightness", other_gamma)
add("x_ripple", "perspective", rippled)
add("x_blurred_parts", "overlay", blurred_parts)
add("x_crop70", "crop50", lambda i, r, c: attacks._crop_keep(i, 0.3, r))
add("x_rot45", "rotate<=15", turned_far)
