"""Start-up checks: a receipt means durable, and the log's triggers are in place, or the site says so at the start."""

from __future__ import annotations

import pytest
from django.core.checks import Error, run_checks
from django.db import connection

from ledger import append_only
from ledger.system_checks import _check_postgresql, check_append_only, check_durability

pytestmark = pytest.mark.django_db

sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="settings of SQLite")
postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="settings of PostgreSQL")


def codes(check) -> list[str]:
    problems = check(databases=["default"])
    assert all(isinstance(problem, Error) and problem.hint for problem in problems)
    return [problem.id for problem in problems]


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_site_as_it_is_shipped_has_no_problem():
    assert codes(check_durability) == []
    assert codes(check_append_only) == []


def test_both_run_with_the_database_checks():
    assert not [problem for problem in run_checks(databases=["default"]) if str(problem.id).startswith("ledger.")]


def test_without_a_database_named_nothing_is_asked(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert check_durability() == check_append_only() == []


@sqlite
@pytest.mark.django_db(transaction=True)
def test_e001_sqlite_without_a_write_ahead_log():
    execute("PRAGMA journal_mode = DELETE")
    try:
        assert codes(check_durability) == ["ledger.E001"]
    finally:
        execute("PRAGMA journal_mode = WAL")


@sqlite
@pytest.mark.django_db(transaction=True)
def test_e002_sqlite_that_does_not_wait_for_the_disk():
    execute("PRAGMA synchronous = NORMAL")
    try:
        assert codes(check_durability) == ["ledger.E002"]
    finally:
        execute("PRAGMA synchronous = FULL")


@postgresql
def test_e002_postgresql_that_does_not_wait_for_the_disk():
    execute("SET LOCAL synchronous_commit = off")
    assert codes(check_durability) == ["ledger.E002"]


class Server:
    """A cursor on a PostgreSQL whose settings are these: fsync and full_page_writes need a restart to change."""

    def __init__(self, **settings: str) -> None:
        self.settings = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"} | settings

    def execute(self, statement: str) -> None:
        self.asked = statement.removeprefix("SHOW ")

    def fetchone(self) -> tuple[str]:
        return (self.settings[self.asked],)


@pytest.mark.parametrize(
    ("setting", "code"),
    [("fsync", "ledger.E001"), ("synchronous_commit", "ledger.E002"), ("full_page_writes", "ledger.E004")],
)
def test_each_setting_of_postgresql_has_its_code(setting, code):
    assert [problem.id for problem in _check_postgresql(Server(**{setting: "off"}))] == [code]


def test_e003_names_the_triggers_that_are_missing():
    append_only.remove(connection)
    (problem,) = check_append_only(databases=["default"])
    assert problem.id == "ledger.E003"
    for name in append_only.missing(connection):
        assert name in problem.msg


@postgresql
def test_e003_a_trigger_that_does_not_fire_always_counts_as_missing():
    execute("ALTER TABLE ledger_entry ENABLE TRIGGER ledger_entry_no_change")
    assert codes(check_append_only) == ["ledger.E003"]


def test_e003_waits_for_the_tables(monkeypatch):
    monkeypatch.setattr(connection.introspection, "table_names", list)
    append_only.remove(connection)
    assert codes(check_append_only) == []
