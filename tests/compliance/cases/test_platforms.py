"""Platform, market and item number from an address alone."""

from __future__ import annotations

import pytest

from compliance.cases.platforms import item_of, market_of, platform_of, targets_for


@pytest.mark.parametrize(
    ("url", "platform", "market", "item"),
    [
        ("https://es.aliexpress.com/item/1005001234567890.html", "aliexpress", "", "1005001234567890"),
        ("https://aliexpress.ru/item/1005001234567890.html", "aliexpress", "RU", "1005001234567890"),
        ("https://www.ebay.co.uk/itm/Mug-blue/400012345678?x=1", "ebay", "GB", "400012345678"),
        ("https://www.amazon.de/dp/B0ABCDEFGH", "amazon", "DE", "B0ABCDEFGH"),
        ("https://shopee.co.th/mug-i.1.2", "shopee", "TH", ""),
        ("https://produto.mercadolivre.com.br/MLB-1", "mercadolibre", "BR", ""),
        ("https://notebay.example.org/itm/1", "other", "", ""),
        ("https://ebay.evil.example.org/x", "other", "", ""),
        ("https://[", "other", "", ""),
        ("", "other", "", ""),
    ],
)
def test_what_an_address_says(url, platform, market, item):
    assert (platform_of(url), market_of(url), item_of(url)) == (platform, market, item)


def test_the_platforms_own_target_comes_first():
    assert targets_for("ebay", "complaint")[0].id == "ebay_vero"
    assert targets_for("aliexpress", "defence")[0].id == "alibaba_ipp"
    assert {target.id for target in targets_for("other", "court_bundle")} == {"cn_court"}
    assert targets_for("other", "complaint")[0].platforms == ("other",)
