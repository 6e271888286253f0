"""People, sellers and a log of their own for every test.

alice owns the seller "acme"; bob views it; mallory owns another seller. Nothing touches ./data or ./keys: both
directories are temporary.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from django.conf import settings as django_settings
from django.contrib.auth.signals import user_logged_in
from django.db.backends.base.operations import BaseDatabaseOperations
from django.http import HttpRequest
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

from ledger import append_only
from ledger.accounts.models import Role, Seller, User
from ledger.models import LogHead
from ledger.services import jobs, pictures
from ledger.services.setup import create_log
from tests.factories import make_member, make_seller
from tests.journeys.server import CHROMIUM, FLAGS, needs_chromium
from tests.log_checks import check_log

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's own event loop runs in the test's thread


# Tests that start a program with a database of its own, and so ask pytest for none.
OWN_DATABASE = (
    "tests/config/",
    "tests/ledger/management/",
    "test_deploy.py",
    "tests/faults/",
    "test_setup.py",
    "test_checks_command.py",
)
LONGEST = ("journeys/test_first_day", "management/test_backup", "test_deploy.py", "journeys/test_many_skus")
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_setup"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the second run of CI: what never meets a database answers the same on every one."""
    parser.addoption("--only-database", action="store_true", help="leave out tests that use no database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files first: begun last, one would keep one process busy while the others have nothing left."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))
    if config.getoption("--only-database"):
        kept = [item for item in items if _meets_a_database(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def _meets_a_database(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    is_own = any(part in item.nodeid for part in OWN_DATABASE)
    return is_own or bool(
        {"django_db", "journey"} & marks or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
    )


@pytest.fixture(scope="session", autouse=True)
def _temporary_directories(tmp_path_factory: pytest.TempPathFactory) -> None:
    django_settings.DATA_DIR = tmp_path_factory.mktemp("data")
    django_settings.KEYS_DIR = tmp_path_factory.mktemp("keys")
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django_settings.STORAGES = django_settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_triggers() -> Iterator[None]:
    """Emptying the test database is the one documented way around the append-only triggers."""
    original = BaseDatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: BaseDatabaseOperations, sql_list: Iterable[str]) -> None:
        append_only.remove(self.connection)
        original(self, sql_list)
        append_only.install(self.connection)

    BaseDatabaseOperations.execute_sql_flush = execute_sql_flush  # type: ignore[method-assign]
    yield
    BaseDatabaseOperations.execute_sql_flush = original  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _own_directories(tmp_path: Path, settings) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.KEYS_DIR = tmp_path / "keys"


@pytest.fixture(autouse=True)
def _no_heartbeat_in_a_test_transaction(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's heartbeat is a connection of its own: inside a test's open transaction it cannot see the job's row, and
    would take a job of more than four seconds for one that was lost."""
    marker = request.node.get_closest_marker("django_db")
    if not (marker and marker.kwargs.get("transaction")) and "transactional_db" not in request.fixturenames:
        monkeypatch.setattr(jobs, "HEARTBEAT_S", 3600.0)


@pytest.fixture(scope="session", autouse=True)
def _close_pixel_pool() -> Iterator[None]:
    yield
    pictures.pixel_pool().close()


@pytest.fixture(scope="session", autouse=True)
def _signing_in_by_force_is_a_sign_in() -> Iterator[None]:
    """Client.force_login() leaves no record of how somebody signed in; here it counts as the password, just now."""

    def record(sender: type[User], request: HttpRequest, user: User, **kwargs: object) -> None:
        if not get_authentication_records(request, user):
            record_authentication(request, user, method="password")

    user_logged_in.connect(record)
    yield
    user_logged_in.disconnect(record)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, started once for a file of tests."""
    needs_chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def log(db) -> LogHead:
    """A fresh log with keys of its own."""
    return create_log()


@pytest.fixture
def seller(db) -> Seller:
    return make_seller("acme")


@pytest.fixture
def other_seller(db) -> Seller:
    return make_seller("rival")


@pytest.fixture
def alice(seller: Seller) -> User:
    return make_member("alice@example.org", seller, Role.OWNER)


@pytest.fixture
def bob(seller: Seller) -> User:
    return make_member("bob@example.org", seller, Role.VIEWER)


@pytest.fixture
def olga(seller: Seller) -> User:
    return make_member("olga@example.org", seller, Role.OPERATOR)


@pytest.fixture
def ivan(seller: Seller) -> User:
    return make_member("ivan@example.org", seller, Role.IP_MANAGER)


@pytest.fixture
def mallory(other_seller: Seller) -> User:
    return make_member("mallory@example.org", other_seller, Role.OWNER)


def _client(user: User | None = None) -> Client:
    client = Client(headers={"accept-language": "en"})
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def client_of():
    """client_of(user) signs that person in; client_of() is a stranger. Pages are in English."""
    return _client


@pytest.fixture
def assert_log_valid():
    """Rebuild the whole tree from storage and compare it with the head; call it after log operations."""
    return check_log
