"""First-level product categories, in both languages, and which of them need a hidden image.

One data file (categories.toml) serves registration, search and checks alike. Unknown names stay as sellers wrote them.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

CATEGORIES_FILE = files("ledger").joinpath("categories.toml")
HIDDEN_NEEDS = ("mandatory", "conditional", "none")
KEYS = ("slug", "zh", "en", "hidden")


class CategoriesInvalid(Exception):
    """The data file breaks its own form."""

    code = "categories.invalid"


class UnknownCategory(LookupError):
    """No category has this slug."""

    code = "categories.unknown"


@dataclass(frozen=True, slots=True)
class Category:
    """One category; `hidden` is mandatory, conditional (only when the main image carries promotion) or none."""

    slug: str
    zh: str
    en: str
    hidden: str

    def name(self, language: str) -> str:
        """The name in Chinese for any zh language code, else in English."""
        return self.zh if language.lower().startswith("zh") else self.en


@cache
def load_categories() -> tuple[Category, ...]:
    """All categories in the order of the data file."""
    return parse_categories(CATEGORIES_FILE.read_bytes())


def category_by_slug(slug: str) -> Category:
    """The category of that slug, or UnknownCategory."""
    for category in load_categories():
        if category.slug == slug:
            return category
    raise UnknownCategory(slug)


def parse_categories(data: bytes) -> tuple[Category, ...]:
    """Categories from TOML bytes, or CategoriesInvalid naming the first row that is wrong."""
    try:
        rows = tomllib.loads(data.decode("utf-8"))["category"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise CategoriesInvalid(f"not a category file: {error}") from error
    categories = tuple(_category(row) for row in rows)
    slugs = [category.slug for category in categories]
    if len(set(slugs)) != len(slugs):
        raise CategoriesInvalid("a slug appears twice")
    return categories


def _category(row: dict[str, object]) -> Category:
    if sorted(row) != sorted(KEYS):
        raise CategoriesInvalid(f"expected the keys {', '.join(KEYS)}, got {', '.join(sorted(row))}")
    texts = {key: value for key, value in row.items() if isinstance(value, str) and value.strip()}
    if len(texts) != len(KEYS):
        raise CategoriesInvalid(f"every value of {row!r} must be text")
    if texts["hidden"] not in HIDDEN_NEEDS:
        raise CategoriesInvalid(f"{texts['slug']}.hidden is {texts['hidden']!r}, expected {', '.join(HIDDEN_NEEDS)}")
    return Category(**texts)
