"""Journeys 6 and 7 in real Chromium: a feed is imported with its columns set, copies are found without asking, and each is
decided with one key, one of them taken back. Clicks are counted, files are dropped; seconds are printed, not judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.compliance.listings import SIZE, feed_bytes, photo
from tests.compliance.matches import mirrored_copy
from tests.compliance.test_imports import zipped
from tests.images import jpeg_bytes, product_photo
from tests.journeys.server import Site, needs_chromium, own_database, running_site

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(900)]
EMAIL, PASSWORD = "qiang@example.org", "a calm harbour at dusk"
ORIGINALS, MAX_CLICKS, PATIENCE_MS = 3, 4, 300_000
WORDS = {
    "en": {"again": "Undo", "none": "Nothing to decide", "done": "All analysed", "last": "Last decided: copy."},
    "zh-CN": {"again": "撤销", "none": "没有待判断的匹配", "done": "", "last": "上一个判断：盗图。"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_chromium()
    with own_database() as url, running_site(tmp_path_factory.mktemp("site"), url) as running:
        running.manage("create_owner", EMAIL, "--seller", "harbour", "--password-stdin", stdin=PASSWORD)
        yield running


def feed(folder: Path, first: int) -> Path:
    """A ZIP with a table in a stranger's words: three copies of originals and two other pictures."""
    seeds = range(first, first + ORIGINALS)
    pictures = {f"{seed}.jpg": mirrored_copy(seed) for seed in seeds} | {f"{n}.jpg": photo(n) for n in (80, 81)}
    rows = [
        {"Artikel": f"1005000{name.split('.')[0]:0>6}", "Foto": name, "店铺": "North", "price": "9.90"}
        for name in pictures
    ]
    path = folder / "feed.zip"
    path.write_bytes(zipped({"feed.csv": feed_bytes(*rows), **pictures}))
    return path


@pytest.mark.parametrize("language", WORDS)
def test_from_a_feed_to_decided_matches(site: Site, browser: Browser, tmp_path: Path, language: str) -> None:
    words, clicks, first = WORDS[language], 0, 1 + 10 * list(WORDS).index(language)
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(first, first + ORIGINALS):
        (photos / f"{seed}.jpg").write_bytes(jpeg_bytes(product_photo(seed, SIZE)))
    site.manage("register", str(photos), "--seller", "harbour")
    context = browser.new_context(locale=language, viewport={"width": 1360, "height": 900})
    page = context.new_page()
    _sign_in(site, page)
    page.goto(site.base + "/catalogues/")
    started = time.monotonic()
    page.locator("a.btn-primary[href$='/catalogues/import/']").first.click()
    page.set_input_files("#file", feed(tmp_path, first))
    page.locator("main form button.btn-primary").click()
    clicks += 2
    # The two columns nobody could guess; chosen with the keyboard, remembered the second time.
    if language == "en":
        page.select_option("#column-product_id", label="Artikel")
        page.select_option("#column-image", label="Foto")
        page.locator("button[value=preview]").click()
        clicks += 1
    expect(page.locator("#column-image option:checked")).to_have_text("Foto")
    page.locator("button[value=import]").click()
    clicks += 1
    page.locator(".om-page-actions a.btn-primary").wait_for(timeout=PATIENCE_MS)
    print(f"import, {language}: {clicks} clicks, rows after {time.monotonic() - started:.1f} s")
    assert clicks <= MAX_CLICKS
    _wait_for_matches(page, site, ORIGINALS)
    print(f"alert after {time.monotonic() - started:.1f} s")
    _triage(page, site, words)
    context.close()


def _wait_for_matches(page: Page, site: Site, count: int) -> None:
    """The queue fills by itself; somebody who looks again sees it."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        page.goto(site.base + "/watch/")
        if page.locator(".om-queue > li").count() == count:
            return
        page.wait_for_timeout(1000)
    pytest.fail(f"no {count} matches:\n{site.log()}")


def _triage(page: Page, site: Site, words: dict[str, str]) -> None:
    """C, then U takes it back, then one key for each of the three."""
    expect(page.locator(".om-lines")).to_be_visible()
    first = page.locator("[data-triage]").get_attribute("action") or ""
    _press(page, "c")
    expect(page.locator("[data-undo]")).to_contain_text(words["last"])
    _press(page, "u")
    expect(page.locator("[data-triage]")).to_have_attribute("action", first)
    for key, left in (("c", 2), ("o", 1), ("s", 0)):
        _press(page, key)
        expect(page.locator(".om-queue > li")).to_have_count(left)
    expect(page.locator(".om-empty h2")).to_have_text(words["none"])


def _press(page: Page, key: str) -> None:
    with page.expect_navigation():
        page.keyboard.press(key)


def _sign_in(site: Site, page: Page) -> None:
    page.goto(site.base + "/accounts/login/")
    page.fill("input[name=login]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
