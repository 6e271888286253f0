"""Database triggers that make the log, and the record of downloads, append-only on SQLite and PostgreSQL.

They stop accidents: a wrong query, a careless migration. A hostile owner of the database can drop them; what he then
rewrites disagrees with signed checkpoints and with every proof already handed out.

Altering a table on SQLite rebuilds it and silently drops its triggers, so a start-up check counts them (ledger.E003)
and every migration that touches these tables must call install() again.
"""

from typing import Any

TABLES = ("ledger_entry", "ledger_treenode", "ledger_checkpoint")

# The record of downloads: nothing is changed or deleted, except that an erased person is forgotten.
ACCESS = "ledger_accessrecord"
EPOCH = "ledger_pastepoch"  # an ended log stays ended
ACCESS_FIXED = ("id", "seller_id", "token", "kind", "number", "at")

SQLITE = [
    *(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in TABLES
        for verb in ("UPDATE", "DELETE")
    ),
    # Also stops INSERT OR REPLACE, which would delete a row without firing a DELETE trigger.
    "CREATE TRIGGER ledger_entry_no_gap BEFORE INSERT ON ledger_entry "
    "WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entry) "
    "BEGIN SELECT RAISE(ABORT, 'ledger_entry must grow by one'); END",
    "CREATE TRIGGER ledger_checkpoint_no_gap BEFORE INSERT ON ledger_checkpoint "
    "WHEN NEW.tree_size <= (SELECT COALESCE(MAX(tree_size), 0) FROM ledger_checkpoint) "
    "BEGIN SELECT RAISE(ABORT, 'ledger_checkpoint must grow'); END",
    "CREATE TRIGGER ledger_treenode_no_gap BEFORE INSERT ON ledger_treenode "
    'WHEN NEW."index" IS NOT (SELECT COALESCE(MAX("index") + 1, 0) FROM ledger_treenode WHERE level = NEW.level) '
    "BEGIN SELECT RAISE(ABORT, 'ledger_treenode must grow by one'); END",
    *(
        f"CREATE TRIGGER {EPOCH}_no_{verb.lower()} BEFORE {verb} ON {EPOCH} "
        f"BEGIN SELECT RAISE(ABORT, '{EPOCH} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    f"CREATE TRIGGER {ACCESS}_no_update BEFORE UPDATE ON {ACCESS} "
    "WHEN NEW.actor_id IS NOT NULL OR (NEW.address IS NOT NULL AND NEW.address IS NOT OLD.address) OR "
    + " OR ".join(f'NEW."{column}" IS NOT OLD."{column}"' for column in ACCESS_FIXED)
    + f" BEGIN SELECT RAISE(ABORT, '{ACCESS} is append-only'); END",
    f"CREATE TRIGGER {ACCESS}_no_delete BEFORE DELETE ON {ACCESS} "
    f"BEGIN SELECT RAISE(ABORT, '{ACCESS} is append-only'); END",
]
SQLITE_NAMES = sorted(statement.split()[2] for statement in SQLITE)

POSTGRESQL_FUNCTIONS = [
    "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    "CREATE OR REPLACE FUNCTION ledger_entry_grows() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN IF NEW.seq IS DISTINCT FROM (SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entry) "
    "THEN RAISE EXCEPTION 'ledger_entry must grow by one'; END IF; RETURN NEW; END $$",
    "CREATE OR REPLACE FUNCTION ledger_checkpoint_grows() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN IF NEW.tree_size <= (SELECT COALESCE(MAX(tree_size), 0) FROM ledger_checkpoint) "
    "THEN RAISE EXCEPTION 'ledger_checkpoint must grow'; END IF; RETURN NEW; END $$",
    "CREATE OR REPLACE FUNCTION ledger_treenode_grows() RETURNS trigger LANGUAGE plpgsql AS "
    '$$ BEGIN IF NEW."index" IS DISTINCT FROM '
    '(SELECT COALESCE(MAX("index") + 1, 0) FROM ledger_treenode WHERE level = NEW.level) '
    "THEN RAISE EXCEPTION 'ledger_treenode must grow by one'; END IF; RETURN NEW; END $$",
    "CREATE OR REPLACE FUNCTION ledger_access_forgets() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN IF NEW.actor_id IS NOT NULL OR (NEW.address IS NOT NULL AND NEW.address IS DISTINCT FROM OLD.address) OR "
    + " OR ".join(f'NEW."{column}" IS DISTINCT FROM OLD."{column}"' for column in ACCESS_FIXED)
    + f" THEN RAISE EXCEPTION '{ACCESS} is append-only'; END IF; RETURN NEW; END $$",
]
POSTGRESQL = (
    [
        (f"{table}_{name}", table, f"BEFORE {event} ON {table} FOR EACH {level} EXECUTE FUNCTION {function}()")
        for table in TABLES
        for name, event, level, function in (
            ("no_change", "UPDATE OR DELETE", "ROW", "ledger_refuse_change"),
            ("no_truncate", "TRUNCATE", "STATEMENT", "ledger_refuse_change"),
            ("no_gap", "INSERT", "ROW", f"{table}_grows"),
        )
    ]
    + [
        (
            f"{EPOCH}_{name}",
            EPOCH,
            f"BEFORE {event} ON {EPOCH} FOR EACH {level} EXECUTE FUNCTION ledger_refuse_change()",
        )
        for name, event, level in (("no_change", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT"))
    ]
    + [
        (f"{ACCESS}_{name}", ACCESS, f"BEFORE {event} ON {ACCESS} FOR EACH {level} EXECUTE FUNCTION {function}()")
        for name, event, level, function in (
            ("no_update", "UPDATE", "ROW", "ledger_access_forgets"),
            ("no_delete", "DELETE", "ROW", "ledger_refuse_change"),
            ("no_truncate", "TRUNCATE", "STATEMENT", "ledger_refuse_change"),
        )
    ]
)


def install(connection: Any) -> None:
    """Create every trigger of the tables that there are; they must not exist yet."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        if connection.vendor == "sqlite":
            for statement in SQLITE:
                if _table_of(statement) in tables:
                    cursor.execute(statement)
            return
        for statement in POSTGRESQL_FUNCTIONS:
            cursor.execute(statement)
        for name, table, rest in POSTGRESQL:
            if table not in tables:
                continue
            cursor.execute(f"CREATE TRIGGER {name} {rest}")
            # ALWAYS: they fire for replicated and session_replication_role changes too.
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def _table_of(statement: str) -> str:
    """Of CREATE TRIGGER name BEFORE event ON table ..."""
    return statement.split(" ON ", 1)[1].split()[0]


def remove(connection: Any) -> None:
    """Drop every trigger: for reversing a migration, and for emptying a test database."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in SQLITE_NAMES:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            return
        for name, table, _rest in POSTGRESQL:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def missing(connection: Any) -> list[str]:
    """Names of the triggers that are not there, or (PostgreSQL) not set to fire always."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            wanted = SQLITE_NAMES
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgenabled = 'A'")
            wanted = [name for name, _table, _rest in POSTGRESQL]
        present = {row[0] for row in cursor.fetchall()}
    return [name for name in wanted if name not in present]
