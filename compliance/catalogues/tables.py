"""Tables of any kind as one thing: a header and rows of text cells. CSV and JSON lines here, sheets in xlsx.py.

Cells are what the file says, as text and untouched; what they mean is decided in feed.py.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from compliance.catalogues.errors import FeedEncodingError, FeedMalformedError, FeedTooLargeError
from compliance.catalogues.xlsx import read_sheet
from ledger.admission.text import decode_text

CSV, XLSX, JSONL = "csv", "xlsx", "jsonl"
SUFFIXES = {".csv": CSV, ".tsv": CSV, ".txt": CSV, ".xlsx": XLSX, ".jsonl": JSONL, ".ndjson": JSONL}
MAX_FILE_BYTES = 64 * 2**20
MAX_ROWS = 100_000
MAX_COLUMNS = 200
ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Table:
    """header: cells of the first line, or the keys of JSON lines in the order in which they first appear. rows: the
    cells of every line below it, empty lines included, so that their numbers are those of the file."""

    kind: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_kind(name: str, data: bytes) -> str:
    """csv, xlsx or jsonl by the name's ending, "" for anything else; a sheet is one only if it is a ZIP."""
    suffix = "." + name.rsplit(".", 1)[-1].lower() if "." in name else ""
    kind = SUFFIXES.get(suffix, "")
    return "" if kind == XLSX and not data.startswith(ZIP_MAGIC) else kind


def read_table(data: bytes, kind: str) -> Table:
    """The table, or FeedError. Nothing of it is left out: too much of it is an error."""
    if len(data) > MAX_FILE_BYTES:
        raise FeedTooLargeError(f"{len(data)} bytes, {MAX_FILE_BYTES} are allowed")
    if kind == JSONL:
        return _json_lines(_decode(data))
    records = read_sheet(data) if kind == XLSX else _records(_decode(data))
    header = tuple(next(records, ()))
    if len(header) > MAX_COLUMNS:
        raise FeedTooLargeError(f"{len(header)} columns, {MAX_COLUMNS} are allowed")
    return Table(kind, header, tuple(_counted(records)))


def _counted(records: Iterator[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    for number, record in enumerate(records, start=1):
        if number > MAX_ROWS:
            raise FeedTooLargeError(f"more than {MAX_ROWS} rows")
        yield record


def _decode(data: bytes) -> str:
    try:
        text, _encoding = decode_text(data)
    except UnicodeError as error:
        raise FeedEncodingError(str(error)) from error
    if "\0" in text:
        raise FeedEncodingError("a zero byte")
    return text


def _records(text: str) -> Iterator[tuple[str, ...]]:
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True):
            yield tuple(record)
    except csv.Error as error:
        raise FeedMalformedError(str(error)) from error


def _delimiter(text: str) -> str:
    """Spreadsheets of some countries write semicolons or tabs and still call it CSV."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return max(",;\t", key=first.count)


def _json_lines(text: str) -> Table:
    """One object a line; its values are texts, numbers, true, false or null. Lists are joined by spaces (pictures)."""
    lines: list[dict[str, str]] = []
    names: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if number > MAX_ROWS:
            raise FeedTooLargeError(f"more than {MAX_ROWS} rows")
        cells = _object(number, line) if line.strip() else {}
        names |= dict.fromkeys(cells)
        if len(names) > MAX_COLUMNS:
            raise FeedTooLargeError(f"more than {MAX_COLUMNS} keys")
        lines.append(cells)
    return Table(JSONL, tuple(names), tuple(tuple(cells.get(name, "") for name in names) for cells in lines))


def _object(number: int, line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FeedMalformedError(f"line {number}: {error}"[:200]) from error
    if not isinstance(value, dict):
        raise FeedMalformedError(f"line {number} is no object")
    return {str(key): _text(number, cell) for key, cell in value.items()}


def _text(number: int, cell: object) -> str:
    if isinstance(cell, str):
        return cell.replace("\0", "")
    if cell is None or isinstance(cell, bool | int | float):
        return "" if cell is None else json.dumps(cell)
    if isinstance(cell, list) and all(isinstance(one, str) for one in cell):
        return " ".join(cell)
    raise FeedMalformedError(f"line {number}: a value is neither text nor number nor a list of texts")
