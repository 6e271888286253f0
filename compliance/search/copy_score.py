"""From what a comparison found to a score 0..100 and a verdict.

Two logistic regressions over the two forms of terms.py, each measured from the point at which 99.9 % of its best
answers were right on the fitting data; the better one counts. The logit above that point is mapped to the score by
straight lines: no evidence = 0, the point = 85. A score is not a share of anything. Weights are data with their
provenance: copy_weights.toml, made by compliance/search/fit_copies.py.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from compliance.search.errors import BadWeightsError
from compliance.search.score import SCORE_SAME_FILE, SCORE_SAME_PIXELS, THRESHOLD, interpolate
from compliance.search.terms import COLUMN, TERM_NAMES, columns
from ledger.imaging.edits import Edits

__all__ = ["SCORE_SAME_FILE", "SCORE_SAME_PIXELS", "THRESHOLD", "CopyWeights", "Verdict", "verdict_of"]

FILE = "copy_weights.toml"
SCORE_CEILING = 99.0
# Of the copy's textured area; the rest is other pictures or the frame of a page.
CONTAINED_BELOW = 0.6
# So many features agree on one place: something in both pictures is the same. Half of the pictures of the same scene
# have 77 or more, half of other products of a class none; a print or a label in common is enough, though (up to 169).
SAME_SCENE_INLIERS = 12
# Without that much evidence nothing is a copy, whatever the regressions say of a kind of picture they have not seen. Of
# 776 right answers above the point (seed 7) none had under 54 features in place or a median agreement below .82.
FEWEST_INLIERS = 10
LEAST_MEDIAN = 0.6
UNDECIDED_CEILING = 84.9


class Verdict(StrEnum):
    """What a candidate is, strongest first. SAME_SCENE is never called a copy; NO_MATCH is no evidence."""

    IDENTICAL_FILE = "identical_file"
    SAME_PICTURE = "same_picture"
    EDITED_COPY = "edited_copy"
    CONTAINED = "contained"
    SAME_SCENE = "same_scene"
    NO_MATCH = "no_match"


COPIES = frozenset({Verdict.IDENTICAL_FILE, Verdict.SAME_PICTURE, Verdict.EDITED_COPY, Verdict.CONTAINED})


@dataclass(frozen=True, slots=True)
class Form:
    """One regression: weights of its terms in raw units, and an intercept that puts its 99.9 % point at 0."""

    name: str
    intercept: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        names = TERM_NAMES.get(self.name, ())
        if len(self.weights) != len(names):
            raise BadWeightsError(f"{len(self.weights)} weights for {len(names)} terms of {self.name}")
        if not all(math.isfinite(value) for value in (self.intercept, *self.weights)):
            raise BadWeightsError("a weight is not a number")

    def logit(self, measures: NDArray[np.float64]) -> float:
        """Log odds above the point. Summed exactly, so in any order."""
        terms = columns(self.name, measures[None])[0].tolist()
        return math.fsum([self.intercept, *(w * x for w, x in zip(self.weights, terms, strict=True))])


@dataclass(frozen=True, slots=True)
class CopyWeights:
    """A fitted score. anchors: (logit, score), both rising, from score 0; logit 0 is score 85."""

    forms: tuple[Form, ...]
    anchors: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        logits, scores = zip(*self.anchors, strict=True)
        if sorted(set(logits)) != list(logits) or sorted(set(scores)) != list(scores) or scores[0] != 0:
            raise BadWeightsError(f"anchors must rise from 0: {self.anchors}")
        if not self.forms or (0.0, THRESHOLD) not in self.anchors:
            raise BadWeightsError(f"no form, or no anchor at {THRESHOLD}")

    def logit(self, measures: NDArray[np.float64]) -> float:
        """The better of the forms, for measurements (29,)."""
        return max(form.logit(measures) for form in self.forms)

    def score(self, measures: NDArray[np.float64]) -> float:
        """0..99 with one decimal, cut and not rounded: rounding never lifts a pair over a threshold."""
        score = math.floor(interpolate(self.anchors, self.logit(measures)) * 10) / 10
        return score if has_evidence(measures) else min(score, UNDECIDED_CEILING)


def has_evidence(measures: NDArray[np.float64]) -> bool:
    """Whether enough features are in place, and the pixels agree altogether or between those features."""
    median = max(measures[COLUMN["median"]], measures[COLUMN["hull_median"]])
    return bool(measures[COLUMN["inliers"]] >= math.log1p(FEWEST_INLIERS) and median >= LEAST_MEDIAN)


def parse_copy_weights(text: str) -> CopyWeights:
    """Weights from the TOML that `fit_copies` writes, or BadWeightsError."""
    model = tomllib.loads(text)["model"]
    forms = []
    for name, form in model["forms"].items():
        if tuple(form["weights"]) != TERM_NAMES.get(name):
            raise BadWeightsError(f"weights of {name} are for other terms")
        forms.append(Form(name, float(form["intercept"]), tuple(float(value) for value in form["weights"].values())))
    return CopyWeights(tuple(forms), tuple((float(logit), float(score)) for logit, score in model["anchors"]))


@lru_cache(maxsize=1)
def shipped_copy_weights() -> CopyWeights:
    """The weights in this package."""
    return parse_copy_weights(files(__package__).joinpath(FILE).read_text("utf-8"))


def verdict_of(score: float, edits: Edits | None, inliers: int, threshold: float = THRESHOLD) -> Verdict:
    """The class of one scored comparison; the threshold alone divides copies from the rest."""
    if score < threshold:
        return Verdict.SAME_SCENE if inliers >= SAME_SCENE_INLIERS else Verdict.NO_MATCH
    if edits is None or not (edits.names or edits.fills < CONTAINED_BELOW):
        return Verdict.SAME_PICTURE
    return Verdict.CONTAINED if edits.fills < CONTAINED_BELOW else Verdict.EDITED_COPY


def strongest_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of a search: that of its best candidate."""
    return verdicts[0] if verdicts else Verdict.NO_MATCH
