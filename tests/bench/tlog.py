"""What the log costs in processor time, as ratios inside one run. `python -m tests.bench.tlog [ENTRIES]`.

Bars: formatting and hashing an entry no dearer than json.dumps and SHA-256; a proof at a million entries <= 640 bytes
and <= 1 ms to make, <= 50 us to check; a bundle without pictures <= 16 kB.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from hashlib import sha256

from ledger.tlog.bundle import format_bundle
from ledger.tlog.entry import format_entry, parse_entry
from ledger.tlog.merkle import Frontier, inclusion_proof, leaf_hash, root_from_leaves, verify_inclusion
from ledger.tlog.verify import verify_bundle
from tests.ledger.tlog.sample import POLICY, SampleLog

ROUNDS = 5


def seconds(work: Callable[[], object], calls: int) -> float:
    """Median processor seconds of one call. Processor time, since other work on the machine must not count."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            work()
        rounds.append((time.process_time() - start) / calls)
    return statistics.median(rounds)


def entries() -> None:
    """One entry: bytes and leaf hash, against json.dumps and the same hash."""
    data = SampleLog(2).entries[1]
    entry, document = parse_entry(data), json.loads(data)

    def bare() -> bytes:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(b"\0" + text.encode()).digest()

    ours = seconds(lambda: leaf_hash(format_entry(entry)), 20_000)
    plain = seconds(bare, 20_000)
    print(f"entry: format + hash {ours * 1e6:.2f} us, json.dumps + hash {plain * 1e6:.2f} us, {plain / ours:.2f} x")
    print(f"entry: parse {seconds(lambda: parse_entry(data), 20_000) * 1e6:.2f} us")


def tree(count: int) -> None:
    """Appending hashes, against a bare loop of the same number of leaf and node hashes; proofs at that size."""
    leaves = [sha256(b"%d" % number).digest() for number in range(count)]

    def append() -> tuple[Frontier, dict[int, list[bytes]]]:
        frontier, levels = Frontier(), {0: leaves}
        for leaf in leaves:
            for node in frontier.append(leaf):
                levels.setdefault(node.tile_level, []).append(node.hash)
        return frontier, levels

    pair = b"\1" + bytes(64)

    def bare() -> None:
        for _ in range(count):
            sha256(pair).digest()

    start = time.process_time()
    frontier, levels = append()
    ours = time.process_time() - start
    start = time.process_time()
    bare()
    plain = time.process_time() - start
    print(f"tree of {count:,}: append {count / ours:,.0f}/s, bare hashlib {count / plain:,.0f}/s, {plain / ours:.2f} x")
    start = time.process_time()
    root = root_from_leaves(leaves)
    rebuilt = time.process_time() - start
    print(f"tree of {count:,}: rebuilt whole {count / rebuilt:,.0f}/s, {plain / rebuilt:.2f} x")
    assert root == frontier.root()

    def read(level: int, start: int, stop: int) -> list[bytes]:
        return levels.get(level, [])[start:stop]

    index = count * 2 // 3
    path = inclusion_proof(index, count, read)
    made = seconds(lambda: inclusion_proof(index, count, read), 200)
    checked = seconds(lambda: verify_inclusion(leaves[index], index, count, path, root), 2000)
    print(f"inclusion proof: {32 * len(path)} bytes, made {made * 1e3:.2f} ms, checked {checked * 1e6:.1f} us")


def bundles() -> None:
    """A whole bundle: size without the picture, time to check."""
    log = SampleLog(1000)
    files = {name: data for name, data in log.files(700).items() if not name.startswith("originals/")}
    data = format_bundle(files)
    checked = seconds(lambda: verify_bundle(data, POLICY), 100)
    print(f"bundle without picture: {len(data):,} bytes, checked {checked * 1e3:.2f} ms")


def main() -> None:
    entries()
    tree(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    bundles()


if __name__ == "__main__":
    main()
