"""The measured reach, as pages show it."""

import gettext
from pathlib import Path

import pytest

from compliance.search.copy_score import Verdict
from compliance.search.limits import (
    ALARM_TEXTS,
    CHANGE_TEXTS,
    GROUP_OF_CATEGORY,
    NEGATIVES_OF_GROUP,
    REACH_TEXTS,
    Change,
    Reach,
    copy_threshold,
    describe_limits,
    measured_alarms,
    measured_changes,
    measured_thresholds,
)
from compliance.search.score import THRESHOLD
from compliance.search.texts import VERDICT_TEXTS, verdict_text
from ledger.categories import load_categories

CATALOGUE = Path("config/locale/zh_Hans/LC_MESSAGES/django.mo")


def test_every_change_was_measured_and_has_a_text() -> None:
    assert [change.code for change in measured_changes()] == list(CHANGE_TEXTS)
    assert all(change.tried >= 30 for change in measured_changes())
    assert all(change.found <= change.listed <= change.tried for change in measured_changes())


def test_every_kind_of_wrong_answer_was_measured_and_has_a_text() -> None:
    assert [alarm.code for alarm in measured_alarms()] == list(ALARM_TEXTS)
    assert all(0 <= alarm.alarms <= alarm.tried and alarm.text for alarm in measured_alarms())


def test_categories_whose_look_alikes_were_measured_have_a_threshold_of_their_own() -> None:
    known = {category.slug for category in load_categories()}
    assert set(GROUP_OF_CATEGORY) <= known
    assert set(GROUP_OF_CATEGORY.values()) == set(NEGATIVES_OF_GROUP) == set(measured_thresholds())
    assert all(THRESHOLD <= score < 92 for score in measured_thresholds().values())
    assert copy_threshold("consumer-electronics") == measured_thresholds()["packs"]
    assert copy_threshold("womens-clothing") == measured_thresholds()["apparel"]
    assert copy_threshold("furniture") == copy_threshold("手工 handmade") == copy_threshold("") == THRESHOLD


def test_every_kind_has_a_text() -> None:
    assert set(VERDICT_TEXTS) == set(Verdict)
    assert verdict_text("of_a_later_version") == "of_a_later_version"


def test_limits_are_what_is_not_reliably_found_worst_first() -> None:
    changes = (Change("text", 10, 6, 8), Change("mirrored", 10, 10, 10), Change("collage", 10, 0, 0))
    assert [change.code for change in describe_limits(changes)] == ["collage", "text"]


@pytest.mark.parametrize(
    ("found", "reach"),
    [
        (10, Reach.FOUND),
        (9, Reach.FOUND),
        (8, Reach.SOMETIMES_MISSED),
        (5, Reach.SOMETIMES_MISSED),
        (4, Reach.OFTEN_MISSED),
        (1, Reach.OFTEN_MISSED),
        (0, Reach.MISSED),
    ],
)
def test_reach_follows_the_share(found: int, reach: Reach) -> None:
    assert Change("text", 10, found, 10).reach is reach


def test_this_engine_admits_that_it_misses_new_backgrounds() -> None:
    assert "new_background" in {c.code for c in describe_limits()}


@pytest.mark.parametrize("text", [*CHANGE_TEXTS.values(), *REACH_TEXTS.values(), *VERDICT_TEXTS.values()])
def test_texts_are_translated(text: str) -> None:
    with CATALOGUE.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext(text) != text
