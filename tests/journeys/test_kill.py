"""kill -9 of every kind of process while photos are being registered. tests/bench/kill.py does it fifty times
and judges the seconds; here only what must hold on a slow machine too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.killing import ROLES, Story, run_story
from tests.journeys.server import own_database

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Story:
    folder: Path = tmp_path_factory.mktemp("kill")
    return run_story(folder, kills=len(ROLES), database_url=database_url)


def test_every_kind_of_process_was_killed_and_came_back(story):
    assert {kill.role for kill in story.kills} == set(ROLES)


def test_nothing_acknowledged_is_lost(story):
    assert len(story.acknowledged) > 30
    assert story.audit["lost"] == 0


def test_nothing_is_registered_twice(story):
    assert story.audit["doubled"] == 0
    assert story.audit["picture_entries"] == story.audit["originals"]


def test_every_sealed_file_can_be_read(story):
    assert story.audit["unreadable"] == 0


def test_every_job_ends_well(story):
    assert set(story.audit["jobs"]) == {"done"}


def test_every_picture_is_analysed_in_the_end(story):
    """One whose decoder was killed is tried once more."""
    assert set(story.audit["pictures"]) == {"ready"}


def test_nothing_survives_a_killed_supervisor(story):
    assert sum(kill.orphans for kill in story.kills) == 0


def test_a_stop_leaves_neither_process_nor_zombie(story):
    assert (story.exit_code, story.left_over, story.zombies) == (0, 0, 0)
