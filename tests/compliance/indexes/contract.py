"""What every index engine has to do, as facts. A test module inherits IndexContract and says how to make its index.

Engines whose `exact` is True are held to equality with brute force, written here as plainly as possible.
"""

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from compliance.search.index import (
    EVERYTHING,
    Filter,
    Hit,
    Index,
    Item,
    Probe,
    Scope,
    is_featureless,
    recent,
)

DAY_S = 86_400
NOW_S = 1_800_000_000


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def random_code(rng: np.random.Generator) -> int:
    """A fingerprint with 32 of 64 bits set, as a picture with structure has."""
    bits = np.zeros(64, np.uint8)
    bits[rng.permutation(64)[:32]] = 1
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def make_item(item_id: int, rng: np.random.Generator, **fields: object) -> Item:
    values: dict[str, object] = {
        "sha256": digest(f"file {item_id}"),
        "pixel_sha256": digest(f"pixels {item_id}"),
        "phash": int(rng.integers(2**64, dtype=np.uint64)),  # a few have too few bits set, like flat pictures
        "dhash": int(rng.integers(2**64, dtype=np.uint64)),
        "is_original": item_id % 3 == 0,
        "listed_at": 0 if item_id % 4 == 0 else NOW_S - (item_id % 200) * DAY_S,
        "first_seen": NOW_S - (item_id % 300) * DAY_S,
        "delisted_at": NOW_S if item_id % 11 == 0 else 0,
        "category": item_id % 7,
        "country": item_id % 5,
    }
    return Item(id=item_id, **(values | fields))  # type: ignore[arg-type]


def flip_bits(code: int, positions: Iterable[int]) -> int:
    for position in positions:
        code ^= 1 << position
    return code


def lets_through(item: Item, where: Filter) -> bool:
    return (
        (where.scope is not Scope.REGISTERED or item.is_original)
        and (where.scope is not Scope.LISTINGS or not item.is_original)
        and (item.listed_at or item.first_seen) >= where.since
        and where.category in (None, item.category)
        and where.country in (None, item.country)
        and not (where.listed_only and item.delisted_at)
    )


def brute_force(items: Iterable[Item], probe: Probe, where: Filter, k: int, radius: int = 128) -> list[Hit]:
    """The answer of Index.query, one item and one view at a time."""
    hits = []
    for item in items:
        if not lets_through(item, where):
            continue
        best = (128, 64, 64, -1)
        if item.pixel_sha256 and not is_featureless(item.phash, item.dhash):
            for number, (phash, dhash) in enumerate(probe.views):
                p, d = (phash ^ item.phash).bit_count(), (dhash ^ item.dhash).bit_count()
                if not is_featureless(phash, dhash) and (best[3] < 0 or p + d < best[0]):
                    best = (p + d, p, d, number)
        same_file = item.sha256 == probe.sha256
        same_pixels = same_file or (bool(item.pixel_sha256) and item.pixel_sha256 == probe.pixel_sha256)
        if same_pixels or (best[3] >= 0 and best[0] <= radius):
            hits.append(Hit(item.id, same_file, same_pixels, *best[1:], item.is_original, item.first_seen))
    hits.sort(
        key=lambda h: (not h.same_file, not h.same_pixels, h.distance, not h.is_original, h.first_seen, h.item_id)
    )
    return hits[:k]


def probes(items: list[Item], rng: np.random.Generator, count: int, views: int = 8) -> list[Probe]:
    """Queries near, at and far from known items."""
    out = []
    for number in range(count):
        target = items[int(rng.integers(len(items)))]
        noisy = [
            (
                flip_bits(target.phash, rng.permutation(64)[: number % 12].tolist()),
                flip_bits(target.dhash, rng.permutation(64)[: number % 9].tolist()),
            )
        ]
        others = [(random_code(rng), random_code(rng)) for _ in range(views - 1)]
        sha256 = target.sha256 if number % 5 == 0 else digest(f"unknown {number}")
        pixels = target.pixel_sha256 if number % 3 == 0 else digest(f"unknown pixels {number}")
        out.append(Probe(sha256, pixels, tuple(noisy + others)))
    return out


FILTERS = (
    EVERYTHING,
    Filter(Scope.REGISTERED),
    Filter(Scope.LISTINGS),
    recent(NOW_S),
    recent(NOW_S, category=3, country=2),
    Filter(category=5),
    Filter(country=4, listed_only=True),
    Filter(category=60_000),
)


class IndexContract:
    """Inherit and implement make_index."""

    def make_index(self) -> Index:
        raise NotImplementedError

    @pytest.fixture
    def index(self) -> Index:
        return self.make_index()

    @pytest.fixture
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(20_260)

    def test_empty_index_answers_nothing(self, index: Index, rng: np.random.Generator) -> None:
        item = make_item(1, rng)
        assert index.query(Probe(item.sha256, item.pixel_sha256, ((item.phash, item.dhash),))) == []

    def test_equals_brute_force_on_50k_random_codes(self, index: Index, rng: np.random.Generator) -> None:
        items = [make_item(i, rng) for i in range(50_000)]
        index.upsert(items)
        index.refresh()
        for probe in probes(items, rng, 3):
            assert index.query(probe, EVERYTHING, 10) == brute_force(items, probe, EVERYTHING, 10)

    @pytest.mark.parametrize("where", FILTERS, ids=repr)
    def test_filters_equal_brute_force(self, where: Filter, index: Index, rng: np.random.Generator) -> None:
        items = [make_item(i, rng) for i in range(2_000)]
        index.upsert(items)
        index.refresh()
        for probe in probes(items, rng, 12):
            assert index.query(probe, where, 20) == brute_force(items, probe, where, 20)

    def test_filter_is_applied_before_the_best_are_chosen(self, index: Index, rng: np.random.Generator) -> None:
        near = [make_item(i, rng, phash=2**64 // 3, dhash=2**64 // 5, category=1) for i in range(100)]
        far = make_item(1_000, rng, category=2)
        index.upsert([*near, far])
        index.refresh()
        hits = index.query(Probe(views=((2**64 // 3, 2**64 // 5),)), Filter(category=2), 5)
        assert [hit.item_id for hit in hits] == [1_000]

    def test_thousand_equal_codes_come_in_a_fixed_order(self, index: Index, rng: np.random.Generator) -> None:
        phash, dhash = random_code(rng), random_code(rng)
        items = [make_item(i, rng, phash=phash, dhash=dhash) for i in range(1_000)]
        index.upsert(items[::-1])
        index.refresh()
        probe = Probe(views=((phash, dhash),))
        want = sorted(items, key=lambda i: (not i.is_original, i.first_seen, i.id))
        assert [hit.item_id for hit in index.query(probe, k=25)] == [i.id for i in want[:25]]
        assert len(index.query(probe, k=2_000)) == 1_000

    def test_deleted_rows_are_gone_and_the_rest_stays(self, index: Index, rng: np.random.Generator) -> None:
        items = [make_item(i, rng) for i in range(1_500)]
        index.upsert(items)
        assert index.delete(i.id for i in items if i.id % 5) == 1_200
        assert index.delete([1, 2, 99_999]) == 0
        index.refresh()
        rest = [i for i in items if i.id % 5 == 0]
        assert len(index) == len(rest)
        for probe in probes(items, rng, 10):
            assert index.query(probe) == brute_force(rest, probe, EVERYTHING, 10)

    def test_upsert_again_changes_nothing(self, index: Index, rng: np.random.Generator) -> None:
        items = [make_item(i, rng) for i in range(300)]
        assert index.upsert(items) == 300
        assert index.upsert(items) == 0
        index.refresh()
        assert len(index) == 300
        assert index.verify(items).is_clean

    def test_upsert_replaces_the_row_of_an_id(self, index: Index, rng: np.random.Generator) -> None:
        old = make_item(7, rng)
        new = make_item(7, rng, sha256=digest("new file"), pixel_sha256=digest("new pixels"))
        index.upsert([old])
        index.upsert([new])
        index.refresh()
        assert len(index) == 1
        assert index.query(Probe(old.sha256)) == []
        assert [hit.item_id for hit in index.query(Probe(new.sha256))] == [7]

    def test_deleted_row_can_come_back(self, index: Index, rng: np.random.Generator) -> None:
        item = make_item(7, rng)
        index.upsert([item])
        index.delete([7])
        index.upsert([item])
        index.refresh()
        assert [hit.item_id for hit in index.query(Probe(item.sha256))] == [7]

    def test_radius_includes_its_edge_and_nothing_beyond(self, index: Index, rng: np.random.Generator) -> None:
        phash, dhash = random_code(rng), random_code(rng)
        ring = [make_item(d, rng, phash=flip_bits(phash, range(d)), dhash=dhash) for d in range(9)]
        index.upsert(ring)
        index.refresh()
        probe = Probe(views=((phash, dhash),))
        for radius in range(9):
            assert [hit.distance for hit in index.query(probe, radius=radius)] == list(range(radius + 1))
        assert index.query(probe, radius=-1) == []
        assert len(index.query(probe, radius=128)) == 9

    def test_equal_digests_are_found_whatever_the_radius(self, index: Index, rng: np.random.Generator) -> None:
        item = make_item(1, rng)
        index.upsert([item])
        index.refresh()
        opposite = ((item.phash ^ (2**64 - 1), item.dhash ^ (2**64 - 1)),)
        hit = index.query(Probe(item.sha256, b"", opposite), radius=3)[0]
        assert (hit.item_id, hit.same_file, hit.same_pixels) == (1, True, True)
        assert not index.query(Probe(digest("other"), item.pixel_sha256, opposite), radius=3)[0].same_file

    def test_digests_that_share_their_first_bytes_are_told_apart(self, index: Index, rng: np.random.Generator) -> None:
        item = make_item(1, rng)
        index.upsert([item])
        index.refresh()
        assert index.query(Probe(item.sha256[:31] + bytes([item.sha256[31] ^ 1]))) == []

    def test_undecoded_row_is_found_by_its_file_only(self, index: Index, rng: np.random.Generator) -> None:
        item = make_item(1, rng, pixel_sha256=b"")
        index.upsert([item])
        index.refresh()
        assert index.query(Probe(bytes(32), bytes(32), ((item.phash, item.dhash),))) == []
        assert [hit.view for hit in index.query(Probe(item.sha256, bytes(32)))] == [-1]

    def test_flat_pictures_do_not_match_each_other(self, index: Index, rng: np.random.Generator) -> None:
        flat = make_item(1, rng, phash=1 << 63, dhash=0)
        index.upsert([flat])
        index.refresh()
        assert index.query(Probe(digest("other"), digest("other"), ((1 << 63, 0),))) == []
        assert len(index.query(Probe(flat.sha256))) == 1

    def test_best_of_the_views_counts(self, index: Index, rng: np.random.Generator) -> None:
        item = make_item(1, rng, phash=random_code(rng))
        index.upsert([item])
        index.refresh()
        views = [(random_code(rng), random_code(rng)) for _ in range(8)]
        views[5] = (flip_bits(item.phash, [0]), flip_bits(item.dhash, [3, 4]))
        hit = index.query(Probe(views=tuple(views)))[0]
        assert (hit.view, hit.phash_distance, hit.dhash_distance) == (5, 1, 2)

    def test_rebuild_equals_incremental(self, index: Index, rng: np.random.Generator) -> None:
        truth: dict[int, Item] = {}
        for step in range(300):
            item = make_item(int(rng.integers(200)), rng)
            if step % 4 == 3:
                truth.pop(item.id, None)
                index.delete([item.id])
            else:
                truth[item.id] = item
                index.upsert([item])
        rebuilt = self.make_index()
        rebuilt.rebuild(truth.values())
        index.refresh()
        rebuilt.refresh()
        for probe in probes(list(truth.values()), rng, 20):
            assert index.query(probe) == rebuilt.query(probe) == brute_force(truth.values(), probe, EVERYTHING, 10)

    def test_verify_names_what_is_missing_surplus_and_different(self, index: Index, rng: np.random.Generator) -> None:
        held = [make_item(i, rng) for i in range(5)]
        index.upsert(held)
        index.refresh()
        drift = index.verify([*held[2:4], make_item(4, rng), make_item(9, rng)])
        assert (drift.missing, drift.surplus, drift.different) == ((9,), (0, 1), (4,))

    def test_two_writers_and_readers_never_lose_a_row(self, index: Index, rng: np.random.Generator) -> None:
        """A steady row is replaced and surrounded by adds and deletes; every read must see it exactly once."""
        steady = make_item(0, rng)
        index.upsert([steady])
        index.refresh()
        rows = {n: [make_item(n * 10_000 + i, rng) for i in range(400)] for n in (1, 2)}
        done = threading.Event()

        def write(number: int) -> None:
            for item in rows[number]:
                index.upsert([item, make_item(0, np.random.default_rng(item.id), sha256=steady.sha256)])
                if item.id % 2:
                    index.delete([item.id])

        def read() -> set[int]:
            seen = set()
            while not done.is_set():
                seen.add(len([h for h in index.query(Probe(steady.sha256), k=50) if h.same_file]))
            return seen

        with ThreadPoolExecutor(5) as threads:
            readers = [threads.submit(read) for _ in range(3)]
            writers = [threads.submit(write, number) for number in rows]
            wait(writers)
            done.set()
        assert [writer.exception() for writer in writers] == [None, None]
        assert set().union(*(reader.result() for reader in readers)) == {1}
        assert len(index) == 1 + sum(item.id % 2 == 0 for n in rows for item in rows[n])
