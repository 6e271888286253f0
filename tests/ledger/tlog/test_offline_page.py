"""verify.html, the checker that is a page: in Debian's Chromium, without a network, it answers as the app does."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, FilePayload, Page

from ledger.tlog import bundle
from ledger.tlog.policy import Policy, PolicyLog, format_policy
from ledger.tlog.verify import verify_bundle
from tests.ledger.tlog.agreement import spoiled
from tests.ledger.tlog.cosigned import BAD_POLICIES, CASES, QUORUM, cosigned
from tests.ledger.tlog.sample import OTHER_SIGNER, PHOTO, POLICY, pack
from tests.ledger.tlog.timed import FAULTS

pytestmark = pytest.mark.browser

# What the page leaves to openssl, and says so.
TIMES = ("later", "earlier", "renewal")
HERE = [fault for fault in FAULTS if not fault.startswith(TIMES)]


@dataclass
class Checker:
    """The page, opened from the disk; whatever it asks the network for, and whatever it complains of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def answer(self, data: bytes, policy: str = "", photo: bytes = b"") -> tuple[str, bool]:
        """The verdict, and whether it is only as good as the key that came along."""
        self.page.reload()
        photos: list[FilePayload] = [{"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": photo}] if photo else []
        self.page.set_input_files("#photos", photos)
        self.page.fill("#policy", policy)
        self.page.set_input_files("#bundle", {"name": "e.zip", "mimeType": "application/zip", "buffer": data})
        verdict = self.page.wait_for_selector("#verdict", timeout=10_000)
        assert verdict is not None
        said, qualified = verdict.get_attribute("data-verdict"), verdict.get_attribute("data-qualified")
        return str(said), qualified == "true"


@pytest.fixture(scope="module")
def checker(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    file = tmp_path_factory.mktemp("page") / "verify.html"
    file.write_bytes(bundle.verify_text("verify.html"))
    page = browser.new_page(locale="en-GB")
    seen = Checker(page)
    page.on("request", lambda request: seen.asked.append(request.url))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.goto(file.as_uri())
    yield seen
    page.close()


@pytest.mark.parametrize("fault", HERE)
def test_the_page_agrees_with_the_app(checker: Checker, fault: str):
    rng = random.Random(fault)
    data = pack(spoiled(fault, rng))
    policy = format_policy(POLICY).decode() if rng.random() < 0.5 else ""
    assert checker.answer(data, policy) == (FAULTS[fault][1], not policy), fault
    assert checker.errors == []


def test_nothing_is_asked_of_any_network(checker: Checker):
    checker.answer(pack(spoiled("nothing", random.Random(3))))
    assert [url for url in checker.asked if not url.startswith("file:")] == []


def test_a_key_that_came_along_is_never_an_unqualified_pass(checker: Checker):
    data = pack(spoiled("nothing", random.Random(4)))
    checker.answer(data)
    assert "compare" in checker.page.inner_text("#verdict")
    assert checker.answer(data, format_policy(Policy((PolicyLog(OTHER_SIGNER.key),))).decode())[0] == "FAILED"
    assert checker.answer(data, "not a policy")[0] == "FAILED"


def test_outside_time_is_named_as_not_checked(checker: Checker):
    checker.answer(pack(spoiled("nothing", random.Random(5))))
    assert "verify.sh" in checker.page.inner_text("#result")


@pytest.mark.parametrize(("photo", "verdict"), [(PHOTO, "PASSED"), (PHOTO + b"!", "FAILED")])
def test_a_photo_is_compared_byte_for_byte(checker: Checker, photo: bytes, verdict: str):
    assert checker.answer(pack(spoiled("nothing", random.Random(6))), photo=photo)[0] == verdict


@pytest.mark.parametrize("case", CASES)
def test_a_quorum_of_witnesses_is_counted(checker: Checker, case: str):
    data = pack(cosigned(spoiled("nothing", random.Random(7)), case))
    assert checker.answer(data, format_policy(QUORUM).decode())[0] == CASES[case][1]


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_a_policy_that_is_none_is_refused(checker: Checker, name: str):
    files = spoiled("nothing", random.Random(7))
    inside = pack(cosigned(files | {"policy": BAD_POLICIES[name]}, "all"))
    assert checker.answer(inside)[0] == "FAILED"
    assert checker.answer(pack(cosigned(files, "all")), BAD_POLICIES[name].decode())[0] == "FAILED"
    assert checker.errors == []


def test_archives_that_lie_are_refused(checker: Checker):
    sound = bundle.format_bundle({k: v for k, v in spoiled("nothing", random.Random(8)).items() if k != bundle.SUMS})
    assert checker.answer(sound)[0] == "PASSED"
    assert checker.answer(pack(bundle.read_bundle(sound), zipfile.ZIP_DEFLATED))[0] == "PASSED"
    dated = bytearray(sound)
    dated[12] ^= 1  # the day of the first local header
    lies = {
        "cut": sound[:-1],
        "longer": sound + b"!",
        "before": b"!" + sound,
        "a date": bytes(dated),
        "a byte of a file": sound.replace(b"c2sp.org/tlog-proof", b"c2sp.org/tlog-prooF", 1),
        "no ZIP": b"%PDF-1.7",
        "nothing": b"",
    }
    for name, data in lies.items():
        assert verify_bundle(data).verdict == "FAILED", name
        assert checker.answer(data)[0] == "FAILED", name
    assert checker.errors == []
