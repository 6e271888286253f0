"""One picture: each finding on the picture that deserves it, none on a photo from the camera, and the JSON of it all."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from compliance.checks.base import Level, Verdict
from compliance.checks.errors import PictureRefused
from compliance.checks.need import check_need
from compliance.checks.opening import open_side
from compliance.checks.quality_check import check_quality, parse_quality
from compliance.checks.screens import has_status_bar, is_screen_size
from compliance.checks.worker_tasks import CHECK_QUALITY_TASK
from ledger.imaging.sandbox import PixelPool
from tests.compliance.checks.pictures import PROFILE, encode, product
from tests.compliance.checks.test_content import lettered, photo, with_qr
from tests.images import exif_bytes


def check(data: bytes, **options):
    ticks = itertools.count()
    return check_quality(data, name="p.jpg", profile=PROFILE, clock=lambda: float(next(ticks)), **options)


def codes(data: bytes, **options) -> list[str]:
    return [finding.code for finding in check(data, **options).findings]


def camera(image: Image.Image, **options) -> bytes:
    return encode(image, "JPEG", exif=exif_bytes(), **options)


def screenshot(size=(1080, 2340)) -> Image.Image:
    image = photo().resize(size)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], 80), fill=(250, 250, 250))
    for x in (60, 85, 120, 145, 880, 930, 980):
        draw.rectangle((x, 30, x + 14, 52), fill=(20, 20, 20))
    return image


def test_a_photo_from_the_camera_has_no_findings():
    report = check(camera(photo()))
    assert (report.verdict, report.findings, report.has_camera) == (Verdict.PASSED, (), True)


@pytest.mark.parametrize(("size", "is_small"), [((600, 600), False), ((599, 600), True), ((2000, 599), True)])
def test_six_hundred_pixels_are_needed(size, is_small):
    report = check(camera(product(size)))
    assert ([item.code for item in report.findings] == ["ERR_IMG_LOW_RESOLUTION"]) == is_small
    assert report.verdict is (Verdict.FAILED if is_small else Verdict.PASSED)


def test_a_little_text_is_allowed_and_much_is_not():
    assert codes(camera(lettered("SALE"))) == []
    full = photo()
    for row in range(8):
        full = lettered("FREE SHIPPING TODAY", full, (20, 20 + 75 * row), 52)
    report = check(camera(full))
    assert [item.code for item in report.findings] == ["WARN_IMG_TEXT_HEAVY"]
    assert report.text_share > 0.3


def test_a_code_is_an_error():
    assert codes(camera(with_qr(80))) == ["ERR_IMG_QRCODE"]


def test_a_screenshot_is_known_by_its_size_and_its_bar():
    found = check(encode(screenshot(), "PNG")).findings
    assert [(item.code, item.detail) for item in found if item.rule == "Q03"] == [
        ("WARN_IMG_SCREENSHOT", "screen_size, status_bar")
    ]


def test_a_camera_takes_pictures_of_any_size():
    assert "WARN_IMG_SCREENSHOT" not in codes(camera(photo().resize((1080, 1920))))


@pytest.mark.parametrize("picture", [product((800, 800)), photo(), Image.new("RGB", (800, 800), (255, 255, 255))])
def test_a_plain_top_is_no_status_bar(picture):
    assert not has_status_bar(np.asarray(picture))


def test_lying_screens_are_screens():
    assert is_screen_size(2340, 1080)
    assert not is_screen_size(800, 800)


@pytest.mark.parametrize(("quality", "expected"), [(75, ["WARN_IMG_RECOMPRESSED"]), (76, [])])
def test_chat_programs_compress_hard(quality, expected):
    assert codes(encode(photo(), "JPEG", quality=quality)) == expected


def test_missing_exif_alone_is_a_note_and_no_finding():
    stripped = check(encode(photo(), "JPEG", quality=90))
    assert (stripped.notes, stripped.findings) == (("WARN_IMG_EXIF_LOST",), ())
    assert check(encode(photo(), "JPEG", quality=70)).notes == ()  # the warning about chat programs says it already
    assert check(camera(photo())).notes == ()
    assert parse_quality(json.loads(json.dumps(stripped.to_dict()))) == stripped


def test_what_a_file_tells_of_place_and_device_is_a_note_and_no_finding():
    told = check(encode(photo(), "JPEG", quality=90, exif=exif_bytes(gps=(31.2, 121.5), serial="7")))
    assert (told.notes, told.findings) == (("WARN_IMG_HAS_PLACE", "WARN_IMG_HAS_SERIAL"), ())
    assert parse_quality(json.loads(json.dumps(told.to_dict()))) == told


def test_a_hard_compressed_file_with_exif_came_from_no_chat():
    assert codes(camera(photo(), quality=60)) == []


def test_a_mandatory_category_needs_a_hidden_image():
    assert codes(camera(photo()), category="shoes", without_hidden=True) == ["ERR_IMG_HID_MISSING"]
    assert codes(camera(photo()), category="shoes") == []
    assert codes(camera(photo()), category="sports", without_hidden=True) == []


@pytest.mark.parametrize(
    "category",
    [
        "womens-clothing",
        "mens-clothing",
        "shoes",
        "bags",
        "jewelry",
        "beauty",
        "consumer-electronics",
        "phone-accessories",
    ],
)
def test_every_category_the_document_names_needs_a_hidden_image(category):
    assert codes(camera(photo()), category=category, without_hidden=True) == ["ERR_IMG_HID_MISSING"]


@pytest.mark.parametrize("category", ["home-garden", "mother-kids", "toys"])
def test_the_other_categories_it_names_need_one_with_promotion_only(category):
    promoted = camera(lettered("FREE SHIPPING"))
    assert codes(promoted, category=category, without_hidden=True) == ["ERR_IMG_HID_REQUIRED_PROMO"]
    assert codes(camera(photo()), category=category, without_hidden=True) == []


def test_promotion_decides_in_conditional_categories():
    plain, promoted = (open_side("image", camera(image), "m") for image in (photo(), lettered("FREE SHIPPING")))
    assert check_need(plain, "toys").findings == ()
    found = check_need(promoted, "toys").findings
    assert [(item.rule, item.code, item.level) for item in found] == [
        ("H02", "ERR_IMG_HID_REQUIRED_PROMO", Level.ERROR)
    ]
    assert check_need(promoted, "handmade").word == ""


def test_the_report_is_stable_json():
    fields = json.loads(json.dumps(check(encode(photo(), "JPEG", quality=70), category="shoes").to_dict()))
    assert list(fields) == [
        "report_version",
        "verdict",
        "findings",
        "name",
        "format",
        "width",
        "height",
        "size_bytes",
        "metadata",
        "has_camera",
        "jpeg_quality",
        "text_share",
        "codes",
        "category",
        "hidden_need",
        "timings_ms",
        "notes",
        "profile",
    ]
    assert (fields["jpeg_quality"], fields["hidden_need"]) == (70, "mandatory")
    assert fields["timings_ms"]["Q01"] == 1000


def test_a_file_that_is_no_picture_is_refused_by_name():
    with pytest.raises(PictureRefused) as error:
        check(b"no picture")
    assert (error.value.side, error.value.cause) == ("image", "unsupported_type")


def test_the_task_runs_inside_the_limited_child():
    params = {"name": "p", "profile": "aliexpress-seed-2024"}
    with PixelPool(1) as pool:
        assert pool.run(CHECK_QUALITY_TASK, [camera(photo())], params).values["verdict"] == "PASSED"
        assert pool.run(CHECK_QUALITY_TASK, [b"GIF89a"], params).values["refused"]["cause"] == "unsupported_type"
