"""The category file: known slugs, both languages, strict reading."""

import pytest

from ledger.categories import (
    HIDDEN_NEEDS,
    CategoriesInvalid,
    UnknownCategory,
    category_by_slug,
    load_categories,
    parse_categories,
)

ROW = '[[category]]\nslug = "a"\nzh = "甲"\nen = "A"\nhidden = "none"\n'


def test_apparel_needs_a_hidden_image():
    assert category_by_slug("womens-clothing").hidden == "mandatory"


def test_toys_need_one_only_with_promotion():
    assert category_by_slug("toys").hidden == "conditional"


def test_every_category_has_both_names_and_a_known_need():
    categories = load_categories()
    assert len(categories) == 20
    assert all(item.zh and item.en and item.hidden in HIDDEN_NEEDS for item in categories)


def test_name_follows_the_language():
    shoes = category_by_slug("shoes")
    assert (shoes.name("zh-hans"), shoes.name("en")) == ("鞋类", "Shoes")


def test_unknown_slug_is_named():
    with pytest.raises(UnknownCategory, match="boats"):
        category_by_slug("boats")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[category]",
        ROW + ROW,
        ROW.replace('"none"', '"maybe"'),
        ROW.replace('zh = "甲"\n', ""),
        ROW.replace('"A"', "1"),
        ROW + 'colour = "red"\n',
    ],
)
def test_a_malformed_file_is_refused(text):
    with pytest.raises(CategoriesInvalid):
        parse_categories(text.encode())
