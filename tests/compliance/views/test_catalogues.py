"""The catalogue pages: what was imported, the listings in it, and how to import."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from compliance.catalogues.errors import FeedError
from compliance.catalogues.feed import COLUMNS, read_feed
from compliance.models import Catalogue
from ledger.views import common
from tests.compliance.listings import import_listings, photo, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
LIST = reverse("compliance:catalogues")
TEMPLATE = reverse("compliance:catalogue_template")
PICTURES = {f"{number}.jpg": photo(number) for number in (1, 2, 3)}
ROWS = [
    {
        "product_id": "P1",
        "image": "1.jpg",
        "title": "Red dress",
        "category": "womens-clothing",
        "shop_country": "CN",
        "shop_name": "North",
        "listed_at": "2026-05-01",
        "delisted_at": "2026-06-01",
        "url": "https://shop.example/P1",
    },
    {"product_id": "P2", "image": "2.jpg", "title": "Blue shoes", "category": "Alpine gear", "shop_country": "US"},
    {"product_id": "P2", "image": "3.jpg"},
]


@pytest.fixture
def catalogue(log, seller) -> Catalogue:
    import_listings(seller, *ROWS, pictures=PICTURES, name="Spring")
    return Catalogue.objects.get()


def page_of(catalogue: Catalogue) -> str:
    return reverse("compliance:catalogue", args=[catalogue.number])


def words(response) -> str:
    text = re.sub(r"<(script|style)[\s\S]*?</\1>|<[^>]+>", " ", response.content.decode())
    return " ".join(text.split())


def test_without_a_catalogue_the_page_says_how_to_import(client_of, bob, seller):
    said = words(client_of(bob).get(LIST))
    assert "No catalogue yet" in said
    assert f"python manage.py import_catalogue FILE.csv --images DIR --seller {seller.slug}" in said
    assert all(column in said for column in COLUMNS)


def test_the_list_counts_listings_pictures_and_what_still_waits(client_of, bob, catalogue):
    assert "Spring 2 3 3 waiting" in words(client_of(bob).get(LIST))
    work()
    assert "Spring 2 3 All analysed" in words(client_of(bob).get(LIST))


def test_a_catalogue_shows_its_listings_and_what_the_feed_left_out(client_of, bob, catalogue):
    page = client_of(bob).get(page_of(catalogue))
    said = words(page)
    for fact in (
        "2 listings · 3 pictures",
        "Red dress",
        "North CN",
        "2026-05-01",
        "delisted 2026-06-01",
        "Alpine gear",
    ):
        assert fact in said
    assert "Women's Clothing" in said.replace("&#x27;", "'")
    assert "not in feed" in said
    assert 'href="https://shop.example/P1" target="_blank" rel="external noreferrer noopener"' in page.content.decode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"q": "shoes"}, {"P2"}),
        ({"q": "p1"}, {"P1"}),
        ({"category": "womens-clothing"}, {"P1"}),
        ({"country": "us"}, {"P2"}),
        ({"state": "listed"}, {"P2"}),
        ({"state": "delisted"}, {"P1"}),
        ({"state": "nonsense"}, {"P1", "P2"}),
        ({"q": "nothing of that name"}, set()),
        ({"q": "\0"}, {"P1", "P2"}),
    ],
)
def test_filters_live_in_the_address(client_of, bob, catalogue, query, shown):
    page = client_of(bob).get(page_of(catalogue), query)
    assert {row["listing"].product_id for row in page.context["rows"]} == shown
    assert shown or "Nothing matches these filters" in words(page)


def test_long_catalogues_are_paged_and_keep_their_filters(client_of, bob, catalogue, monkeypatch):
    monkeypatch.setattr(common, "PAGE_SIZE", 1)
    client = client_of(bob)
    first = client.get(page_of(catalogue), {"q": "P"})
    assert [row["listing"].product_id for row in first.context["rows"]] == ["P2"]
    second = client.get(first.context["page"].older_url)
    assert [row["listing"].product_id for row in second.context["rows"]] == ["P1"]
    assert "q=P" in second.context["page"].newer_url


def test_a_catalogue_without_listings_says_why_it_may_be(client_of, bob, seller):
    import_listings(seller, {"product_id": "P1", "image": "missing.jpg"}, pictures={})
    page = client_of(bob).get(page_of(Catalogue.objects.get()))
    assert "No listings in it" in words(page)


def test_the_template_is_a_header_the_import_understands(client_of, bob):
    answer = client_of(bob).get(TEMPLATE)
    assert answer["Content-Type"].startswith("text/csv")
    assert answer.content.decode("utf-8-sig") == ",".join(COLUMNS) + "\r\n"
    try:
        assert read_feed(answer.content).rows == ()
    except FeedError as refused:
        pytest.fail(f"the template is refused: {refused}")


def test_another_sellers_catalogue_does_not_exist(client_of, mallory, catalogue):
    assert client_of(mallory).get(page_of(catalogue)).status_code == 404
    assert "Spring" not in words(client_of(mallory).get(LIST))


def test_only_reading_is_possible(client_of, alice, catalogue):
    for place in (LIST, TEMPLATE, page_of(catalogue)):
        assert client_of(alice).post(place).status_code == 405


def test_the_pages_cost_a_fixed_number_of_queries(client_of, bob, catalogue, seller, django_assert_num_queries):
    client = client_of(bob)
    client.get(LIST)
    with django_assert_num_queries(6):
        client.get(LIST)
    with django_assert_num_queries(9):
        client.get(page_of(catalogue))
    import_listings(seller, {"product_id": "P3", "image": "1.jpg"}, pictures=PICTURES, name="Spring")
    import_listings(seller, {"product_id": "P3", "image": "1.jpg"}, pictures=PICTURES, name="Summer")
    with django_assert_num_queries(6):
        client.get(LIST)
    with django_assert_num_queries(9):
        client.get(page_of(catalogue))
