"""Ten thousand guessed numbers, and strings that hurt: nothing of another seller comes back, nothing runs in a page or sheet."""

from __future__ import annotations

import csv
import html
import io
import random
import uuid
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.http import Http404, HttpRequest
from django.test import RequestFactory
from django.urls import resolve, reverse

from ledger.accounts.middleware import Desk
from ledger.accounts.models import Role, Scope, Seller, Store, User
from ledger.accounts.numbers import ALPHABET, LENGTH
from ledger.accounts.services import rename_seller
from ledger.accounts.tokens import create_token
from ledger.models import AccessKind, Original, RightKind
from ledger.services.access_log import record_access
from ledger.services.originals import Upload, register_originals, rename_original
from ledger.services.papers import add_paper
from ledger.services.rights import RightFacts, record_right
from tests.factories import make_member, register_one
from tests.images import jpeg_bytes, product_photo
from tests.matrix.rows import ApiRow, Row
from tests.test_matrix import ROWS

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


# Strings that hurt -------------------------------------------------------------------------------------------------

HURT = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(2)</script>",
    "</textarea><script>alert(3)</script>",
    "javascript:alert(1)//<b>x</b>",
    "{{ 7*7 }}{% now %}<i>y</i>",
    "${7*7}<u>z</u>",
    "<a href='javascript:alert(4)'>k</a>",
    '=HYPERLINK("http://evil.example","x")<q>',
    "+1+1<q>",
    "-2+3<q>",
    "@SUM(A1)<q>",
    "＝1+1<q>",
    "a\u202egpj.exe<q>",
    "Ω≈ç√∫ 原证 <q>",
    "x" * 70 + "<q>",
]
SEARCHED = ("ledger:originals", "ledger:history", "compliance:find", "ledger:access_log")
PAGES = [
    "compliance:overview", "ledger:originals", "ledger:history", "ledger:rights", "accounts:team", "accounts:stores",
    "accounts:tokens", "accounts:profile", "ledger:papers", "ledger:access_log", "compliance:search",
    "compliance:checks", "compliance:catalogues", "ledger:sets", "ledger:register", "ledger:jobs", "ledger:erasures",
]  # fmt: skip


def world_of_hurt(alice: User, seller: Seller) -> list[str]:
    """Every string in every field that people fill in; returns the addresses of pages that show them."""
    photos = [Upload(f"{text.replace('/', '_')}.jpg", jpeg_bytes(product_photo(n))) for n, text in enumerate(HURT)]
    urls: list[str] = []
    for text, answer in zip(HURT, register_originals(actor=alice, seller=seller, uploads=photos), strict=True):
        assert answer.original is not None
        original = Original.objects.select_related("image", "seller").get(pk=answer.original.pk)
        rename_original(actor=alice, original=original, title=text, category="")
        facts = RightFacts(kind=RightKind.OTHER, title=text, registration_number=text, authority=text)
        right = record_right(actor=alice, seller=seller, facts=facts, numbers=[original.number])
        create_token(actor=alice, seller=seller, name=text, scopes=[Scope.READ], days=30)
        add_paper(actor=alice, seller=seller, kind="other", upload=Upload(text, b"%PDF-1.7"))
        Store.objects.create(seller=seller, marketplace="other", name=text, shop_id=text)
        colleague = make_member(f"n{len(urls)}@example.org", seller, Role.IP_MANAGER)
        User.objects.filter(pk=colleague.pk).update(name=text)
        record_access(actor=colleague, seller=seller, kind=AccessKind.ORIGINAL, number=original.number)
        urls += [reverse("ledger:original", args=[original.number]), reverse("ledger:right", args=[right.number])]
    rename_seller(actor=alice, seller=seller, name=HURT[0])
    return urls


def test_strings_that_hurt_are_shown_as_they_are_and_never_run(client_of, alice, seller, log):
    urls = world_of_hurt(alice, seller)
    client = client_of(alice)
    shown: set[str] = set()
    asked: list[tuple[str, dict[str, str]]] = [(url, {}) for url in urls + [reverse(page) for page in PAGES]]
    asked += [(reverse(page), {"q": text, "person": text}) for page in SEARCHED for text in HURT[:3]]
    for url, query in asked:
        page = client.get(url, query)
        assert page.status_code == 200, url
        assert not [text for text in HURT if text in page.text], f"{url} shows it unescaped"
        shown |= {text for text in HURT if html.escape(text) in page.text}
    assert shown == set(HURT)


def test_no_export_runs_a_formula(client_of, alice, seller, log):
    world_of_hurt(alice, seller)
    client = client_of(alice)
    for export in ("ledger:history_csv", "ledger:access_log_csv"):
        rows = list(csv.reader(io.StringIO(client.get(reverse(export)).getvalue().decode("utf-8-sig"))))
        cells = [cell for row in rows for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "＝"))]
        assert [cell for cell in cells if cell.startswith("'=")]


def test_no_file_name_breaks_a_header(client_of, alice, seller, log):
    world_of_hurt(alice, seller)
    client = client_of(alice)
    for original in Original.objects.of(seller):
        header = client.get(reverse("ledger:original_file", args=[original.number]))["Content-Disposition"]
        assert header.isascii()
        assert header.isprintable()
        assert header.startswith('attachment; filename="')
