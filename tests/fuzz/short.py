"""A few hundred or thousand inputs of every parser: `python -m tests.fuzz.short` prints one JSON line for each.

A program of its own, because the parsers run in forks of it: a process with threads and gigabytes of its own is no good parent.
"""

from __future__ import annotations

import dataclasses
import json

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

COUNTS = {"token": 400, "verify": 400, "certificate": 400, "image": 1000}
COUNT = 2000
SEED = 1_000_000_000  # apart from those of long runs, which start at 0


def main() -> None:
    for target in TARGETS:
        count = COUNTS.get(target.name, COUNT)
        found = fuzz(target, first=SEED, count=count)
        row = dataclasses.asdict(found) | {"codes": len(found.codes), "asked": count, "is_clean": found.is_clean}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
