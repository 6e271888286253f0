"""How long one search takes and what a row costs: `python -m tests.bench.search [--rows 100000 1000000]`.

Rows are random codes; a query is the digests and eight views of one picture. Nothing is decoded here: the time to turn
a query picture into features is measured by the copy-detection benchmark (docs/spec/similarity.md).
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from compliance.indexes.hash_scan import Change, HashScan
from compliance.search.index import EVERYTHING, Filter, Item, Probe, Scope, recent

RUNS = 41
NOW_S = 1_800_000_000
FILTERS = {
    "everything": EVERYTHING,
    "registered originals (20 %)": Filter(Scope.REGISTERED),
    "last 90 days (25 %)": recent(NOW_S),
    "one category of twenty": Filter(category=3),
}


class Rows:
    """A database of random rows; generation n = the first n rows."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(1)
        self.codes = rng.integers(2**64, size=(count, 2), dtype=np.uint64).tolist()
        self.digests = rng.bytes(64 * count)
        self.generation = count - 1

    def current_generation(self) -> int:
        return self.generation

    def forgotten_generation(self) -> int:
        return 0

    def load_since(self, generation: int) -> Iterable[Change]:
        return (Change(n, self.item(n)) for n in range(generation, self.generation))

    def item(self, n: int) -> Item:
        sha256, pixels = self.digests[64 * n : 64 * n + 32], self.digests[64 * n + 32 : 64 * n + 64]
        phash, dhash = self.codes[n]
        seen = NOW_S - (n % 360) * 86_400
        return Item(n, sha256, pixels, phash, dhash, n % 5 == 0, seen, seen, 0, n % 20, n % 50)


def median_ms(action: Callable[[], object]) -> float:
    """CPU time, which a busy machine changes little; on an idle one the wall clock says the same."""
    taken = []
    for _ in range(RUNS):
        begun = time.process_time()
        action()
        taken.append(1e3 * (time.process_time() - begun))
    return statistics.median(taken)


def measure(count: int) -> None:
    rows = Rows(count)
    index = HashScan(rows)
    begun = time.perf_counter()
    index.refresh()
    print(
        f"\n{count:,} rows: loaded in {time.perf_counter() - begun:.1f} s, {index.size_bytes / count:.0f} bytes a row"
    )
    rng = np.random.default_rng(2)
    views = tuple((int(p), int(d)) for p, d in rng.integers(2**64, size=(8, 2), dtype=np.uint64))
    probe = Probe(rng.bytes(32), rng.bytes(32), views)
    for name, where in FILTERS.items():
        print(f"  {name:30} {median_ms(partial(index.query, probe, where)):8.2f} ms")
    rows.generation += 1
    begun = time.perf_counter()
    index.refresh()
    found = index.query(Probe(rows.item(count - 1).sha256))
    assert [c.item_id for c in found] == [count - 1]
    print(f"  {'an add becomes searchable':30} {1e3 * (time.perf_counter() - begun):8.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    options = parser.parse_args()
    print(f"numpy {np.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, CPU time, median of {RUNS}")
    for count in options.rows:
        measure(count)


if __name__ == "__main__":
    main()
