"""Removing what a database and the disk still hold of rows that were erased.

SQLite: VACUUM writes the whole file anew and the write-ahead log is emptied, so no page keeps an old row. PostgreSQL:
VACUUM FULL writes the tables anew; its write-ahead log, replicas and base backups are beyond a client's reach, which
docs/trust.md says.
"""

from __future__ import annotations

import logging
import re
import time
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
    return all(_rewritten(table._meta.db_table) for table in tables)


def _rewritten(table: str) -> bool:
    """Whether no old row is left in the table.

    VACUUM succeeds even where it had to keep dead rows, which it does while any other session of the database has an
    older snapshot: a slow reader, or a client that was killed and whose session the server has yet to notice.
    """
    for pause in (0.0, 0.2, 0.5, 1.0, 2.0, 4.0):
        time.sleep(pause)
        if not _dead_rows_kept(table):
            return True
    logger.warning("table %s keeps rows of an erasure while an older session reads them", table)
    return False


def _dead_rows_kept(table: str) -> int:
    details: list[str] = []
    with connection.cursor() as cursor:
        session = cursor.connection
        listen = lambda diagnostic: details.append(diagnostic.message_detail or "")  # noqa: E731
        session.add_notice_handler(listen)
        try:
            # Everybody who comes later queues behind a request for the whole table, so it waits for a moment only.
            cursor.execute("SET lock_timeout = '2s'")
            # ANALYZE: the planner's statistics keep samples of columns.
            cursor.execute(f"VACUUM (FULL, ANALYZE, VERBOSE) {connection.ops.quote_name(table)}")
        finally:
            cursor.execute("RESET lock_timeout")
            session.remove_notice_handler(listen)
    # The first number of the details, in every language of the server: "12 dead row versions cannot be removed yet."
    return max((int(found[0]) for detail in details if (found := re.match(r"\D*(\d+)", detail))), default=0)
