"""Ten thousand guessed numbers: nothing of another seller comes back."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.http import Http404, HttpRequest
from django.test import RequestFactory
from django.urls import resolve, reverse

from ledger.accounts.middleware import Desk
from ledger.accounts.models import Scope
from ledger.accounts.numbers import ALPHABET, LENGTH
from ledger.accounts.tokens import create_token
from tests.factories import register_one
from tests.matrix.rows import ApiRow, Row
from tests.matrix.world import ROWS

GUESSES = 10_000
ODD = ["0" * LENGTH, "'; --", "%00", "..%2f..%2fetc", "\u202e", "１２３４", "-1", "1e9", "null", "A" * 300]


def routes() -> list[tuple[str, str]]:
    """(name, kind of argument) of every GET route that finds one object of a seller by one argument."""
    found = []
    for name, row in sorted(ROWS.items()):
        if not isinstance(row, (Row, ApiRow)) or not row.make or getattr(row, "shared", False) or row.public is None:
            continue
        methods = row.scopes if isinstance(row, ApiRow) else row.answers
        if "GET" not in methods or (isinstance(row, Row) and (row.public or row.roles["GET"] is None)):
            continue
        for argument in ("number", "public_id"):
            value = uuid.UUID(int=0) if argument == "public_id" else "x"
            try:
                reverse(name, kwargs={argument: value})
            except Exception:  # noqa: BLE001, S112 - a route of another shape
                continue
            found.append((name, argument))
    return found


def guess(chance: random.Random, argument: str) -> Any:
    if argument == "public_id":
        return uuid.UUID(int=chance.getrandbits(128), version=4)
    if chance.random() < 0.02:
        return chance.choice(ODD)
    return "".join(chance.choice(ALPHABET) for _ in range(LENGTH))


def desk_of(user: Any) -> Desk:
    request: HttpRequest = RequestFactory().get("/")
    request.user, request.session = user, SessionStore()
    return Desk(request)


def ask(user: Any, desk: Desk, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """The view itself with everything it reads of a request; what the 404 page says is the same for all (test_matrix.py)."""
    request: HttpRequest = RequestFactory(headers=headers).get(url)
    request.user, request.session, request.htmx = user, SessionStore(), False  # type: ignore[attr-defined]
    request.desk = desk  # type: ignore[attr-defined]
    found = resolve(request.path_info)
    try:
        response = found.func(request, *found.args, **found.kwargs)
    except Http404:
        return 404, b""
    return response.status_code, response.content


@pytest.mark.timeout(900)  # half a minute of computing; on a machine with much else to do it takes its time
def test_ten_thousand_guessed_numbers_find_nothing(log, seller, alice, mallory, other_seller):
    """Seeded: the same guesses every time. The seller has an original whose name must be in no answer."""
    register_one(seller)
    token = create_token(actor=mallory, seller=other_seller, name="guess", scopes=list(Scope.values), days=30)
    headers = {"authorization": f"Bearer {token.secret}"}
    chance = random.Random(20260105)
    desk = desk_of(mallory)
    names = routes()
    assert len(names) > 20
    wrong: list[str] = []
    bodies: dict[bool, set[bytes]] = {True: set(), False: set()}
    for turn in range(GUESSES):
        name, argument = names[turn % len(names)]
        url = reverse(name, kwargs={argument: guess(chance, argument)})
        status, body = ask(mallory, desk, url, headers)
        bodies[isinstance(ROWS[name], ApiRow)].add(body)
        if status != 404:
            wrong.append(f"{url}: {status}")
    assert not wrong
    assert all(len(found) == 1 for found in bodies.values()), "every 404 of a kind has the same body"
