"""What browsers are told: headers of every kind of answer, and the settings that ORIGINMARK_PUBLIC_URL turns on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.test import Client

from config.settings import AUTH_PASSWORD_VALIDATORS, PASSWORD_HASHERS
from tests.factories import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("/accounts/login/", "/verify/", "/health/", "/nowhere/", "/log/", "/originals/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_the_headers_that_protect_it(path, log):
    answer = Client().get(path)
    policy = answer["Content-Security-Policy"]
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    for name in ("Access-Control-Allow-Origin", "Server", "X-Powered-By"):
        assert name not in answer


@pytest.fixture(scope="module")
def public(tmp_path_factory) -> dict:
    """The settings of a public site, as a process of its own reads them."""
    folder = tmp_path_factory.mktemp("public")
    names = [
        "SESSION_COOKIE_NAME",
        "CSRF_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SESSION_COOKIE_HTTPONLY",
        "CSRF_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SAMESITE",
        "CSRF_COOKIE_SAMESITE",
        "SECURE_HSTS_SECONDS",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        "SECURE_HSTS_PRELOAD",
        "SECURE_SSL_REDIRECT",
        "DEBUG",
        "SESSION_COOKIE_AGE",
    ]
    program = f"import json; from config import settings as s; print(json.dumps({{n: getattr(s, n) for n in {names}}}))"
    environment = os.environ | {
        "ORIGINMARK_PUBLIC_URL": "https://originmark.example",
        "ORIGINMARK_DATA": str(folder),
        "ORIGINMARK_KEYS": str(folder / "keys"),
        "DEBUG": "1",
        "DJANGO_DEBUG": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def test_cookies_of_a_public_site_are_host_bound(public):
    for kind in ("SESSION", "CSRF"):
        assert public[f"{kind}_COOKIE_NAME"].startswith("__Host-")
        assert public[f"{kind}_COOKIE_SECURE"]
        assert public[f"{kind}_COOKIE_HTTPONLY"]
        assert public[f"{kind}_COOKIE_SAMESITE"] == "Lax"


def test_a_public_site_insists_on_https(public):
    assert public["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert public["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert public["SECURE_HSTS_PRELOAD"]
    assert public["SECURE_SSL_REDIRECT"]


def test_debugging_cannot_be_turned_on(public):
    assert public["DEBUG"] is False


def test_sessions_end_after_two_weeks(public):
    assert public["SESSION_COOKIE_AGE"] == 14 * 24 * 3600


@pytest.mark.django_db
def test_cookies_are_small(alice):
    client = Client()
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert client.cookies
    for name, morsel in client.cookies.items():
        assert len(name) + len(morsel.value) < 4096


@pytest.mark.django_db
def test_signing_out_ends_the_session_on_the_server(alice, client_of):
    client = client_of(alice)
    copied = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/accounts/logout/")
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = copied
    assert thief.get("/originals/")["Location"].startswith("/accounts/login/")


@pytest.mark.django_db
def test_trace_is_refused(alice, client_of):
    assert client_of(alice).generic("TRACE", "/originals/").status_code == 405


@pytest.mark.django_db
def test_the_password_field_is_masked_and_may_be_pasted(log):
    page = Client().get("/accounts/login/").content.decode()
    (field,) = re.findall(r"<input[^>]*name=\"password\"[^>]*>", page)
    assert 'type="password"' in field
    assert "onpaste" not in page
    assert 'autocomplete="current-password"' in field


def test_password_rules_are_length_likeness_and_a_list():
    rules: Any = AUTH_PASSWORD_VALIDATORS
    kinds = [row["NAME"].rsplit(".", 1)[1] for row in rules]
    assert kinds == ["UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator"]
    validate_password("a" * 40 + "ü" * 40)


def test_passwords_are_hashed_with_scrypt():
    assert PASSWORD_HASHERS[0].endswith("ScryptPasswordHasher")


def test_compiled_expressions_are_constant():
    """No regular expression is made from what somebody sent, unless it is escaped first."""
    found = []
    for top in ("config", "ledger", "compliance"):
        for path in (ROOT / top).rglob("*.py"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                call = re.search(r"\bre\.(?:compile|match|fullmatch|search|sub|findall|finditer)\((.*)", line)
                if call and re.match(r"f[\"'].*\{", call[1]) and "escape" not in line:
                    found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []
