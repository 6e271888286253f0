"""Joining without JavaScript, and passkeys with it, in real Chromium."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from ledger.accounts.models import Membership, Role
from ledger.services.setup import create_log
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser]


def sign_in(page: Page, base: str, email: str) -> None:
    page.goto(base + reverse("account_login"))
    page.locator("input[name=login]").fill(email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(base + "/")


def with_english(context: BrowserContext, base: str) -> Page:
    context.add_cookies([{"name": "django_language", "value": "en", "url": base}])
    return context.new_page()


def test_inviting_and_joining_need_no_javascript(live_server, browser, alice, seller):
    create_log()
    context = browser.new_context(java_script_enabled=False)
    page = with_english(context, live_server.url)
    sign_in(page, live_server.url, alice.email)
    page.goto(live_server.url + reverse("accounts:team"))
    page.get_by_label("E-mail").fill("new@example.org")
    page.get_by_role("button", name="Make an invitation link").click()
    link = page.locator("code.om-link-once").inner_text()
    context.close()

    context = browser.new_context(java_script_enabled=False)
    page = with_english(context, live_server.url)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Join Acme Trading")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account and join").click()
    page.wait_for_url(live_server.url + "/")
    context.close()
    assert Membership.objects.get(user__email="new@example.org", seller=seller).role == Role.OPERATOR


def test_a_passkey_signs_in_without_a_password(live_server, browser, bob):
    create_log()
    base = live_server.url
    context = browser.new_context()
    page = with_english(context, base)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    sign_in(page, base, bob.email)
    page.goto(base + reverse("mfa_add_webauthn"))
    if "reauthenticate" in page.url:
        page.locator("input[type=password]").fill(PASSWORD)
        page.locator("main form button[type=submit]").first.click()
    page.locator("input[name=passwordless]").check()
    page.locator("#mfa_webauthn_add").click()
    expect(page).not_to_have_url(re.compile("/webauthn/add/"))
    page.goto(base + reverse("accounts:profile"))
    expect(page.locator("main .om-chip[data-state=passed]")).to_have_text("On")

    context.clear_cookies()
    context.add_cookies([{"name": "django_language", "value": "en", "url": base}])
    page.goto(base + reverse("account_login"))
    page.locator("#passkey_login").click()
    page.wait_for_url(base + "/")
    page.goto(base + reverse("accounts:profile"))
    expect(page.locator("main")).to_contain_text(bob.email)
    context.close()
    assert not problems
