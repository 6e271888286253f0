"""The fitting command on numbers made up here; the benchmark itself is not part of the test-suite."""

import subprocess
import sys

import numpy as np
import pytest

from compliance.search.copy_score import parse_copy_weights
from compliance.search.fit_copies import (
    Plan,
    Sample,
    TooFewSamplesError,
    fit,
    fit_logistic,
    format_copy_weights,
    precision_point,
)
from compliance.search.terms import COLUMN, MEASURES

PLAN = Plan(7, 2, 1)


def measures(rng: np.random.Generator, quality: float) -> np.ndarray:
    out = np.clip(rng.normal(quality, 0.05, len(MEASURES)), 0, 1)
    out[COLUMN["inliers"]] = 5 * quality + rng.normal(0, 0.2)
    out[COLUMN["residual"]] = 2.5 - 2 * quality
    return out


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    rng = np.random.default_rng(1)
    copies = [
        Sample(f"o{n}", "crop", "crop", n, (n, n + 1), np.array([measures(rng, 0.9), measures(rng, 0.2)]))
        for n in range(80)
    ]
    others = [Sample(f"n{n}", "identity", "neg_class", -1, (n,), measures(rng, 0.3)[None]) for n in range(80)]
    scenes = [Sample(f"s{n}", "identity", "neg_scene", -1, (n,), measures(rng, 0.85)[None]) for n in range(20)]
    return [*copies, *others, *scenes]


def test_regression_finds_the_weights_the_data_was_made_with():
    rng = np.random.default_rng(4)
    rows = rng.uniform(0, 1, (20_000, 3))
    chance = 1 / (1 + np.exp(-(rows @ [5.0, -3.0, 1.0] - 1)))
    intercept, weights = fit_logistic(rows, (rng.uniform(size=len(rows)) < chance).astype(float))
    assert abs(intercept + 1) < 0.25
    assert np.abs(weights - [5, -3, 1]).max() < 0.25


def test_fit_separates_copies_from_strangers(samples):
    result = fit(samples)
    assert (result.recall, result.attacked, result.false_positives, result.negatives) == (1.0, 80, 0, 80)
    assert result.weights.score(samples[0].measures[0]) >= 85
    assert result.weights.score(samples[100].measures[0]) < 85


def test_the_same_samples_give_the_same_file(samples):
    assert format_copy_weights(fit(samples), PLAN, "ab") == format_copy_weights(fit(samples), PLAN, "ab")


def test_the_weights_file_round_trips(samples):
    result = fit(samples)
    assert parse_copy_weights(format_copy_weights(result, PLAN, "ab")) == result.weights


def test_pictures_of_the_same_scene_do_not_move_the_point(samples):
    logits = [np.zeros(len(sample.image_ids)) for sample in samples]
    without = [sample for sample in samples if sample.group != "neg_scene"]
    assert precision_point(samples, logits) == precision_point(without, logits[: len(without)])


def test_all_queries_of_one_picture_share_a_fold(samples):
    assert Sample("o1", "a", "g", 1, (), np.zeros((0, 29))).fold == samples[1].fold


def test_a_plan_without_wrong_answers_is_refused(samples):
    only_right = [Sample(s.item, s.attack, s.group, s.expected, s.image_ids[:1], s.measures[:1]) for s in samples[:80]]
    with pytest.raises(TooFewSamplesError):
        fit(only_right)


@pytest.mark.parametrize("module", ["fit_copies", "codebook"])
def test_the_commands_explain_themselves(module):
    command = [sys.executable, "-m", f"compliance.search.{module}", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--seed" in result.stdout
