"""Measures what finds text, codes, shapes and borders: recall on random marks, false alarms on clean photos, CPU time.

Run from the repository: python -m tests.bench.content_checks PHOTOS... [--labelled FOLDER] [--number N] [--seed S].
PHOTOS are folders of clean photos; each is brought to 800 px, gets one mark in a random font, word, place and colour
that shows there, and is saved as JPEG of quality 85 to 95. Photos with print on the product are not clean: the
false-alarm figures count them, and tell errors from questions. The labelled pairs are not part of the project.
"""

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from compliance.checks import barcodes, border, ocr
from compliance.checks.base import Level, RuleOutcome, run_rule
from compliance.checks.opening import open_pair
from compliance.checks.pair import Pair
from compliance.checks.profile import load_profile
from compliance.checks.rules import RULES
from tests.bench import promotion
from tests.bench.checks import wilson

PROFILE = load_profile("aliexpress-seed-2024")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
SIDE_PX = 800
CONTENT = ("H12", "H13", "H14", "H15", "H16", "H17")
# Rule against the labels that should make it speak. A logo without a name is a drawn shape.
QUESTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("H12", frozenset({"TEXT"})),
    ("H13", frozenset({"QR"})),
    ("H14", frozenset({"LOGO", "WATERMARK"})),
    ("H15", frozenset({"BORDER"})),
    ("H16", frozenset({"PRICE"})),
    ("H17", frozenset({"STICKER", "ARROW", "LOGO"})),
    ("H22", frozenset({"AI"})),
)
CONTENT_LABELS = frozenset().union(*(labels for rule, labels in QUESTIONS if rule != "H22"))

Draw = Callable[[np.random.Generator, Image.Image], tuple[Image.Image, promotion.Mark]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the content rules said about one picture."""

    outcomes: tuple[RuleOutcome, ...]

    def level_at(self, mark: promotion.Mark) -> Level | None:
        """The heaviest level of a finding in the mark's place."""
        levels = {
            item.level for one in self.outcomes for item in one.findings if promotion.overlaps(item.bbox, mark, 0.2)
        }
        return Level.ERROR if Level.ERROR in levels else next(iter(levels), None)

    def level_of(self, rules: Iterable[str] = CONTENT) -> Level | None:
        """The heaviest level of these rules anywhere."""
        levels = {item.level for one in self.outcomes if one.rule in rules for item in one.findings}
        return Level.ERROR if Level.ERROR in levels else next(iter(levels), None)


def look(pair: Pair) -> Seen:
    return Seen(tuple(run_rule(RULES[rule], pair, PROFILE) for rule in CONTENT))


def same_twice(data: bytes) -> Pair:
    """A main image used as its own hidden image: what a mark left in both looks like."""
    return open_pair(data, data, main_name="m", hidden_name="h", long_side_px=1000)


def photos(folders: Iterable[Path], rng: np.random.Generator) -> list[Path]:
    files = [file for folder in folders for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES]
    return [files[i] for i in rng.permutation(len(files))]


def load(file: Path, side_px: int = SIDE_PX) -> Image.Image:
    image = Image.open(file).convert("RGB")
    scale = side_px / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def saved(rng: np.random.Generator, image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=int(rng.integers(85, 96)))
    return out.getvalue()


def text_of(script: str, opacity: float, low: int) -> Draw:
    return lambda rng, image: promotion.with_text(
        rng, image, script, opacity=opacity, height_px=int(rng.integers(low, 49))
    )


def code_of(low: int, high: int) -> Draw:
    return lambda rng, image: promotion.with_code(rng, image, side_px=int(rng.integers(low, high)))


def graphic_of(kind: str) -> Draw:
    return lambda rng, image: promotion.with_graphic(rng, image, kind, side_px=int(rng.integers(30, 150)))


def price(rng: np.random.Generator, image: Image.Image) -> tuple[Image.Image, promotion.Mark]:
    return promotion.with_price(rng, image, opacity=1.0, height_px=int(rng.integers(18, 49)))


def drawings() -> Iterator[tuple[str, Draw]]:
    """Every kind of mark and how to draw one."""
    for script in promotion.scripts_here():
        yield f"text at 30 %, {script}", text_of(script, 0.3, 16)
    for script in promotion.scripts_here():
        yield f"text, {script}", text_of(script, 1.0, 14)
    yield "price", price
    for low, high in ((20, 24), (24, 40), (40, 120)):
        yield f"QR {low} to {high - 1} px", code_of(low, high)
    for kind in ("arrow", "sticker", "logo"):
        yield kind, graphic_of(kind)
    yield "border", promotion.with_border


def print_recall(files: list[Path], number: int, seed: int) -> None:
    print(f"marks that were found, {number} pictures each: any level, and ERROR alone")
    for name, draw in drawings():
        rng = np.random.default_rng([seed, len(name)])
        found, errors, missed = 0, 0, []
        for index in range(number):
            picture, mark = draw(rng, load(files[index % len(files)]))
            level = look(same_twice(saved(rng, picture))).level_at(mark)
            found, errors = found + (level is not None), errors + (level is Level.ERROR)
            if level is None:
                missed.append(mark.note)
        print(f"  {name:22} {wilson(found, number)}   ERROR {wilson(errors, number)}", flush=True)
        if missed:
            print(f"      missed: {'; '.join(missed[:4])}")


def print_false_alarms(files: list[Path], number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = [look(same_twice(saved(rng, load(file)))) for file in files[:number]]
    print(f"clean photos with a finding, of {len(seen)}")
    for rules in (CONTENT, *((rule,) for rule in CONTENT)):
        levels = [one.level_of(rules) for one in seen]
        errors, questions = levels.count(Level.ERROR), levels.count(Level.CONFIRM)
        name = "any" if len(rules) > 1 else rules[0]
        print(f"  {name:4} ERROR {wilson(errors, len(seen))}   CONFIRM {wilson(questions, len(seen))}")


def print_times(files: list[Path], number: int) -> None:
    print("CPU milliseconds, median and largest")
    ocr.find_texts(np.zeros((64, 64, 3), np.uint8))
    for side_px in (1000, 2000):
        stages: dict[str, list[float]] = {"text": [], "codes": [], "border": [], "all content rules": []}
        for file in files[:number]:
            image = load(file, side_px)
            pixels, data = np.asarray(image), saved(np.random.default_rng(1), image)
            pair = same_twice(data)
            for name, act in (
                ("text", lambda pixels=pixels: ocr.find_texts(pixels)),
                ("codes", lambda pixels=pixels: barcodes.find_codes(pixels)),
                ("border", lambda pixels=pixels: border.find_border(pixels)),
                ("all content rules", lambda pair=pair: look(pair)),
            ):
                since = time.process_time()
                act()
                stages[name].append((time.process_time() - since) * 1000)
        for name, times in stages.items():
            print(f"  {side_px} px {name:18} {statistics.median(times):7.0f} {max(times):7.0f}")


def print_labelled(folder: Path) -> None:
    rows = json.loads((folder / "labels.json").read_text("utf-8"))
    said: list[tuple[dict, Seen, Seen]] = []
    for row in rows:
        pair = open_pair(
            (folder / row["main"]).read_bytes(),
            (folder / row["hidden"]).read_bytes(),
            main_name="m",
            hidden_name="h",
            long_side_px=1000,
        )
        generated = Seen((run_rule(RULES["H22"], pair, PROFILE),))
        said.append((row, look(pair), generated))
    print(f"{len(rows)} labelled pairs: precision and recall, ERROR alone and with questions (H22: warnings)")
    for rule, wanted in QUESTIONS:
        for levels in ((Level.ERROR,), (Level.ERROR, Level.CONFIRM)):
            spoke = right = should = 0
            for row, content, generated in said:
                level = (generated if rule == "H22" else content).level_of((rule,))
                is_said = level is Level.WARNING if rule == "H22" else level in levels
                is_right = bool(wanted & set(row["labels"]))
                spoke, right, should = spoke + is_said, right + (is_said and is_right), should + is_right
            name = f"{rule} {'|'.join(sorted(wanted))} {'+'.join(level.value for level in levels)}"
            print(f"  {name:45} precision {wilson(right, spoke)}   recall {wilson(right, should)}")
    for printed in (False, True):
        for has_mark in (False, True):
            group = [
                content.level_of()
                for row, content, _ in said
                if row["printed"] == printed and bool(CONTENT_LABELS & set(row["labels"])) == has_mark
            ]
            counts = {str(level or "nothing"): group.count(level) for level in (Level.ERROR, Level.CONFIRM, None)}
            print(f"  print on product {printed!s:5} mark left {has_mark!s:5} {counts}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--labelled", type=Path)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = photos(options.photos, np.random.default_rng(options.seed))
    print({script: len(promotion.font_files(script)) for script in promotion.scripts_here()}, "fonts")
    print_times(files, min(20, options.number))
    if options.labelled:
        print_labelled(options.labelled)
    print_false_alarms(files, 2 * options.number, options.seed)
    print_recall(files, options.number, options.seed)


if __name__ == "__main__":
    main()
