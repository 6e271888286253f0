"""A folder of pictures without a table: the folder, or the file's name, says which product a picture belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from compliance.catalogues.feed import LONGEST_IMAGE, LONGEST_PRODUCT_ID, Facts, Feed, FeedRow
from compliance.catalogues.tables import MAX_ROWS

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
# What tools append to number the pictures of one product: 1005001-2.jpg, SKU_03.png, item (4).webp
NUMBERED = re.compile(r"(?P<product>.+?)(?:[-_ ](?:\d{1,2}|main|detail)|\s?\(\d{1,2}\))")


def is_picture_name(path: str) -> bool:
    """Whether a file is called like a picture."""
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def feed_of_names(paths: Sequence[str]) -> Feed:
    """One row per picture. product/1.jpg belongs to product; product-1.jpg beside product-2.jpg does as well."""
    pictures = [path for path in paths if is_picture_name(path)][:MAX_ROWS]
    return Feed(frozenset(), tuple(_row(number, path) for number, path in enumerate(pictures, start=1)))


def _row(number: int, path: str) -> FeedRow:
    place = PurePosixPath(path)
    product = place.parent.name or _product(place.stem)
    problem = "feed.cell_too_long" if len(product) > LONGEST_PRODUCT_ID or len(path) > LONGEST_IMAGE else ""
    return FeedRow(number, product[:LONGEST_PRODUCT_ID], path, Facts(), problem)


def _product(stem: str) -> str:
    match = NUMBERED.fullmatch(stem)
    return match["product"] if match else stem
