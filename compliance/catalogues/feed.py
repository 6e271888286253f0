"""What the rows of a catalogue say: cells of a table to rows, each with its facts or the named reason why it cannot be taken.

Knows no database and no network. A file comes from somebody's export: in UTF-8 or GB18030, with columns in any order
and some of them missing. Only the product id and the picture are needed; a fact that cannot be understood is left
empty and named, a date that cannot be understood refuses its row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from compliance.catalogues.errors import FeedHeaderError
from compliance.catalogues.tables import CSV, Table, read_table
from ledger.categories import load_categories

MAX_CELL_CHARS = 10_000
NEEDED = ("product_id", "image")
COLUMNS = (
    "product_id",
    "url",
    "title",
    "shop_id",
    "shop_name",
    "shop_country",
    "category",
    "listed_at",
    "delisted_at",
    "price",
    "language",
    "image",
)
# The longest text each column of the tables holds.
LONGEST = {"url": 2048, "title": 500, "shop_id": 120, "shop_name": 200, "category": 200, "price": 60, "language": 12}
LONGEST_PRODUCT_ID = 120
LONGEST_IMAGE = 1024
SEVERAL = re.compile(r"[\s,;|]+(?=https?://)")
# Outside these years a date is a typing error, and far outside an index could not hold it.
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a feed says of one listing; category is one of our slugs or empty, category_raw what the feed wrote."""

    url: str = ""
    title: str = ""
    shop_id: str = ""
    shop_name: str = ""
    shop_country: str = ""
    category: str = ""
    category_raw: str = ""
    price: str = ""
    language: str = ""
    listed_at: datetime | None = None
    delisted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One picture of one listing. number counts the rows below the header from 1.

    problem: the code of why the row is refused. remark: the code of what was left out of an accepted row.
    """

    number: int
    product_id: str
    image: str
    facts: Facts
    problem: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """A file that was read: which facts it has columns for (field names of Facts), and its rows in order."""

    fields: frozenset[str]
    rows: tuple[FeedRow, ...]


def read_feed(data: bytes, kind: str = CSV) -> Feed:
    """The rows of a file whose columns bear our names, or FeedError."""
    table = read_table(data, kind)
    return feed_of_columns(_header(table.header), table.rows)


def feed_of_table(table: Table, mapping: Mapping[str, int]) -> Feed:
    """The rows of a table whose columns mean what the mapping says: our column -> place in the table."""
    columns = [""] * len(table.header)
    for name, at in mapping.items():
        columns[at] = name
    return feed_of_columns(columns, table.rows)


def feed_of_columns(columns: Sequence[str], records: Iterable[Sequence[str]]) -> Feed:
    """Rows with facts; rows of one product id share them: the first that says something counts."""
    rows = [
        row
        for number, record in enumerate(records, start=1)
        if any(cell.strip() for cell in record)
        for row in _pictures(_row(number, columns, record))
    ]
    named = {"category", "category_raw"} if "category" in columns else set()
    return Feed(frozenset({field.name for field in fields(Facts)} & set(columns) | named), tuple(_shared(rows)))


def _pictures(row: FeedRow) -> Iterator[FeedRow]:
    """One row per picture: exports write several addresses into one cell."""
    parts = SEVERAL.split(row.image) if not row.problem else [row.image]
    for part in parts:
        yield row if part == row.image else replace(row, image=part)


def _header(record: Sequence[str]) -> list[str]:
    """Column names in lower case; names we do not know are kept as places that are not read."""
    names = [cell.strip().lower() for cell in record]
    missing = [name for name in NEEDED if name not in names]
    doubled = [name for name in COLUMNS if names.count(name) > 1]
    if missing or doubled:
        wrong = [f"{name} is missing" for name in missing] + [f"{name} stands there twice" for name in doubled]
        raise FeedHeaderError(", ".join(wrong))
    return names


def _row(number: int, columns: Sequence[str], record: Sequence[str]) -> FeedRow:
    cells = {name: cell.strip() for name, cell in zip(columns, record, strict=False) if name}
    row = FeedRow(number, cells.get("product_id", ""), cells.get("image", "").replace("\\", "/"), Facts())
    problem = _shape_problem(row, len(columns), record)
    if problem:
        return replace(row, product_id=row.product_id[:LONGEST_PRODUCT_ID], problem=problem)
    try:
        facts, remark = _facts(cells)
    except ValueError:
        return replace(row, problem="feed.bad_date")
    return replace(row, facts=facts, remark=remark)


def _shape_problem(row: FeedRow, columns: int, record: Sequence[str]) -> str:
    """What makes a row unreadable whatever its cells say; more cells than columns means a comma nobody quoted."""
    if len(record) > columns and any(cell.strip() for cell in record[columns:]):
        return "feed.extra_cells"
    if max(map(len, record)) > MAX_CELL_CHARS or len(row.product_id) > LONGEST_PRODUCT_ID:
        return "feed.cell_too_long"
    if not row.product_id:
        return "feed.no_product_id"
    if not row.image:
        return "feed.no_image"
    return "feed.cell_too_long" if len(row.image) > LONGEST_IMAGE else ""


def parse_time(text: str) -> datetime | None:
    """An ISO 8601 date or time, UTC unless it says otherwise; None for an empty cell; ValueError for anything else."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"{text} is not a time of a listing")
    return moment.astimezone(UTC)


def _facts(cells: dict[str, str]) -> tuple[Facts, str]:
    """The facts of a row, and the code of what had to be left out; ValueError for a date that is none."""
    remark = ""
    said = {name: cells.get(name, "") for name in LONGEST}
    for name, longest in LONGEST.items():
        if len(said[name]) > longest:
            remark, said[name] = "feed.cut", said[name][:longest]
    url = plain_url(cells.get("url", ""))
    if (said["url"] and not url) or len(url) > LONGEST["url"]:
        url, remark = "", "feed.bad_url"  # half an address leads nowhere
    country = cells.get("shop_country", "").upper()
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        country, remark = "", "feed.bad_country"
    raw = said["category"]
    facts = Facts(
        url=url,
        title=said["title"],
        shop_id=said["shop_id"],
        shop_name=said["shop_name"],
        shop_country=country,
        category=category_slug(raw),
        category_raw=raw,
        price=said["price"],
        language=said["language"],
        listed_at=parse_time(cells.get("listed_at", "")),
        delisted_at=parse_time(cells.get("delisted_at", "")),
    )
    return facts, remark


def plain_url(text: str) -> str:
    """An http or https address a page may link to, "" for anything else; feeds often leave the scheme out."""
    if text.startswith("//"):
        text = "https:" + text
    elif text.lower().startswith("www."):
        text = "https://" + text
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    is_plain = parts.scheme in ("http", "https") and parts.hostname and text.isprintable() and " " not in text
    return text if is_plain else ""


def category_slug(text: str) -> str:
    """Our slug for a category's slug, Chinese or English name; "" for a name we do not know."""
    wanted = text.casefold()
    for category in load_categories():
        if wanted and wanted in (category.slug, category.zh.casefold(), category.en.casefold()):
            return category.slug
    return ""


def _shared(rows: Sequence[FeedRow]) -> Iterator[FeedRow]:
    """Give all rows of one listing the same facts: of each field the first that is not empty.

    Otherwise rows that contradict each other would change the listing back and forth at every import.
    """
    first: dict[str, Facts] = {}
    for row in rows:
        if not row.problem:
            known = first.setdefault(row.product_id, row.facts)
            first[row.product_id] = known if known == row.facts else _filled(known, row.facts)
    for row in rows:
        yield row if row.problem else replace(row, facts=first[row.product_id])


def _filled(known: Facts, more: Facts) -> Facts:
    gaps = {field.name: getattr(more, field.name) for field in fields(Facts) if not getattr(known, field.name)}
    if known.category_raw:
        gaps.pop("category", None)  # the slug is that of the raw name or none
    return replace(known, **gaps)
