"""After a power cut at any moment, with torn sectors: every receipt is there, and the site starts and goes on."""

from __future__ import annotations

import os
import random

import pytest

from tests.bench.power_cuts import run
from tests.faults import shim
from tests.faults.power import SECTOR, Disk, Event

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shim.COMPILER is None and os.environ.get("CI") != "true", reason="needs a C compiler for the recorder"
    ),
]


def test_no_receipt_is_lost(tmp_path):
    found = run(tmp_path, states=80, pictures=12, seed=7)
    assert found["states"] == 80
    assert found["receipts"] > 80
    assert (found["lost"], found["broken"]) == (0, [])


def test_the_replay_notices_a_database_that_does_not_sync(tmp_path):
    found = run(tmp_path, states=60, pictures=12, seed=7, careless=True)
    assert found["lost"] or found["broken"]


# The model of a disk ----------------------------------------------------------------------------------------------


def seen(events: list[Event], path: str) -> set[bytes | None]:
    """Every content that path may have after a power cut, as far as 300 draws show."""
    disk = Disk()
    for event in events:
        disk.apply(event)
    return {disk.after_power_cut(random.Random(seed)).get(path) for seed in range(300)}


def write(path: str, data: bytes, offset: int = 0) -> Event:
    return Event("W", path, data, offset)


def sync(path: str) -> Event:
    return Event("S", path, b"", 0)


def test_what_was_synced_is_there():
    assert seen([write("/a/f", b"old"), sync("/a/f"), sync("/a")], "/a/f") == {b"old"}


def test_what_was_not_synced_may_be_there_or_not():
    events = [write("/a/f", b"old"), sync("/a/f"), sync("/a"), write("/a/f", b"new")]
    assert seen(events, "/a/f") == {b"old", b"new"}


def test_a_long_write_may_be_torn_between_sectors_and_nowhere_else():
    events = [write("/a/f", b"0" * 3 * SECTOR), sync("/a/f"), sync("/a"), write("/a/f", b"1" * 3 * SECTOR)]
    contents = seen(events, "/a/f")
    assert len(contents) == 8
    for content in contents:
        assert all(len(set(content[n * SECTOR : (n + 1) * SECTOR])) == 1 for n in range(3))


def test_a_rename_may_be_lost_until_its_folder_is_synced():
    before = [write("/a/f", b"old"), sync("/a/f"), sync("/a"), write("/a/t", b"new"), sync("/a/t")]
    renamed = [*before, Event("R", "/a/t", b"/a/f", 4)]
    assert seen(renamed, "/a/f") == {b"old", b"new"}
    assert seen([*renamed, sync("/a")], "/a/f") == {b"new"}
