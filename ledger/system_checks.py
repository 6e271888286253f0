"""Start-up checks with stable ids: the log is only safe on a database that keeps what it acknowledged."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from ledger import append_only
from ledger.services.keys import unprotected

SQLITE_FULL = 2


@register(Tags.database)
def check_durability(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A receipt means durable: refuse settings under which COMMIT returns before the bytes are safe."""
    if not databases:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            return _check_sqlite(cursor)
        return _check_postgresql(cursor)


def _value(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


def _check_sqlite(cursor: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if _value(cursor, "PRAGMA journal_mode") not in ("wal", "memory"):
        problems.append(
            Error("SQLite does not run in WAL mode.", hint="Keep the database on a local disk.", id="ledger.E001")
        )
    if _value(cursor, "PRAGMA synchronous") < SQLITE_FULL:
        problems.append(Error("SQLite runs without synchronous=FULL.", hint="See docs/trust.md.", id="ledger.E002"))
    return problems


def _check_postgresql(cursor: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    settings = (("fsync", "ledger.E001"), ("synchronous_commit", "ledger.E002"), ("full_page_writes", "ledger.E004"))
    for name, check_id in settings:
        if _value(cursor, f"SHOW {name}") == "off":
            hint = f"Set {name} = on in postgresql.conf."
            problems.append(Error(f"PostgreSQL runs with {name} = off.", hint=hint, id=check_id))
    return problems


@register(Tags.database)
def check_append_only(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The triggers that refuse changes to the log must be there once its tables are."""
    if not databases or "ledger_checkpoint" not in connection.introspection.table_names():
        return []
    names = append_only.missing(connection)
    if not names:
        return []
    hint = "A table was altered or restored without them; see docs/trust.md."
    return [Error(f"Append-only triggers are missing: {', '.join(names)}.", hint=hint, id="ledger.E003")]


@register(Tags.security)
def check_key_files(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Key files may lie unencrypted on one's own machine, but not unnoticed."""
    names = unprotected()
    if not names:
        return []
    hint = "Set ORIGINMARK_KEY_PASSPHRASE and run: manage.py new_key"
    return [checks.Warning(f"Key files are not encrypted: {', '.join(names)}.", hint=hint, id="ledger.W001")]
