"""The rows of an append, written and read under the ORM: the one place where Django would cost more than the disk.

An append locks the head, adds its entries, tree nodes and statements with one statement per table, and writes the head
back. Triggers and constraints are the database's and hold here as everywhere; nothing is checked less than before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection

from ledger.models import Entry, LogHead, Statement, TreeNode

# Values in one statement: PostgreSQL takes 65,535, SQLite 32,766; longer ones gain nothing.
MAX_VALUES = 6000
_HEAD_FIELDS = [field.attname for field in LogHead._meta.concrete_fields]
_ENTRY_FIELDS = [field.attname for field in Entry._meta.concrete_fields]
_NODE_FIELDS = ["level", "index", "hash"]
_STATEMENT_FIELDS = [field.attname for field in Statement._meta.concrete_fields if not field.primary_key]
_STATEMENT_ALL = [field.attname for field in Statement._meta.concrete_fields]
_ID, _ENTRY_ID = _STATEMENT_ALL.index("id"), _STATEMENT_FIELDS.index("entry_id")
_LOGGED_AT = _STATEMENT_FIELDS.index("logged_at")

Row = Sequence[Any]


def locked_head() -> LogHead | None:
    """The head, locked until the transaction ends (on SQLite the transaction holds the write lock already)."""
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, _HEAD_FIELDS))
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(LogHead._meta.db_table)} WHERE id = 1{lock}")  # noqa: S608
        row = cursor.fetchone()
    return None if row is None else LogHead.from_db(connection.alias, _HEAD_FIELDS, row)


def write_head(head: LogHead) -> None:
    """Store what an append changed of the head."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_loghead SET size = %s, prev = %s, frontier = %s, last_ms = %s WHERE id = 1",
            [head.size, bytes(head.prev), bytes(head.frontier), head.last_ms],
        )


def insert_log_rows(entries: Sequence[Row], nodes: Sequence[Row]) -> None:
    """Add entries (seq, body, leaf hash) and tree nodes (level, index, hash), in order."""
    with connection.cursor() as cursor:
        _insert(cursor, Entry._meta.db_table, _ENTRY_FIELDS, entries)
        _insert(cursor, TreeNode._meta.db_table, _NODE_FIELDS, nodes)


def insert_statements(rows: Sequence[dict[str, Any]]) -> list[Statement]:
    """Add statements, given by column; fields left out are null. Returns them as saved, in order."""
    values = [[row.get(name) for name in _STATEMENT_FIELDS] for row in rows]
    stored = [[*value] for value in values]
    for value in stored:
        value[_LOGGED_AT] = connection.ops.adapt_datetimefield_value(value[_LOGGED_AT])
    with connection.cursor() as cursor:
        pairs = _insert(cursor, Statement._meta.db_table, _STATEMENT_FIELDS, stored, ("entry_id", "id"))
    numbers = dict(pairs)
    for value in values:
        value.insert(_ID, numbers[value[_ENTRY_ID]])
    return [Statement.from_db(connection.alias, _STATEMENT_ALL, value) for value in values]


def entry_of(row: Row) -> Entry:
    """The entry of a row just inserted, without reading it again."""
    return Entry.from_db(connection.alias, _ENTRY_FIELDS, row)


def _insert(
    cursor: Any, table: str, columns: Sequence[str], rows: Sequence[Row], returning: tuple[str, ...] = ()
) -> list[Any]:
    """Insert rows with as few statements as they need; what RETURNING gave, in no particular order."""
    found: list[Any] = []
    for portion in _portions(rows, MAX_VALUES // len(columns)):
        sql = _insert_sql(connection.vendor, table, tuple(columns), len(portion), returning)
        cursor.execute(sql, [value for row in portion for value in row])
        if returning:
            found += cursor.fetchall()
    return found


def _portions(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@lru_cache(maxsize=256)
def _insert_sql(vendor: str, table: str, columns: tuple[str, ...], count: int, returning: tuple[str, ...]) -> str:
    quote = connection.ops.quote_name
    one = f"({', '.join(['%s'] * len(columns))})"
    names, ends = ", ".join(map(quote, columns)), f" RETURNING {', '.join(map(quote, returning))}" if returning else ""
    return f"INSERT INTO {quote(table)} ({names}) VALUES {', '.join([one] * count)}{ends}"  # noqa: S608
