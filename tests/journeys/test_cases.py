"""Journeys 8 and 9 in real Chromium, in both languages: an original becomes a complaint that passes the gate, a packet that
verifies, and is submitted; a notice received becomes a defence with its deadline. Clicks are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger.tlog.verify import verify_bundle
from tests.images import jpeg_bytes, product_photo
from tests.journeys.server import Site, needs_chromium, own_database, running_site
from tests.journeys.test_first_day import Watched
from tests.journeys.test_hidden_image import COUNT, clicks, forget_clicks

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(600)]

EMAIL, PASSWORD = "qiang@example.org", "a calm harbour at dusk"
MOST_CLICKS_COMPLAINT = 5  # product.md, journey 8: besides the statements
MOST_CLICKS_DEFENCE = 4  # journey 9
LISTING = "https://www.ebay.com/itm/400012345678"
WORDS = {
    "en": {"ready": "ready to file", "due": "First counter-notice"},
    "zh-hans": {"ready": "可提交", "due": "提交第一次反通知"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    needs_chromium()
    with own_database() as url, running_site(tmp_path_factory.mktemp("site"), url) as running:
        yield running


@pytest.fixture(scope="module")
def original(site: Site, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The owner's account with one original; the address of its page."""
    photo = tmp_path_factory.mktemp("photo") / "original.jpg"
    photo.write_bytes(jpeg_bytes(product_photo(3)))
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(site.first_link)
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=seller_name]").fill("Qiang's shop")
    page.locator("main form button[type=submit], main form button:not([type])").first.click()
    page.wait_for_url(site.base + "/")
    page.goto(site.base + "/originals/register/")
    page.locator("[data-drop] input[type=file]").first.set_input_files(photo)
    expect(page.locator("[data-upload-rows] [data-state=passed]")).to_have_count(1, timeout=60_000)
    page.goto(site.base + "/originals/")
    href = page.locator("[data-item] a").first.get_attribute("href")
    assert href
    context.close()
    return href


def start(site: Site, browser: Browser, language: str, width: int) -> Watched:
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_cookies([{"name": "django_language", "value": language, "url": site.base}])
    context.add_init_script(COUNT)
    watched = Watched(context, site.base)
    watched.page.goto(site.base + "/accounts/login/")
    watched.page.locator("input[name=login]").fill(EMAIL)
    watched.page.locator("input[name=password]").fill(PASSWORD)
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url(site.base + "/")
    return watched


def save(page: Page, section: str, **values: str) -> None:
    """Fill a section by keyboard and save it with one click; a fold is opened by its link target, not by a click."""
    page.locator(f"#{section} details").first.evaluate("fold => fold.open = true")
    for name, value in values.items():
        field = page.locator(f"#id_{section}-{name}")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.locator(f"#{section} form button").first.click()
    page.wait_for_load_state()


def open_complaint(page: Page, site: Site, original: str) -> None:
    page.goto(site.base + original)
    forget_clicks(page)
    page.locator("a[href*='/cases/new/']").first.click()
    page.locator("#id_target").select_option("ebay_vero")
    page.locator("#id_addresses").fill(LISTING)
    page.locator("main form button.btn-primary").click()
    page.wait_for_url(lambda url: "/new/" not in url)


def fill_in(page: Page) -> None:
    """What each case is asked anew: two sections."""
    save(page, "relationship", in_ebay_catalogue="no", is_authorised_reseller="no")
    save(page, "message", message="Our photo is used without our consent.")


def tick_all(page: Page) -> None:
    boxes = page.locator("#statements input[type=checkbox]")
    assert boxes.count() == 3
    assert page.locator("#statements input:checked").count() == 0  # never ticked for anybody
    for box in boxes.all():
        box.check()
    page.locator("#tick-name").fill("Qiang Li")
    page.locator("#statements form button").first.click()


def build_packet(page: Page, folder: Path) -> Path:
    """One click on the case's page; the first part, saved."""
    page.locator("form[action$='/packets/'] button.btn-primary").first.click()
    page.wait_for_url(lambda url: "/packets/" in url and "/cases/" not in url)
    with page.expect_download() as told:
        page.locator("a[href*='/part-1.zip']").first.evaluate("link => link.click()")
    file = folder / "part.zip"
    told.value.save_as(file)
    return file


@pytest.mark.parametrize(("language", "width"), [("en", 1360), ("zh-hans", 390)])
def test_an_original_becomes_a_submitted_complaint(
    site: Site, browser: Browser, original: str, language: str, width: int, tmp_path: Path
) -> None:
    watched = start(site, browser, language, width)
    page, words = watched.page, WORDS[language]
    # The first case ever also says who we are and where the picture comes from; the next one remembers.
    open_complaint(page, site, original)
    save(
        page,
        "complainant",
        complainant_role="owner",
        legal_name="Acme",
        email=EMAIL,
        phone="1",
        address="1 Long Street",
    )
    save(page, "relationship", image_source="self", photographer="employee")
    save(page, "right", publication_item="100500")
    open_complaint(page, site, original)
    fill_in(page)
    assert page.locator("[data-gate]:not([data-gate^='statement.']):not([data-gate=signature])").count() == 0
    before = clicks(page)
    tick_all(page)
    expect(page.locator(".om-page-head")).to_contain_text(words["ready"])
    assert page.locator("#statements input[type=checkbox]").count() == 0
    case_url, ticked = page.url, clicks(page)
    part = build_packet(page, tmp_path)
    assert before + clicks(page) - ticked <= MOST_CLICKS_COMPLAINT
    assert verify_bundle(part.read_bytes()).verdict == "PASSED"

    page.goto(case_url)
    page.locator("#outcome details summary").first.click()
    page.locator("#outcome details form button").first.click()
    expect(page.locator("#outcome")).to_contain_text(EMAIL)
    assert watched.complaints() == []


@pytest.mark.parametrize(("language", "width"), [("en", 390), ("zh-hans", 1360)])
def test_a_notice_becomes_a_defence_with_its_deadline(
    site: Site, browser: Browser, original: str, language: str, width: int
) -> None:
    watched = start(site, browser, language, width)
    page = watched.page
    page.goto(site.base + "/cases/")
    forget_clicks(page)
    page.locator("a[href*='kind=defence']").first.click()
    page.locator("#id_target").select_option("alibaba_ipp")
    page.locator("#id_notice_received_at").fill("2026-09-30T09:00")
    page.locator("#id_notice_ref").fill("ALI20260930")
    page.locator("main form button.btn-primary").click()
    page.wait_for_url(lambda url: "/new/" not in url)
    # Three business days over the golden week and its worked Saturday.
    expect(page.locator("#deadlines")).to_contain_text("2026-10-10 01:00:00 UTC")
    expect(page.locator("#deadlines")).to_contain_text(WORDS[language]["due"])
    assert clicks(page) <= MOST_CLICKS_DEFENCE
    assert watched.complaints() == []
