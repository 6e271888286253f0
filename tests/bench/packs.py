"""Measures the pack maker: 100 packs from a folder of photos, half from overlays, half from finished main images.

Run from the repository: python -m tests.bench.packs FOLDER [COUNT]. Photos below 600 px are left out and counted; where
there are fewer photos than packs, each is used again with another promotion. CPU is compared with bare decoding and
encoding of the same three files. One core: start it on a quiet machine.
"""

import io
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compliance.checks.base import Level
from compliance.checks.check import PairReport
from compliance.checks.profile import load_profile
from compliance.packs import fixes
from compliance.packs.errors import PackError
from compliance.packs.jpeg import encode_jpeg, read_form
from compliance.packs.laying import lay_original
from compliance.packs.maker import Pack, PackInput, make_pack
from ledger.imaging.decode import decode_picture
from ledger.imaging.errors import ImagingError
from tests.bench.checks import wilson
from tests.images import exif_bytes, jpeg_bytes, png_bytes

PROFILE = load_profile("aliexpress-seed-2024")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
TEXTS = ("SALE -50%", "新品上市 限时优惠", "Free shipping", "2 + 1 gratis", "NEW 2026", "买一送一")
FONT = Path(__file__).resolve().parents[2] / "ledger" / "pdf" / "fonts" / "NotoSansSC-Bold-gb2312.ttf"
DERIVED = ("same", "scaled", "cropped", "graded", "cropped + scaled")
WAYS = ("overlay", "same", "overlay", "scaled", "overlay", "cropped", "overlay", "graded")


@dataclass
class Tally:
    """What the run has seen."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    wrong_relations: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    unasked: int = 0
    identical: int = 0
    touched: list[float] = field(default_factory=list)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)


def read_photos(folder: Path) -> tuple[list[Path], list[Path]]:
    """Photos that are large enough for a pack, in order of their names, and those that are not."""
    usable: list[Path] = []
    small: list[Path] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as opened:
                is_large = min(opened.size) >= PROFILE.integer("side_min_px")
        except OSError:
            continue
        (usable if is_large else small).append(path)
    return usable, small


def draw_layer(size: tuple[int, int], number: int) -> Image.Image:
    """A promotion on transparent ground: one to three captions, on banners or bare, some of them faint."""
    rng = np.random.default_rng(number)
    width, height = size
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(1, 4))):
        font = ImageFont.truetype(str(FONT), int(rng.uniform(0.02, 0.06) * height))
        text = TEXTS[int(rng.integers(len(TEXTS)))]
        left, top = int(rng.uniform(0.02, 0.5) * width), int(rng.uniform(0.02, 0.9) * height)
        opacity = int(rng.choice([255, 255, 180, 90]))
        box = draw.textbbox((left, top), text, font=font)
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        if rng.random() < 0.5:
            draw.rounded_rectangle((box[0] - 9, box[1] - 9, box[2] + 9, box[3] + 9), 8, fill=(*colour, opacity))
            colour = (255, 255, 255)
        draw.text((left, top), text, font=font, fill=(*colour, opacity))
    return layer


def derive(photo: Image.Image, way: str, number: int, least: int = 610) -> Image.Image:
    """The clean picture as a designer's program would have it before the promotion is laid over."""
    rng = np.random.default_rng(1000 + number)
    width, height = photo.size
    if way == "scaled":
        factor = min(1.0, max(rng.uniform(0.5, 0.95), least / min(photo.size)))
        return photo.resize((round(width * factor), round(height * factor)), Image.Resampling.BICUBIC)
    if way == "cropped":
        room = max(0, min(photo.size) - least) // 4
        left, top, right, bottom = (int(rng.integers(0, room + 1)) for _ in range(4))
        return photo.crop((left, top, width - right, height - bottom))
    if way == "graded":
        gain, offset, white = rng.uniform(0.88, 1.12), rng.uniform(-8, 8), rng.uniform(0.96, 1.04, 3)
        graded = np.clip(np.asarray(photo, np.float32) * gain * white + offset, 0, 255)
        return Image.fromarray(np.rint(graded).astype(np.uint8))
    return photo


def make_input(data: bytes, way: str, number: int) -> PackInput:
    photo = decode_picture(data).image
    if way == "overlay":
        return PackInput(data, overlay=png_bytes(draw_layer(photo.size, number)))
    clean = derive(photo, way, number).convert("RGBA")
    clean.alpha_composite(draw_layer(clean.size, number))
    quality = int(np.random.default_rng(number).integers(78, 96))
    return PackInput(data, main=jpeg_bytes(clean.convert("RGB"), quality=quality))


def cpu(work: Callable[[], object]) -> float:
    since = time.process_time()
    work()
    return time.process_time() - since


def bare(pack: Pack) -> None:
    """Decode and encode the three files, and nothing else."""
    for file in pack.files:
        with Image.open(io.BytesIO(file.data)) as opened:
            opened.load()
            encode_jpeg(np.asarray(opened.convert("RGB")), read_form(file.data))


def faults(report: PairReport) -> list[str]:
    """Errors and warnings. Questions (is this print the product's own?) are counted apart: the seller answers them."""
    return [each.code for each in report.findings if each.level is not Level.CONFIRM]


def questions(report: PairReport) -> list[str]:
    return [f"{each.rule} {each.code}" for each in report.findings if each.level is Level.CONFIRM]


def expected_steps(way: str, given: PackInput, data: bytes) -> tuple[str, ...]:
    if way == "cropped":
        sizes = decode_picture(data).image.size, decode_picture(given.main or data).image.size
        return () if sizes[0] == sizes[1] else ("cropped",)
    if way == "scaled":
        return ("scaled",)
    return ("graded",) if way == "graded" else ()


def run_packs(photos: list[Path], count: int) -> Tally:
    tally = Tally()
    for number in range(count):
        data, way = photos[number % len(photos)].read_bytes(), WAYS[number % len(WAYS)]
        given = make_input(data, way, number)
        made: list[Pack] = []
        try:
            seconds = cpu(lambda given=given, made=made: made.append(make_pack(given, PROFILE)))  # type: ignore[misc]
        except PackError as error:
            tally.refusals[f"{way} {error}"] += 1
            continue
        pack = made[0]
        found = faults(pack.report)
        tally.verdicts[pack.report.verdict.value] += 1
        tally.findings.update(found)
        tally.clean += not found
        tally.questions.update(questions(pack.report))
        tally.unasked += not questions(pack.report)
        tally.identical += pack.agreement.differing_px == 0
        tally.touched.append(pack.agreement.touched)
        tally.seconds.setdefault(way, []).append(seconds)
        tally.ratios.setdefault(way, []).append(seconds / cpu(lambda pack=pack: bare(pack)))  # type: ignore[misc]
        if way != "overlay" and pack.file("hidden").relation.steps != expected_steps(way, given, data):
            tally.wrong_relations[f"{way}: {', '.join(pack.file('hidden').relation.steps)}"] += 1
    return tally


def print_packs(tally: Tally, count: int) -> None:
    print(f"packs without error and warning: {wilson(tally.clean, count)}")
    print(f"packs without a question: {wilson(tally.unasked, count)}; questions {dict(tally.questions)}")
    print(f"packs with equal pixels outside the promotion's blocks: {wilson(tally.identical, count)}")
    print(f"verdicts {dict(tally.verdicts)}, findings {dict(tally.findings)}, refused {dict(tally.refusals)}")
    print(f"relations other than the one applied: {dict(tally.wrong_relations)}")
    print(f"touched blocks: median {statistics.median(tally.touched):.3f}, most {max(tally.touched):.3f} of the frame")
    for way, ratios in sorted(tally.ratios.items()):
        seconds = tally.seconds[way]
        print(
            f"  {way:8} n {len(ratios):3}  CPU {statistics.median(seconds):.2f} s (most {max(seconds):.2f}), "
            f"ratio to bare decode + encode {statistics.median(ratios):.1f} (most {max(ratios):.1f})"
        )


def lay_photos(paths: list[Path], count: int) -> Counter[str]:
    """Finished main images of photos of any size: was the original brought into their frame?

    Compared with the clean picture that the main image was made from, before promotion and JPEG: 95 % of the pixels
    within 25 levels is what JPEG at quality 78 leaves of a grainy photo; a shift by a pixel leaves twice as much.
    """
    found: Counter[str] = Counter()
    for number, path in enumerate(paths[:count]):
        way = DERIVED[number % len(DERIVED)]
        data = path.read_bytes()
        clean = decode_picture(data).image
        for step in way.split(" + "):
            clean = derive(clean, step, number, least=64)
        layered = clean.convert("RGBA")
        layered.alpha_composite(draw_layer(clean.size, number))
        main = jpeg_bytes(layered.convert("RGB"), int(np.random.default_rng(number).integers(78, 96)))
        try:
            laid = lay_original(decode_picture(data).pixels, decode_picture(main).pixels)
        except PackError as error:
            found[f"{way}: {error.code}"] += 1
            continue
        off = np.abs(laid.pixels.astype(np.int16) - np.asarray(clean)).max(axis=2)
        found[f"{way}: {'found' if np.percentile(off, 95) < 25 else 'off'}"] += 1
    return found


def repairs(photos: list[Path], count: int) -> Iterator[tuple[str, bool]]:
    """Lossless strip and re-encode, on the photos with metadata put in: did they keep every pixel, every byte?"""
    for number in range(count):
        data = photos[number % len(photos)].read_bytes()
        image = decode_picture(data).image
        quality, options = 60 + number % 40, {"subsampling": number % 3, "progressive": bool(number % 2)}
        marked = jpeg_bytes(image, quality, exif=exif_bytes(gps=(22.5, 114.1)), comment=b"x", **options)
        yield "strip JPEG", fixes.strip_metadata(marked).pixels_kept
        yield "strip PNG", fixes.strip_metadata(png_bytes(image, exif=exif_bytes())).pixels_kept
        main = jpeg_bytes(image.rotate(180), quality, **options)
        fixed = fixes.reencode_like(png_bytes(image), main)
        yield "re-encode, same bytes", fixed.data == jpeg_bytes(image, quality, **options)


def main(arguments: list[str]) -> int:
    if not arguments:
        print("usage: python -m tests.bench.packs FOLDER [COUNT]", file=sys.stderr)
        return 2
    count = int(arguments[1]) if len(arguments) > 1 else 100
    photos, small = read_photos(Path(arguments[0]))
    laid = lay_photos(sorted([*photos, *small], key=lambda path: path.stem[-8:]), count)
    print(f"originals found in {sum(laid.values())} finished main images of any size: {dict(sorted(laid.items()))}")
    print(f"{len(photos)} photos of at least 600 px, {len(small)} smaller ones left out; {count} packs")
    if not photos:
        return 0
    print_packs(run_packs(photos, count), count)
    kept: Counter[str] = Counter()
    for name, is_kept in repairs(photos, count):
        kept[name] += is_kept
    for name, right in sorted(kept.items()):
        print(f"{name}: {wilson(right, count)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ImagingError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
