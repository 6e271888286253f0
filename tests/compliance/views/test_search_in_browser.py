"""The threshold of a search in real Chromium: number, slider and presets are one value, and that value is asked with."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from compliance.models import SearchRun
from ledger.services.setup import create_log
from tests.compliance.listings import photo
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser]


def test_the_preset_for_a_new_launch_is_92_and_is_asked_with(live_server, browser, alice, tmp_path: Path):
    create_log()
    context = browser.new_context()
    context.add_cookies([{"name": "django_language", "value": "en", "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + reverse("account_login"))
    page.locator("input[name=login]").fill(alice.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(live_server.url + "/")

    page.goto(live_server.url + reverse("compliance:search"))
    number, slider = page.locator("#threshold"), page.locator("[data-threshold-range]")
    expect(number).to_have_value("85")
    slider.fill("60")
    expect(number).to_have_value("60")
    page.get_by_role("button", name="new launch 92").click()
    expect(number).to_have_value("92")
    expect(slider).to_have_value("92")

    query = tmp_path / "query.jpg"
    query.write_bytes(photo(1))
    page.locator("input[name=picture]").set_input_files(query)
    page.locator("main form button.btn-primary").first.click()
    page.wait_for_url("**/search/*/")
    assert SearchRun.objects.get().threshold == 92
    context.close()
