"""Rows, filters and number codes; what an index does with them is in the contract tests."""

import numpy as np
import pytest

from compliance.search.errors import BadFilterError, BadItemError
from compliance.search.index import (
    Filter,
    Item,
    Probe,
    ScanIndex,
    Scope,
    country_code,
    country_number,
    pack_id,
    recent,
    scan_distances,
    unpack_id,
)

SHA = bytes(range(32))


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": b"short"},
        {"pixel_sha256": b"short"},
        {"id": -1},
        {"id": 2**63},
        {"phash": 2**64},
        {"dhash": -1},
        {"listed_at": -1},
        {"first_seen": 2**32},
        {"category": 2**16},
        {"country": -1},
    ],
)
def test_a_row_that_cannot_be_stored_exactly_is_refused(fields: dict[str, int | bytes]) -> None:
    with pytest.raises(BadItemError):
        Item(**({"id": 1, "sha256": SHA} | fields))  # type: ignore[arg-type]


def test_every_field_survives_storage_at_its_limits() -> None:
    full = Item(2**63 - 1, b"\xff" * 32, b"\xfe" * 32, 2**64 - 1, 2**64 - 1, True, *[2**32 - 1] * 3, *[2**16 - 1] * 2)
    assert ScanIndex([full, Item(0, SHA)]).items() == [Item(0, SHA), full]


def test_recent_goes_back_ninety_days() -> None:
    assert recent(90 * 86_400 + 5).since == 5


def test_recent_without_a_date_is_refused() -> None:
    with pytest.raises(BadFilterError):
        Filter(Scope.RECENT)


def test_recent_goes_by_listing_time_then_first_seen() -> None:
    now = 200 * 86_400
    index = ScanIndex(
        [
            Item(1, SHA, listed_at=now - 86_400, first_seen=1),
            Item(2, SHA, listed_at=1, first_seen=now - 86_400),
            Item(3, SHA, listed_at=0, first_seen=now - 86_400),
        ]
    )
    assert {hit.item_id for hit in index.query(Probe(SHA), recent(now))} == {1, 3}


def test_ids_of_two_tables_never_meet() -> None:
    packed = {pack_id(row, is_original=original) for row in range(1, 50) for original in (True, False)}
    assert len(packed) == 98
    assert unpack_id(pack_id(7, is_original=True)) == (7, True)
    assert unpack_id(pack_id(7, is_original=False)) == (7, False)


@pytest.mark.parametrize("code", ["CN", "US", "AA", "ZZ"])
def test_country_codes_round_trip(code: str) -> None:
    assert country_code(country_number(code.lower() + " ")) == code


@pytest.mark.parametrize("text", ["", "C", "CHN", "1A", "中国"])
def test_anything_else_is_an_unknown_country(text: str) -> None:
    assert country_number(text) == 0
    assert country_code(0) == ""


def test_distances_equal_the_plain_computation_across_blocks() -> None:
    rng = np.random.default_rng(3)
    phash, dhash = rng.integers(2**64, size=(2, 70_000), dtype=np.uint64)
    views = [(int(p), int(d)) for p, d in rng.integers(2**64, size=(3, 2), dtype=np.uint64)]
    got = scan_distances(phash, dhash, views)
    for row in (0, 32_767, 32_768, 65_536, 69_999):
        p, d = int(phash[row]), int(dhash[row])
        assert got[row] == min((p ^ a).bit_count() + (d ^ b).bit_count() for a, b in views)


def test_memory_stays_small_after_most_rows_are_gone() -> None:
    index = ScanIndex(Item(n, n.to_bytes(32, "big")) for n in range(5_000))
    full = index.size_bytes
    index.delete(range(4_900))
    assert index.size_bytes < full / 10
    assert [item.id for item in index.items()] == list(range(4_900, 5_000))


def test_nothing_is_asked_for_nothing() -> None:
    assert ScanIndex([Item(1, SHA)]).query(Probe(SHA), k=0) == []
