"""Distances to a calibrated score of 0..100, and the kind of match it stands for.

A logistic regression over the two distances of the best view says how likely a pair is a copy; the score is piecewise
linear in its logit. 85 is the point at which 99.9 % of the best answers on the fitting data were right, 0 is where
unrelated pictures lie. Fingerprints alone never reach 99: what is above is proved by equal digests, not estimated.
Weights are data (weights.toml, made by `python -m compliance.search.fit`).
"""

from __future__ import annotations

import math
import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from compliance.search.errors import BadWeightsError
from compliance.search.index import Hit

THRESHOLD = 85.0
NEW_LAUNCH_THRESHOLD = 92.0
SCORE_SAME_FILE = 100.0
SCORE_SAME_PIXELS = 99.9
SCORE_CEILING = 99.0
HASH_BITS = 64
FEATURES = ("phash", "dhash", "smaller")


class MatchKind(StrEnum):
    """What a candidate is, strongest first. NONE is the answer of a search without candidates."""

    IDENTICAL_FILE = "identical_file"
    SAME_PIXELS = "same_pixels"
    NEAR_COPY = "near_copy"
    CANDIDATE = "candidate"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Weights:
    """A fitted score. weights follow FEATURES; anchors are (logit, score), both rising, first score 0."""

    intercept: float
    weights: tuple[float, float, float]
    anchors: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """A score that rises with distance would turn evidence upside down: refuse to start with one."""
        phash, dhash, smaller = self.weights
        if max(phash, dhash, phash + smaller, dhash + smaller) > 0:
            raise BadWeightsError(f"the score would rise with a distance: {self.weights}")
        logits, scores = zip(*self.anchors, strict=True)
        if sorted(set(logits)) != list(logits) or sorted(set(scores)) != list(scores) or scores[0] != 0:
            raise BadWeightsError(f"anchors must rise from 0: {self.anchors}")

    def logit(self, phash_distance: int, dhash_distance: int) -> float:
        """Log odds that two pictures at these distances (bits, 0..64) are copies, on the fitting data."""
        terms = features(phash_distance, dhash_distance)
        return self.intercept + sum(w * x for w, x in zip(self.weights, terms, strict=True))


def features(phash_distance: int, dhash_distance: int) -> tuple[float, float, float]:
    """What the regression sees, each 0..1. The smaller distance lets one good hash outweigh one that an edit upset."""
    return (
        phash_distance / HASH_BITS,
        dhash_distance / HASH_BITS,
        min(phash_distance, dhash_distance) / HASH_BITS,
    )


def parse_weights(text: str) -> Weights:
    """Weights from the TOML that `fit` writes."""
    model = tomllib.loads(text)["model"]
    if tuple(model["features"]) != FEATURES:
        raise BadWeightsError(f"weights are for {model['features']}")
    first, second, third = (float(w) for w in model["weights"])
    anchors = tuple((float(logit), float(score)) for logit, score in model["anchors"])
    return Weights(float(model["intercept"]), (first, second, third), anchors)


@lru_cache(maxsize=1)
def shipped_weights() -> Weights:
    """The weights in this package."""
    return parse_weights(files(__package__).joinpath("weights.toml").read_text("utf-8"))


def score_distances(phash_distance: int, dhash_distance: int, weights: Weights | None = None) -> float:
    """Score 0..99 with one decimal, rounded down so that rounding never lifts a pair over a threshold."""
    weights = weights or shipped_weights()
    return math.floor(interpolate(weights.anchors, weights.logit(phash_distance, dhash_distance)) * 10) / 10


def interpolate(anchors: Sequence[tuple[float, float]], logit: float) -> float:
    """Piecewise linear through the anchors, constant outside them."""
    right = bisect_right(anchors, logit, key=lambda anchor: anchor[0])
    if right == 0:
        return anchors[0][1]
    if right == len(anchors):
        return anchors[-1][1]
    (x0, y0), (x1, y1) = anchors[right - 1], anchors[right]
    return y0 + (y1 - y0) * (logit - x0) / (x1 - x0)


def score_hit(hit: Hit, weights: Weights | None = None) -> float:
    """Score of one row of an index answer."""
    if hit.same_file:
        return SCORE_SAME_FILE
    if hit.same_pixels:
        return SCORE_SAME_PIXELS
    return score_distances(hit.phash_distance, hit.dhash_distance, weights)


def kind_of(hit: Hit, score: float, threshold: float = THRESHOLD) -> MatchKind:
    """The kind of one scored row; the threshold only divides near copies from candidates."""
    if hit.same_file:
        return MatchKind.IDENTICAL_FILE
    if hit.same_pixels:
        return MatchKind.SAME_PIXELS
    return MatchKind.NEAR_COPY if score >= threshold else MatchKind.CANDIDATE
