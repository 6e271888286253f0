"""Measures what the engine finds and misses: `python -m compliance.search.measure --split SPLIT_DIR --bench BENCH_DIR`.

Asks the engine, as the benchmark does, with edited pictures of a seed it was not fitted on, and counts by kind of
change; the counts go into limits.toml, which the pages and receipts quote. The benchmark is not part of this package.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compliance.search.benchmark import Copies, system
from compliance.search.errors import SearchError
from compliance.search.limits import CHANGE_TEXTS, NEGATIVES_OF_GROUP
from compliance.search.score import SCORE_SAME_PIXELS, THRESHOLD

HERE = Path(__file__).parent
LISTED = 5
# What a group's threshold has to reach: wrong pictures called copies, and pictures of the same scene.
WRONG_SHARE = 0.001
SCENE_SHARE = 0.01
SAME_SCENE = "neg_scene"
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
class Answer:
    """What the engine said to one edited or hard-negative picture. expected: the right id, "" when there is none."""

    attack: str
    group: str
    expected: str
    listed: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """Counts: change code -> (tried, found, listed), wrong pictures at 85 or more by kind of negative, and the score from
    which a picture is called a copy by group of categories."""

    changes: dict[str, tuple[int, int, int]]
    negatives: dict[str, tuple[int, int]]
    thresholds: dict[str, float]


def ask(split: Any, plan: Iterable[Any], seed: int, engine: Copies) -> Iterator[Answer]:
    """Fill the engine with the gallery of a split and ask every query of a plan."""
    for item in split.gallery:
        engine.add(item.id, item.read())
    engine.finish()
    for query in plan:
        listed = tuple(engine.query(split.render(query, seed), LISTED))
        yield Answer(query.attack, query.group, query.expected, listed)


def count(answers: Iterable[Answer]) -> Reached:
    """How often the right picture was listed, listed at 85 or more, and how often a wrong one was."""
    code_of = {attack: code for code, attacks in CHANGE_OF_ATTACK.items() for attack in attacks}
    changes: dict[str, Counter[str]] = {code: Counter() for code in CHANGE_TEXTS}
    wrong: dict[str, list[float]] = {}
    for answer in answers:
        if not answer.expected:
            wrong.setdefault(answer.group, []).append(max((score for _ident, score in answer.listed), default=0.0))
            continue
        if answer.attack not in code_of:
            raise UnknownAttackError(answer.attack)
        right = [score for ident, score in answer.listed if ident == answer.expected]
        found = any(score >= THRESHOLD for score in right)
        changes[code_of[answer.attack]].update(tried=1, found=int(found), listed=int(bool(right)))
    return Reached(
        {code: (c["tried"], c["found"], c["listed"]) for code, c in changes.items() if c["tried"]},
        {kind: (len(best), sum(score >= THRESHOLD for score in best)) for kind, best in sorted(wrong.items())},
        {group: group_threshold(wrong, kinds) for group, kinds in NEGATIVES_OF_GROUP.items()},
    )


def group_threshold(wrong: Mapping[str, Sequence[float]], kinds: Sequence[str]) -> float:
    """The lowest score from 85 on, in tenths, from which few enough of these wrong pictures are called copies."""
    hard = [score for kind in kinds if kind != SAME_SCENE for score in wrong.get(kind, ())]
    scene = wrong.get(SAME_SCENE, ()) if SAME_SCENE in kinds else ()
    needed = [_quiet_from(hard, WRONG_SHARE), _quiet_from(scene, SCENE_SHARE)]
    return min(max(THRESHOLD, *needed), SCORE_SAME_PIXELS)


def _quiet_from(scores: Sequence[float], share: float) -> float:
    """A tenth above the score that is one too many; 0 when there is none."""
    ranked = sorted(scores, reverse=True)
    allowed = int(share * len(ranked))
    return round(ranked[allowed] + 0.1, 1) if len(ranked) > allowed else 0.0


def format_limits(reached: Reached, *, seed: int, per_attack: int, negative_rounds: int) -> str:
    """limits.toml."""
    lines = [
        "# Written by `python -m compliance.search.measure`; do not edit.",
        "# tried: edited pictures; found: listed in the TOP 5 at 85 or more; listed: in the TOP 5 at any score.",
        "",
        "[provenance]",
        f"seed = {seed}",
        f"per_attack = {per_attack}",
        f"negative_rounds = {negative_rounds}",
        f"threshold = {THRESHOLD}",
        "",
        "[change]",
    ]
    for code, (tried, found, listed) in reached.changes.items():
        lines.append(f"{code} = {{ tried = {tried}, found = {found}, listed = {listed} }}")
    lines += ["", "# alarms: a wrong picture at 85 or more", "[negative]"]
    for group, (tried, alarms) in reached.negatives.items():
        lines.append(f"{group} = {{ tried = {tried}, alarms = {alarms} }}")
    lines += ["", "# called a copy from this score on, by group of categories", "[threshold]"]
    lines += [f"{group} = {score}" for group, score in reached.thresholds.items()]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure with one seed and write the data file."""
    parser = argparse.ArgumentParser(prog="python -m compliance.search.measure", description=__doc__)
    parser.add_argument("--split", type=Path, required=True, help="folder with manifest.csv and images/")
    parser.add_argument("--bench", type=Path, required=True, help="folder with dataset.py and attacks.py")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--per-attack", type=int, default=30)
    parser.add_argument("--negative-rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=HERE / "limits.toml")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.path.insert(0, str(options.bench))
    split = importlib.import_module("dataset").Split(options.split)
    plan = split.plan(options.seed, options.per_attack, False, options.negative_rounds)
    reached = count(ask(split, plan, options.seed, system()))
    numbers = {"per_attack": options.per_attack, "negative_rounds": options.negative_rounds}
    options.out.write_text(format_limits(reached, seed=options.seed, **numbers), "utf-8")
    tried, found, listed = (sum(column) for column in zip(*reached.changes.values(), strict=True))
    log.info("%d edited pictures: %d found, %d listed; %s", tried, found, listed, reached.negatives)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
