"""Writing the same columns of many rows at once, under the ORM.

bulk_update() builds one CASE per column and row, which cost 4 ms a picture, more than all else a worker's parent
process does for it; a prepared UPDATE per row costs 0.2 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


def update_columns(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Save the named fields of rows of one model, each row by its primary key."""
    if not rows:
        return
    meta = rows[0]._meta
    quote = connection.ops.quote_name
    fields: list[Any] = [meta.get_field(name) for name in names]
    key: Any = meta.pk
    assignments = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    sql = f"UPDATE {quote(meta.db_table)} SET {assignments} WHERE {quote(key.column)} = %s"  # noqa: S608
    values = [
        [*(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields), row.pk] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)
