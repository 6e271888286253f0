"""What the watch's first look costs in copies: `PYTHONPATH=. python -m tests.bench.glance --split SPLIT_DIR --bench BENCH_DIR`.

Both ways, on edited pictures of the copy benchmark and of more_attacks.py: a listing's stored picture against all originals,
and an original's against all listings. Counts what the full search finds and the first look lets through, and how many
pictures it lets through that the full search finds nothing for. One core, CPU time.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from compliance.search.benchmark import query_of
from compliance.search.finder import Gallery, find_copies
from compliance.search.glance import Stored, may_be_copy, resembling
from compliance.search.index import EVERYTHING, Item, Probe, ScanIndex
from compliance.search.query import usable_views, view_of
from compliance.search.score import THRESHOLD
from compliance.search.segments import SegmentIndex
from ledger.imaging.analysis import analyse_picture
from ledger.imaging.feature_blob import parse_features
from ledger.imaging.threads import use_one_thread
from tests.bench.copies import interval

MORE = Path(__file__).with_name("more_attacks.py")
MANY = 20


class Side:
    """Analysed pictures, as the product keeps and searches them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.stored: list[Stored] = []
        self.hashes = ScanIndex()
        self.features = SegmentIndex()

    def add(self, name: str, data: bytes) -> Stored:
        """Analyse a picture as an import does."""
        number, made = len(self.names), analyse_picture(data, thumbnails=False)
        reference, sha256 = parse_features(made.features), hashlib.sha256(data).digest()
        self.hashes.upsert([Item(number, sha256, made.pixel_sha256, *view_of(made.fingerprints))])
        self.features.add([(number, reference.features)])
        stored = Stored(Probe(sha256, made.pixel_sha256, usable_views([made.fingerprints])), reference)
        self.names.append(name)
        self.stored.append(stored)
        return stored

    def found(self, data: bytes, at_least: float) -> set[str]:
        """What the full search finds."""
        answers = find_copies(self.gallery, query_of(data), limit=MANY, is_thorough=True)
        return {self.names[one.image_id] for one in answers if one.score >= at_least}

    def may_hold(self, stored: Stored) -> bool:
        """What the first look says."""
        return may_be_copy(self.gallery, stored, EVERYTHING, np.arange(len(self.names)))

    def resembling(self, stored: Stored) -> set[str]:
        """What has to be compared again when that picture is new."""
        return {self.names[n] for n in resembling(self.gallery, stored, EVERYTHING, np.arange(len(self.names)))}

    @property
    def gallery(self) -> Gallery:
        return Gallery(self.hashes, self.features, lambda number: self.stored[number].reference)


class Count:
    """How often the first look agrees with the full search."""

    def __init__(self, name: str) -> None:
        self.name, self.lost = name, list[str]()
        self.copies = self.others = self.for_nothing = self.looks = 0
        self.begun = self.seconds = 0.0

    def take(self, label: str, *, is_copy: bool, passed: bool) -> None:
        self.copies += is_copy
        self.others += not is_copy
        self.for_nothing += passed and not is_copy
        if is_copy and not passed:
            self.lost.append(label)

    def __enter__(self) -> None:
        self.begun = time.process_time()

    def __exit__(self, *_error: object) -> None:
        self.looks += 1
        self.seconds += time.process_time() - self.begun

    def report(self) -> None:
        kept = (self.copies - len(self.lost)) / max(1, self.copies)
        print(f"{self.name}: kept {interval(kept, self.copies)}, lost {self.lost}")
        print(f"  let through for nothing {interval(self.for_nothing / max(1, self.others), self.others)}")
        print(f"  {1000 * self.seconds / max(1, self.looks):.0f} ms a look", flush=True)


def queries(options: argparse.Namespace) -> Iterator[tuple[Any, bytes]]:
    """Edited pictures of originals, and some of pictures that nobody registered."""
    split = options.split_read
    plan = split.plan(options.seed, options.per_attack, True, 1)
    chosen = [query for query in plan if query.expected]
    others = [query for query in plan if not query.expected]
    order = np.random.default_rng(options.seed).permutation(len(others))[: options.others]
    for query in [*chosen, *(others[place] for place in sorted(order))]:
        yield query, split.render(query, options.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--per-attack", type=int, default=4)
    parser.add_argument("--others", type=int, default=200)
    options = parser.parse_args()
    use_one_thread()
    sys.path.insert(0, str(options.bench))
    runpy.run_path(str(MORE))
    options.split_read = importlib.import_module("dataset").Split(options.split)
    originals, listings = Side(), Side()
    data = {item.id: item.read() for item in options.split_read.gallery}
    for name, content in data.items():
        originals.add(name, content)
    print(f"seed {options.seed}, {len(data)} originals", flush=True)
    options.asked = {query.item.id for query in options.split_read.plan(options.seed, options.per_attack, True, 1)}
    there, truth = Count("a listing against all originals"), dict[str, set[str]]()
    for number, (query, content) in enumerate(queries(options), start=1):
        listing = f"{query.attack} {query.item.id}"
        stored = listings.add(listing, content)
        truth[listing] = originals.found(content, THRESHOLD)
        with there:
            passed = originals.may_hold(stored)
        there.take(listing, is_copy=bool(truth[listing]), passed=passed)
        if number % 100 == 0:
            there.report()
    there.report()
    back = Count("an original against all listings, pairs")
    for name, stored in zip(originals.names, originals.stored, strict=True):
        if name not in options.asked:
            continue
        with back:
            again = listings.resembling(stored)
        for listing in listings.names:
            back.take(listing, is_copy=name in truth[listing], passed=listing in again)
    back.report()


if __name__ == "__main__":
    main()
