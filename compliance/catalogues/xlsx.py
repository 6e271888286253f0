"""The first sheet of an XLSX workbook as rows of text, read strictly (ECMA-376): shared and inline texts, numbers, dates.

Formulas give the value that was saved with them; macros, links, drawings and further sheets are never looked at. The
XML is parsed without entities and piece by piece, so a sheet that unpacks to gigabytes ends at its limit.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from compliance.catalogues.errors import FeedMalformedError, FeedTooLargeError
from ledger.admission.archives import UNPACK_FAULTS

MAX_PARTS = 2000
MAX_PART_BYTES = 256 * 2**20  # of XML, unpacked: a sheet of 100,000 rows with 20 columns has 100 MB
MAX_TEXTS = 2_000_000
MAX_COLUMN = 200
MAX_GAP = 1000  # empty rows that a sheet may leave out before one that has something
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
# Built-in number formats that show dates or times (ECMA-376 part 1, 18.8.30).
DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
DATE_LETTERS = re.compile(r"[ymdhs]", re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's dates have no zone


def read_sheet(data: bytes) -> Iterator[tuple[str, ...]]:
    """Rows of the first sheet, top to bottom, rows it leaves out included as empty ones. FeedError where it is broken."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            if len(book.infolist()) > MAX_PARTS:
                raise FeedTooLargeError(f"more than {MAX_PARTS} parts")
            path, is_1904 = _first_sheet(book)
            texts = list(_shared_texts(book))
            dates = _date_styles(book)
            yield from _rows(book, path, texts, dates, EPOCH_1904 if is_1904 else EPOCH)
    except (ParseError, DefusedXmlException, KeyError, OverflowError, *UNPACK_FAULTS) as error:
        raise FeedMalformedError(f"{type(error).__name__}: {error}"[:200]) from error


class _Capped:
    """A part of the workbook that ends with an error where it unpacks to more than is allowed."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part = part
        self._left = MAX_PART_BYTES

    def read(self, size: int = -1) -> bytes:
        piece = self._part.read(min(size, 1 << 20) if size > 0 else 1 << 20)
        self._left -= len(piece)
        if self._left < 0:
            raise FeedTooLargeError(f"a part of the sheet has more than {MAX_PART_BYTES} bytes")
        return piece


def _elements(book: zipfile.ZipFile, path: str, *names: str) -> Iterator[Element]:
    """Elements of those local names as they end, each forgotten after it was looked at."""
    with book.open(path) as part:
        root: Element | None = None
        for event, element in iterparse(_Capped(part), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                root = element if root is None else root
            elif _local(element) in names:
                yield element
                element.clear()
                if root is not None and root is not element:
                    root.clear()


def _local(element: Element) -> str:
    for space in (MAIN, STRICT):
        if element.tag.startswith(space):
            return element.tag.removeprefix(space)
    return ""


def _first_sheet(book: zipfile.ZipFile) -> tuple[str, bool]:
    """Path of the first sheet inside the ZIP, and whether its days count from 1904."""
    wanted, is_1904 = "", False
    for element in _elements(book, "xl/workbook.xml", "sheet", "workbookPr"):
        if _local(element) == "workbookPr":
            is_1904 = element.get("date1904", "") in ("1", "true")
        elif not wanted:
            wanted = element.get(RELATION) or element.get(STRICT_RELATION) or ""
    with book.open("xl/_rels/workbook.xml.rels") as part:
        for _event, element in iterparse(_Capped(part), forbid_dtd=True):
            if element.get("Id") == wanted and wanted and element.get("TargetMode") != "External":
                target = element.get("Target", "")
                return (target.removeprefix("/") if target.startswith("/") else f"xl/{target}"), is_1904
    raise FeedMalformedError("the workbook names no sheet")


def _shared_texts(book: zipfile.ZipFile) -> Iterator[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return
    for number, element in enumerate(_elements(book, "xl/sharedStrings.xml", "si")):
        if number >= MAX_TEXTS:
            raise FeedTooLargeError(f"more than {MAX_TEXTS} texts")
        yield _rich(element)


def _rich(element: Element) -> str:
    """Text of a string item: its own, or that of its runs; what is written above East Asian text is left out."""
    parts = []
    for child in element:
        if _local(child) == "t":
            parts.append(child.text or "")
        elif _local(child) == "r":
            parts += [run.text or "" for run in child if _local(run) == "t"]
    return "".join(parts)


def _date_styles(book: zipfile.ZipFile) -> frozenset[int]:
    """Numbers of the cell styles that show a date."""
    if "xl/styles.xml" not in book.namelist():
        return frozenset()
    own: set[int] = set()
    with book.open("xl/styles.xml") as part:
        styles: list[int] = []
        inside = False
        for event, element in iterparse(_Capped(part), events=("start", "end"), forbid_dtd=True):
            name = _local(element)
            if name == "cellXfs":
                inside = event == "start"
            elif (
                event == "end"
                and name == "numFmt"
                and DATE_LETTERS.search(QUOTED.sub("", element.get("formatCode", "")))
            ):
                own.add(int(element.get("numFmtId", "0")))
            elif event == "end" and name == "xf" and inside:
                styles.append(int(element.get("numFmtId", "0")))
    return frozenset(at for at, number in enumerate(styles) if number in DATE_FORMATS or number in own)


def _rows(
    book: zipfile.ZipFile, path: str, texts: list[str], dates: frozenset[int], epoch: datetime
) -> Iterator[tuple[str, ...]]:
    last = 0
    for element in _elements(book, path, "row"):
        number = int(element.get("r", last + 1))
        if number <= last:
            raise FeedMalformedError(f"row {number} comes after row {last}")
        if number - last > MAX_GAP:
            raise FeedTooLargeError(f"{number - last} empty rows before row {number}")
        yield from [()] * (number - last - 1)
        last = number
        yield _cells(element, texts, dates, epoch)


def _cells(row: Element, texts: list[str], dates: frozenset[int], epoch: datetime) -> tuple[str, ...]:
    cells: list[str] = []
    for cell in row:
        if _local(cell) != "c":
            continue
        at = _column(cell.get("r", "")) if cell.get("r") else len(cells)
        if not len(cells) <= at < MAX_COLUMN:
            raise FeedTooLargeError(f"cell {cell.get('r')} is out of its order, or beyond column {MAX_COLUMN}")
        cells += [""] * (at - len(cells))
        cells.append(_value(cell, texts, dates, epoch).replace("\0", ""))
    return tuple(cells)


def _column(reference: str) -> int:
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise FeedMalformedError(f"cell {reference[:20]!r}")
    at = 0
    for letter in match[1]:
        at = at * 26 + ord(letter) - 64
    return at - 1


def _value(cell: Element, texts: list[str], dates: frozenset[int], epoch: datetime) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return next((_rich(child) for child in cell if _local(child) == "is"), "")
    text = next((child.text or "" for child in cell if _local(child) == "v"), "")
    if kind == "s":
        at = int(text)
        if not 0 <= at < len(texts):
            raise FeedMalformedError(f"there is no text {at}")
        return texts[at]
    if kind == "b":
        return "true" if text == "1" else "false"
    if kind == "n" and text and int(cell.get("s", "0")) in dates:
        moment = epoch + timedelta(days=float(text))
        return moment.date().isoformat() if float(text).is_integer() else moment.replace(microsecond=0).isoformat()
    if kind == "n" and text:
        return _number(text)
    return "" if kind == "e" else text


def _number(text: str) -> str:
    """A product id that a spreadsheet took for a number reads 1005001234567890, not 1.00500123456789E+15."""
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else text
