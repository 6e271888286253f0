"""A letter as a list of blocks, which the template lays out one after the other. Text only; pictures by their file names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ledger.pdf.payload import Json, format_size, format_utc

Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Block:
    """kind: heading, text, facts, list, table, work, statement. What each needs is made by the functions below."""

    kind: str
    values: dict[str, Json]

    def payload(self) -> Json:
        return {"kind": self.kind, **self.values}


def heading(text: str) -> Block:
    return Block("heading", {"text": text})


def paragraph(text: str, *, is_note: bool = False) -> Block:
    return Block("text", {"text": text, "note": is_note})


def facts(rows: Iterable[tuple[str, str]], *, mono: Sequence[str] = ()) -> Block:
    """Label and value; rows without a value are left out. mono: labels whose values are digests."""
    kept: list[Json] = [[label, value, label in mono] for label, value in rows if value]
    return Block("facts", {"rows": kept})


def listed(items: Iterable[str]) -> Block:
    found: list[Json] = list(items)
    return Block("list", {"items": found})


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Block:
    body: list[Json] = [list(row) for row in rows]
    return Block("table", {"head": list(head), "rows": body})


def statement(text: str, ticked: str) -> Block:
    return Block("statement", {"text": text, "ticked": ticked})


def work(title: str, picture: str, alt: str, rows: Iterable[tuple[str, str]], digest: str) -> Block:
    kept: list[Json] = [[label, value] for label, value in rows if value]
    return Block("work", {"title": title, "picture": picture, "alt": alt, "rows": kept, "digest": digest})


def day(value: date | None) -> str:
    return value.isoformat() if value else ""


def moment(value: datetime | None) -> str:
    return format_utc(value.replace(microsecond=0)) if value else ""


def size(size_bytes: int) -> str:
    return format_size(size_bytes)


def joined(parts: Iterable[str], by: str = ", ") -> str:
    return by.join(part for part in parts if part)
