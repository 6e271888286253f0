"""Journey 5 in real Chromium: compliance packs for 30 SKUs from one CSV, in at most four clicks, to a ZIP and its CSV.

Every pack's check is green, or its reason is named. Counted from the hidden-image page; files are dropped, not clicked.
The seconds are printed, not judged: tests/bench has the figures.
"""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.compliance.packs.pictures import layer
from tests.images import jpeg_bytes, png_bytes, product_photo
from tests.journeys.server import Site, needs_chromium, own_database, running_site

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(900)]
EMAIL, PASSWORD = "mei@example.org", "a calm harbour at dusk"
SKUS, MAX_CLICKS, PATIENCE_MS = 30, 4, 400_000
SIZE = (900, 900)
WORDS = {
    "en": {"pack": "Make pack", "fold": "Many SKUs by CSV", "make": "Make packs", "zip": "Download ZIP"},
    "zh-CN": {"pack": "生成图包", "fold": "CSV", "make": "生成图包", "zip": "下载 ZIP"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_chromium()
    with own_database() as url, running_site(tmp_path_factory.mktemp("site"), url) as running:
        photos = tmp_path_factory.mktemp("photos")
        for seed in range(SKUS):
            (photos / f"sku-{seed:02d}.jpg").write_bytes(jpeg_bytes(product_photo(seed, SIZE), quality=94))
        running.manage("create_owner", EMAIL, "--seller", "harbour", "--password-stdin", stdin=PASSWORD)
        running.manage("register", str(photos), "--seller", "harbour")
        yield running


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The CSV, and the two overlays it names."""
    folder = tmp_path_factory.mktemp("order")
    overlays = []
    for number in range(2):
        path = folder / f"promotion-{number}.png"
        path.write_bytes(png_bytes(layer(SIZE, box=(60, 70 + 400 * number, 360, 150 + 400 * number))))
        overlays.append(path)
    lines = ["sku,original,overlay,category"]
    lines += [f"SKU-{seed:02d},sku-{seed:02d}.jpg,promotion-{seed % 2}.png,shoes" for seed in range(SKUS)]
    table = folder / "packs.csv"
    table.write_text("\n".join(lines))
    return [table, *overlays]


@pytest.mark.parametrize("language", WORDS)
def test_thirty_packs_from_a_csv(site: Site, browser: Browser, order: list[Path], language: str) -> None:
    words, clicks = WORDS[language], 0
    context = browser.new_context(locale=language, viewport={"width": 1360, "height": 900}, accept_downloads=True)
    page = context.new_page()
    _sign_in(site, page)
    page.goto(site.base + "/hidden/")
    page.locator(".om-page-head a.btn", has_text=words["pack"]).first.click()
    clicks += 1
    page.locator("details summary", has_text=words["fold"]).click()
    clicks += 1
    page.set_input_files("#batch", order[0])
    page.set_input_files("#files", order[1:])
    started = time.monotonic()
    page.locator("main form button.btn-primary", has_text=words["make"]).click()
    clicks += 1
    button = page.locator("a.btn-primary", has_text=words["zip"])
    button.wait_for(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        button.click()
    clicks += 1
    print(f"{SKUS} packs, {language}: {clicks} clicks, {time.monotonic() - started:.1f} s")
    assert clicks <= MAX_CLICKS
    _look_into(Path(download.value.path()).read_bytes())
    context.close()


def _look_into(content: bytes) -> None:
    """Three files a SKU, and a row for each; every verdict is green or comes with its reason."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("packs.csv").decode("utf-8-sig"))))
        names = set(archive.namelist()) - {"packs.csv"}
    assert {row["sku"] for row in rows} == {f"SKU-{seed:02d}" for seed in range(SKUS)}
    assert {row["file"] for row in rows if row["file"]} == names
    assert all(row["verdict"] == "PASSED" or row["reasons"] or row["refused"] for row in rows)
    assert not [row for row in rows if row["verdict"] == "FAILED"]
    assert all(row["entry"] for row in rows if row["file"])


def _sign_in(site: Site, page: Page) -> None:
    page.goto(site.base + "/accounts/login/")
    page.fill("input[name=login]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
