"""The headers of every route and of every error page, as a public site sends them, and the score they earn."""

from __future__ import annotations

import re
from http.cookies import Morsel
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from ledger.accounts.models import Role, User
from ledger.views import verify as verify_views
from tests.factories import PASSWORD, make_member
from tests.matrix.rows import ApiRow, LibraryRow, Row, StaffRow
from tests.matrix.world import ROWS
from tests.public_site import make_public


@pytest.fixture
def owner(log, seller, settings, monkeypatch) -> User:
    """An owner, who is site staff, on a public site; the second step is another test's (test_sign_in.py)."""
    make_public(settings, monkeypatch)
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "SecondFactor" not in name]
    user = make_member("owner@example.org", seller, Role.OWNER)
    User.objects.filter(pk=user.pk).update(is_site_staff=True)
    return user


def browser(user: User | None = None, **options: Any) -> Client:
    client = Client(headers={"host": "shop.example", "accept-language": "en"}, **options)
    if user is not None:
        client.force_login(user)
    return client


def policy(response: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split(";") if part.strip()]
    return {name: values for name, *values in parts}


def problems(response: Any) -> list[str]:
    """What is missing or too generous in one answer."""
    found = []
    if policy(response).get("default-src") != ["'none'"]:
        found.append("CSP default-src")
    if "unsafe" in response["Content-Security-Policy"]:
        found.append("CSP unsafe-*")
    wanted = {
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
    found += [name for name, value in wanted.items() if response.get(name) != value]
    if response.get("Referrer-Policy") not in ("same-origin", "strict-origin", "no-referrer"):
        found.append("Referrer-Policy")
    if "max-age=63072000" not in response.get("Strict-Transport-Security", ""):
        found.append("Strict-Transport-Security")
    if "Access-Control-Allow-Origin" in response:
        found.append("CORS")
    found += [f"cookie {cookie.key}" for cookie in response.cookies.values() if not is_safe(cookie)]
    return found


def is_safe(cookie: Morsel[str]) -> bool:
    """__Host- wants Secure, a path of / and no domain; the language is no secret and only has to be Secure."""
    if cookie.key == "django_language":
        return bool(cookie["secure"])
    is_bound = cookie["path"] == "/" and not cookie["domain"]
    return cookie.key.startswith("__Host-") and is_bound and bool(cookie["secure"] and cookie["httponly"])


def fixed_routes() -> list[str]:
    """Every route without an object; those with one answer 404 for a stranger's and are asked as such below."""
    return sorted(name for name, row in ROWS.items() if not getattr(row, "make", None))


def test_every_route_sends_them_to_strangers_and_owners(owner):
    found = {}
    clients = {"stranger": browser(), "owner": browser(owner)}
    for name in fixed_routes():
        row = ROWS[name]
        url = reverse(name, kwargs=dict(row.kwargs) if isinstance(row, LibraryRow) else {})
        for who, client in clients.items():
            if name == "account_logout":
                continue
            wrong = problems(client.get(url, secure=True))
            if wrong:
                found[f"{name} as {who}"] = wrong
    assert not found


def arguments(name: str) -> dict[str, object]:
    known = {"public_id": "00000000-0000-0000-0000-000000000000", "size": 320, "path": "0/000", "seq": 9, "member": 9}
    for attempt in (known, {**known, "number": "x"}):
        for key in sorted(attempt):
            try:
                reverse(name, kwargs={key: attempt[key]})
            except Exception:  # noqa: BLE001, S112 - looking for the one name that fits
                continue
            return {key: attempt[key]}
    return {}


def test_routes_of_objects_send_them_with_their_404(owner):
    found, asked = {}, 0
    client = browser(owner)
    for name, row in sorted(ROWS.items()):
        kwargs = arguments(name) if isinstance(row, (Row, ApiRow, StaffRow)) and row.make else {}
        if kwargs:
            asked += 1
            wrong = problems(client.get(reverse(name, kwargs=kwargs), secure=True))
            if wrong:
                found[name] = wrong
    assert not found
    assert asked > 30


def test_error_pages_send_them(owner, settings, monkeypatch):
    def broken(*args: object, **kwargs: object) -> HttpResponse:
        raise RuntimeError("provoked")

    client = browser(owner, raise_request_exception=False)
    answers = {
        404: client.get("/nowhere/", secure=True),
        405: client.put(reverse("ledger:verify"), secure=True),
        403: browser(owner, enforce_csrf_checks=True).post(reverse("accounts:team"), secure=True),
        401: client.get("/api/v1/originals/", secure=True),
        400: client.get("/", headers={"host": "evil.example"}, secure=True),
        301: client.get("/"),
    }
    monkeypatch.setattr(verify_views, "render", broken)
    answers[500] = client.get(reverse("ledger:verify"), secure=True)
    settings.DISK_RESERVE_BYTES = 2**62
    answers[507] = client.post(reverse("ledger:register"), {"files": open(__file__, "rb")}, secure=True)  # noqa: SIM115, PTH123
    # A redirect to https comes over plain HTTP, where this header would count for nothing.
    unsaid = {301: ["Strict-Transport-Security"]}
    found = {}
    for status, response in answers.items():
        assert response.status_code == status
        wrong = [name for name in problems(response) if name not in unsaid.get(status, [])]
        if wrong:
            found[status] = wrong
    assert not found


def score(page: Any) -> int:
    """By the rules of Mozilla's HTTP Observatory (version 2): 100, less what is wrong, and bonuses from 90 on."""
    directives = policy(page)
    minus = 0
    minus += 0 if page.get("X-Content-Type-Options") == "nosniff" else 5
    minus += 0 if "max-age=63072000" in page.get("Strict-Transport-Security", "") else 20
    minus += 25 if "unsafe" in page["Content-Security-Policy"] else 0
    minus += 0 if all(is_safe(cookie) for cookie in page.cookies.values()) else 40
    minus += 50 if re.search(r'<script[^>]+src="(?:https?:)?//', page.text) else 0
    bonus = 10 if directives.get("default-src") == ["'none'"] else 0
    bonus += 5 if directives.get("frame-ancestors") == ["'none'"] else 0
    bonus += 5 if all(cookie["samesite"] for cookie in page.cookies.values()) else 0
    bonus += 5 if page.get("Referrer-Policy") in ("no-referrer", "same-origin", "strict-origin") else 0
    bonus += 10 if page.get("Cross-Origin-Resource-Policy") == "same-origin" else 0
    base = 100 - minus
    return base + bonus if base >= 90 else base


@pytest.mark.parametrize("name", ["account_login", "ledger:verify", "ledger:explorer"])
def test_observatory_score_is_at_least_120(owner, name):
    assert score(browser().get(reverse(name), secure=True)) >= 120


def test_session_cookie_of_a_public_site_is_bound_to_its_host(owner):
    owner.set_password(PASSWORD)
    owner.save()
    client = browser()
    client.post(reverse("account_login"), {"login": owner.email, "password": PASSWORD}, secure=True)
    cookie = client.cookies["__Host-sessionid"]
    assert is_safe(cookie)
    assert cookie["samesite"] == "Lax"
