"""A batch as CSV: one pack per row, with columns sku and original, and if wanted overlay, main and category."""

import csv
import io
import re
from dataclasses import dataclass

from compliance.packs.errors import BatchMalformed
from ledger.admission.text import decode_text

REQUIRED = ("sku", "original")
OPTIONAL = ("overlay", "main", "category")
# UTF-8 first: text that is valid UTF-8 is hardly ever meant as anything else. Chinese spreadsheets write GB18030.
# A sku names a folder on disk and in a ZIP, on every system.
SAFE_SKU = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,98}[A-Za-z0-9_-]|[A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One pack to make; what its columns name (files, proof numbers) is up to the reader of the batch."""

    sku: str
    original: str
    overlay: str = ""
    main: str = ""
    category: str = ""


def is_safe_sku(sku: str) -> bool:
    """Whether a sku can be a folder: 1 to 100 letters, digits, dots, underscores and hyphens, no dot at either end."""
    return SAFE_SKU.fullmatch(sku) is not None


def parse_batch(data: bytes) -> list[BatchRow]:
    """The rows of a CSV, or BatchMalformed naming the first line that is wrong."""
    reader = csv.DictReader(io.StringIO(_decode(data), newline=""))
    try:
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or [])]
        if missing:
            raise BatchMalformed(f"no column {', '.join(missing)}")
        rows = [_row(number, cells) for number, cells in enumerate(reader, start=2)]
    except csv.Error as error:
        raise BatchMalformed(f"line {reader.line_num}: {error}") from error
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        # On some systems a and A are one folder.
        if row.sku.casefold() in seen:
            raise BatchMalformed(f"line {number}: sku {row.sku} stands there twice")
        seen.add(row.sku.casefold())
    return rows


def _decode(data: bytes) -> str:
    try:
        return decode_text(data)[0]
    except UnicodeError as error:
        raise BatchMalformed(str(error)) from error


def _row(number: int, cells: dict[str, str | None]) -> BatchRow:
    values = {name: (cells.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)}
    if not is_safe_sku(values["sku"]):
        raise BatchMalformed(f"line {number}: sku {values['sku'][:40]!r} is no name of letters, digits, . _ -")
    if any("\x00" in value for value in values.values()):
        raise BatchMalformed(f"line {number}: a cell holds a zero byte")
    if not values["original"]:
        raise BatchMalformed(f"line {number}: the original is empty")
    return BatchRow(**values)
