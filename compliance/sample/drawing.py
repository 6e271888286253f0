"""Draws the product pictures of the sample data: bags, cups, T-shirts, shoes, cushions and vases with patterns.

Everything comes from a seed; the same seed gives the same pixels. No Django, no files. Shapes are drawn larger
than they are kept, so that edges are smooth without help from a font or a picture of anybody's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from compliance.sample.design import Design

SIDE = 800  # pixels of the finished, square picture
_S = 1280  # pixels while drawing
_LINE = 2  # pixels of a thin line while drawing

Colour = tuple[int, int, int]
Point = tuple[float, float]
Plane = NDArray[np.float32]

PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((196, 67, 58), (246, 236, 220), (64, 54, 58)),
    ((38, 92, 122), (238, 229, 208), (224, 154, 62)),
    ((78, 121, 96), (240, 234, 216), (206, 110, 82)),
    ((228, 176, 76), (250, 243, 228), (88, 82, 120)),
    ((112, 78, 124), (244, 226, 228), (226, 148, 130)),
    ((52, 60, 78), (232, 236, 238), (222, 92, 84)),
    ((214, 138, 148), (252, 244, 240), (92, 118, 112)),
    ((150, 108, 76), (242, 230, 210), (70, 96, 92)),
)
WALLS: tuple[Colour, ...] = ((239, 236, 231), (229, 233, 236), (240, 231, 224), (231, 236, 229), (236, 232, 239))


def draw_product(design: Design) -> Image.Image:
    """The picture, RGB, SIDE x SIDE pixels."""
    rng = np.random.default_rng(design.seed)
    colours = PALETTES[design.palette % len(PALETTES)]
    scene = _studio(WALLS[design.wall % len(WALLS)])
    _decorate(scene, PALETTES[(design.palette + 3) % len(PALETTES)], rng)
    cloth = _pattern_picture(design.pattern, colours, rng)
    SHAPES[design.shape](scene, cloth, colours, rng)
    small = _framed(scene, rng)
    grain = rng.normal(0, 1.6, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(np.asarray(small, np.float32) + grain, 0, 255).astype(np.uint8))


# Edits, as copies on other people's pages show them ---------------------------------------------------------------


def brightened(picture: Image.Image, factor: float) -> Image.Image:
    """The picture with more or less light."""
    return ImageEnhance.Brightness(picture).enhance(factor)


def mirrored(picture: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """The picture without `share` of its sides, left and top."""
    left, top = round(picture.width * share), round(picture.height * share)
    return picture.crop((left, top, picture.width, picture.height))


def resized(picture: Image.Image, side: int) -> Image.Image:
    """The picture at another size."""
    return picture.resize((side, side), Image.Resampling.BICUBIC)


def with_sticker(picture: Image.Image, colour: Colour = (206, 44, 52)) -> Image.Image:
    """A round price sticker with a star in a corner: what a main image may carry and a hidden image may not."""
    layer = picture.resize((_S, _S), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(layer)
    centre, radius = (0.80 * _S, 0.20 * _S), 0.13 * _S
    draw.ellipse(_round(centre, radius), fill=colour)
    draw.ellipse(_round(centre, radius * 0.88), outline=(255, 255, 255), width=round(_S * 0.006))
    turns = [(math.pi * k / 5 - math.pi / 2, radius * (0.62 if k % 2 == 0 else 0.27)) for k in range(10)]
    draw.polygon([(centre[0] + r * math.cos(a), centre[1] + r * math.sin(a)) for a, r in turns], fill=(255, 236, 190))
    return layer.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "brighter": lambda picture: brightened(picture, 1.15),
    "darker": lambda picture: brightened(picture, 0.88),
    "cropped": lambda picture: cropped(picture, 0.04),
    "mirrored": mirrored,
    "smaller": lambda picture: resized(picture, 420),
    "sticker": with_sticker,
}


def edit_picture(picture: Image.Image, name: str) -> Image.Image:
    """The picture after an edit of EDITS; an empty name leaves it as it is."""
    return EDITS[name](picture) if name else picture


# The studio -------------------------------------------------------------------------------------------------------


def _studio(wall: Colour) -> Image.Image:
    """A wall that runs into the floor without an edge, brighter where the lamp stands."""
    y = np.linspace(0, 1, _S, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, _S, dtype=np.float32)[None, :]
    light = 1.03 - 0.16 * (x - 0.35) ** 2 - 0.12 * (y - 0.2) ** 2
    floor = 1 / (1 + np.exp(-(y - 0.74) * 18))
    tone = light * (1 - 0.085 * floor)
    return _to_picture(tone[..., None] * np.asarray(wall, np.float32))


def _decorate(scene: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    """Paper shapes on the wall and a board on the floor, so that two pictures of one shape are two pictures."""
    for _ in range(int(rng.integers(1, 4))):
        mask, draw = _mask()
        x, y, size = (
            float(value) * _S for value in (rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.6), rng.uniform(0.16, 0.34))
        )
        kind = int(rng.integers(0, 4))
        if kind == 0:
            draw.ellipse(_round((x, y), size), fill=255)
        elif kind == 1:  # an arch that stands on the floor
            draw.rounded_rectangle(
                [x - size * 0.8, y - size * 0.4, x + size * 0.8, _S * 1.5], radius=size * 0.8, fill=255
            )
        elif kind == 2:
            draw.rectangle([x, 0, x + size * 1.6, _S], fill=255)
        else:
            draw.polygon([(x - size, 0), (x + size * 0.4, 0), (x + size * 1.9, _S), (x + size * 0.5, _S)], fill=255)
        colour = colours[int(rng.integers(0, 3))]
        scene.paste(
            colour, (0, 0), _blurred(mask, 6).point([round(v * float(rng.uniform(0.35, 0.75))) for v in range(256)])
        )
    if rng.random() < 0.5:
        board, draw = _mask()
        draw.rectangle([0, float(rng.uniform(0.66, 0.78)) * _S, _S, _S], fill=255)
        _lay(scene, _plain(colours[int(rng.integers(0, 3))]), _blurred(board, 4))


def _framed(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """As a hand held camera takes it: nearer or further, off the middle, a little tilted, from either side."""
    edge = _S // 4
    wide = Image.fromarray(np.pad(np.asarray(scene), ((edge, edge), (edge, edge), (0, 0)), mode="edge"))
    if rng.random() < 0.5:
        wide = wide.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    zoom, tilt = float(rng.uniform(0.88, 1.26)), math.radians(float(rng.uniform(-7, 7)))
    step = _S / SIDE * zoom
    a, b = step * math.cos(tilt), step * math.sin(tilt)
    middle = (
        wide.width / 2 + float(rng.uniform(-0.06, 0.06)) * _S,
        wide.height / 2 + float(rng.uniform(-0.05, 0.05)) * _S,
    )
    half = SIDE / 2
    place = (a, -b, middle[0] - (a - b) * half, b, a, middle[1] - (a + b) * half)
    return wide.transform((SIDE, SIDE), Image.Transform.AFFINE, place, Image.Resampling.BICUBIC)


def _to_picture(pixels: NDArray[np.floating[Any]]) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _round(centre: Point, radius: float, flat: float = 1.0) -> tuple[float, float, float, float]:
    x, y = centre
    return x - radius, y - radius * flat, x + radius, y + radius * flat


def _mask() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (_S, _S), 0)
    return mask, ImageDraw.Draw(mask)


def _scaled(points: Sequence[Point]) -> list[Point]:
    """From the unit square to pixels."""
    return [(x * _S, y * _S) for x, y in points]


def _curve(*points: Point, steps: int = 24) -> list[Point]:
    """A chain of cubic curves through points 0, 3, 6 … with the others as handles, in the unit square."""
    path: list[Point] = []
    for first in range(0, len(points) - 1, 3):
        a, b, c, d = points[first : first + 4]
        for step in range(steps):
            t = step / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            path.append(
                (
                    sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
                    sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
                )
            )
    return [*path, points[-1]]


def _mirror(half: Sequence[Point]) -> list[Point]:
    """A left outline, from top to bottom, completed by its mirror image about the middle."""
    return [*half, *((1 - x, y) for x, y in reversed(half))]


def _outline(points: Sequence[Point]) -> Image.Image:
    mask, draw = _mask()
    draw.polygon(_scaled(points), fill=255)
    return mask


def _blurred(mask: Image.Image, radius: float) -> Image.Image:
    """Blurred at a quarter of the size: nobody sees the difference, and it takes a tenth of the time."""
    small = mask.reduce(4).filter(ImageFilter.GaussianBlur(radius / 4))
    return small.resize(mask.size, Image.Resampling.BILINEAR)


def _cast(scene: Image.Image, mask: Image.Image, foot: float, width: float) -> None:
    """The shadow of a thing that stands at height `foot`, and the soft one behind it."""
    shadow, draw = _mask()
    draw.ellipse(_round((0.515 * _S, foot * _S), width * _S, 0.13), fill=150)
    contact = _blurred(shadow, _S * 0.012)
    behind = _blurred(ImageChops.offset(mask, round(_S * 0.02), round(_S * 0.012)), _S * 0.03)
    darkness = ImageChops.lighter(contact, behind.point([round(v * 0.22) for v in range(256)]))
    scene.paste((74, 68, 66), (0, 0), darkness)


def _lay(scene: Image.Image, skin: Image.Image, mask: Image.Image, light: Plane | None = None) -> None:
    """Put a skin on the scene where the mask is, darker towards its edges, times a light of its own."""
    inner = np.asarray(_blurred(mask, _S * 0.022), np.float32) / 255
    shade = 0.66 + 0.34 * inner
    if light is not None:
        shade = shade * light
    scene.paste(_to_picture(np.asarray(skin, np.float32) * shade[..., None]), (0, 0), mask)


def _plain(colour: Colour) -> Image.Image:
    return Image.new("RGB", (_S, _S), colour)


def _folds(rng: np.random.Generator, strength: float = 0.16) -> Plane:
    """Light and dark waves as in hanging cloth, around 1."""
    coarse = rng.uniform(-1, 1, (5, 7)).astype(np.float32)
    cells = Image.fromarray(((coarse + 1) * 127.5).astype(np.uint8)).resize((_S, _S), Image.Resampling.BICUBIC)
    slope = np.linspace(1.06, 0.94, _S, dtype=np.float32)[None, :]
    return np.asarray(slope * (1 + strength * (np.asarray(cells, np.float32) / 127.5 - 1)), np.float32)


def _roundness(left: float, right: float) -> Plane:
    """The light on an upright cylinder: bright left of the middle, dark at both sides, a thin gleam."""
    x = (np.linspace(0, 1, _S, dtype=np.float32) - left) / (right - left)
    across = np.clip(x, 0, 1) * 2 - 1
    body = 0.60 + 0.46 * np.sqrt(np.clip(1 - (across + 0.22) ** 2 / 1.5, 0, 1))
    gleam = 0.20 * np.exp(-(((across + 0.52) / 0.09) ** 2))
    return np.asarray(np.broadcast_to((body + gleam)[None, :], (_S, _S)), np.float32)


# Patterns ---------------------------------------------------------------------------------------------------------

Pattern = Callable[[Plane, Plane, np.random.Generator], NDArray[np.int64]]


def _stripes(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    count = int(rng.integers(9, 16))
    place = (y * count) % 1
    return np.where(place < 0.42, 0, np.where((place > 0.62) & (place < 0.70), 2, 1))


def _diagonal(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    place = ((x + y) * float(rng.uniform(7, 11))) % 1
    return np.where(place < 0.5, 0, np.where(place > 0.88, 2, 1))


def _dots(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    count = float(rng.uniform(9, 14))
    row = np.floor(y * count)
    across, down = (x * count + 0.5 * (row % 2)) % 1 - 0.5, (y * count) % 1 - 0.5
    away = across**2 + down**2
    accent = (np.floor(x * count + 0.5 * (row % 2)) + 2 * row) % 5 == 0
    return np.where(away < 0.075, np.where(accent, 2, 1), 0)


def _checks(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    count = float(rng.uniform(7, 11))
    a, b = (x * count) % 1 < 0.5, (y * count) % 1 < 0.5
    line = ((x * count + 0.25) % 1 < 0.06) | ((y * count + 0.25) % 1 < 0.06)
    return np.where(line, 2, np.where(a ^ b, 0, 1))


def _waves(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    place = (y * float(rng.uniform(8, 12)) + 0.32 * np.sin(x * float(rng.uniform(28, 42)))) % 1
    return np.where(place < 0.45, 0, np.where(place > 0.9, 2, 1))


def _chevron(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    count = float(rng.uniform(7, 10))
    zigzag = np.abs((x * count) % 1 - 0.5) * 1.1
    return np.asarray(np.floor((y * count + zigzag) * 2) % 3, np.int64)


def _pebbles(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    layer = Image.new("L", (_S // 2, _S // 2), 1)
    draw = ImageDraw.Draw(layer)
    for _ in range(420):
        cx, cy, r = rng.uniform(0, _S / 2), rng.uniform(0, _S / 2), rng.uniform(5, 22)
        turns = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(5, 8))))
        corners = [(cx + r * float(rng.uniform(0.7, 1.2)) * math.cos(t), cy + r * math.sin(t)) for t in turns]
        draw.polygon(corners, fill=int(rng.choice([0, 0, 2])))
    return np.asarray(layer.resize((_S, _S), Image.Resampling.NEAREST), np.int64)


def _flowers(x: Plane, y: Plane, rng: np.random.Generator) -> NDArray[np.int64]:
    layer = Image.new("L", (_S // 2, _S // 2), 0)
    draw = ImageDraw.Draw(layer)
    step = _S // 2 // 9
    for row in range(10):
        for column in range(10):
            centre = (
                (column + 0.5 * (row % 2)) * step + float(rng.uniform(-8, 8)),
                row * step + float(rng.uniform(-8, 8)),
            )
            _flower(draw, centre, step * float(rng.uniform(0.26, 0.36)), float(rng.uniform(0, math.pi)))
    return np.asarray(layer.resize((_S, _S), Image.Resampling.NEAREST), np.int64)


def _flower(draw: ImageDraw.ImageDraw, centre: Point, size: float, turn: float) -> None:
    for petal in range(5):
        angle = turn + petal * 2 * math.pi / 5
        place = (centre[0] + size * 0.62 * math.cos(angle), centre[1] + size * 0.62 * math.sin(angle))
        draw.ellipse(_round(place, size * 0.46), fill=1)
    draw.ellipse(_round(centre, size * 0.34), fill=2)


PATTERNS: dict[str, Pattern] = {
    "stripes": _stripes,
    "diagonal": _diagonal,
    "dots": _dots,
    "checks": _checks,
    "waves": _waves,
    "chevron": _chevron,
    "pebbles": _pebbles,
    "flowers": _flowers,
}


def _pattern_picture(name: str, colours: Sequence[Colour], rng: np.random.Generator) -> Image.Image:
    line = np.linspace(0, 1, _S, dtype=np.float32)
    x, y = np.broadcast_to(line[None, :], (_S, _S)), np.broadcast_to(line[:, None], (_S, _S))
    chosen = PATTERNS[name](x, y, rng)
    return Image.fromarray(np.asarray(colours, np.uint8)[chosen])


# Shapes -----------------------------------------------------------------------------------------------------------


def _tote(scene: Image.Image, cloth: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    body = _outline(
        _mirror(
            _curve((0.27, 0.40), (0.26, 0.55), (0.235, 0.72), (0.235, 0.80), (0.235, 0.845), (0.26, 0.86), (0.30, 0.86))
        )
    )
    handles, draw = _mask()
    thick = round(_S * 0.028)
    for middle, top in ((0.5, 0.17), (0.5, 0.205)):
        arc = _curve((0.37, 0.44), (0.38, top - 0.03), (0.42, top), (middle, top))
        path = [*arc, *((1 - x, y) for x, y in reversed(arc))]
        draw.line(_scaled(path), fill=255, width=thick, joint="curve")
    _cast(scene, body, 0.862, 0.29)
    back = ImageEnhance.Brightness(_plain(colours[2])).enhance(0.8)
    _lay(scene, back, handles)
    _lay(scene, cloth, body, _folds(rng))
    hem = _outline([(0.27, 0.40), (0.73, 0.40), (0.7315, 0.435), (0.2685, 0.435)])
    _lay(scene, _plain(colours[2]), hem)
    seam = ImageDraw.Draw(scene)
    for tab in (0.37, 0.63):
        box = [value * _S for value in (tab - 0.021, 0.405, tab + 0.021, 0.50)]
        seam.rounded_rectangle(box, radius=_S * 0.006, fill=colours[2], outline=colours[1], width=_LINE)
    for x in np.arange(0.285, 0.715, 0.012):
        seam.line(_scaled([(x, 0.427), (x + 0.006, 0.427)]), fill=colours[1], width=_LINE)


def _cup(scene: Image.Image, cloth: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    left, right, top, foot = 0.27, 0.65, 0.30, 0.80
    side = _curve(
        (left, top), (left, 0.55), (left + 0.005, 0.70), (left + 0.025, 0.75),
        (left + 0.045, 0.80), (left + 0.10, foot + 0.012), (left + 0.19, foot + 0.012),
    )  # fmt: skip
    body = _outline([*side, *((left + right - x, y) for x, y in reversed(side))])
    handle, draw = _mask()
    draw.ellipse([v * _S for v in (0.575, 0.385, 0.80, 0.675)], fill=255)
    draw.ellipse([v * _S for v in (0.62, 0.44, 0.745, 0.62)], fill=0)
    _cast(scene, ImageChops.lighter(body, handle), foot + 0.012, 0.24)
    glaze = _plain(colours[1])
    _lay(scene, glaze, handle, _roundness(0.5, 0.84))
    light = _roundness(left, right)
    _lay(scene, glaze, body, light)
    band, draw = _mask()
    draw.rectangle([0, 0.385 * _S, _S, 0.70 * _S], fill=255)
    _lay(scene, cloth, ImageChops.multiply(band, body), light)
    rim, draw = _mask()
    middle = ((left + right) / 2 * _S, top * _S)
    draw.ellipse(_round(middle, (right - left) / 2 * _S, 0.22), fill=255)
    _lay(scene, glaze, rim)
    inside, draw = _mask()
    draw.ellipse(_round(middle, ((right - left) / 2 - 0.014) * _S, 0.20), fill=255)
    _lay(scene, ImageEnhance.Brightness(_plain(colours[2])).enhance(0.75), inside, _roundness(right, left) * 0.9)


def _shirt(scene: Image.Image, cloth: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    half = [
        *_curve((0.40, 0.165), (0.36, 0.18), (0.31, 0.20), (0.28, 0.225), (0.22, 0.29), (0.15, 0.40), (0.115, 0.465)),
        (0.245, 0.535),
        *_curve((0.245, 0.535), (0.27, 0.48), (0.285, 0.45), (0.30, 0.42), (0.305, 0.58), (0.30, 0.74), (0.285, 0.855)),
        (0.50, 0.872),
    ]
    body = _outline(_mirror(half))
    _cast(scene, body, 0.885, 0.20)
    base = _plain(colours[1]) if rng.random() < 0.5 else cloth
    folds = _folds(rng, 0.2)
    _lay(scene, base, body, folds)
    if base is not cloth:  # a print on the chest instead
        chest, draw = _mask()
        if rng.random() < 0.5:
            draw.ellipse(_round((0.5 * _S, 0.47 * _S), 0.125 * _S), fill=255)
        else:
            draw.rounded_rectangle([v * _S for v in (0.375, 0.34, 0.625, 0.62)], radius=_S * 0.02, fill=255)
        _lay(scene, cloth, chest, folds)
    neck, draw = _mask()
    draw.ellipse(_round((0.5 * _S, 0.165 * _S), 0.10 * _S, 0.62), fill=255)
    collar = ImageChops.multiply(neck, body)
    _lay(scene, _plain(colours[0]), collar)
    hole, draw = _mask()
    draw.ellipse(_round((0.5 * _S, 0.158 * _S), 0.078 * _S, 0.60), fill=255)
    _lay(scene, ImageEnhance.Brightness(_plain(colours[2])).enhance(0.7), ImageChops.multiply(hole, body))
    seam = ImageDraw.Draw(scene)
    for flip in (1, -1):
        x = [0.5 + flip * (v - 0.5) for v in (0.29, 0.30)]
        seam.line(_scaled([(x[0], 0.225), (x[1], 0.42)]), fill=colours[2], width=_LINE)


def _shoe(scene: Image.Image, cloth: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    upper = _outline(
        _curve(
            (0.14, 0.655), (0.13, 0.55), (0.15, 0.45), (0.185, 0.385),
            (0.22, 0.365), (0.30, 0.375), (0.345, 0.395),
            (0.42, 0.45), (0.50, 0.515), (0.58, 0.545),
            (0.72, 0.575), (0.86, 0.585), (0.885, 0.655),
            (0.70, 0.67), (0.30, 0.67), (0.14, 0.655),
        )
    )  # fmt: skip
    sole = _outline(
        _curve(
            (0.125, 0.645), (0.30, 0.655), (0.70, 0.655), (0.895, 0.64),
            (0.915, 0.68), (0.90, 0.715), (0.86, 0.72),
            (0.62, 0.735), (0.35, 0.735), (0.15, 0.725),
            (0.12, 0.715), (0.115, 0.68), (0.125, 0.645),
        )
    )  # fmt: skip
    _cast(scene, ImageChops.lighter(upper, sole), 0.73, 0.40)
    _lay(scene, cloth, upper, _folds(rng, 0.10))
    toe, draw = _mask()
    draw.ellipse([v * _S for v in (0.735, 0.545, 1.0, 0.80)], fill=255)
    heel, draw = _mask()
    draw.polygon(_scaled([(0.10, 0.40), (0.215, 0.43), (0.235, 0.70), (0.10, 0.70)]), fill=255)
    for part, colour in ((toe, colours[1]), (heel, colours[2])):
        _lay(scene, _plain(colour), ImageChops.multiply(part, upper), _folds(rng, 0.06))
    _lay(scene, _plain((248, 246, 240)), sole)
    lines = ImageDraw.Draw(scene)
    lines.line(_scaled([(0.125, 0.688), (0.50, 0.700), (0.90, 0.684)]), fill=colours[0], width=_LINE * 3)
    for step in range(5):
        x, y = 0.375 + 0.045 * step, 0.425 + 0.031 * step
        lines.line(_scaled([(x - 0.035, y + 0.060), (x + 0.012, y + 0.004)]), fill=(250, 248, 244), width=_LINE * 5)
        lines.ellipse(_round(_scaled([(x - 0.038, y + 0.064)])[0], _S * 0.007), fill=colours[2])
    collar = _curve((0.185, 0.385), (0.22, 0.365), (0.30, 0.375), (0.345, 0.395))
    lines.line(_scaled(collar), fill=colours[2], width=_LINE * 8, joint="curve")


def _cushion(scene: Image.Image, cloth: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    turns = np.linspace(0, 2 * math.pi, 160, endpoint=False)
    power = 0.42  # between a square and a circle, corners drawn out
    outline = [
        (
            0.5 + 0.33 * math.copysign(abs(math.cos(t)) ** power, math.cos(t)),
            0.53 + 0.32 * math.copysign(abs(math.sin(t)) ** power, math.sin(t)),
        )
        for t in turns
    ]
    body = _outline(outline)
    _cast(scene, body, 0.855, 0.30)
    x = np.linspace(-1, 1, _S, dtype=np.float32)
    bulge = 1.12 - 0.42 * (x[None, :] ** 2 + x[:, None] ** 2)
    _lay(scene, cloth, body, np.asarray(bulge * _folds(rng, 0.08), np.float32))
    ImageDraw.Draw(scene).line(_scaled([*outline, outline[0]]), fill=colours[2], width=_LINE * 4, joint="curve")
    button = ImageDraw.Draw(scene)
    button.ellipse(_round((0.5 * _S, 0.53 * _S), _S * 0.018), fill=colours[2])
    button.ellipse(_round((0.497 * _S, 0.527 * _S), _S * 0.007), fill=colours[1])


def _vase(scene: Image.Image, cloth: Image.Image, colours: Sequence[Colour], rng: np.random.Generator) -> None:
    belly, shoulder = float(rng.uniform(0.25, 0.30)), float(rng.uniform(0.36, 0.42))
    half = _curve(
        (0.44, 0.28), (0.45, 0.34), (0.46, 0.35), (0.42, shoulder),
        (belly + 0.03, shoulder + 0.08), (belly - 0.01, 0.56), (belly + 0.02, 0.66),
        (belly + 0.05, 0.76), (0.36, 0.82), (0.385, 0.845),
        (0.41, 0.862), (0.46, 0.862), (0.5, 0.862),
    )  # fmt: skip
    body = _outline(_mirror(half))
    stems = ImageDraw.Draw(scene)
    for lean in (-0.16, -0.05, 0.08, 0.18):
        tip = (0.5 + lean, 0.10 + 0.4 * abs(lean))
        stems.line(_scaled(_curve((0.5, 0.30), (0.5, 0.22), tip, tip)), fill=(112, 122, 84), width=_LINE * 3)
        for leaf in range(6):
            t = 0.25 + 0.14 * leaf
            x, y = 0.5 + (tip[0] - 0.5) * t**1.4, 0.30 + (tip[1] - 0.30) * t
            side = 0.02 if leaf % 2 else -0.02
            stems.ellipse(_round(_scaled([(x + side, y - 0.006)])[0], _S * 0.017, 0.5), fill=(124, 140, 96))
    _cast(scene, body, 0.858, 0.19)
    light = _roundness(belly, 1 - belly)
    _lay(scene, _plain(colours[1]), body, light)
    band, draw = _mask()
    draw.rectangle([0, (shoulder + 0.07) * _S, _S, 0.74 * _S], fill=255)
    _lay(scene, cloth, ImageChops.multiply(band, body), light)
    rim, draw = _mask()
    draw.ellipse(_round((0.5 * _S, 0.28 * _S), 0.062 * _S, 0.3), fill=255)
    _lay(scene, ImageEnhance.Brightness(_plain(colours[2])).enhance(0.8), rim)


Shape = Callable[[Image.Image, Image.Image, Sequence[Colour], np.random.Generator], None]
SHAPES: dict[str, Shape] = {
    "tote": _tote,
    "cup": _cup,
    "shirt": _shirt,
    "shoe": _shoe,
    "cushion": _cushion,
    "vase": _vase,
}
