"""Replayed power cuts: `python -m tests.bench.power_cuts [--states 10000] [--pictures 40] [--seed N]`.

Records every write of a site that registers pictures, builds states of the disk at random moments (torn sectors, lost renames), starts
the site on each, and counts receipts that are gone and logs that do not hold together. Exit status 1 when there is any.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.faults import shim


def run(folder: Path, *, states: int, pictures: int, seed: int, careless: bool = False) -> dict[str, Any]:
    """Record, replay, and what was found."""
    library, site, log = shim.build(folder), folder / "site", folder / "record"
    site.mkdir()
    more = ["careless"] if careless else []
    shim.run("tests.faults.recorded", str(pictures), *more, library=library, site=site, log=log)
    told = shim.run(
        "tests.faults.replay", str(log), str(site), str(states), str(seed), library=library, site=folder / "replay"
    )
    return dict(json.loads(told.splitlines()[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), states=options.states, pictures=options.pictures, seed=options.seed)
    for line in found["broken"][:20]:
        print(line)
    print(
        f"seed {options.seed}: {found['states']:,} states of a record of {found['events']:,} calls, {found['receipts']:,} "
        f"receipts looked for, {found['lost']} lost, {len(found['broken'])} states broken, {found['seconds']} s"
    )
    return 1 if found["lost"] or found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
