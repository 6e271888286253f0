"""The role-and-tenant matrix: every URL of the site, asked by everybody who could ask.

Each app has a table in tests/matrix/ with one row per URL name. A URL without a row fails here, and so does any answer
other than the row's: strangers to the site are sent to sign in, a missing role is 403, an object of another seller is
404 with the very body of a missing one, a wrong method is 405.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from ledger.accounts.models import Membership, Role, Scope, Seller, User
from ledger.accounts.numbers import new_number, parse_number
from ledger.accounts.permissions import PERMISSIONS
from ledger.accounts.tokens import NEEDS, create_token
from tests.matrix.rows import EVERYBODY, OWNER, ApiRow, LibraryRow, Row, StaffRow, World
from tests.matrix.world import ROWS, TABLES, make_world

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANONYMOUS, STRANGER, LONER = "anonymous", "another seller's owner", "person without a seller"
SIGN_IN, PROFILE = "/accounts/login/", "/account/"


def walk(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            assert pattern.name, f"give the URL {pattern.pattern} a name"
            yield namespace + pattern.name, pattern
        else:
            yield from walk(pattern, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)


def known_urls() -> dict[str, URLPattern]:
    return dict(walk(get_resolver()))


def test_every_url_has_a_row():
    missing = sorted(known_urls().keys() - ROWS.keys())
    advice = "\n".join(f'    ROWS["{name}"] = page(EVERYBODY)' for name in missing)
    assert not missing, f"say who may open these URLs, in tests/matrix/<app>.py (see rows.py for the words):\n{advice}"


def test_every_row_has_a_url():
    assert not ROWS.keys() - known_urls().keys()


def test_no_name_stands_in_two_tables():
    assert sum(len(table) for table in TABLES) == len(ROWS)


def test_exactly_the_public_rows_skip_the_sign_in():
    public = {name for name, pattern in known_urls().items() if not getattr(pattern.callback, "login_required", True)}
    assert public == {name for name, row in ROWS.items() if row.public}


@pytest.fixture
def world(log) -> World:
    return make_world()


def signed_in(user: User | None = None) -> Client:
    client = Client(headers={"accept-language": "en"})
    if user is not None:
        client.force_login(user)
    return client


def names(kind: type[Row] | type[LibraryRow] | type[ApiRow] | type[StaffRow]) -> list[str]:
    return sorted(name for name, row in ROWS.items() if isinstance(row, kind))


class Asker:
    """Asks one URL as one person after another; whatever a request changes is undone before the next."""

    def __init__(self, name: str, row: Row, world: World) -> None:
        self.name, self.row, self.world = name, row, world
        self.kwargs = row.make(world) if row.make else {}
        self.problems: list[str] = []

    def ask(self, user: User | None, method: str, kwargs: Mapping[str, Any] | None = None) -> Any:
        data = self.row.data(self.world) if callable(self.row.data) else self.row.data
        url = reverse(self.name, kwargs=dict(self.kwargs if kwargs is None else kwargs))
        client = signed_in(user)
        with transaction.atomic():
            response = client.generic(method, url) if method not in ("GET", "POST") else None
            if method == "GET":
                response = client.get(url, self.row.query)
            elif method == "POST":
                response = client.post(url, data or {})
            transaction.set_rollback(True)
        return response

    def expect(self, who: str, method: str, response: Any, status: int, target: str = "") -> None:
        answer = f"{response.status_code} {response.get('Location', '')}".strip()
        if response.status_code != status or not response.get("Location", "").startswith(target):
            self.problems.append(f"{method} as {who}: expected {status} {target}".rstrip() + f", got {answer}")


def missing(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments with the first one, which finds the object, naming nothing."""
    key, value = next(iter(kwargs.items()))
    absent: object = "unknown"
    if isinstance(value, int):
        absent = 10**9
    elif isinstance(value, uuid.UUID):
        absent = uuid.uuid4()
    elif parse_number(value):
        absent = new_number()
    return {**kwargs, key: absent}


@pytest.mark.parametrize("name", names(Row))
def test_row(name, world):
    row = ROWS[name]
    assert isinstance(row, Row)
    asker = Asker(name, row, world)
    owner = world.people[OWNER]
    for method, ok in row.answers.items():
        roles = row.roles[method]
        ask_members(asker, method, roles, ok)
        ask_outsiders(asker, method, roles, ok)
        if row.make:
            absent = asker.ask(owner, method, missing(asker.kwargs))
            asker.expect("owner, for a missing object", method, absent, 404)
            if roles is not None and not row.shared:
                foreign = asker.ask(world.stranger, method)
                assert foreign.content == absent.content, "a foreign object must look exactly like a missing one"
    for method in METHODS:
        if method not in row.answers:
            asker.expect("owner", method, asker.ask(owner, method), 405)
    assert not asker.problems, f"{name}:\n" + "\n".join(asker.problems)


def ask_members(asker: Asker, method: str, roles: frozenset[str] | None, ok: int) -> None:
    for role in sorted(EVERYBODY):
        may = roles is None or role in roles
        asker.expect(role, method, asker.ask(asker.world.people[role], method), ok if may else 403)


def ask_outsiders(asker: Asker, method: str, roles: frozenset[str] | None, ok: int) -> None:
    row, world = asker.row, asker.world
    anonymous = asker.ask(None, method)
    asker.expect(ANONYMOUS, method, anonymous, ok if row.public else 302, "" if row.public else SIGN_IN)
    stranger = asker.ask(world.stranger, method)
    loner = asker.ask(world.loner, method)
    if roles is None:
        asker.expect(STRANGER, method, stranger, ok)
        asker.expect(LONER, method, loner, ok)
        return
    # Without a seller's object in the URL the stranger sees the same page of the own seller.
    is_foreign = row.make is not None and not row.shared
    asker.expect(STRANGER, method, stranger, 404 if is_foreign else ok if OWNER in roles else 403)
    if is_foreign:
        asker.expect("site staff", method, asker.ask(world.staff, method), 404)
    if not (is_foreign and loner.status_code == 404):
        asker.expect(LONER, method, loner, 302, PROFILE)


@pytest.mark.parametrize("name", names(LibraryRow))
def test_library_row(name, world):
    row = ROWS[name]
    assert isinstance(row, LibraryRow)
    url = reverse(name, kwargs=dict(row.kwargs))
    anonymous = signed_in().get(url)
    assert anonymous.status_code == row.anonymous
    if not row.public:
        assert anonymous["Location"].startswith(SIGN_IN)
    for user in (*world.people.values(), world.loner):
        assert signed_in(user).get(url).status_code == row.signed_in, user.email


def bearer(seller: Seller, maker: User, scopes: list[str]) -> dict[str, str]:
    """Headers with a token that the person has; who may not make tokens was an owner when it was made."""
    role = Membership.objects.get(user=maker, seller=seller).role
    Membership.objects.filter(user=maker, seller=seller).update(role=Role.OWNER)
    new = create_token(actor=maker, seller=seller, name="matrix", scopes=scopes, days=30)
    Membership.objects.filter(user=maker, seller=seller).update(role=role)
    return {"authorization": f"Bearer {new.secret}"}


@pytest.mark.parametrize("name", names(ApiRow))
def test_api_row(name, world):
    row = ROWS[name]
    assert isinstance(row, ApiRow)
    kwargs = dict(row.make(world)) if row.make else {}
    url = reverse(name, kwargs=kwargs)
    owner = world.people[OWNER]
    every = list(Scope.values)

    def ask(method: str, headers: Mapping[str, str], user: User | None = None, at: str = url) -> Any:
        with transaction.atomic():
            response = signed_in(user).generic(method, at, headers=dict(headers))
            transaction.set_rollback(True)
        return response

    mine, theirs = bearer(world.seller, owner, every), bearer(world.other_seller, world.stranger, every)
    for method, scope in row.scopes.items():
        assert ask(method, {}).status_code == 401
        assert ask(method, {}, owner).status_code == 401, "a session counts for nothing"
        assert ask(method, {"authorization": "Bearer omk_" + "x" * 43}).status_code == 401
        narrow = [other for other in every if other != scope]
        assert ask(method, bearer(world.seller, owner, narrow)).status_code == 403
        for role in EVERYBODY:
            may = NEEDS[Scope(scope)] in PERMISSIONS[role]
            answer = ask(method, bearer(world.seller, world.people[role], every)).status_code
            if name != "ledger:api_original_file":  # also needs the right to exact files: test_api.py
                assert (answer == 403) is not may, f"{method} as {role}: {answer}"
        if row.make:
            absent = ask(method, mine, at=reverse(name, kwargs=missing(kwargs)))
            foreign = ask(method, theirs)
            assert absent.status_code == foreign.status_code == 404
            assert foreign.content == absent.content
    for method in METHODS:
        if method not in row.scopes:
            refused = ask(method, mine)
            assert refused.status_code == 405
            assert refused["Allow"] == ", ".join(row.scopes)


@pytest.mark.parametrize("name", names(StaffRow))
def test_staff_row(name, world):
    row = ROWS[name]
    assert isinstance(row, StaffRow)
    asker = Asker(name, Row(row.answers, {}, make=row.make, data=row.data), world)
    staff = world.staff
    for method, ok in row.answers.items():
        asker.expect("site staff", method, asker.ask(staff, method), ok)
        asker.expect(ANONYMOUS, method, asker.ask(None, method), 302, SIGN_IN)
        for person in (*world.people.values(), world.stranger, world.loner):
            asker.expect(person.email, method, asker.ask(person, method), 403)
        if row.make:
            absent = asker.ask(staff, method, missing(asker.kwargs))
            asker.expect("site staff, for a missing object", method, absent, 404)
    assert not asker.problems, f"{name}:\n" + "\n".join(asker.problems)


def test_deactivated_person_is_a_stranger(world):
    client = signed_in(world.people[OWNER])
    User.objects.filter(pk=world.people[OWNER].pk).update(is_active=False)
    assert client.get(PROFILE)["Location"].startswith(SIGN_IN)
