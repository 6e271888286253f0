"""The exact scan and the adapter that follows a database, against the contract; then what only the adapter does."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from compliance.indexes.hash_scan import CallableSource, Change, HashScan, SellerIndexes
from compliance.search.index import Index, Item, Probe, ScanIndex
from tests.compliance.indexes.contract import IndexContract, digest, make_item


class Rows:
    """One seller's rows with a generation per change, as the database keeps them; counts what it is asked."""

    def __init__(self) -> None:
        self.generation = 0
        self.rows: dict[int, tuple[int, Change]] = {}
        self.loads: list[int] = []
        self.asked = 0
        self.forgotten = 0

    def put(self, *items: Item) -> None:
        for item in items:
            self._write(Change(item.id, item))

    def remove(self, *item_ids: int) -> None:
        for item_id in item_ids:
            self._write(Change(item_id, None))

    def forget(self) -> None:
        """Deletions that were told so far are told no more."""
        gone = {item_id: number for item_id, (number, change) in self.rows.items() if change.item is None}
        self.forgotten = max(gone.values())
        for item_id in gone:
            del self.rows[item_id]

    def _write(self, change: Change) -> None:
        self.generation += 1
        self.rows[change.item_id] = (self.generation, change)

    def current_generation(self) -> int:
        self.asked += 1
        return self.generation

    def forgotten_generation(self) -> int:
        return self.forgotten

    def load_since(self, generation: int) -> Iterable[Change]:
        self.loads.append(generation)
        return [change for number, change in self.rows.values() if number > generation]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def rows() -> Rows:
    return Rows()


def found(index: Index, item: Item) -> list[int]:
    return [hit.item_id for hit in index.query(Probe(item.sha256))]


class TestScanIndex(IndexContract):
    def make_index(self) -> Index:
        return ScanIndex()


class TestHashScan(IndexContract):
    def make_index(self) -> Index:
        return HashScan(Rows())


def test_an_add_is_found_after_refresh(rows: Rows, rng: np.random.Generator) -> None:
    index, item = HashScan(rows), make_item(1, rng)
    index.refresh()
    rows.put(item)
    index.refresh()
    assert found(index, item) == [1]


def test_a_removal_is_followed(rows: Rows, rng: np.random.Generator) -> None:
    index, item = HashScan(rows), make_item(1, rng)
    rows.put(item, make_item(2, rng))
    index.refresh()
    rows.remove(1)
    index.refresh()
    assert found(index, item) == []
    assert len(index) == 1


def test_a_copy_that_missed_a_deletion_is_read_anew(rows: Rows, rng: np.random.Generator) -> None:
    early, late = HashScan(rows), HashScan(rows)
    item = make_item(1, rng)
    rows.put(item, make_item(2, rng))
    late.refresh()
    early.refresh()
    rows.remove(1)
    early.refresh()
    rows.forget()
    rows.put(make_item(3, rng))
    rows.loads = []
    for index, since in ((early, 3), (late, 0)):
        index.refresh()
        assert (found(index, item), len(index), rows.loads.pop()) == ([], 2, since)


def test_a_deletion_forgotten_while_it_was_read_is_noticed(rows: Rows, rng: np.random.Generator) -> None:
    item = make_item(1, rng)
    index = HashScan(rows)
    rows.put(item)
    index.refresh()
    rows.remove(1)
    rows.put(make_item(2, rng))
    told = rows.load_since

    def forgetful(generation: int) -> Iterable[Change]:
        if not rows.forgotten:
            rows.forget()
        return told(generation)

    rows.load_since = forgetful  # type: ignore[method-assign]
    index.refresh()
    assert (found(index, item), len(index)) == ([], 1)


def test_an_unchanged_generation_costs_one_question_and_no_load(rows: Rows, rng: np.random.Generator) -> None:
    index = HashScan(rows)
    rows.put(make_item(1, rng))
    index.refresh()
    rows.asked, rows.loads = 0, []
    index.refresh()
    assert (rows.asked, rows.loads) == (1, [])


def test_only_what_changed_is_loaded(rows: Rows, rng: np.random.Generator) -> None:
    index = HashScan(rows)
    rows.put(make_item(1, rng), make_item(2, rng))
    index.refresh()
    rows.put(make_item(3, rng))
    index.refresh()
    assert rows.loads == [0, 2]


def test_rows_committed_while_loading_are_not_missed(rows: Rows, rng: np.random.Generator) -> None:
    late = make_item(2, rng)

    def load(generation: int) -> Iterable[Change]:
        loaded = list(rows.load_since(generation))
        if late.id not in rows.rows:
            rows.put(late)
        return loaded

    index = HashScan(CallableSource(rows.current_generation, load))
    rows.put(make_item(1, rng))
    index.refresh()
    index.refresh()
    assert found(index, late) == [2]


def test_rows_delivered_twice_are_held_once(rows: Rows, rng: np.random.Generator) -> None:
    index = HashScan(CallableSource(rows.current_generation, lambda _generation: rows.load_since(0)))
    rows.put(make_item(1, rng))
    index.refresh()
    rows.put(make_item(2, rng))
    index.refresh()
    assert len(index) == 2


def test_a_database_restored_to_the_past_is_read_anew(rows: Rows, rng: np.random.Generator) -> None:
    index, kept, lost = HashScan(rows), make_item(1, rng), make_item(2, rng)
    rows.put(kept, lost)
    index.refresh()
    rows.generation = 1
    del rows.rows[2]
    index.refresh()
    assert (found(index, kept), found(index, lost)) == ([1], [])


def test_rebuild_repairs_a_drifted_copy(rows: Rows, rng: np.random.Generator) -> None:
    index = HashScan(rows)
    rows.put(*(make_item(i, rng) for i in range(10)))
    index.refresh()
    index.delete([3])
    index.upsert([make_item(77, rng)])
    drift = index.verify()
    assert (drift.missing, drift.surplus) == ((3,), (77,))
    index.rebuild()
    assert index.verify().is_clean


def test_refresh_from_many_threads_ends_complete(rows: Rows, rng: np.random.Generator) -> None:
    items = [make_item(i, rng) for i in range(400)]
    done = threading.Event()
    # One snapshot per load, as a database gives it; a dict that grows while it is read would not.
    lock = threading.Lock()

    def load(generation: int) -> Iterable[Change]:
        with lock:
            return rows.load_since(generation)

    index = HashScan(CallableSource(rows.current_generation, load))

    def follow() -> None:
        while not done.is_set():
            index.refresh()

    with ThreadPoolExecutor(4) as threads:
        followers = [threads.submit(follow) for _ in range(4)]
        for item in items:
            with lock:
                rows.put(item)
        done.set()
    assert [follower.exception() for follower in followers] == [None] * 4
    index.refresh()
    assert index.verify(items).is_clean
    assert rows.loads.count(0) <= 1


def test_sellers_do_not_see_each_other(rng: np.random.Generator) -> None:
    sellers = {1: Rows(), 2: Rows()}
    indexes = SellerIndexes(sellers.__getitem__)
    same = digest("the same photograph")
    sellers[1].put(make_item(10, rng, sha256=same))
    sellers[2].put(make_item(20, rng, sha256=same))
    assert [h.item_id for h in indexes.get(1).query(Probe(same))] == [10]
    assert [h.item_id for h in indexes.get(2).query(Probe(same))] == [20]


def test_the_cache_keeps_the_sellers_used_last(rng: np.random.Generator) -> None:
    sellers = {n: Rows() for n in range(4)}
    for n, rows in sellers.items():
        rows.put(*(make_item(n * 1_000 + i, rng) for i in range(500)))
    size = HashScan(sellers[0])
    size.refresh()
    indexes = SellerIndexes(sellers.__getitem__, max_bytes=2 * size.size_bytes)
    for n in (0, 1, 0, 2):
        indexes.get(n)
    assert indexes.sellers == (0, 2)
    assert indexes.size_bytes <= 2 * size.size_bytes
    assert len(indexes.get(1)) == 500


def test_an_index_larger_than_the_cache_is_still_served(rows: Rows, rng: np.random.Generator) -> None:
    rows.put(make_item(1, rng))
    indexes = SellerIndexes(lambda _seller: rows, max_bytes=1)
    assert len(indexes.get(1)) == 1
    assert indexes.sellers == (1,)


def test_a_dropped_seller_is_loaded_again(rows: Rows, rng: np.random.Generator) -> None:
    indexes = SellerIndexes(lambda _seller: rows)
    rows.put(make_item(1, rng))
    indexes.get(1)
    indexes.drop(1)
    assert len(indexes.get(1)) == 1
    assert rows.loads == [0, 0]


def test_an_add_is_seen_at_the_allowed_age(rows: Rows, rng: np.random.Generator) -> None:
    now = [100.0]
    indexes = SellerIndexes(lambda _seller: rows, max_age_s=0.5, clock=lambda: now[0])
    indexes.get(1)
    rows.put(make_item(1, rng))
    assert len(indexes.get(1)) == 0
    now[0] += 0.5
    assert len(indexes.get(1)) == 1
