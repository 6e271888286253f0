"""The fitting command on numbers made up here; the benchmark itself is not part of the test-suite."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from compliance.search.fit import (
    CHANGE_OF_ATTACK,
    Plan,
    Sample,
    UnknownAttackError,
    fit,
    fit_logistic,
    format_limits,
    format_weights,
    measure,
    precision_point,
)
from compliance.search.index import Item, Probe, ScanIndex
from compliance.search.limits import CHANGE_TEXTS, parse_changes
from compliance.search.query import Query
from compliance.search.score import Weights, parse_weights, score_distances

PLAN = Plan(seed=1, per_attack=2, negative_rounds=1)
WEIGHTS = Weights(2.0, (-12.0, -10.0, 6.0), ((-6.0, 0.0), (0.3, 85.0), (2.0, 99.0)))


@pytest.fixture(scope="module")
def index() -> ScanIndex:
    rng = np.random.default_rng(11)
    codes = rng.integers(2**64, size=(200, 2), dtype=np.uint64).tolist()
    return ScanIndex(Item(n, bytes(32), n.to_bytes(32, "big"), p, d) for n, (p, d) in enumerate(codes))


def sample(index: ScanIndex, attack: str, group: str, expected: int, view: tuple[int, int]) -> Sample:
    query = Query(b"", b"", (view,))
    return Sample(attack, group, query, expected, tuple(index.query(Probe(views=query.views), k=40)))


@pytest.fixture(scope="module")
def samples(index: ScanIndex) -> list[Sample]:
    """Copies a few bits away, copies beyond recognition, and strangers."""
    rng = np.random.default_rng(12)
    items = [item for item in index.items() if item.phash.bit_count() >= 28]
    near = [sample(index, "jpeg_q70", "jpeg", i.id, (i.phash ^ 0b111, i.dhash ^ 1)) for i in items[:60]]
    lost = [sample(index, "collage_2x2", "collage", i.id, _random(rng)) for i in items[60:80]]
    strangers = [sample(index, "identity", "neg_class", -1, _random(rng)) for _ in range(60)]
    return [*near, *lost, *strangers]


def _random(rng: np.random.Generator) -> tuple[int, int]:
    phash, dhash = rng.integers(2**64, size=2, dtype=np.uint64).tolist()
    return phash, dhash


def test_regression_finds_the_weights_the_data_was_made_with() -> None:
    rng = np.random.default_rng(4)
    rows = rng.uniform(0, 1, (20_000, 3))
    chance = 1 / (1 + np.exp(-(2 - rows @ [5.0, 3.0, 1.0])))
    solution = fit_logistic(rows, (rng.uniform(size=len(rows)) < chance).astype(float))
    assert np.abs(solution - [2, -5, -3, -1]).max() < 0.25


def test_fit_separates_copies_from_strangers(samples: list[Sample], index: ScanIndex) -> None:
    weights = fit(samples, index)
    assert score_distances(3, 1, weights) >= 85
    assert score_distances(24, 24, weights) < 85


def test_the_same_samples_give_the_same_files(samples: list[Sample], index: ScanIndex) -> None:
    first, second = (format_weights(fit(samples, index), PLAN, samples) for _ in range(2))
    assert first == second


def test_weights_file_round_trips(samples: list[Sample]) -> None:
    assert parse_weights(format_weights(WEIGHTS, PLAN, samples)) == WEIGHTS


def test_precision_point_lies_above_the_best_wrong_answer(samples: list[Sample]) -> None:
    point = precision_point(samples, WEIGHTS)
    wrong = [s for s in samples if s.group == "neg_class"]
    best_wrong = max(WEIGHTS.logit(h.phash_distance, h.dhash_distance) for s in wrong for h in s.hits)
    assert best_wrong < point <= WEIGHTS.logit(3, 1)


def test_the_same_scene_counts_neither_for_nor_against(samples: list[Sample], index: ScanIndex) -> None:
    item = index.items()[5]
    scene = sample(index, "identity", "neg_scene", -1, (item.phash, item.dhash))
    assert precision_point([*samples, scene], WEIGHTS) == precision_point(samples, WEIGHTS)
    assert fit([*samples, scene], index) == fit(samples, index)


def test_measure_counts_found_listed_and_alarms(samples: list[Sample], index: ScanIndex) -> None:
    reached = measure(samples, index, WEIGHTS)
    assert reached.changes["recompressed"] == (60, 60, 60)
    assert reached.changes["collage"][:2] == (20, 0)
    assert reached.negatives == {"neg_class": (60, 0)}


def test_limits_file_round_trips(samples: list[Sample], index: ScanIndex) -> None:
    reached = measure(samples, index, WEIGHTS)
    changes = parse_changes(format_limits(reached, PLAN))
    assert {c.code: (c.tried, c.found, c.listed) for c in changes} == reached.changes


def test_an_attack_without_a_kind_stops_the_measurement(samples: list[Sample], index: ScanIndex) -> None:
    item = index.items()[5]
    unknown = sample(index, "melted", "new", item.id, (item.phash, item.dhash))
    with pytest.raises(UnknownAttackError):
        measure([unknown], index, WEIGHTS)


def test_every_attack_is_a_sample_of_one_kind_of_change() -> None:
    attacks = list(itertools.chain.from_iterable(CHANGE_OF_ATTACK.values()))
    assert len(attacks) == len(set(attacks)) == 68
    assert list(CHANGE_OF_ATTACK) == list(CHANGE_TEXTS)


def test_asking_an_index_loads_no_image_library() -> None:
    """The web process searches without being able to decode anything."""
    modules = (
        "compliance.search.engine, compliance.search.limits, compliance.indexes.hash_scan, compliance.search.query"
    )
    check = f"import sys, {modules}; print([m for m in ('PIL', 'scipy', 'cv2', 'django') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
