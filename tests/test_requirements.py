"""docs/requirements.md is complete and names nothing that is not there: each requirement once, each proof a real test."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/requirements.md"
IDS = [*(f"S1-{number}" for number in range(1, 44)), *(f"S2-{number}" for number in range(1, 57))]
STATES = ("done", "equivalent", "shown", "cannot", "open")
NEED_PROOF = {"done", "equivalent"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row: tests as (file, function), benches as module names, docs as paths beside the page."""

    id: str
    asked: str
    state: str
    where: str
    last: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", self.last)

    @property
    def benches(self) -> list[str]:
        return re.findall(r"`python -m (tests\.bench\.\w+)`", self.last)

    @property
    def docs(self) -> list[str]:
        return re.findall(r"\]\(([^)#]+)", self.where)

    @property
    def remark(self) -> str:
        """What stands beside the proofs."""
        return re.sub(r"`(?:tests/[^`]*|python -m [^`]*)`(?:; |<br>)?", "", self.last).strip()


def read_rows(text: str) -> list[Requirement]:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:3] == "| S"]
    return [Requirement(*cells) for cells in rows if re.fullmatch(r"S[12]-\d+", cells[0])]


ROWS = read_rows(PAGE.read_text())


@cache
def collected_in(file: str) -> frozenset[str]:
    """Functions of a file that pytest collects; a parametrized one counts once, under its own name."""
    path = ROOT / file
    if not path.exists():
        return frozenset()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_"))


def test_every_requirement_stands_there_once_and_in_order():
    assert [row.id for row in ROWS] == IDS


def test_every_row_has_five_cells_and_words():
    assert all(row.asked and row.where for row in ROWS)


def test_every_state_is_one_of_five():
    assert {row.id: row.state for row in ROWS if row.state not in STATES} == {}


def test_every_test_named_exists():
    named = [(row.id, file, name) for row in ROWS for file, name in row.tests]
    assert len(named) > 150
    assert [(id_, f"{file}::{name}") for id_, file, name in named if name not in collected_in(file)] == []


def test_every_test_is_named_in_full():
    """As tests/FILE.py::NAME between back ticks, so that none is passed over here."""
    assert [row.id for row in ROWS if row.last.count("::") != len(row.tests)] == []


def test_every_measurement_named_exists():
    named = [(row.id, name) for row in ROWS for name in row.benches]
    assert named
    assert [(id_, name) for id_, name in named if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []


def test_every_row_leads_to_a_page_of_the_documentation():
    assert [row.id for row in ROWS if not row.docs] == []
    assert [(row.id, path) for row in ROWS for path in row.docs if not (PAGE.parent / path).exists()] == []


def test_what_is_called_done_is_proven():
    assert [row.id for row in ROWS if row.state in NEED_PROOF and not (row.tests or row.benches)] == []


def test_what_is_open_or_cannot_be_done_says_what_is_missing():
    assert [row.id for row in ROWS if row.state in ("open", "cannot") and not row.remark] == []


def test_the_table_at_the_top_counts_what_stands_below():
    for name, prefix in (("S1", "S1-"), ("S2", "S2-"), ("both", "S")):
        states = Counter(row.state for row in ROWS if row.id.startswith(prefix))
        figures = [*(states[state] for state in STATES), sum(states.values())]
        assert f"| {name} | {' | '.join(map(str, figures))} |" in PAGE.read_text()
