"""The score of copies: pinned at the threshold, rising with the logit, weights refused when they do not fit."""

import dataclasses
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from compliance.search.copy_score import (
    COPIES,
    CopyWeights,
    Form,
    Verdict,
    parse_copy_weights,
    shipped_copy_weights,
    strongest_verdict,
    verdict_of,
)
from compliance.search.errors import BadWeightsError
from compliance.search.score import THRESHOLD
from compliance.search.terms import COLUMN, MEASURES, TERM_NAMES, columns, sign_of
from ledger.imaging.edits import Edits

ANCHORS = ((-4.0, 0.0), (0.0, 85.0), (6.0, 99.0))
EDITS = Edits(
    False, False, 0.0, 1.0, 0.0, False, 1.0, (0, 0, 1, 1), ((0, 0), (1, 0), (1, 1), (0, 1)), 1.0, 1.0, 1.0, 0.0, ()
)


def weights_for(column: str, *, intercept: float = 0.0) -> CopyWeights:
    """Weights that see one measurement only."""
    values = tuple(1.0 if name == column else 0.0 for name in TERM_NAMES["whole"])
    return CopyWeights((Form("whole", intercept, values),), ANCHORS)


def enough(inliers: float) -> np.ndarray:
    """Measurements with enough evidence to be called a copy."""
    return measured(inliers=inliers, median=0.9)


def measured(**values: float) -> np.ndarray:
    out = np.zeros(len(MEASURES))
    for name, value in values.items():
        out[COLUMN[name]] = value
    return out


def test_the_frozen_point_scores_eighty_five():
    assert weights_for("inliers", intercept=-5.0).score(enough(5.0)) == THRESHOLD == 85


def test_the_shipped_point_scores_eighty_five():
    assert (0.0, 85.0) in shipped_copy_weights().anchors


def test_score_never_falls_while_the_logit_rises():
    weights = weights_for("inliers", intercept=-12.0)
    scores = [weights.score(enough(value)) for value in np.linspace(2.5, 20, 400)]
    assert scores == sorted(scores)
    assert (scores[0], scores[-1]) == (0, 99)


def test_scores_are_cut_not_rounded_up():
    assert weights_for("inliers", intercept=-5.0001).score(enough(5.0)) == 84.9


@pytest.mark.parametrize("lacking", [{"inliers": 2.0, "median": 0.9}, {"inliers": 5.0, "median": 0.5}])
def test_without_evidence_nothing_reaches_the_threshold(lacking):
    assert weights_for("inliers", intercept=9.0).score(measured(**lacking)) == 84.9


@pytest.mark.parametrize("form", shipped_copy_weights().forms, ids=lambda form: form.name)
def test_no_shipped_weight_has_the_wrong_sign(form):
    signs = [sign_of(name) for name in TERM_NAMES[form.name]]
    assert all(weight * sign >= 0 for weight, sign in zip(form.weights, signs, strict=True))


def test_the_better_form_counts():
    low = Form("region", -3.0, (0.0,) * len(TERM_NAMES["region"]))
    high = Form("whole", 2.0, (0.0,) * len(TERM_NAMES["whole"]))
    assert CopyWeights((low, high), ANCHORS).logit(measured()) == 2.0


def test_shipped_weights_call_perfect_agreement_a_copy_and_nothing_a_stranger():
    perfect = measured(
        **{name: 1.0 for name in MEASURES if name not in ("scaled", "stretched", "perspective", "repeats")},
    )
    perfect[COLUMN["inliers"]] = np.log1p(250)
    perfect[COLUMN["agreeing_inliers"]] = perfect[COLUMN["region_inliers"]] = np.log1p(250)
    perfect[COLUMN["residual"]] = 0.3
    perfect[COLUMN["repeats_well"]] = 0.0
    weak = measured(inliers=np.log1p(4), share=0.05, residual=3.0, texture=0.5, overlap=0.4)
    assert shipped_copy_weights().score(perfect) >= 95
    assert shipped_copy_weights().score(weak) < 20


def test_shipped_weights_name_where_they_come_from():
    provenance = tomllib.loads(files("compliance.search").joinpath("copy_weights.toml").read_text())["provenance"]
    assert set(provenance) >= {"command", "manifest_sha256", "seed", "attacked", "negatives"}


@pytest.mark.parametrize("form", TERM_NAMES)
def test_terms_are_finite_at_the_edges(form):
    edges = np.array([np.zeros(len(MEASURES)), np.ones(len(MEASURES))])
    assert np.isfinite(columns(form, edges)).all()
    assert columns(form, edges).shape == (2, len(TERM_NAMES[form]))


@pytest.mark.parametrize(
    "build",
    [
        lambda: Form("whole", 0.0, (1.0,)),
        lambda: Form("nothing", 0.0, (1.0,)),
        lambda: Form("whole", float("nan"), (0.0,) * len(TERM_NAMES["whole"])),
        lambda: CopyWeights((), ANCHORS),
        lambda: dataclasses.replace(shipped_copy_weights(), anchors=((-1.0, 0.0), (0.0, 84.0), (1.0, 99.0))),
        lambda: dataclasses.replace(shipped_copy_weights(), anchors=((1.0, 0.0), (0.0, 85.0), (2.0, 99.0))),
    ],
)
def test_weights_that_do_not_fit_are_refused(build):
    with pytest.raises(BadWeightsError):
        build()


def test_weights_for_other_terms_are_refused():
    text = files("compliance.search").joinpath("copy_weights.toml").read_text()
    with pytest.raises(BadWeightsError):
        parse_copy_weights(text.replace('"inliers" =', '"outliers" =', 1))


@pytest.mark.parametrize(
    ("score", "edits", "inliers", "verdict"),
    [
        (90.0, EDITS, 100, Verdict.SAME_PICTURE),
        (90.0, dataclasses.replace(EDITS, turned=7.0), 100, Verdict.EDITED_COPY),
        (90.0, dataclasses.replace(EDITS, fills=0.3), 100, Verdict.CONTAINED),
        (84.9, None, 100, Verdict.SAME_SCENE),
        (84.9, None, 5, Verdict.NO_MATCH),
    ],
)
def test_verdict_follows_threshold_then_edits(score, edits, inliers, verdict):
    assert verdict_of(score, edits, inliers) is verdict


def test_the_same_scene_is_never_a_copy():
    assert Verdict.SAME_SCENE not in COPIES
    assert Verdict.NO_MATCH not in COPIES


def test_a_stricter_threshold_calls_fewer_copies():
    assert verdict_of(90.0, EDITS, 100, 92.0) is Verdict.SAME_SCENE


def test_a_search_is_called_by_its_best_answer():
    assert strongest_verdict([Verdict.EDITED_COPY, Verdict.NO_MATCH]) is Verdict.EDITED_COPY
    assert strongest_verdict([]) is Verdict.NO_MATCH
