"""Who may do what on the compliance pages. One line per URL name; tests/matrix/rows.py explains the words."""

from __future__ import annotations

from tests.matrix.rows import AnyRow

ROWS: dict[str, AnyRow] = {}
