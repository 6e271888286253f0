"""Plain backgrounds changed without touching the product: moved by a colour offset, or continued to another shape."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.checks.background import background_offset, find_background
from compliance.packs.errors import BackgroundNotPlain

Pixels = NDArray[np.uint8]
Floats32 = NDArray[np.float32]
Box = tuple[int, int, int, int]

# Cells of the background grid over which an offset fades out towards the product, so that no rim shows.
FADE_CELLS = 3
# Levels by which the edge that is continued may vary: grain and JPEG, no shadow and no product.
PLAIN_SPREAD = 4.0
STRIP_PX = 8
SEARCH_SIDE = 240


def measure_offset(main: Pixels, hidden: Pixels) -> Floats32 | None:
    """Rule H10's measure: hidden minus main in RGB levels (3,), or None without a common plain background."""
    return background_offset(find_background(main), find_background(hidden))


def shift_background(pixels: Pixels, offset: Floats32) -> Pixels:
    """Add an offset in levels (3,) to the plain background connected with the frame's edge."""
    found = find_background(pixels)
    if not found.is_plain:
        raise BackgroundNotPlain(f"{100 * found.edge_share:.0f} % of the edge is plain")
    # Grown by a cell: the seam between background and product belongs to both. Then soft, from the inside outwards.
    mask = cv2.dilate(found.mask.astype(np.float32), np.ones((3, 3), np.uint8))
    soft = cv2.blur(mask, (FADE_CELLS, FADE_CELLS))
    weight = cv2.resize(soft, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray(np.rint(np.clip(pixels + weight * offset, 0, 255)), np.uint8)


def pad_to_ratio(hidden: Pixels, main: Pixels) -> tuple[Pixels, Box]:
    """The hidden picture on a sheet of the main image's size, and its place there (left, top, right, bottom).

    It is scaled to the main image's width or height, whichever it then does not exceed, and laid where it agrees best
    with the main image. Raises BackgroundNotPlain when an edge that has to be continued is not plain.
    """
    height, width = main.shape[:2]
    factor = min(width / hidden.shape[1], height / hidden.shape[0])
    size = (min(width, round(hidden.shape[1] * factor)), min(height, round(hidden.shape[0] * factor)))
    scaled = np.asarray(Image.fromarray(hidden).resize(size, Image.Resampling.LANCZOS))
    is_wide = size[0] == width  # then it grows above and below
    place = _best_place(scaled, main, is_wide=is_wide)
    if not is_wide:
        # One direction is enough: columns become rows.
        sheet = _continue_rows(scaled.transpose(1, 0, 2), place, width).transpose(1, 0, 2)
        return np.ascontiguousarray(sheet), (place, 0, place + size[0], height)
    return _continue_rows(scaled, place, height), (0, place, width, place + size[1])


def _best_place(scaled: Pixels, main: Pixels, *, is_wide: bool) -> int:
    """Offset along the free direction at which the two differ least, first coarsely, then to the pixel."""
    free = (main.shape[0] - scaled.shape[0]) if is_wide else (main.shape[1] - scaled.shape[1])
    if free <= 0:
        return 0
    factor = min(1.0, SEARCH_SIDE / max(main.shape[:2]))
    small = cv2.resize(main, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    part = cv2.resize(scaled, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    part = part[: small.shape[0], : small.shape[1]]
    scores = cv2.matchTemplate(small, part, cv2.TM_SQDIFF)
    coarse = int(scores.min(axis=1 if is_wide else 0).argmin()) / factor
    reach = int(np.ceil(1 / factor)) + 1
    offsets = range(max(0, int(coarse) - reach), min(free, int(coarse) + reach) + 1)
    return min(offsets, key=lambda offset: _difference(scaled, main, offset, is_wide=is_wide))


def _difference(scaled: Pixels, main: Pixels, offset: int, *, is_wide: bool) -> float:
    under = main[offset : offset + scaled.shape[0]] if is_wide else main[:, offset : offset + scaled.shape[1]]
    # Clipped, so that a promotion in the main image does not decide the place.
    return float(np.minimum(cv2.absdiff(np.ascontiguousarray(under), scaled), 32).mean())


def _continue_rows(pixels: Pixels, above: int, height: int) -> Pixels:
    """The picture with `above` rows before it and as many after it as make `height`, in the edges' own colours."""
    below = height - above - pixels.shape[0]
    parts = [pixels]
    if above > 0:
        parts.insert(0, np.repeat(_edge_colour(pixels[:STRIP_PX]), above, axis=0))
    if below > 0:
        parts.append(np.repeat(_edge_colour(pixels[-STRIP_PX:]), below, axis=0))
    return np.concatenate(parts)


def _edge_colour(strip: Pixels) -> Pixels:
    """One row, (1, width, 3): the strip's slowly changing colour. BackgroundNotPlain where it shows more than grain."""
    row = strip.mean(axis=0, dtype=np.float32)[None]
    smooth = cv2.blur(row, (2 * (row.shape[1] // 20) + 1, 1), borderType=cv2.BORDER_REFLECT)
    spread = float(np.abs(cv2.blur(row, (5, 1)) - smooth).max())
    grain = float(np.abs(strip - row).mean())
    if spread > PLAIN_SPREAD or grain > PLAIN_SPREAD:
        raise BackgroundNotPlain(f"the edge varies by {max(spread, grain):.0f} levels, at most {PLAIN_SPREAD:.0f}")
    return np.asarray(np.rint(smooth), np.uint8)
