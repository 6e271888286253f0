"""The CSV that lies beside the files of packs: one row per file, for the person who uploads them."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

COLUMNS = ("sku", "file", "sha256", "width", "height", "bytes", "verdict", "entry", "refused", "reasons")
# A spreadsheet would run a cell that begins like a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One file of a pack, or one pack that could not be made (then `refused` has the code and file is empty).

    reasons: codes of the check's findings, apart by spaces. entry: the number of the derivative.linked entry, empty where nothing was registered.
    """

    sku: str
    file: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    size_bytes: int = 0
    verdict: str = ""
    entry: str = ""
    refused: str = ""
    reasons: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row in the order of COLUMNS; figures of a file that does not exist are empty."""
        figures = (self.width, self.height, self.size_bytes) if self.file else ("", "", "")
        cells = (self.sku, self.file, self.sha256, *figures, self.verdict, self.entry, self.refused, self.reasons)
        return tuple(_safe(str(cell)) for cell in cells)


def format_summary(rows: Iterable[SummaryRow]) -> bytes:
    """CSV with a header, UTF-8 with the mark that spreadsheets need to see it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(row.cells() for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
