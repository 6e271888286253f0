"""Fits the score of copies: `python -m compliance.search.fit_copies --split SPLIT_DIR --bench BENCH_DIR --seed 7`.

Each comparison of every query of a plan becomes a row of measurements; two logistic regressions (terms.py) tell right
from wrong ones. Originals are divided into five folds by their id; the point that becomes score 85 is read off folds
that the weights had not seen, without pictures of the same scene, as the benchmark's rules say. The benchmark is not
part of this package; its folders are named on the command line. Same input, same file.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import logging
import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compliance.search.compare import compare, make_query
from compliance.search.copy_score import FILE, SCORE_CEILING, THRESHOLD, CopyWeights, Form
from compliance.search.errors import SearchError
from compliance.search.nominate import nominate
from compliance.search.segments import SegmentIndex
from compliance.search.terms import MEASURES, TERM_NAMES, columns, sign_of
from ledger.imaging.decode import decode_picture
from ledger.imaging.feature_blob import Reference, make_reference
from ledger.imaging.threads import use_one_thread

PRECISION = 0.999
SAME_SCENE = "neg_scene"
FOLDS = 5
# 1, 3 and 10 found .969, .968 and .964 on unseen folds (seed 7): flat, so the middle one.
RIDGE = 3.0
NEWTON_STEPS = 60
WRONG_PER_QUERY = 4
UNRELATED_PERCENTILE = 50
CERTAIN_PERCENTILE = 99

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)


class TooFewSamplesError(SearchError):
    """The plan gave no right or no wrong comparisons to learn from."""

    code = "too_few_samples"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One query: the picture it was made of, its kind, the right answer (-1 = none), and the comparisons made.

    measures: float64 (n, 29); image_ids: the picture of each row.
    """

    item: str
    attack: str
    group: str
    expected: int
    image_ids: tuple[int, ...]
    measures: Floats

    @property
    def fold(self) -> int:
        """The same for all queries made of one picture."""
        return hashlib.sha256(self.item.encode()).digest()[0] % FOLDS


@dataclass(frozen=True, slots=True)
class Plan:
    """How many queries: seed, originals per attack, rounds over the hard negatives, further attacks or not."""

    seed: int
    per_attack: int
    negative_rounds: int
    has_extra: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights, and how they did on folds they had not seen: recall and false positives at the point of score 85."""

    weights: CopyWeights
    recall: float
    attacked: int
    false_positives: int
    negatives: int


def collect(split: Any, plan: Plan) -> Iterator[Sample]:
    """Search every query of the plan in an index of the split's gallery."""
    references = [make_reference(decode_picture(entry.read()).pixels) for entry in split.gallery]
    index = SegmentIndex()
    index.add((number, reference.features) for number, reference in enumerate(references))
    positions = {entry.id: number for number, entry in enumerate(split.gallery)}
    for entry in split.plan(plan.seed, plan.per_attack, plan.has_extra, plan.negative_rounds):
        expected = positions.get(entry.expected, -1)
        yield _sample(entry, expected, split.render(entry, plan.seed), index, references)


def _sample(entry: Any, expected: int, data: bytes, index: SegmentIndex, references: Sequence[Reference]) -> Sample:
    query = make_query(decode_picture(data).pixels)
    image_ids, rows = [], []
    for nominee in nominate(index, query.views):
        comparison = compare(query, references[nominee.image_id], nominee.view, nominee.votes)
        if comparison is not None:
            image_ids.append(nominee.image_id)
            rows.append(comparison.measures)
    measures = np.array(rows).reshape(-1, len(MEASURES))
    return Sample(entry.item.id, entry.attack, entry.group, expected, tuple(image_ids), measures)


def training_rows(samples: Iterable[Sample]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """(measures, labels, folds): every comparison with the right picture, at most four with wrong ones per query.

    Pictures of the same scene are wrong ones here: the hardest there are, and with them .968 instead of .953 are found
    on unseen folds (seed 7).
    """
    rows: list[Floats] = []
    labels: list[float] = []
    folds: list[int] = []
    for sample in samples:
        is_right = np.array([image == sample.expected for image in sample.image_ids], bool)
        wrong = np.flatnonzero(~is_right)[:WRONG_PER_QUERY]
        chosen = np.concatenate([np.flatnonzero(is_right), wrong])
        rows.extend(sample.measures[chosen])
        labels.extend(is_right[chosen].astype(float).tolist())
        folds.extend([sample.fold] * len(chosen))
    if not 0 < sum(labels) < len(labels):
        raise TooFewSamplesError(f"{sum(labels):.0f} right of {len(labels)}")
    return np.array(rows), np.array(labels), np.array(folds)


def fit_signed(rows: Floats, labels: Floats, signs: Floats) -> tuple[float, Floats]:
    """Like fit_logistic, but no weight has another sign than `signs`: the worst is dropped until all are right."""
    kept = np.ones(rows.shape[1], bool)
    spread = rows.std(axis=0)
    while True:
        intercept, found = fit_logistic(rows[:, kept], labels)
        weights = np.zeros(len(kept))
        weights[kept] = found
        wrong = weights * signs * spread
        worst = int(np.argmin(wrong))
        if wrong[worst] >= 0:
            return intercept, weights
        kept[worst] = False


def fit_logistic(rows: Floats, labels: Floats) -> tuple[float, Floats]:
    """(intercept, weights in raw units): Newton's method on standardised terms with a ridge; deterministic."""
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(rows)), (rows - middle) / spread])
    ridge = RIDGE * np.diag([0.0] + [1.0] * rows.shape[1])
    solution = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
        gradient = design.T @ (labels - chance) - ridge @ solution
        solution += np.linalg.solve(curvature, gradient)
    weights = solution[1:] / spread
    return float(solution[0] - weights @ middle), weights


def precision_point(samples: Sequence[Sample], logits: Sequence[Floats]) -> float:
    """The lowest logit at which at least 99.9 % of the best answers are right; a tie counts as a whole."""
    best = []
    for sample, values in zip(samples, logits, strict=True):
        if sample.group != SAME_SCENE and len(values):
            top = int(np.argmax(values))
            best.append((float(values[top]), sample.image_ids[top] == sample.expected))
    best.sort(key=lambda pair: (-pair[0], pair[1]))
    point, right = np.inf, 0
    for count, (logit, is_right) in enumerate(best, 1):
        right += is_right
        is_last_of_tie = count == len(best) or best[count][0] < logit
        if is_last_of_tie and right / count >= PRECISION:
            point = logit
    return float(point)


def fit(samples: Sequence[Sample]) -> Fit:
    """Weights and anchors; the points of the forms are read off folds the weights had not seen."""
    rows, labels, folds = training_rows(samples)
    forms, above = [], []
    for name in TERM_NAMES:
        unseen = _unseen_logits(samples, columns(name, rows), labels, folds, name)
        point = precision_point(samples, unseen)
        intercept, weights = fit_signed(columns(name, rows), labels, signs_of(name))
        forms.append(Form(name, _cut(intercept - point), tuple(_cut(value) for value in weights)))
        above.append([values - point for values in unseen])
    better = [np.maximum(*pair) for pair in zip(*above, strict=True)]
    # Together the two forms find more, and err where either errs: the common point is read off once more.
    point = precision_point(samples, better)
    forms = [Form(form.name, _cut(form.intercept - point), form.weights) for form in forms]
    better = [values - point for values in better]
    return Fit(CopyWeights(tuple(forms), _anchors(samples, better)), *_outcome(samples, better, 0.0))


def signs_of(form: str) -> Floats:
    """1 or -1 for each term of a form."""
    return np.array([sign_of(name) for name in TERM_NAMES[form]])


def _unseen_logits(
    samples: Sequence[Sample], rows: Floats, labels: Floats, folds: NDArray[np.int64], form: str
) -> list[Floats]:
    """The logits of every sample's rows, from weights fitted without that sample's fold."""
    signs = signs_of(form)
    models = [fit_signed(rows[folds != fold], labels[folds != fold], signs) for fold in range(FOLDS)]
    out = []
    for sample in samples:
        intercept, weights = models[sample.fold]
        out.append(intercept + columns(form, sample.measures) @ weights)
    return out


def _anchors(samples: Sequence[Sample], logits: Sequence[Floats]) -> tuple[tuple[float, float], ...]:
    right, wrong = [], []
    for sample, values in zip(samples, logits, strict=True):
        is_right = np.array([image == sample.expected for image in sample.image_ids], bool)
        right.append(values[is_right])
        wrong.append(values[~is_right])
    low = min(float(np.percentile(np.concatenate(wrong), UNRELATED_PERCENTILE)), -1.0)
    high = max(float(np.percentile(np.concatenate(right), CERTAIN_PERCENTILE)), 1.0)
    return (_cut(low), 0.0), (0.0, THRESHOLD), (_cut(high), SCORE_CEILING)


def _cut(value: float) -> float:
    """Six significant digits: what the data file shows is what is used."""
    return float(f"{value:.6g}")


def _outcome(samples: Sequence[Sample], logits: Sequence[Floats], point: float) -> tuple[float, int, int, int]:
    found, attacked, alarms, negatives = 0, 0, 0, 0
    for sample, values in zip(samples, logits, strict=True):
        ids = np.array(sample.image_ids)
        if sample.expected >= 0:
            attacked += 1
            found += bool((values[ids == sample.expected] >= point).any()) if len(ids) else False
        elif sample.group != SAME_SCENE:
            negatives += 1
            alarms += bool((values >= point).any())
    return found / max(1, attacked), attacked, alarms, negatives


def format_copy_weights(result: Fit, plan: Plan, manifest_sha256: str) -> str:
    """copy_weights.toml."""
    lines = [
        "# Written by `python -m compliance.search.fit_copies`; do not edit.",
        "",
        "[provenance]",
        f'command = "python -m compliance.search.fit_copies --split SPLIT_DIR --bench BENCH_DIR --seed {plan.seed}'
        f" --per-attack {plan.per_attack} --negative-rounds {plan.negative_rounds}"
        f'{" --extra-attacks tests/bench/more_attacks.py" if plan.has_extra else ""}"',
        f'manifest_sha256 = "{manifest_sha256}"',
        f"seed = {plan.seed}",
        f"attacked = {result.attacked}",
        f"negatives = {result.negatives}",
        "",
        "# On folds the weights had not seen, at the point that became score 85.",
        "[cross_validation]",
        f"folds = {FOLDS}",
        f"recall = {result.recall:.4f}",
        f"false_positives = {result.false_positives}",
        "",
        "[model]",
        f"anchors = {[list(pair) for pair in result.weights.anchors]!r}",
    ]
    for form in result.weights.forms:
        lines += ["", f"[model.forms.{form.name}]", f"intercept = {form.intercept!r}"]
        lines += ["", f"[model.forms.{form.name}.weights]"]
        lines += [f'"{name}" = {value!r}' for name, value in zip(TERM_NAMES[form.name], form.weights, strict=True)]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m compliance.search.fit_copies", description=__doc__)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-attack", type=int, default=10)
    parser.add_argument("--negative-rounds", type=int, default=3)
    parser.add_argument("--extra-attacks", type=Path, help="a Python file that registers further attacks")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / FILE)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_one_thread()
    sys.path.insert(0, str(options.bench))
    if options.extra_attacks:
        runpy.run_path(str(options.extra_attacks))
    split = importlib.import_module("dataset").Split(options.split)
    plan = Plan(options.seed, options.per_attack, options.negative_rounds, bool(options.extra_attacks))
    result = fit(list(collect(split, plan)))
    digest = hashlib.sha256((options.split / "manifest.csv").read_bytes()).hexdigest()
    options.out.write_text(format_copy_weights(result, plan, digest), "utf-8")
    log.info(
        "recall %.4f of %d, %d false positives in %d",
        result.recall,
        result.attacked,
        result.false_positives,
        result.negatives,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
