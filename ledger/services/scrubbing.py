"""Removing what a database and the disk still hold of rows that were erased.

SQLite: VACUUM writes the whole file anew and the write-ahead log is emptied, so no page keeps an old row. PostgreSQL:
VACUUM FULL writes the tables anew; its write-ahead log, replicas and base backups are beyond a client's reach, which
docs/trust.md says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import OperationalError, connection, models

logger = logging.getLogger(__name__)


def forget_deleted_rows() -> None:
    """From now on this SQLite connection overwrites what it deletes with zeros."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete=ON")


def rewrite_tables(tables: Iterable[type[models.Model]]) -> bool:
    """Write the tables anew so that nothing of changed rows is left in them; False when it has to be tried again.

    Takes as long as copying the tables does, and other writers wait meanwhile. Never inside a transaction.
    """
    if connection.in_atomic_block:
        return False
    try:
        return _rewrite_sqlite() if connection.vendor == "sqlite" else _rewrite_postgresql(tables)
    except OperationalError as error:  # another connection holds a lock for long
        logger.warning("the database could not be rewritten after an erasure yet: %s", str(error).strip())
        return False


def _rewrite_sqlite() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA temp_store=FILE")  # the copy may be larger than memory
        try:
            cursor.execute("VACUUM")
        finally:
            cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = cursor.fetchone()[0]
    return not busy


def _rewrite_postgresql(tables: Iterable[type[models.Model]]) -> bool:
    with connection.cursor() as cursor:
        for table in tables:
            # ANALYZE: the planner's statistics keep samples of columns.
            cursor.execute(f"VACUUM (FULL, ANALYZE) {connection.ops.quote_name(table._meta.db_table)}")
    return True
