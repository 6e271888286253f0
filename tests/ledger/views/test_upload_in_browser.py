"""Uploading in real Chromium: by keyboard, by dropping, and over a line that breaks after the server has answered."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route, expect

from ledger.models import Entry, Original
from ledger.services.setup import create_log
from tests.factories import PASSWORD
from tests.images import jpeg_bytes, product_photo

pytestmark = [pytest.mark.browser]

REGISTER, HIDDEN = "/originals/register/", "/hidden/"
DROP = """(zone, [name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def page(live_server, browser: Browser, alice) -> Iterator[Page]:
    """An owner who is signed in."""
    create_log()
    context = browser.new_context()
    context.add_cookies([{"name": "django_language", "value": "en", "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + reverse("account_login"))
    page.locator("input[name=login]").fill(alice.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(live_server.url + "/")
    yield page
    context.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "mug.jpg"
    path.write_bytes(jpeg_bytes(product_photo(1, (480, 600))))
    return path


def test_a_line_that_breaks_costs_no_entry_and_makes_none_twice(live_server, page: Page, photo: Path):
    """The server had registered the file when the line broke: sent again, it gives the receipt of the same entry."""
    answered: list[int] = []

    def break_once(route: Route) -> None:
        if route.request.method != "POST" or answered:
            route.continue_()
            return
        answered.append(route.fetch().status)
        route.abort("connectionreset")

    page.route("**" + REGISTER, break_once)
    page.goto(live_server.url + REGISTER)
    page.locator("[data-drop] input[type=file]").first.set_input_files(photo)
    expect(page.locator("[data-upload=broken]")).to_have_count(1)
    assert answered == [200]
    page.locator("[data-upload-retry]").click()
    expect(page.locator("[data-upload-rows] [data-state=passed]")).to_have_count(1)
    assert (Original.objects.count(), Entry.objects.count()) == (1, 1)


def test_a_line_that_was_away_is_tried_again_with_one_button(live_server, page: Page, photo: Path):
    page.goto(live_server.url + REGISTER)
    page.context.set_offline(True)
    page.locator("[data-drop] input[type=file]").first.set_input_files(photo)
    expect(page.locator("[data-upload=broken]")).to_have_count(1)
    assert not Original.objects.exists()
    page.context.set_offline(False)
    page.locator("[data-upload-retry]").click()
    expect(page.locator("[data-upload-rows] [data-state=passed]")).to_have_count(1)
    assert Original.objects.count() == 1


@pytest.mark.parametrize("side", ["main", "hidden"])
def test_a_file_dropped_on_a_field_stays_in_that_field(live_server, page: Page, photo: Path, side: str):
    page.goto(live_server.url + HIDDEN)
    zone = page.locator(f"label.om-drop:has(input[name={side}])")
    zone.evaluate(DROP, ["mug.jpg", base64.b64encode(photo.read_bytes()).decode()])
    expect(zone.locator("[data-drop-name]")).to_have_text("mug.jpg")
    names = "input => [...input.files].map((file) => file.name)"
    chosen = {each: page.locator(f"input[name={each}]").evaluate(names) for each in ("main", "hidden")}
    assert chosen == {"main": [], "hidden": [], side: ["mug.jpg"]}


def test_a_file_is_chosen_without_a_mouse(live_server, page: Page, photo: Path):
    page.goto(live_server.url + HIDDEN)
    page.locator("select[name=category]").focus()
    for _press in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "hidden":
            break
    assert page.evaluate("document.activeElement.name") == "hidden"
    # From here on the browser's own dialog takes over: it opens for whatever has the focus.
    page.locator("input[name=hidden]:focus").set_input_files(photo)
    expect(page.locator("label.om-drop:has(input[name=hidden]) [data-drop-name]")).to_have_text("mug.jpg")
