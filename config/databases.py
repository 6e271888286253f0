"""Database settings: SQLite with full durability by default, PostgreSQL from a URL.

The SQLite options are the ones that answered no error under eight concurrent writers; synchronous=FULL because a
receipt means durable (docs/adr/0011-durability.md).
"""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from config.env import SettingError

VARIABLE = "ORIGINMARK_DATABASE_URL"
EXAMPLE = "it should look like postgresql://user:password@host:5432/name"

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=134217728; "
    "PRAGMA journal_size_limit=27103364; PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY;"
)


def sqlite_settings(path: Path) -> dict[str, Any]:
    """DATABASES entry for one SQLite file; writers queue at BEGIN for up to 20 s instead of failing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": 60,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": SQLITE_PRAGMAS},
    }


def parse_database_url(url: str) -> dict[str, Any]:
    """DATABASES entry for postgresql://user:password@host:port/name?sslmode=...; anything else stops the start.

    What follows the question mark goes to libpq as it is, which refuses names that it does not know.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message may show the password
        raise SettingError(VARIABLE, f"is not a URL; {EXAMPLE}") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise SettingError(VARIABLE, f"names no PostgreSQL database; {EXAMPLE}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query, keep_blank_values=True)),
    }
