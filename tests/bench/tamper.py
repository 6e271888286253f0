"""Changing one thing of a sound log at a time: `python -m tests.bench.tamper [--count 10000] [--seed N]`.

A row, a column, the order, the tail, a stored file, the head, the signer's memory, a token, a receipt, an evidence bundle, a packet. Each change
has to be named by the audit (or by the verifier, for what people hold) with the right entry where it is about one; sound copies
must pass. Prints per kind: changes, named, named with the wrong entry, missed. Exit status 1 when any is missed or misnamed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ORIGINMARK_DATA": str(Path(folder) / "data"),
            "ORIGINMARK_KEYS": str(Path(folder) / "keys"),
            "ORIGINMARK_DATABASE_URL": "",
        }
        from tests.tamper.run import run_on_own_site  # settings are read when Django is set up

        started = time.monotonic()
        tally = run_on_own_site(count=options.count, seed=options.seed)
    for kind, row in sorted(tally.kinds.items()):
        print(
            f"{kind:24} {row.changes:6,} changes  {row.named:6,} named  {row.misnamed:3} wrong entry  {row.missed:3} missed"
        )
    for line in tally.problems[:20]:
        print(line)
    print(
        f"seed {options.seed}: {tally.changes:,} changes, {tally.named:,} named, {tally.misnamed} with the wrong entry, "
        f"{tally.missed} missed, {tally.false_alarms} false alarms in {tally.sound:,} sound audits, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
