"""Score, kinds and the shipped weights."""

import itertools

import pytest

from compliance.search.errors import BadWeightsError, SearchError
from compliance.search.index import Hit
from compliance.search.score import (
    SCORE_CEILING,
    THRESHOLD,
    MatchKind,
    Weights,
    interpolate,
    kind_of,
    parse_weights,
    score_distances,
    score_hit,
    shipped_weights,
)

ANCHORS = ((-6.0, 0.0), (0.0, 85.0), (2.0, 99.0))


def hit(*, same_file: bool = False, same_pixels: bool = False, phash: int = 0, dhash: int = 0) -> Hit:
    return Hit(1, same_file, same_pixels, phash, dhash, 0, False, 0)


def test_score_never_rises_with_a_distance() -> None:
    for phash, dhash in itertools.product(range(64), range(64)):
        here = score_distances(phash, dhash)
        assert score_distances(phash + 1, dhash) <= here
        assert score_distances(phash, dhash + 1) <= here


def test_unrelated_codes_score_zero() -> None:
    assert score_distances(32, 32) == 0
    assert score_distances(64, 64) == 0


def test_equal_fingerprints_reach_the_ceiling_and_no_more() -> None:
    assert score_distances(0, 0) == SCORE_CEILING


def test_the_fitted_point_is_the_threshold() -> None:
    weights = shipped_weights()
    assert weights.anchors[1][1] == THRESHOLD
    scores = [weights.logit(p, d) for p in range(65) for d in range(65)]
    nearest = min(logit for logit in scores if logit >= weights.anchors[1][0])
    assert int(interpolate(weights.anchors, nearest) * 10) / 10 >= THRESHOLD


def test_scores_are_cut_not_rounded_up() -> None:
    weights = Weights(0.0, (-0.01, -0.01, 0.0), ((-6.0, 0.0), (0.0001, 85.0), (2.0, 99.0)))
    assert weights.logit(0, 0) < 0.0001
    assert score_distances(0, 0, weights) == 84.9


def test_equal_files_beat_equal_pixels_beat_equal_fingerprints() -> None:
    assert score_hit(hit(same_file=True, same_pixels=True)) == 100
    assert score_hit(hit(same_pixels=True)) == 99.9
    assert score_hit(hit()) == SCORE_CEILING


@pytest.mark.parametrize(
    ("found", "score", "kind"),
    [
        (hit(same_file=True, same_pixels=True, phash=64, dhash=64), 100.0, MatchKind.IDENTICAL_FILE),
        (hit(same_pixels=True), 99.9, MatchKind.SAME_PIXELS),
        (hit(), 85.0, MatchKind.NEAR_COPY),
        (hit(), 84.9, MatchKind.CANDIDATE),
    ],
)
def test_kind_follows_proof_then_threshold(found: Hit, score: float, kind: MatchKind) -> None:
    assert kind_of(found, score) is kind


def test_a_stricter_threshold_turns_near_copies_into_candidates() -> None:
    assert kind_of(hit(), 90.0, 92.0) is MatchKind.CANDIDATE


def test_interpolation_is_constant_outside_its_anchors() -> None:
    assert [interpolate(ANCHORS, x) for x in (-100, -6, -3, 0, 1, 2, 100)] == [0, 0, 42.5, 85, 92, 99, 99]


@pytest.mark.parametrize("weights", [(1.0, -1.0, 0.0), (-1.0, 1.0, 0.0), (-1.0, -2.0, 1.5)])
def test_weights_that_reward_distance_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(BadWeightsError):
        Weights(0.0, weights, ANCHORS)


@pytest.mark.parametrize("anchors", [((0.0, 0.0), (0.0, 85.0)), ((0.0, 5.0), (1.0, 85.0)), ((0.0, 0.0), (1.0, 0.0))])
def test_anchors_that_do_not_rise_from_zero_are_refused(anchors: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(BadWeightsError):
        Weights(0.0, (-1.0, -1.0, 0.0), anchors)


def test_weights_of_other_features_are_refused() -> None:
    with pytest.raises(BadWeightsError):
        parse_weights('[model]\nfeatures = ["phash"]\nintercept = 0.0\nweights = [1.0]\nanchors = []\n')


def test_errors_have_distinct_codes() -> None:
    codes = [kind.code for kind in SearchError.__subclasses__()]
    assert len(codes) == len(set(codes))
