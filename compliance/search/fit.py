"""Fits the score and measures its reach: `python -m compliance.search.fit --split DIR --bench DIR --seed 7`.

The benchmark (photographs and attacks) is not part of this package; its folder is named on the command line. The
regression and the threshold use the attacks of one seed, the reach is measured with the next seed, and pictures of
the same scene taken moments later are left out of both, as the benchmark's rules say. Same input, same files.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compliance.search.engine import NOMINATED, search
from compliance.search.errors import SearchError
from compliance.search.index import Hit, Item, Probe, ScanIndex
from compliance.search.limits import CHANGE_TEXTS
from compliance.search.query import Query, usable_views, view_of
from compliance.search.score import (
    FEATURES,
    HASH_BITS,
    SCORE_CEILING,
    THRESHOLD,
    Weights,
    features,
)
from ledger.imaging.analysis import digest_pixels
from ledger.imaging.decode import decode_picture
from ledger.imaging.fingerprint import dihedral_fingerprints, fingerprint

HERE = Path(__file__).parent
PRECISION = 0.999
SAME_SCENE = "neg_scene"
HARD_NEGATIVES_PER_QUERY = 4
RIDGE = 0.01
NEWTON_STEPS = 50
# Unrelated codes differ in half of their bits on average: no evidence, score 0.
UNRELATED = HASH_BITS // 2

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)

# Which kind of change each attack of the benchmark is a sample of. An attack missing here stops the command.
CHANGE_OF_ATTACK = {
    "untouched": ("identity",),
    "recompressed": ("jpeg_q95", "jpeg_q70", "jpeg_q50", "jpeg_q30", "jpeg_q10", "chat_chain"),
    "resized": ("resize_0.25", "resize_0.5", "resize_0.75", "resize_1.5", "resize_2.0"),
    "blur_noise": ("blur_1", "blur_2", "noise_8", "noise_20"),
    "light_colour": (
        "brightness_-40",
        "brightness_-20",
        "brightness_+20",
        "brightness_+40",
        "contrast_-40",
        "contrast_+40",
        "saturation",
        "grayscale",
        "temperature",
    ),
    "recoloured": ("hue_shift", "recolour"),
    "quarter_turn": ("rotate_90", "rotate_180"),
    "mirrored": ("flip",),
    "tilted_5": ("rotate_-5", "rotate_+5", "rotate_5_inscribed"),
    "tilted_15": (
        "rotate_-15",
        "rotate_-10",
        "rotate_+10",
        "rotate_+15",
        "rotate_10_inscribed",
        "rotate_15_inscribed",
    ),
    "cropped_5": ("crop_5_centre", "crop_5_random"),
    "cropped_10": ("crop_10_centre", "crop_10_random"),
    "cropped_30": ("crop_20_centre", "crop_20_random", "crop_30_centre", "crop_30_random"),
    "cropped_50": ("crop_50_centre", "crop_50_random"),
    "stretched": ("stretch_x", "stretch_y"),
    "perspective": ("perspective_mild", "perspective_strong"),
    "border": ("frame", "border", "pad_square"),
    "text": ("text_opaque",),
    "logo": ("logo_translucent", "logo_50pct_30area"),
    "watermark": ("watermark_tiled",),
    "stickers": ("stickers",),
    "new_background": ("background_solid", "background_gradient"),
    "collage": ("collage_2x2",),
    "inside_another": ("picture_in_picture",),
    "screenshot": ("screenshot",),
    "several": ("combined_3", "combined_4"),
}


class UnknownAttackError(SearchError):
    """The benchmark has an attack that no kind of change covers."""

    code = "unknown_attack"


@dataclass(frozen=True, slots=True)
class Sample:
    """One attacked or hard-negative picture with the index's answer. expected: item id, or -1 when none is right."""

    attack: str
    group: str
    query: Query
    expected: int
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """A split of the benchmark with its gallery indexed; item ids are positions in the gallery."""

    split: Any
    index: ScanIndex
    positions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many queries to make: seed, originals per attack, rounds over the hard negatives."""

    seed: int
    per_attack: int
    negative_rounds: int


def query_of(data: bytes) -> Query:
    """The query side of one picture; no file digest, so that only pixels are judged."""
    image = decode_picture(data).image
    return Query(b"", digest_pixels(image), usable_views(dihedral_fingerprints(image)))


def item_of(item_id: int, data: bytes) -> Item:
    """The index side of one picture, without its file digest (32 zero bytes match no query here)."""
    image = decode_picture(data).image
    phash, dhash = view_of(fingerprint(image))
    return Item(item_id, bytes(32), digest_pixels(image), phash, dhash)


def open_bench(split_dir: Path, bench_dir: Path) -> Bench:
    """Import the benchmark from its folder and index the gallery of a split."""
    sys.path.insert(0, str(bench_dir))
    split = importlib.import_module("dataset").Split(split_dir)
    gallery = [item_of(number, entry.read()) for number, entry in enumerate(split.gallery)]
    return Bench(split, ScanIndex(gallery), {entry.id: number for number, entry in enumerate(split.gallery)})


def collect(bench: Bench, plan: Plan) -> Iterator[Sample]:
    """Render every query of the plan and ask the index."""
    for entry in bench.split.plan(plan.seed, plan.per_attack, False, plan.negative_rounds):
        query = query_of(bench.split.render(entry, plan.seed))
        hits = bench.index.query(Probe(b"", query.pixel_sha256, query.views), k=NOMINATED)
        yield Sample(entry.attack, entry.group, query, bench.positions.get(entry.expected, -1), tuple(hits))


def training_rows(samples: Iterable[Sample], index: ScanIndex) -> tuple[Floats, Floats]:
    """Feature rows and labels: the right picture of each attack, and the nearest wrong ones of every query."""
    codes = {item.id: item for item in index.items()}
    rows: list[tuple[float, float, float]] = []
    labels: list[float] = []
    for sample in samples:
        if sample.group == SAME_SCENE:
            continue
        if sample.expected >= 0 and sample.query.views:
            rows.append(features(*distances(sample.query, codes[sample.expected])))
            labels.append(1.0)
        wrong = [hit for hit in sample.hits if hit.item_id != sample.expected][:HARD_NEGATIVES_PER_QUERY]
        rows.extend(features(hit.phash_distance, hit.dhash_distance) for hit in wrong)
        labels.extend(0.0 for _ in wrong)
    return np.array(rows), np.array(labels)


def distances(query: Query, item: Item) -> tuple[int, int]:
    """(phash, dhash) distance in the view where their sum is smallest."""
    pairs = [((p ^ item.phash).bit_count(), (d ^ item.dhash).bit_count()) for p, d in query.views]
    return min(pairs, key=sum)


def fit_logistic(rows: Floats, labels: Floats) -> Floats:
    """Intercept and weights by Newton's method with a small ridge on the weights; deterministic."""
    design = np.column_stack([np.ones(len(rows)), rows])
    ridge = RIDGE * np.diag([0.0] + [1.0] * rows.shape[1])
    solution = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-design @ solution))
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
        solution += np.linalg.solve(curvature, design.T @ (labels - chance) - ridge @ solution)
    return solution


def precision_point(samples: Iterable[Sample], model: Weights) -> float:
    """The lowest logit at which at least 99.9 % of the best answers are right; a tie counts as a whole."""
    best = []
    for sample in samples:
        if sample.group == SAME_SCENE or not sample.hits:
            continue
        ranked = [(model.logit(hit.phash_distance, hit.dhash_distance), hit.item_id) for hit in sample.hits]
        logit, item_id = max(ranked, key=lambda pair: (pair[0], -pair[1]))
        best.append((logit, item_id == sample.expected))
    best.sort(key=lambda pair: (-pair[0], pair[1]))
    point, right = np.inf, 0
    for count, (logit, is_right) in enumerate(best, 1):
        right += is_right
        is_last_of_tie = count == len(best) or best[count][0] < logit
        if is_last_of_tie and right / count >= PRECISION:
            point = logit
    return float(point)


def fit(samples: Sequence[Sample], index: ScanIndex) -> Weights:
    """The whole fit: regression, then the anchors of the score."""
    intercept, *terms = (round(float(v), 4) for v in fit_logistic(*training_rows(samples, index)))
    unanchored = Weights(intercept, (terms[0], terms[1], terms[2]), ((0.0, 0.0), (1.0, 1.0)))
    threshold = precision_point(samples, unanchored)
    anchors = (
        (round(unanchored.logit(UNRELATED, UNRELATED), 4), 0.0),
        (round(threshold - 1e-4, 4), THRESHOLD),
        (round(unanchored.logit(0, 0), 4), SCORE_CEILING),
    )
    return Weights(intercept, unanchored.weights, anchors)


@dataclass(frozen=True, slots=True)
class Reached:
    """The reach as counted: change code -> (tried, found, listed), and false alarms per kind of negative."""

    changes: dict[str, tuple[int, int, int]]
    negatives: dict[str, tuple[int, int]]


def measure(samples: Iterable[Sample], index: ScanIndex, weights: Weights) -> Reached:
    """Count what a search with these weights finds, and how often it names a wrong picture."""
    code_of = {attack: code for code, attacks in CHANGE_OF_ATTACK.items() for attack in attacks}
    changes: dict[str, Counter[str]] = {code: Counter() for code in CHANGE_TEXTS}
    negatives: dict[str, Counter[str]] = {}
    for sample in samples:
        answer = search(index, sample.query, weights=weights)
        if sample.expected < 0:
            count = negatives.setdefault(sample.group, Counter())
            count.update(tried=1, alarms=any(c.score >= THRESHOLD for c in answer))
            continue
        if sample.attack not in code_of:
            raise UnknownAttackError(sample.attack)
        right = [c for c in answer if c.item_id == sample.expected]
        found = any(c.score >= THRESHOLD for c in right)
        changes[code_of[sample.attack]].update(tried=1, found=found, listed=bool(right))
    return Reached(
        {code: (c["tried"], c["found"], c["listed"]) for code, c in changes.items() if c["tried"]},
        {group: (c["tried"], c["alarms"]) for group, c in sorted(negatives.items())},
    )


def format_weights(weights: Weights, plan: Plan, samples: Sequence[Sample]) -> str:
    """weights.toml."""
    attacked = sum(s.expected >= 0 for s in samples)
    anchors = ", ".join(f"[{logit}, {score}]" for logit, score in weights.anchors)
    return (
        f"# Written by `python -m compliance.search.fit`; do not edit.\n[model]\nfeatures = {list(FEATURES)}\n".replace(
            "'", '"'
        )
        + f"intercept = {weights.intercept}\nweights = {list(weights.weights)}\n"
        + f"# (logit, score): unrelated pictures, the {PRECISION:.1%} precision point, equal fingerprints\n"
        + f"anchors = [{anchors}]\n\n[provenance]\n"
        + f"seed = {plan.seed}\nper_attack = {plan.per_attack}\nnegative_rounds = {plan.negative_rounds}\n"
        + f"attacked = {attacked}\nhard_negatives = {_hard_negatives(samples)}\n"
        + 'data = "public split of the copy-detection benchmark: 1,100 product photos of 348 to 533 px, 506 negatives"\n'
    )


def _hard_negatives(samples: Iterable[Sample]) -> int:
    return sum(s.expected < 0 and s.group != SAME_SCENE for s in samples)


def format_limits(reached: Reached, plan: Plan) -> str:
    """limits.toml."""
    lines = [
        "# Written by `python -m compliance.search.fit`; do not edit.",
        "# tried: edited pictures; found: listed in the TOP 5 at 85 or more; listed: in the TOP 5 at any score.",
        "",
        "[provenance]",
        f"seed = {plan.seed}",
        f"per_attack = {plan.per_attack}",
        f"negative_rounds = {plan.negative_rounds}",
        f"threshold = {THRESHOLD}",
        "",
        "[change]",
    ]
    for code, (tried, found, listed) in reached.changes.items():
        lines.append(f"{code} = {{ tried = {tried}, found = {found}, listed = {listed} }}")
    lines += ["", "# alarms: a wrong picture at 85 or more", "[negative]"]
    for group, (tried, alarms) in reached.negatives.items():
        lines.append(f"{group} = {{ tried = {tried}, alarms = {alarms} }}")
    return "\n".join(lines) + "\n"


def _summary(reached: Reached) -> str:
    tried, found, listed = (sum(column) for column in zip(*reached.changes.values(), strict=True))
    alarms = sum(a for group, (_, a) in reached.negatives.items() if group != SAME_SCENE)
    hard = sum(n for group, (n, _) in reached.negatives.items() if group != SAME_SCENE)
    return (
        f"{tried} attacked: {found / tried:.3f} found, {listed / tried:.3f} listed; {alarms} alarms of {hard} negatives"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Fit on one seed, measure on the next, write both data files."""
    parser = argparse.ArgumentParser(prog="python -m compliance.search.fit", description=__doc__)
    parser.add_argument("--split", type=Path, required=True, help="folder with manifest.csv and images/")
    parser.add_argument("--bench", type=Path, required=True, help="folder with dataset.py and attacks.py")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-attack", type=int, default=30)
    parser.add_argument("--negative-rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=HERE / "weights.toml")
    parser.add_argument("--limits-out", type=Path, default=HERE / "limits.toml")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    bench = open_bench(options.split, options.bench)
    plan = Plan(options.seed, options.per_attack, options.negative_rounds)
    samples = list(collect(bench, plan))
    weights = fit(samples, bench.index)
    options.out.write_text(format_weights(weights, plan, samples), "utf-8")
    log.info("fitted: %s", weights)
    control = Plan(options.seed + 1, options.per_attack, options.negative_rounds)
    reached = measure(collect(bench, control), bench.index, weights)
    options.limits_out.write_text(format_limits(reached, control), "utf-8")
    log.info("measured with seed %d: %s", control.seed, _summary(reached))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
