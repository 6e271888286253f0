"""Journey 4 in real Chromium, in both languages: a pair is checked with at most two clicks, mended with one and checked
again with one; findings answer the keyboard; a question is answered; a platform's error code is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, expect

from tests.images import captioned, exif_bytes, jpeg_bytes, product_photo
from tests.journeys.server import Site, needs_chromium, own_database, running_site
from tests.journeys.test_first_day import Watched

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(600)]

EMAIL, PASSWORD = "mei@example.org", "a calm harbour at dusk"
MOST_CLICKS = 2  # product.md, journey 4
# Every click that a person makes, over all pages: what scripts click does not count.
COUNT = """addEventListener("click", (event) => {
  if (event.isTrusted && event.detail) sessionStorage.setItem("clicks", 1 + Number(sessionStorage.getItem("clicks")));
}, true)"""
WORDS = {
    "en": {
        "passed": "Passed",
        "failed": "Not passed",
        "repaired": "This is the repaired file",
        "product": "Belongs to",
    },
    "zh-hans": {"passed": "通过", "failed": "未通过", "repaired": "这是修复后的文件", "product": "属于商品本身"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_chromium()
    with own_database() as url, running_site(tmp_path_factory.mktemp("site"), url) as running:
        yield running


def lettered(photo: Image.Image, words: str, at: tuple[int, int], colour: tuple[int, int, int]) -> Image.Image:
    copy = photo.copy()
    ImageDraw.Draw(copy).text(at, words, font=ImageFont.load_default(40), fill=colour)
    return copy


@pytest.fixture(scope="module")
def registered(site: Site, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The owner's account with one original, analysed; the folder with the pictures of the story."""
    folder = tmp_path_factory.mktemp("pair")
    photo = product_photo(3)
    (folder / "original.jpg").write_bytes(jpeg_bytes(photo))
    (folder / "main.jpg").write_bytes(jpeg_bytes(captioned(photo)))
    faulty = lettered(photo, "SALE -50%", (60, 60), (220, 20, 30))
    (folder / "hidden.jpg").write_bytes(jpeg_bytes(faulty, quality=75, exif=exif_bytes(gps=(30.2, 120.1))))
    # One for each language: the same hidden image under two SKUs would be a fault of its own.
    for seed, language in enumerate(("zh-hans", "en"), start=1):
        shirt = lettered(product_photo(seed), "SUMMIT 12", (240, 350), (250, 250, 250))
        (folder / f"shirt-{language}.jpg").write_bytes(jpeg_bytes(shirt))
        (folder / f"shirt-main-{language}.jpg").write_bytes(jpeg_bytes(captioned(shirt)))
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(site.first_link)
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=seller_name]").fill("Mei's shop")
    page.locator("main form button[type=submit], main form button:not([type])").first.click()
    page.wait_for_url(site.base + "/")
    page.goto(site.base + "/originals/register/")
    page.locator("[data-drop] input[type=file]").first.set_input_files(folder / "original.jpg")
    expect(page.locator("[data-upload-rows] [data-state=passed]")).to_have_count(1, timeout=60_000)
    for _attempt in range(60):
        page.goto(site.base + "/originals/")
        if page.locator("[data-item] img").count():
            break
        page.wait_for_timeout(500)
    context.close()
    return folder


def start(site: Site, browser: Browser, language: str, width: int) -> Watched:
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_cookies([{"name": "django_language", "value": language, "url": site.base}])
    context.add_init_script(COUNT)
    watched = Watched(context, site.base)
    page = watched.page
    page.goto(site.base + "/accounts/login/")
    page.locator("input[name=login]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(site.base + "/")
    return watched


def clicks(page: Page) -> int:
    return int(page.evaluate("sessionStorage.getItem('clicks')") or 0)


def forget_clicks(page: Page) -> None:
    page.evaluate("sessionStorage.removeItem('clicks')")


def check_pair(page: Page, site: Site, main: Path, hidden: Path, state: str) -> None:
    page.goto(site.base + "/hidden/")
    forget_clicks(page)
    page.locator("input[name=main]").set_input_files(main)
    page.locator("input[name=hidden]").set_input_files(hidden)
    page.locator("main form button.btn-primary").click()
    expect(page.locator(f".om-verdict[data-state={state}]")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize(("language", "width"), [("en", 1360), ("zh-hans", 390)])
def test_a_pair_is_checked_mended_and_checked_again(
    site: Site, browser: Browser, registered: Path, language: str, width: int
) -> None:
    watched = start(site, browser, language, width)
    page, words = watched.page, WORDS[language]
    check_pair(page, site, registered / "main.jpg", registered / "hidden.jpg", "failed")
    assert clicks(page) <= MOST_CLICKS
    expect(page.locator(".om-verdict h1")).to_have_text(words["failed"])
    first = page.url
    complaints = watched.complaints()
    _findings_answer_the_keyboard(page)
    _numbers_agree(page)

    forget_clicks(page)
    page.locator(".om-check-actions form button.btn-primary").click()
    expect(page.locator("main")).to_contain_text(words["repaired"], timeout=60_000)
    expect(page.locator(".om-verdict[data-state=passed]")).to_be_visible(timeout=60_000)
    assert clicks(page) == 1
    complaints += watched.complaints()
    assert page.locator(f"a[href='{first.removeprefix(site.base)}']").count() == 1
    href = page.locator("a[href$='/file/']").get_attribute("href")
    assert href
    mended = page.context.request.get(site.base + href).body()
    assert mended.startswith(b"\xff\xd8")
    assert b"Exif" not in mended

    forget_clicks(page)
    repaired = page.url
    page.locator("form[action$='/again/'] button").click()
    page.wait_for_url(lambda url: url != repaired)
    expect(page.locator(".om-verdict[data-state=passed]")).to_be_visible(timeout=60_000)
    assert clicks(page) == 1
    complaints += watched.complaints()
    page.context.close()
    assert complaints == []


def _findings_answer_the_keyboard(page: Page) -> None:
    """A number on the picture is reached with Tab, lights its finding, and Enter leads there; both ways."""
    mark = page.locator("a.om-mark[id]").first
    number = mark.get_attribute("data-pair")
    page.locator("#view-hidden").focus()
    for _press in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('om-mark')"):
            break
    assert page.evaluate("document.activeElement.classList.contains('om-mark')")
    lit = page.evaluate("document.activeElement.dataset.pair")
    expect(page.locator(f"#finding-{lit}")).to_have_class(re.compile("is-lit"))
    page.keyboard.press("Enter")
    assert page.url.endswith(f"#finding-{lit}")
    page.locator(f"#finding-{number}").hover()
    expect(page.locator(f"#mark-{number}")).to_have_class(re.compile("is-lit"))


def _numbers_agree(page: Page) -> None:
    """As many findings in the list as in the heading and in the table."""
    listed = page.locator(".om-findings > li").count()
    heading = page.locator(".om-split h2 .om-muted").first.inner_text()
    assert listed == int(heading) == page.locator(".om-rules .om-number").count() > 1


@pytest.mark.parametrize(("language", "width"), [("zh-hans", 1360), ("en", 390)])
def test_a_question_is_answered_and_remembered(
    site: Site, browser: Browser, registered: Path, language: str, width: int
) -> None:
    watched = start(site, browser, language, width)
    page, words = watched.page, WORDS[language]
    page.goto(site.base + "/hidden/")
    page.locator("input[name=sku]").fill(f"SHIRT-{language}")
    page.locator("input[name=main]").set_input_files(registered / f"shirt-main-{language}.jpg")
    page.locator("input[name=hidden]").set_input_files(registered / f"shirt-{language}.jpg")
    page.locator("main form button.btn-primary").click()
    expect(page.locator(".om-verdict[data-state=unknown]")).to_be_visible(timeout=60_000)
    complaints = watched.complaints()
    page.locator("button[name=answer][value=product]").first.click()
    expect(page.locator(".om-verdict[data-state=passed]")).to_be_visible()
    expect(page.locator(".om-findings")).to_contain_text(words["product"])
    expect(page.locator(".om-findings")).to_contain_text(EMAIL)
    complaints += watched.complaints()
    answered = page.url.split("#")[0]
    page.locator("form[action$='/again/'] button").click()
    page.wait_for_url(lambda url: not url.startswith(answered))
    expect(page.locator(".om-verdict[data-state=passed]")).to_be_visible(timeout=60_000)
    page.locator("button[name=answer][value=withdraw]").first.click()
    expect(page.locator(".om-verdict[data-state=unknown]")).to_be_visible()
    page.context.close()
    assert complaints == []


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_an_error_code_is_explained(site: Site, browser: Browser, registered: Path, language: str) -> None:
    watched = start(site, browser, language, 390)
    page = watched.page
    page.goto(site.base + "/hidden/")
    page.locator("#code-q").fill("err_img_hid_mism")
    page.keyboard.press("Enter")
    expect(page.locator("#ERR_IMG_HID_MISMATCH")).to_contain_text("0.92")
    complaints = watched.complaints()
    page.goto(site.base + "/find/?q=ERR_IMG_HID_MISMATCH")
    expect(page.locator("#ERR_IMG_HID_MISMATCH")).to_be_visible()
    complaints += watched.complaints()
    page.context.close()
    assert complaints == []


@pytest.mark.parametrize("language", ["en"])
def test_without_a_script_everything_is_there(site: Site, browser: Browser, registered: Path, language: str) -> None:
    """Links, folded rules and buttons are plain HTML."""
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "django_language", "value": language, "url": site.base}])
    page = context.new_page()
    page.goto(site.base + "/accounts/login/")
    page.locator("input[name=login]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(site.base + "/")
    page.goto(site.base + "/hidden/")
    page.locator("input[name=main]").set_input_files(registered / "main.jpg")
    page.locator("input[name=hidden]").set_input_files(registered / "hidden.jpg")
    page.locator("main form button.btn-primary").click()
    for _attempt in range(60):
        if page.locator(".om-verdict").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.locator("a.om-mark[id]").first.focus()
    page.keyboard.press("Enter")
    assert "#finding-" in page.url
    page.locator("#quiet-rules summary").click()
    expect(page.locator("#quiet-rules tbody tr").first).to_be_visible()
    expect(page.locator("button[name=fix]").first).to_be_visible()
    context.close()
