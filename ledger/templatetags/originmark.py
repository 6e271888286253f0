"""Template filters for what the product shows everywhere: numbers, hashes, sizes, times, texts of codes."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import get_language, gettext_lazy

from ledger.accounts.numbers import format_number
from ledger.categories import UnknownCategory, category_by_slug
from ledger.error_texts import ErrorText, error_text

register = template.Library()


@register.filter
def proof_number(number: str) -> str:
    """7K3Q-9XWD-21MM-0ABC."""
    return format_number(number)


@register.filter(name="hex")
def hexadecimal(value: Any) -> str:
    return bytes(value).hex() if value is not None else ""


@register.filter
def utc(value: datetime | None) -> str:
    """2026-11-21 16:00:03 UTC; local time is added under the pointer by app.js."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if value else ""


@register.filter
def file_size(size_bytes: int | None) -> str:
    """Decimal units, as marketplaces count: 1.2 MB is 1,200,000 bytes."""
    if size_bytes is None:
        return ""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = size_bytes / 1000
    for unit in ("kB", "MB"):
        if value < 1000:
            return f"{number_format(value, 1 if value < 100 else 0)} {unit}"
        value /= 1000
    return f"{number_format(value, 1)} GB"


@register.filter
def category_name(slug: str) -> str:
    """The category in the reader's language; unknown names as they stand."""
    try:
        return category_by_slug(slug).name(get_language() or "en")
    except UnknownCategory:
        return slug


@register.filter
def explain(code: str) -> ErrorText:
    """What happened and what to do, for an error code: {{ code|explain }} has .title and .advice."""
    return error_text(code)


GEOMETRY_NAMES = {
    "identity": gettext_lazy("same pixels, place by place"),
    "similarity": gettext_lazy("scaled or cropped"),
    "affine": gettext_lazy("scaled unevenly, sheared or mirrored"),
    "homography": gettext_lazy("seen in perspective"),
}


@register.filter
def geometry_name(word: str) -> Any:
    """What a derivative link's geometry means."""
    return GEOMETRY_NAMES.get(word, word)


@register.filter
def visible_text(text: str) -> str:
    """Text in which nothing hides: control and direction characters become escapes such as \\u202e."""
    return "".join(
        f"\\u{ord(letter):04x}" if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter
        for letter in text
    )
