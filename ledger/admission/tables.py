"""The policy for tables: UTF-8 or GB18030 text, quoted as RFC 4180 wants it, within the limits. Runs in the limited child.

Cells are text and stay text: what a spreadsheet would run as a formula is neutralised where it leaves us, not here.
"""

import codecs
import csv
import io

from ledger.admission.text import decode_text
from ledger.admission.verdict import FileRefused

MAX_TABLE_BYTES = 50 << 20
MAX_ROWS = 200_000
MAX_COLUMNS = 500
MAX_CELL = 32_767  # characters that a cell of the common spreadsheets holds
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def admit_table(data: bytes) -> tuple[str, ...]:
    """The flags of a table that may come in (gb18030: not UTF-8), or FileRefused."""
    if not data:
        raise FileRefused("empty_file")
    if len(data) > MAX_TABLE_BYTES:
        raise FileRefused("too_large", f"{len(data)} > {MAX_TABLE_BYTES}")
    text, encoding = _decoded(data)
    if "\x00" in text:
        raise FileRefused("bad_csv", "nul")
    _read_rows(text)
    return () if encoding == "utf-8" else (encoding,)


def _decoded(data: bytes) -> tuple[str, str]:
    if data.startswith(WIDE_MARKS):
        raise FileRefused("bad_encoding", "utf-16 or utf-32")
    try:
        return decode_text(data)
    except UnicodeError as error:
        raise FileRefused("bad_encoding", str(error)) from error


def _read_rows(text: str) -> None:
    csv.field_size_limit(MAX_CELL)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, row in enumerate(rows, 1):
            if number > MAX_ROWS:
                raise FileRefused("too_large", f"> {MAX_ROWS} rows")
            if len(row) > MAX_COLUMNS:
                raise FileRefused("bad_csv", f"row {number}: {len(row)} > {MAX_COLUMNS} columns")
    except csv.Error as error:
        raise FileRefused("bad_csv", f"row {rows.line_num}: {error}"[:120]) from error
