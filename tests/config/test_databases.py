"""Database settings: SQLite with full durability, PostgreSQL from a URL, and nothing by guess."""

from __future__ import annotations

import sqlite3

import pytest

from config.databases import parse_database_url, sqlite_settings
from config.env import SettingError


def test_a_url_becomes_settings():
    found = parse_database_url("postgresql://lin:sea%2Fgate@db.example:5433/om%20one")
    parts = {name: found[name] for name in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")}
    assert parts == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "om one",
        "USER": "lin",
        "PASSWORD": "sea/gate",
        "HOST": "db.example",
        "PORT": "5433",
    }


def test_encryption_asked_for_in_a_url_is_not_forgotten():
    found = parse_database_url("postgresql://h/db?sslmode=verify-full&sslrootcert=%2Fca.pem")
    assert found["OPTIONS"] == {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}


def test_what_a_url_leaves_out_is_left_to_postgresql():
    found = parse_database_url("postgres:///originmark")
    assert [found[name] for name in ("USER", "PASSWORD", "HOST", "PORT")] == [""] * 4


@pytest.mark.parametrize(
    "url",
    [
        "originmark",
        "mysql://u:secret@h/db",
        "sqlite:///db.sqlite3",
        "postgresql://u:secret@h",
        "postgresql://u:secret@h/",
        "postgresql://u:secret@h:port/db",
        "postgresql://[u:secret@h/db",
    ],
)
def test_a_malformed_url_stops_the_start_and_keeps_the_password(url):
    with pytest.raises(SettingError, match="ORIGINMARK_DATABASE_URL") as stopped:
        parse_database_url(url)
    assert "secret" not in str(stopped.value)


def test_sqlite_makes_writers_wait_and_keeps_what_it_acknowledged(tmp_path):
    found = sqlite_settings(tmp_path / "new" / "db.sqlite3")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    connection = sqlite3.connect(found["NAME"])
    for statement in found["OPTIONS"]["init_command"].split(";"):
        connection.execute(statement)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
