"""Which column of a file means what: guessed from names that exports use, corrected by people, remembered by the header.

A mapping goes from our columns (feed.COLUMNS) to the place of a column in the file, from 0.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from compliance.catalogues.errors import FeedHeaderError
from compliance.catalogues.feed import COLUMNS, NEEDED

# Names that exports of marketplaces and tools use, in the languages sellers have; compared without case, spaces and marks.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "product_id": ("product id", "item id", "sku", "asin", "id", "goods id", "offer id", "商品id", "产品id", "商品编号", "货号", "id товара", "артикул", "id del producto", "id do produto"),
    "image": ("image", "image url", "main image", "main image url", "image link", "picture", "picture url", "photo", "img", "images", "主图", "图片", "图片链接", "主图链接", "изображение", "фото", "imagen", "imagem"),
    "url": ("url", "link", "product url", "item url", "product link", "商品链接", "链接", "网址", "ссылка", "enlace"),
    "title": ("title", "name", "product title", "product name", "subject", "标题", "商品标题", "商品名称", "名称", "название", "titulo", "nombre", "nome"),
    "shop_id": ("shop id", "store id", "seller id", "merchant id", "店铺id", "店铺编号", "id магазина", "id de la tienda", "id da loja"),
    "shop_name": ("shop name", "shop", "store", "store name", "seller", "seller name", "店铺", "店铺名称", "卖家", "магазин", "продавец", "tienda", "vendedor", "loja"),
    "shop_country": ("shop country", "country", "seller country", "国家", "店铺国家", "店铺国别", "страна", "pais"),
    "category": ("category", "category name", "类目", "分类", "一级类目", "категория", "categoria"),
    "listed_at": ("listed at", "listed", "listing time", "created", "created at", "date", "上架时间", "上架日期", "дата", "fecha", "data"),
    "delisted_at": ("delisted at", "delisted", "removed at", "下架时间", "下架日期"),
    "price": ("price", "sale price", "价格", "售价", "цена", "precio", "preco"),
    "language": ("language", "lang", "locale", "语言", "язык", "idioma"),
}  # fmt: skip
MARKS = re.compile(r"[\W_]+")


def plain_name(text: str) -> str:
    """A column's name without case, spaces, marks and the accents of Spanish and Portuguese."""
    folded = text.casefold().translate(str.maketrans("áàâãéêíóôõúüç", "aaaaeeiooouuc"))
    return MARKS.sub("", folded)


def signature(header: Sequence[str]) -> str:
    """What makes two files one source's: the same column names in the same order, as 64 hexadecimal digits."""
    names = json.dumps([plain_name(name) for name in header], ensure_ascii=False)
    return hashlib.sha256(names.encode()).hexdigest()


def guess_mapping(header: Sequence[str]) -> dict[str, int]:
    """Our columns that the header names, each at most once; our own names go before synonyms, earlier ones before later."""
    names = [plain_name(name) for name in header]
    mapping: dict[str, int] = {}
    for column in COLUMNS:
        for word in (column, *SYNONYMS[column]):
            places = [at for at, name in enumerate(names) if name == plain_name(word) and at not in mapping.values()]
            if places:
                mapping[column] = places[0]
                break
    return mapping


def check_mapping(mapping: Mapping[str, int], width: int) -> None:
    """FeedHeaderError unless the needed columns are there, all exist, and no column of the file means two things."""
    wrong = [f"{name} is missing" for name in NEEDED if name not in mapping]
    wrong += [f"there is no column {at + 1}" for at in mapping.values() if not 0 <= at < width]
    wrong += [f"{name} is no column of ours" for name in mapping if name not in COLUMNS]
    places = list(mapping.values())
    wrong += [f"column {at + 1} stands for two things" for at in sorted(set(places)) if places.count(at) > 1]
    if wrong:
        raise FeedHeaderError(", ".join(wrong))
