"""The whole first day in real Chromium: first sign-in, 20 photos, a search, a hidden-image check, a certificate that a
stranger verifies; a copy that a thief turned, cropped and marked; then every page at two widths, in both languages and themes, without a word in the console."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.images import captioned, cropped, jpeg_bytes, product_photo, recompressed
from tests.journeys.server import ROOT, Site, needs_chromium, own_database, running_site

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(900)]

EMAIL, PASSWORD = "lin@example.org", "a calm harbour at dusk"
PHOTOS = 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for seed in range(PHOTOS):
        path = folder / f"product-{seed:02d}.jpg"
        path.write_bytes(jpeg_bytes(product_photo(seed)))
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_chromium()
    with own_database() as url, running_site(tmp_path_factory.mktemp("site"), url) as running:
        yield running


class Watched:
    """A page that remembers what a careful visitor would complain about."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.page: Page = context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda m: self.problems.append(f"console: {m.text}") if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        own = (base, "data:", "blob:")
        self.page.on(
            "request", lambda r: None if r.url.startswith(own) else self.problems.append(f"third party: {r.url}")
        )

    def complaints(self) -> list[str]:
        """Console, scripts, third parties, overflow and accessibility of the page as it is now."""
        found, self.problems[:] = list(self.problems), []
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        overflow = self.page.evaluate(width)
        found += [f"overflow of {overflow} px"] if overflow > 0 else []
        answer: Any = Axe().run(self.page)
        found += [f"axe: {v['id']} {[n['html'][:120] for n in v['nodes'][:3]]}" for v in answer.response["violations"]]
        return [f"{self.page.url}: {line}" for line in found]


@pytest.fixture(scope="module")
def first_day(site: Site, browser: Browser, photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The whole story; what a careful visitor would complain about. Whichever test comes first lives it."""
    tmp_path = tmp_path_factory.mktemp("first-day")
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-US")
    context.add_cookies([{"name": "django_language", "value": "en", "url": site.base}])
    watched = Watched(context, site.base)
    page, complaints = watched.page, []

    page.goto(site.first_link)
    complaints += watched.complaints()
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=seller_name]").fill("Lin's shop 林记")
    page.locator("main form button[type=submit], main form button:not([type])").first.click()
    page.wait_for_url(site.base + "/")
    complaints += watched.complaints()  # a new seller's overview says what to do

    page.goto(site.base + "/originals/register/")
    page.locator("[data-drop] input[type=file]").first.set_input_files(photos)
    rows = page.locator("[data-upload-rows] [data-state=passed]")
    expect(rows).to_have_count(PHOTOS, timeout=60_000)
    complaints += watched.complaints()

    first = _wait_for_analysis(site, page)
    complaints += watched.complaints()

    copy = tmp_path / "found-online.jpg"
    copy.write_bytes(jpeg_bytes(recompressed(product_photo(7), 55)))
    page.goto(site.base + "/search/")
    complaints += watched.complaints()
    page.locator("input[type=file]").first.set_input_files(copy)
    page.locator("main form button.btn-primary").first.click()
    expect(page.get_by_text("product-07.jpg").first).to_be_visible(timeout=60_000)
    expect(page.locator("main")).to_contain_text("已存证")
    complaints += watched.complaints()
    receipt = page.locator("a[href$='receipt.pdf']").first.get_attribute("href")
    assert receipt
    assert context.request.get(site.base + receipt).body().startswith(b"%PDF-")

    main, hidden = tmp_path / "main.jpg", tmp_path / "hidden.jpg"
    main.write_bytes(jpeg_bytes(captioned(product_photo(3))))
    hidden.write_bytes(jpeg_bytes(product_photo(3).resize((700, 875))))
    page.goto(site.base + "/hidden/")
    complaints += watched.complaints()
    page.locator("input[name=main]").set_input_files(main)
    page.locator("input[name=hidden]").set_input_files(hidden)
    page.locator("main form button.btn-primary").first.click()
    expect(page.get_by_text("ERR_IMG_HID_SIZE").first).to_be_visible(timeout=60_000)
    complaints += watched.complaints()

    page.goto(site.base + "/history/")
    expect(page.locator("tbody tr")).to_have_count(PHOTOS + 2)
    complaints += watched.complaints()

    pdf = context.request.get(f"{site.base}/originals/{first}/certificate.pdf").body()
    bundle = context.request.get(f"{site.base}/originals/{first}/evidence.zip").body()
    complaints += _stranger_verifies(site, browser, pdf, tmp_path)
    _command_line_verifies(bundle, context.request.get(site.base + "/log/policy").body(), tmp_path)
    context.close()
    return complaints


def test_first_day(first_day: list[str]) -> None:
    assert first_day == []


@pytest.mark.usefixtures("first_day")
def test_a_copy_is_found_with_what_was_done_to_it(site: Site, browser: Browser, tmp_path: Path) -> None:
    """Turned by 12 degrees, cropped, marked: one upload, the right original first, the edits named, the evidence drawn."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    context.add_cookies([{"name": "django_language", "value": "en", "url": site.base}])
    watched = Watched(context, site.base)
    page = watched.page
    _sign_in(site, page)
    copy = tmp_path / "seen-in-another-shop.jpg"
    turned = product_photo(11).rotate(-12, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    copy.write_bytes(jpeg_bytes(captioned(cropped(turned, 0.12), "BEST SHOP 365", 0.07), quality=70))
    page.goto(site.base + "/search/")
    page.locator("input[type=file]").first.set_input_files(copy)
    page.locator("main form button.btn-primary").first.click()

    best = page.locator(".om-strip [data-item]").first
    expect(best).to_contain_text("product-11.jpg", timeout=60_000)
    expect(best).to_contain_text("已存证")
    edits = page.locator(".om-edits")
    for words in ("turned 12° clockwise", "cropped to", "something added"):
        expect(edits).to_contain_text(words)
    assert page.locator(".om-lines line").count() >= 12
    agreement = page.locator(".om-agree-box img").last
    assert agreement.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    complaints = watched.complaints()

    page.locator("[data-compare-toggle]").click()
    over = page.locator("[data-compare-over]")
    expect(over).to_be_visible()
    assert "matrix3d" in over.locator(".om-compare-cut img").evaluate("image => image.style.transform")
    over.locator("input[type=range]").fill("30")
    assert over.locator("[data-matrix]").evaluate("box => box.style.getPropertyValue('--om-cut')") == "30%"
    complaints += watched.complaints()

    href = page.locator("a[href$='receipt.pdf']").first.get_attribute("href")
    pdf = context.request.get(f"{site.base}{href}").body()
    words = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
    assert "turned 12° clockwise" in " ".join(words.split())
    assert "product-11.jpg" in words
    context.close()
    assert complaints == []


def _sign_in(site: Site, page: Page) -> None:
    page.goto(site.base + "/accounts/login/")
    page.locator("input[name=login]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    _wait_for_overview(site, page)


def _wait_for_analysis(site: Site, page: Page) -> str:
    """Reload the list until every picture has its preview; return the first one's number."""
    for _attempt in range(60):
        page.goto(site.base + "/originals/")
        if page.locator("[data-item] img").count() == PHOTOS:
            href = page.locator("[data-item] a.om-name").first.get_attribute("href")
            assert href is not None
            page.goto(site.base + href)
            return href.rstrip("/").rsplit("/", 1)[1]
        page.wait_for_timeout(500)
    raise AssertionError("the pictures were not analysed within 30 s")


def _stranger_verifies(site: Site, browser: Browser, pdf: bytes, folder: Path) -> list[str]:
    """No account, a phone: the certificate holds; with one byte changed it does not."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    watched = Watched(context, site.base)
    page = watched.page
    damaged = bytearray(pdf)
    damaged[len(pdf) // 3] ^= 1
    complaints = []
    for name, content, state in (("good.pdf", pdf, "passed"), ("damaged.pdf", bytes(damaged), None)):
        path = folder / name
        path.write_bytes(content)
        page.goto(site.base + "/verify/")
        page.locator("input[type=file]").set_input_files(path)
        page.locator("main form button.btn-primary").first.click()
        verdict = page.locator(".om-verdict")
        expect(verdict).to_be_visible()
        shown = verdict.get_attribute("data-state")
        assert (shown == "passed") == (state == "passed"), f"{name} is shown as {shown}"
        complaints += watched.complaints()
    context.close()
    return complaints


def _command_line_verifies(bundle: bytes, policy: bytes, folder: Path) -> None:
    """A Python without anything of ours but ledger/tlog."""
    (folder / "evidence.zip").write_bytes(bundle)
    (folder / "policy").write_bytes(policy)
    command = [sys.executable, "-m", "ledger.tlog", "verify", "evidence.zip", "--policy", "policy"]
    answer = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "which your policy trusts" in answer.stdout


def _wait_for_overview(site: Site, page: Page) -> None:
    """Where signing in ends; whatever came instead is told in its own words."""
    try:
        page.wait_for_url(site.base + "/")
    except PlaywrightTimeout as late:
        raise AssertionError(f"{page.url} says: {page.locator('body').inner_text()[:2000]}\n{site.log()}") from late


PAGES = [
    "/",
    "/originals/",
    "/originals/?layout=table",
    "/originals/register/",
    "/search/",
    "/search/method/",
    "/hidden/",
    "/hidden/packs/",
    "/catalogues/",
    "/history/",
    "/ledger/",
    "/jobs/",
    "/find/?q=product",
    "/verify/",
    "/account/",
    "/team/",
    "/stores/",
    "/accounts/2fa/",
    "/accounts/password/change/",
]


# Every pair of values meets: language with theme, language with width, theme with width.
@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [("zh-hans", "light", 1360), ("zh-hans", "dark", 390), ("en", "dark", 1360), ("en", "light", 390)],
)
@pytest.mark.usefixtures("first_day")
def test_every_page(site: Site, browser: Browser, language: str, theme: str, width: int) -> None:
    """After the first day: no console errors, no third parties, no overflow, nothing axe objects to."""
    scheme: Any = theme
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.add_cookies([{"name": "django_language", "value": language, "url": site.base}])
    watched = Watched(context, site.base)
    page = watched.page
    page.goto(site.base + "/accounts/login/")
    complaints = watched.complaints()
    page.locator("input[name=login]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    _wait_for_overview(site, page)
    for path in PAGES:
        page.goto(site.base + path)
        complaints += watched.complaints()
    context.close()
    assert complaints == []
