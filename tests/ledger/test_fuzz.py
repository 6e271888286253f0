"""A short run of the fuzzer over every parser of foreign bytes; tests/bench/fuzz.py runs as long as one likes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.fuzz.run import fuzz, input_of
from tests.fuzz.targets import TARGETS, Target
from tests.journeys.server import ROOT


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.short"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {row["target"]: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_crashes_hangs_or_ends_without_a_name(target: Target, outcomes: dict[str, dict[str, Any]]):
    found = outcomes[target.name]
    assert found["is_clean"], found["faults"]
    assert found["inputs"] == found["asked"]
    assert found["accepted"] > 0, "nothing got past the first test of the parser"
    assert found["codes"] or not target.named, "nothing was refused"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_sound_inputs_are_accepted(target: Target):
    for data in target.seeds():
        target.parse(data)


def test_a_seed_always_stands_for_the_same_input():
    target = next(target for target in TARGETS if target.name == "csv")
    assert input_of(target, 7) == input_of(target, 7) != input_of(target, 8)


def test_a_parser_that_crashes_hangs_or_raises_is_counted_as_such():
    """The fuzzer itself, on a parser with every fault."""

    def parse(data: bytes) -> None:
        if len(data) % 11 == 0:
            raise ZeroDivisionError
        if len(data) % 13 == 0:
            os.abort()

    faulty = Target("faulty", parse, lambda: [bytes(40)])
    found = fuzz(faulty, first=0, count=300)
    assert found.inputs == 300
    assert found.crashes > 0
    assert found.unnamed > 0
    assert not found.is_clean
