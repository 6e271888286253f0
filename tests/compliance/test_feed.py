"""Reading catalogue files: what is understood, what is refused, and by which name."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest

from compliance.catalogues import tables
from compliance.catalogues.errors import FeedError, FeedTooLargeError
from compliance.catalogues.feed import COLUMNS, Facts, Feed, FeedRow, category_slug, parse_time, plain_url, read_feed
from ledger.categories import load_categories
from ledger.error_texts import TEXTS
from tests.compliance.listings import feed_bytes, feed_of

ROW = {"product_id": "P1", "image": "1.jpg"}


def only(given: Feed) -> FeedRow:
    (row,) = given.rows
    return row


def test_the_two_needed_columns_are_enough():
    row = only(feed_of(ROW))
    assert (row.number, row.product_id, row.image, row.facts, row.problem) == (1, "P1", "1.jpg", Facts(), "")


def test_every_column_of_the_template_is_read():
    full = ROW | {
        "url": "https://shop.example/1",
        "title": "红色连衣裙",
        "shop_id": "S-7",
        "shop_name": "Shop",
        "shop_country": "cn",
        "category": "女装",
        "listed_at": "2026-05-01",
        "delisted_at": "2026-06-01T08:00:00+08:00",
        "price": "US $9.99",
        "language": "zh",
    }
    given = feed_of(full)
    assert set(full) == set(COLUMNS)
    assert given.fields == {field.name for field in dataclasses.fields(Facts)}
    assert only(given).facts == Facts(
        url="https://shop.example/1",
        title="红色连衣裙",
        shop_id="S-7",
        shop_name="Shop",
        shop_country="CN",
        category="womens-clothing",
        category_raw="女装",
        price="US $9.99",
        language="zh",
        listed_at=datetime(2026, 5, 1, tzinfo=UTC),
        delisted_at=datetime(2026, 6, 1, tzinfo=UTC),
    )


def test_header_names_may_be_in_capitals_and_any_order():
    row = only(read_feed(b" Image ,PRODUCT_ID,Whatever\n1.jpg,P1,x\n"))
    assert (row.product_id, row.image) == ("P1", "1.jpg")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_is_read_in_both_encodings(encoding):
    assert only(read_feed(feed_bytes(ROW | {"title": "原创连衣裙"}, encoding=encoding))).facts.title == "原创连衣裙"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_separate_cells_too(delimiter):
    text = f"product_id{delimiter}image\nP1{delimiter}a,b.jpg\n"
    assert only(read_feed(text.encode())).image == "a,b.jpg"


def test_blank_lines_count_but_are_no_rows():
    rows = read_feed(b"product_id,image\nP1,1.jpg\n,\n\nP2,2.jpg\n").rows
    assert [(row.number, row.product_id) for row in rows] == [(1, "P1"), (4, "P2")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "feed.header"),
        (b"product_id\nP1\n", "feed.header"),
        (b"product_id,image,Image\nP1,1,2\n", "feed.header"),
        ("product_id,image\nP1,1.jpg\n".encode("utf-16"), "feed.encoding"),
        (b"product_id,image\nP1,\xff\xff\n", "feed.encoding"),
        (b'product_id,image\n"P1,1.jpg\n', "feed.malformed"),
        (b'product_id,image\nP1,"1"x.jpg\n', "feed.malformed"),
        (b"product_id,image" + b",x" * 200 + b"\n", "feed.too_large"),
        (b"product_id,image\nP1," + b"x" * 140_000 + b"\n", "feed.malformed"),
    ],
)
def test_a_file_that_is_no_feed_is_refused_by_name(data, code):
    with pytest.raises(FeedError) as refused:
        read_feed(data)
    assert refused.value.code == code


def test_size_and_rows_are_capped(monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    assert len(feed_of(ROW, ROW).rows) == 2
    with pytest.raises(FeedTooLargeError):
        feed_of(ROW, ROW, ROW)
    monkeypatch.setattr(tables, "MAX_FILE_BYTES", 20)
    with pytest.raises(FeedTooLargeError):
        feed_of(ROW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"product_id": " "}, "feed.no_product_id"),
        ({"image": ""}, "feed.no_image"),
        ({"product_id": "x" * 121}, "feed.cell_too_long"),
        ({"image": "x" * 1025}, "feed.cell_too_long"),
        ({"title": "x" * 10_001}, "feed.cell_too_long"),
        ({"listed_at": "yesterday"}, "feed.bad_date"),
        ({"listed_at": "01/02/2026"}, "feed.bad_date"),
        ({"delisted_at": "2026-02-30"}, "feed.bad_date"),
        ({"listed_at": "0001-01-01"}, "feed.bad_date"),
        ({"listed_at": "9999-12-31"}, "feed.bad_date"),
    ],
)
def test_a_bad_row_is_named_and_stops_no_other(change, code):
    bad, good = feed_of(ROW | {"title": "", "listed_at": ""} | change, ROW).rows
    assert (bad.problem, good.problem) == (code, "")


def test_a_comma_that_nobody_quoted_is_noticed():
    bad, good = read_feed(b"product_id,title,image\nP1,red, long,1.jpg\nP2,blue,2.jpg,\n").rows
    assert (bad.problem, good.problem) == ("feed.extra_cells", "")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"url": "javascript:alert(1)"}, "feed.bad_url", "url"),
        ({"url": "https://shop.example/a b"}, "feed.bad_url", "url"),
        ({"shop_country": "China"}, "feed.bad_country", "shop_country"),
        ({"url": "https://shop.example/" + "x" * 2048}, "feed.bad_url", "url"),
    ],
)
def test_a_fact_that_cannot_be_used_is_left_out_and_named(change, code, field):
    row = only(feed_of(ROW | change))
    assert (row.problem, row.remark, getattr(row.facts, field)) == ("", code, "")


def test_a_long_title_is_cut_and_that_is_said():
    row = only(feed_of(ROW | {"title": "长" * 600}))
    assert (len(row.facts.title), row.remark, row.problem) == (500, "feed.cut", "")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("//cdn.shop.example/1", "https://cdn.shop.example/1"),
        ("www.shop.example/1", "https://www.shop.example/1"),
        ("HTTPS://shop.example/1", "HTTPS://shop.example/1"),
        ("data:text/html,x", ""),
        ("https://", ""),
        ("http://[1", ""),
        ("https://shop.example/\u202e", ""),
    ],
)
def test_only_web_addresses_become_links(text, url):
    assert plain_url(text) == url


def test_a_time_without_a_zone_is_utc():
    assert parse_time("2026-05-01T12:30:00") == datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    assert parse_time("2026-05-01T12:30:00+08:00") == datetime(2026, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=8)))
    assert parse_time("2026-05-01T04:30:00Z") == datetime(2026, 5, 1, 4, 30, tzinfo=UTC)
    assert parse_time("") is None


def test_categories_are_known_by_slug_and_both_names():
    for category in load_categories():
        assert {category_slug(category.slug), category_slug(category.zh), category_slug(category.en.upper())} == {
            category.slug
        }
    assert category_slug("Bergsteigen") == category_slug("") == ""


def test_an_unknown_category_is_kept_as_it_was_written():
    facts = only(feed_of(ROW | {"category": "Bergsteigen"})).facts
    assert (facts.category, facts.category_raw) == ("", "Bergsteigen")


def test_rows_of_one_listing_share_the_first_facts_that_say_something():
    first, second, other = feed_of(
        ROW | {"title": "Red", "price": ""}, ROW | {"title": "Blue", "price": "9"}, ROW | {"product_id": "P2"}
    ).rows
    assert first.facts == second.facts
    assert (first.facts.title, first.facts.price, other.facts.title) == ("Red", "9", "")


def test_a_refused_row_gives_no_facts_to_others():
    _bad, good = feed_of(ROW | {"title": "Red", "image": ""}, ROW | {"title": "Blue"}).rows
    assert good.facts.title == "Blue"


def test_windows_paths_are_read_as_paths():
    assert only(feed_of(ROW | {"image": "shoes\\1.jpg"})).image == "shoes/1.jpg"


def test_every_code_has_words():
    kinds: list[type[FeedError]] = [FeedError, *FeedError.__subclasses__()]
    codes = {kind.code for kind in kinds} | {
        "feed.no_product_id",
        "feed.no_image",
        "feed.cell_too_long",
        "feed.extra_cells",
        "feed.bad_date",
        "feed.cut",
        "feed.bad_url",
        "feed.bad_country",
    }
    assert codes <= TEXTS.keys()
