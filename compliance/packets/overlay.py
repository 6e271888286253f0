"""Two previews as one: theirs laid over ours where its corners lie, half seen through, its outline drawn. Area in shares."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_SIDE_PX = 900
OPACITY = 0.5
QUALITY = 82
OUTLINE = (158, 42, 35)  # the seal red of our documents
Corners = Sequence[tuple[float, float]]


def lay_over(ours: bytes, theirs: bytes, corners: Corners) -> bytes:
    """JPEG of our preview with theirs over it; corners: of theirs in ours, clockwise from top left, in shares."""
    base, over = _pixels(ours), _pixels(theirs)
    height, width = base.shape[:2]
    place = np.array([(x * width, y * height) for x, y in corners], np.float32)
    h, w = over.shape[:2]
    matrix = cv2.getPerspectiveTransform(np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32), place)
    warped = cv2.warpPerspective(over, matrix, (width, height), flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.full((h, w), 255, np.uint8), matrix, (width, height)) > 127
    mixed = base.astype(np.float32)
    mixed[inside] = (1 - OPACITY) * mixed[inside] + OPACITY * warped.astype(np.float32)[inside]
    drawn = np.ascontiguousarray(mixed.round().astype(np.uint8))
    thick = max(2, round(max(height, width) / 250))
    cv2.polylines(drawn, [place.round().astype(np.int32)], True, OUTLINE, thick, cv2.LINE_AA)
    return _jpeg(drawn)


def matched_area(corners: Corners) -> float:
    """The share of our picture that theirs covers, 0..1."""
    side = 1000
    frame = np.zeros((side, side), np.uint8)
    cv2.fillPoly(frame, [np.array([(x * side, y * side) for x, y in corners]).round().astype(np.int32)], 1)
    return float(frame.mean())


def invert(corners: Corners) -> tuple[tuple[float, float], ...]:
    """From the corners of ours in theirs to the corners of theirs in ours; empty where there are none."""
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    matrix = cv2.getPerspectiveTransform(np.array(corners, np.float32), unit)
    if not np.isfinite(matrix).all():
        return ()
    found = cv2.perspectiveTransform(unit.reshape(-1, 1, 2), matrix).reshape(-1, 2)
    return tuple((float(x), float(y)) for x, y in found) if np.isfinite(found).all() else ()


def _pixels(preview: bytes) -> NDArray[np.uint8]:
    """uint8 (height, width, 3) sRGB of one of our own previews, at most MAX_SIDE_PX a side."""
    with Image.open(io.BytesIO(preview), formats=("JPEG", "PNG", "WEBP")) as opened:
        page = Image.new("RGB", opened.size, "white")
        picture = opened.convert("RGBA")
        page.paste(picture, mask=picture.getchannel("A"))
    page.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
    return np.asarray(page)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY, subsampling=2, optimize=True)
    return out.getvalue()
