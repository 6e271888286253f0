"""Catalogues of marketplaces in other languages: their words survive the import, and a picture speaks none of them."""

from __future__ import annotations

import pytest

from compliance.models import Listing
from tests.compliance.listings import ask, copy_of, import_listings, matches, photo, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

ROWS = [
    {"product_id": "ES-1", "image": "1.jpg", "title": "Vestido de niña añil", "shop_country": "ES", "language": "es"},
    {"product_id": "RU-1", "image": "2.jpg", "title": "Платье летнее ёлочка", "shop_country": "RU", "language": "ru"},
    {"product_id": "PT-1", "image": "3.jpg", "title": "Calção de verão", "shop_country": "BR", "language": "pt"},
]


@pytest.fixture
def imported(seller) -> None:
    outcomes = import_listings(seller, *ROWS, pictures={f"{number}.jpg": photo(number) for number in (1, 2, 3)})
    assert [outcome.status for outcome in outcomes] == ["imported"] * 3
    work()


def test_spanish_russian_and_portuguese_rows_keep_their_words(imported, seller):
    stored = Listing.objects.of(seller).order_by("pk").values("product_id", "title", "shop_country", "language")
    assert list(stored) == [
        {key: row[key] for key in ("product_id", "title", "shop_country", "language")} for row in ROWS
    ]


def test_a_copy_is_found_whatever_the_language_of_its_listing(imported, seller):
    assert [matches(ask(seller, copy_of(number))) for number in (1, 2, 3)] == [["ES-1"], ["RU-1"], ["PT-1"]]
