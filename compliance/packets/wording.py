"""The words of letters, one file per language in wording/."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from compliance.packets.errors import UnknownLanguageError

LANGUAGES = ("zh", "en", "es", "ru", "pt")
SECTIONS = ("titles", "opening", "headings", "labels", "values", "actions", "statements", "answering", "verify")


@dataclass(frozen=True, slots=True)
class Wording:
    """One language: tables of texts by section and name."""

    language: str
    draft: str
    to: str
    date: str
    reference: str
    dear: str
    tables: dict[str, dict[str, str]]

    def text(self, section: str, name: str) -> str:
        return self.tables[section][name]

    def label(self, name: str) -> str:
        return self.tables["labels"][name]

    def value(self, name: str) -> str:
        """The word for a stored choice; what somebody typed freely stays as it is."""
        return self.tables["values"].get(name, name)

    def statement(self, which: str, *, answers: bool) -> str:
        """The statement; a counter-notice says two of them otherwise (17 U.S.C. 512(g)(3))."""
        return (self.tables["answering"].get(which) if answers else None) or self.tables["statements"][which]


@cache
def wording(language: str) -> Wording:
    """The words of one language. Raises UnknownLanguageError."""
    if language not in LANGUAGES:
        raise UnknownLanguageError(language)
    read: dict[str, Any] = tomllib.loads(
        (files("compliance.packets") / "wording" / f"{language}.toml").read_text("utf-8")
    )
    tables = {section: read[section] for section in SECTIONS}
    return Wording(language, read["draft"], read["to"], read["date"], read["reference"], read["dear"], tables)
