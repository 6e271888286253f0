"""Targets: the marketplaces, laws and courts that a packet goes to, read from targets/*.toml.

Each says what it asks for, in which languages, and how large things may be, with the source and the day it was read.
Most sources are stored copies, so `status` says how far to trust them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from compliance.cases.case_file import KINDS
from compliance.cases.errors import UnknownTargetError

STATEMENTS = (
    "good_faith",
    "accuracy",
    "authority_under_perjury",
    "truth_guarantee_cn",
    "consent_jurisdiction",
    "malicious_notice_ack",
)
LETTER_LANGUAGES = ("zh", "en", "es", "ru", "pt")


@dataclass(frozen=True, slots=True)
class Words:
    """A short text in both languages of the interface."""

    zh: str
    en: str

    def in_language(self, code: str) -> str:
        return self.zh if code.startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One thing that the target asks for. label: what the portal calls it, where the source says so; max_length in
    characters (0: not known). Advised things are shown and never block. kinds: of cases it is asked in."""

    fact: str
    label: str = ""
    required: bool = True
    max_length: int = 0
    kinds: tuple[str, ...] = KINDS


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A group of which one option has to be complete; an option is a set of facts."""

    id: str
    options: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...] = KINDS


@dataclass(frozen=True, slots=True)
class StatementRule:
    """A statement somebody has to tick."""

    which: str
    kinds: tuple[str, ...] = KINDS


@dataclass(frozen=True, slots=True)
class FileRule:
    """What attached files of some roles may be. No roles: every file. max_bytes 0: no limit known; accepts empty: any
    type but those refused."""

    roles: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    max_bytes: int = 0
    kinds: tuple[str, ...] = KINDS

    def covers(self, role: str, kind: str) -> bool:
        return kind in self.kinds and (not self.roles or role in self.roles)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into one filing; 0 where no limit is known. links_without_account: for who has no account there.
    part_bytes: of one file of the packet; packet_bytes: of all; max_files: how many."""

    links: int = 0
    links_without_account: int = 0
    part_bytes: int = 0
    packet_bytes: int = 0
    max_files: int = 0
    message_length: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where the data comes from, how old that was, when it was entered, and how far to trust it: published (seen at
    the source), reported (others say so), unverified."""

    text: Words
    status: str
    last_checked: date


@dataclass(frozen=True, slots=True)
class Target:
    """One target. law: whose rules apply (CN, US, EU, or empty); checks: questions of the right to complain that only
    this target raises; reasons: the first is the one about pictures in a listing; bundle: single (one file), zip, or
    parts."""

    id: str
    name: Words
    kinds: tuple[str, ...]
    platforms: tuple[str, ...]
    law: str
    portal: str
    languages: tuple[str, ...]
    fields: tuple[FieldRule, ...]
    any_of: tuple[AnyOf, ...]
    statements: tuple[StatementRule, ...]
    files: tuple[FileRule, ...]
    limits: Limits
    source: Source
    bundle: str = "parts"
    reasons: Mapping[str, Words] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    notes: tuple[Words, ...] = ()

    def takes_pictures_only(self, kind: str) -> bool:
        """Whether every file of such a case has to be a picture, so that letters go along as pictures of their pages too."""
        rules = [rule for rule in self.files if rule.accepts and not rule.roles and kind in rule.kinds]
        return any(all(mime.startswith("image/") for mime in rule.accepts) for rule in rules)


@cache
def load_targets() -> dict[str, Target]:
    """Every target by id, in the order of their file names."""
    folder = files("compliance.cases") / "targets"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    found = [_target(tomllib.loads((folder / name).read_text("utf-8"))) for name in names]
    return {target.id: target for target in found}


def find_target(target_id: str, kind: str = "") -> Target:
    """The target of that id, if it takes that kind of case. Raises UnknownTargetError."""
    target = load_targets().get(target_id)
    if target is None or (kind and kind not in target.kinds):
        raise UnknownTargetError(f"{target_id} {kind}".strip())
    return target


def _target(values: Mapping[str, Any]) -> Target:
    return Target(
        id=values["id"],
        name=Words(**values["name"]),
        kinds=tuple(values["kinds"]),
        platforms=tuple(values["platforms"]),
        law=values.get("law", ""),
        portal=values.get("portal", ""),
        languages=tuple(values["languages"]),
        fields=tuple(FieldRule(**_tuples(row)) for row in values["fields"]),
        any_of=tuple(_any_of(row) for row in values.get("any_of", [])),
        statements=tuple(StatementRule(**_tuples(row)) for row in values["statements"]),
        files=tuple(FileRule(**_tuples(row)) for row in values.get("files", [])),
        limits=Limits(**values.get("limits", {})),
        source=Source(Words(**values["source"]["text"]), values["source"]["status"], values["source"]["last_checked"]),
        bundle=values.get("bundle", "parts"),
        reasons={name: Words(**words) for name, words in values.get("reasons", {}).items()},
        checks=tuple(values.get("checks", [])),
        notes=tuple(Words(**words) for words in values.get("notes", [])),
    )


def _any_of(row: Mapping[str, Any]) -> AnyOf:
    return AnyOf(row["id"], tuple(tuple(option) for option in row["options"]), tuple(row.get("kinds", KINDS)))


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
