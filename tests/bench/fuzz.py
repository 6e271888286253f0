"""Fuzzing every parser of foreign bytes: `python -m tests.bench.fuzz [--target NAME ...] [--count N] [--minutes M] [--seed N]`.

Prints a line per parser: inputs, accepted, crashes, hangs over 2 s of processor time, unnamed errors, inputs a second, slowest,
how many different codes; then the seeds of whatever went wrong. Exit status 1 when anything did.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.run import Outcome, fuzz
from tests.fuzz.targets import TARGETS

HEAD = f"{'parser':16} {'inputs':>9} {'accepted':>9} {'crashes':>8} {'hangs':>6} {'unnamed':>8} {'per s':>8} {'slowest s':>10} {'codes':>6}"


def line(found: Outcome) -> str:
    rate = found.inputs / found.seconds if found.seconds else 0.0
    return (
        f"{found.target:16} {found.inputs:9,} {found.accepted:9,} {found.crashes:8} {found.hangs:6} {found.unnamed:8} "
        f"{rate:8,.0f} {found.slowest_s:10.3f} {len(found.codes):6}"
    )


def main() -> int:
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", action="append", choices=names)
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs of each parser")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="shared equally by the parsers")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    chosen = [target for target in TARGETS if not options.target or target.name in options.target]
    print(f"first seed {options.seed}\n{HEAD}")
    outcomes = []
    for target in chosen:
        deadline = time.monotonic() + options.minutes * 60 / len(chosen)
        outcomes.append(fuzz(target, first=options.seed, count=options.count, deadline=deadline))
        print(line(outcomes[-1]), flush=True)
    total = Outcome("all")
    for found in outcomes:
        total.inputs += found.inputs
        total.accepted += found.accepted
        total.crashes += found.crashes
        total.hangs += found.hangs
        total.unnamed += found.unnamed
        total.seconds += found.seconds
        total.slowest_s = max(total.slowest_s, found.slowest_s)
        total.codes.update(found.codes)
    print(line(total))
    for found in outcomes:
        for seed, what in found.faults:
            print(f"{found.target}: seed {seed}: {what}")
    return 0 if total.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
