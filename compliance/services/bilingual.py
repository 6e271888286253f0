"""The same words in both languages of a document, whatever language the request has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.utils import translation
from django.utils.translation import gettext

from ledger.pdf.assurance import Bilingual

T = TypeVar("T")


def both_languages(make: Callable[[], T]) -> tuple[T, T]:
    """(English, Chinese) of whatever `make` builds out of translated words."""
    with translation.override("en"):
        english = make()
    with translation.override("zh-hans"):
        return english, make()


def say_both(message: str) -> Bilingual:
    """One sentence of the catalogue in both languages."""
    english, chinese = both_languages(lambda: gettext(message))
    return Bilingual(chinese, english)
