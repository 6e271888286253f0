"""The rows of a batch in words: state, the most important reason, and the same as cells of a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from compliance.checks.codes import code_text
from compliance.models import CheckBatch, CheckItem, RunState
from ledger.accounts.numbers import format_number
from ledger.error_texts import error_text

STATES = {"PASSED": "passed", "FAILED": "failed", "INDETERMINATE": "unknown"}
COLUMNS = (
    "id",
    "main",
    "hidden",
    "category",
    "verdict",
    "reasons",
    "refused",
    "detail",
    "proof_number",
    "entry",
    "url",
)
FILTERS = ("passed", "failed", "unknown", "needs-you", "open")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row: state is a chip's; why are sentences, the most important first; codes are those of its findings."""

    item: CheckItem
    state: str
    why: tuple[str, ...]
    codes: tuple[str, ...]
    error_code: str

    @property
    def is_open(self) -> bool:
        return self.state in ("waiting", "running")


def batch_rows(batch: CheckBatch) -> list[BatchRow]:
    """All rows in their order, in the language that is active now; three queries whatever their number."""
    related = ("run__statement", "run__job", "run__hidden_image", "run__main_image")
    items = batch.items.select_related(*related).prefetch_related("run__findings")
    return [_row(item) for item in items]


def _row(item: CheckItem) -> BatchRow:
    run = item.run
    error = item.error_code or (run.error_code if run is not None else "")
    if error:
        return BatchRow(item, "needs-you", (error_text(error).title,), (), error)
    if run is None or run.state != RunState.DONE:
        return BatchRow(item, "waiting", (), (), "")
    codes = tuple(dict.fromkeys(finding.code for finding in run.findings.all()))
    why = tuple(gettext(code_text(code).title) for code in codes)
    return BatchRow(item, STATES.get(run.verdict, "unknown"), why, codes, "")


def filter_rows(rows: Sequence[BatchRow], state: str) -> list[BatchRow]:
    """Those in that state; everything for a state that does not exist."""
    if state not in FILTERS:
        return list(rows)
    return [row for row in rows if (row.is_open if state == "open" else row.state == state)]


def count_rows(rows: Sequence[BatchRow]) -> dict[str, int]:
    """How many rows are in each state of FILTERS."""
    return {state: len(filter_rows(rows, state)) for state in FILTERS}


def row_cells(row: BatchRow, url: str) -> list[str]:
    """The row in the order of COLUMNS."""
    item, run = row.item, row.item.run
    statement = run.statement if run is not None else None
    return [
        item.sku,
        item.main_name,
        item.hidden_name,
        item.category,
        run.verdict if run is not None and run.verdict else "INDETERMINATE",
        " ".join(row.codes),
        row.error_code,
        item.error_detail,
        format_number(run.number) if run is not None else "",
        str(statement.seq) if statement is not None else "",
        url,
    ]
