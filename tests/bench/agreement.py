"""verify.sh, verify.py and the app over many generated bundles, sound and broken: `python -m tests.bench.agreement [N]`.

Prints every bundle on which two of them disagree, and how many there were of each fault. 10,000 take about an hour.
"""

import random
import sys
import time

from tests.ledger.tlog.agreement import answers, spoiled
from tests.ledger.tlog.timed import FAULTS


def main(number: int) -> int:
    """Ask about that many bundles; the number of disagreements."""
    names, wrong, start = list(FAULTS), 0, time.monotonic()
    for at in range(number):
        fault, rng = names[at % len(names)], random.Random(f"{at} {number}")
        found = answers(spoiled(fault, rng), outside=rng.random() < 0.5)
        verdicts = {found[name] for name in ("app", "verify.sh", "verify.py")}
        if verdicts != {FAULTS[fault][1]}:
            wrong += 1
            print(f"bundle {at}, {fault}: {found}")
    took = time.monotonic() - start
    print(f"{number} bundles, {len(names)} fault classes, {wrong} disagreements, {took:.0f} s")
    return wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000) > 0)
