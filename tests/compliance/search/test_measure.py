"""Counting what the engine finds, by kind of change."""

from __future__ import annotations

import itertools

import pytest

from compliance.search.limits import CHANGE_TEXTS, parse_changes, parse_thresholds
from compliance.search.measure import (
    CHANGE_OF_ATTACK,
    Answer,
    UnknownAttackError,
    count,
    format_limits,
    group_threshold,
)

ANSWERS = [
    Answer("identity", "identity", "a", (("a", 100.0),)),
    Answer("flip", "flip", "a", (("b", 90.0), ("a", 85.0))),
    Answer("flip", "flip", "b", (("a", 99.0), ("b", 84.9))),
    Answer("flip", "flip", "c", ()),
    Answer("identity", "neg_class", "", (("a", 84.9),)),
    Answer("crop_5_centre", "neg_class", "", (("a", 85.0),)),
]


def test_found_listed_and_alarms_are_counted_apart():
    reached = count(ANSWERS)
    assert reached.changes == {"untouched": (1, 1, 1), "mirrored": (3, 1, 2)}
    assert reached.negatives == {"neg_class": (2, 1)}


def test_the_file_says_what_was_counted():
    reached = count(ANSWERS)
    changes = parse_changes(format_limits(reached, seed=8, per_attack=3, negative_rounds=2))
    assert {c.code: (c.tried, c.found, c.listed) for c in changes} == reached.changes


def test_a_group_is_called_a_copy_from_where_its_look_alikes_are_quiet():
    assert count(ANSWERS).thresholds == {"apparel": 85.1, "packs": 85.0}
    scenes = [90.0, 88.0, 86.0, *([20.0] * 197)]
    assert group_threshold({"neg_pack": [10.0] * 50, "neg_scene": scenes}, ("neg_pack", "neg_scene")) == 86.1
    assert group_threshold({"neg_pack": [91.0], "neg_scene": scenes}, ("neg_pack", "neg_scene")) == 91.1
    assert group_threshold({"neg_scene": scenes}, ("neg_pack",)) == 85.0


def test_the_file_says_from_where_on_copies_are_called():
    reached = count(ANSWERS)
    assert parse_thresholds(format_limits(reached, seed=8, per_attack=3, negative_rounds=2)) == reached.thresholds


def test_an_attack_without_a_kind_stops_the_measurement():
    with pytest.raises(UnknownAttackError):
        count([Answer("melted", "new", "a", ())])


def test_every_attack_is_a_sample_of_one_kind_of_change():
    attacks = list(itertools.chain.from_iterable(CHANGE_OF_ATTACK.values()))
    assert len(attacks) == len(set(attacks)) == 68
    assert list(CHANGE_OF_ATTACK) == list(CHANGE_TEXTS)
