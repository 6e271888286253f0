"""Strings that hurt, through every field, parameter and address of the site: `python -m tests.bench.naughty [--strings FILE]`.

Walks as tests/test_naughty.py does, with all the routes of the role matrix, many more strings (../shared/data/hostile-files/
strings.json when it is there, and the tests' own) and each field that has a grammar tried by itself. Prints how much was
asked, taken and shown, and every fault with what was sent. Exit status 1 when there is any.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.naughty.strings import STRINGS, read_strings

ELSEWHERE = Path(__file__).resolve().parents[3] / "shared/data/hostile-files/strings.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=Path, default=ELSEWHERE)
    parser.add_argument(
        "--route", action="append", help="only these routes (names as in the matrix) and where they lead"
    )
    parser.add_argument("--every", type=int, default=1, help="only each so many-th string of the file")
    options = parser.parse_args()
    more = read_strings(options.strings)[:: options.every] if options.strings.is_file() else []
    strings = list(dict.fromkeys([*STRINGS, *more]))
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ORIGINMARK_DATA": str(Path(folder) / "data"),
            "ORIGINMARK_KEYS": str(Path(folder) / "keys"),
            "ORIGINMARK_DATABASE_URL": "",
        }
        return run(strings, options.route)


def run(strings: list[str], routes: list[str] | None) -> int:
    import django

    django.setup()
    # What needs Django to be set up.
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_test_environment

    from ledger.services.setup import prepare
    from tests.matrix.world import ROWS, make_world
    from tests.naughty.walk import Walk

    setup_test_environment()  # mail stays here, answers keep what they were made from
    settings.STORAGES |= {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    logging.disable(logging.CRITICAL)
    prepare()
    connection.cursor().execute("PRAGMA synchronous=OFF")  # nothing here has to outlive the run
    walk = Walk(make_world(), ROWS, strings, is_thorough=True, rounds=len(strings))
    started = time.monotonic()
    walk.begin(routes)
    for step in (walk.read, walk.fill, walk.read, walk.nonsense, walk.parameters, walk.addresses):
        step()
        print(
            f"{step.__name__:12} {walk.asked:7,} asked, {len(walk.faults)} faults, {time.monotonic() - started:5.0f} s",
            flush=True,
        )
    for fault, sent in walk.faults.items():
        print(f"{fault}\n    {sent}")
    hidden = walk.never_shown()
    print(
        f"{len(strings)} strings: {walk.asked:,} requests to {len(walk.seen)} routes, {len(walk.forms)} forms, {len(walk.marks)} free "
        f"fields of which {len(walk.shown)} were seen again, {walk.taken:,} times taken, {len(walk.faults)} faults"
    )
    print(f"never seen again: {', '.join(hidden)}")
    return 1 if walk.faults else 0


if __name__ == "__main__":
    sys.exit(main())
