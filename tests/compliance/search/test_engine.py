"""A search over one seller's index: real pictures in, scored candidates out."""

import hashlib
import io

import pytest
from PIL import Image, ImageEnhance

from compliance.search.engine import search, strongest_kind
from compliance.search.index import Filter, Item, ScanIndex, Scope
from compliance.search.query import Query, view_of
from compliance.search.score import MatchKind
from compliance.search.worker_tasks import extract_features
from ledger.imaging.analysis import analyse_picture
from tests.compliance.search.pictures import draw, encode


def item_of(item_id: int, data: bytes, **fields: object) -> Item:
    analysis = analyse_picture(data, thumbnails=False)
    phash, dhash = view_of(analysis.fingerprints)
    digest = hashlib.sha256(data).digest()
    return Item(item_id, digest, analysis.pixel_sha256, phash, dhash, **fields)  # type: ignore[arg-type]


def query_of(data: bytes) -> Query:
    return extract_features(data, thumbnails=False).query


@pytest.fixture(scope="module")
def gallery() -> list[Item]:
    return [item_of(n, encode(draw(n), quality=90), is_original=n % 2 == 0, first_seen=1_000 + n) for n in range(30)]


@pytest.fixture
def index(gallery: list[Item]) -> ScanIndex:
    return ScanIndex(gallery)


def test_the_same_file_is_identical(index: ScanIndex) -> None:
    best = search(index, query_of(encode(draw(4), quality=90)))[0]
    assert (best.item_id, best.score, best.kind, best.view) == (4, 100.0, MatchKind.IDENTICAL_FILE, "upright")


def test_the_same_pixels_in_another_file_are_recognised(index: ScanIndex) -> None:
    decoded = Image.open(io.BytesIO(encode(draw(4), quality=90))).convert("RGB")
    best = search(index, query_of(encode(decoded, "PNG")))[0]
    assert (best.item_id, best.score, best.kind) == (4, 99.9, MatchKind.SAME_PIXELS)


@pytest.mark.parametrize(
    ("turn", "view"),
    [
        (None, "upright"),
        (Image.Transpose.ROTATE_90, "rot270"),
        (Image.Transpose.ROTATE_180, "rot180"),
        (Image.Transpose.ROTATE_270, "rot90"),
        (Image.Transpose.FLIP_LEFT_RIGHT, "mirror"),
        (Image.Transpose.FLIP_TOP_BOTTOM, "mirror_rot180"),
        (Image.Transpose.TRANSPOSE, "mirror_rot270"),
        (Image.Transpose.TRANSVERSE, "mirror_rot90"),
    ],
)
def test_a_small_darker_copy_is_found_however_it_is_turned(
    turn: Image.Transpose | None, view: str, index: ScanIndex
) -> None:
    copy = ImageEnhance.Brightness(draw(11).resize((200, 150))).enhance(0.8)
    copy = copy if turn is None else copy.transpose(turn)
    best = search(index, query_of(encode(copy, quality=50)))[0]
    assert (best.item_id, best.kind, best.view) == (11, MatchKind.NEAR_COPY, view)


def test_another_picture_is_no_near_copy(index: ScanIndex) -> None:
    for seed in range(100, 110):
        answer = search(index, query_of(encode(draw(seed))))
        assert strongest_kind(answer) in (MatchKind.CANDIDATE, MatchKind.NONE)


def test_a_blank_picture_finds_nothing_even_beside_another_blank_one() -> None:
    white = item_of(1, encode(Image.new("RGB", (300, 300), "white")))
    grey = encode(Image.new("RGB", (280, 310), (200, 200, 200)))
    assert search(ScanIndex([white]), query_of(grey)) == []
    assert strongest_kind([]) is MatchKind.NONE


def test_a_blank_picture_is_still_found_by_its_file() -> None:
    data = encode(Image.new("RGB", (300, 300), "white"))
    assert search(ScanIndex([item_of(1, data)]), query_of(data))[0].kind is MatchKind.IDENTICAL_FILE


def test_filters_reach_the_index(index: ScanIndex) -> None:
    query = query_of(encode(draw(5), quality=90))
    assert search(index, query)[0].item_id == 5
    assert 5 not in [c.item_id for c in search(index, query, Filter(Scope.REGISTERED))]


def test_at_most_five_answers_by_default_and_best_first(gallery: list[Item]) -> None:
    copies = [Item(100 + n, bytes([n]) * 32, b"p" * 32, gallery[3].phash, gallery[3].dhash) for n in range(20)]
    answer = search(ScanIndex([*gallery, *copies]), query_of(encode(draw(3), quality=90)))
    assert len(answer) == 5
    assert [c.score for c in answer] == sorted((c.score for c in answer), reverse=True)


def test_ties_go_to_originals_then_the_oldest_then_the_lowest_id(gallery: list[Item]) -> None:
    code = (gallery[3].phash, gallery[3].dhash)
    rows = [
        Item(9, b"1" * 32, b"a" * 32, *code, is_original=False, first_seen=1),
        Item(8, b"2" * 32, b"b" * 32, *code, is_original=True, first_seen=7),
        Item(7, b"3" * 32, b"c" * 32, *code, is_original=True, first_seen=7),
        Item(6, b"4" * 32, b"d" * 32, *code, is_original=True, first_seen=5),
    ]
    query = Query(b"", b"", (code,))
    for order in (rows, rows[::-1]):
        assert [c.item_id for c in search(ScanIndex(order), query)] == [6, 7, 8, 9]


def test_the_same_search_twice_gives_the_same_answer(index: ScanIndex) -> None:
    query = query_of(encode(draw(3).rotate(3)))
    assert search(index, query, limit=20) == search(index, query, limit=20)


def test_a_query_with_a_digest_only_finds_the_undecoded_original() -> None:
    sealed = Item(2, hashlib.sha256(b"raw file").digest(), is_original=True)
    answer = search(ScanIndex([sealed]), Query(sealed.sha256))
    assert [(c.item_id, c.kind, c.view) for c in answer] == [(2, MatchKind.IDENTICAL_FILE, "")]
