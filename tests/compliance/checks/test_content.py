"""What was put on a picture is found in its place, told once and by the right rule; a clean picture stays clean."""

import json

import numpy as np
import pytest
import segno
from PIL import Image, ImageDraw, ImageFont

from compliance.checks.barcodes import find_codes
from compliance.checks.base import Level, Verdict
from compliance.checks.border import find_border
from compliance.checks.ink import measure_opacity
from compliance.checks.marks import PRICE
from compliance.checks.ocr import find_texts
from ledger.imaging.sandbox import PixelPool
from tests.compliance.checks.pictures import encode, levels, outcome_of, pair_of, product, scene
from tests.images import product_photo

SIZE = (640, 640)
FONT = "ledger/pdf/fonts/NotoSansSC-Regular-gbk.ttf"


def photo(seed=4) -> Image.Image:
    return product_photo(seed, SIZE)


def lettered(text: str, image=None, at=(40, 40), px=36, fill=(20, 20, 120), opacity=1.0) -> Image.Image:
    base = (image or photo()).convert("RGBA")
    layer = Image.new("RGBA", base.size, (0, 0, 0, 0))
    font = ImageFont.truetype(FONT, px)
    ImageDraw.Draw(layer).text(at, text, font=font, fill=(*fill, round(255 * opacity)))
    return Image.alpha_composite(base, layer).convert("RGB")


def with_qr(side: int) -> Image.Image:
    matrix = np.array([[bool(cell) for cell in row] for row in segno.make("P552405", micro=False).matrix])
    code = Image.fromarray(np.where(matrix, 0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.LANCZOS)
    image = photo()
    image.paste((255, 255, 255), (96, 96, 104 + side, 104 + side))
    image.paste(code.convert("RGB"), (100, 100))
    return image


def pair_with(hidden: Image.Image):
    data = encode(hidden, "JPEG")
    return pair_of(data, data)


def content(pair):
    """Rule and level of every finding of the content rules."""
    found = [outcome_of(rule, pair) for rule in ("H12", "H13", "H14", "H15", "H16", "H17", "H22")]
    return [(item.rule, item.level.value) for one in found for item in one.findings]


def covers(box, inside):
    return (
        box[0] <= inside[0] + 12 and box[1] <= inside[1] + 12 and box[2] >= inside[2] - 12 and box[3] >= inside[3] - 12
    )


def test_a_clean_photo_carries_nothing():
    assert content(pair_with(photo())) == []
    assert content(pair_with(scene(SIZE))) == []


@pytest.mark.parametrize("text", ["FREE SHIPPING", "限时特惠", "Бесплатная доставка"])
def test_text_is_found_in_its_place(text):
    found = outcome_of("H12", pair_with(lettered(text)))
    assert found.verdict is Verdict.FAILED
    assert any(covers(item.bbox, (60, 50, 100, 70)) for item in found.findings)


def test_latin_and_chinese_are_read():
    for text in ("SUMMER", "限时特惠"):
        assert text in [item.text for item in find_texts(np.asarray(lettered(text)))]


def test_text_at_a_third_of_its_strength_is_found():
    assert (
        outcome_of("H12", pair_with(lettered("NEW SEASON", opacity=0.3))).findings
        or outcome_of("H14", pair_with(lettered("NEW SEASON", opacity=0.3))).findings
    )


def test_text_that_vanished_was_removed_rightly():
    pair = pair_of(encode(lettered("FREE SHIPPING"), "JPEG"), encode(photo(), "JPEG"))
    assert content(pair) == []


def test_text_on_the_product_is_a_question():
    sheet = Image.new("RGB", SIZE, (235, 235, 235))
    ImageDraw.Draw(sheet).rectangle((120, 120, 520, 520), fill=(150, 40, 60))
    noisy = np.asarray(sheet, np.int16) + np.random.default_rng(1).integers(-3, 4, (*SIZE, 1))
    shirt = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    on_product = outcome_of("H12", pair_with(lettered("MOUNTAIN", shirt, (220, 280), 40, (240, 240, 240))))
    assert levels(on_product) == ["CONFIRM"]
    beside = outcome_of("H12", pair_with(lettered("MOUNTAIN", shirt, (220, 30), 40, (20, 20, 20))))
    assert levels(beside) == ["ERROR"]


def test_a_price_is_told_as_a_price_only():
    assert content(pair_with(lettered("US $ 12.99"))) == [("H16", "ERROR")]


@pytest.mark.parametrize(
    "text", ["$12", "US $ 12.99", "12,99 €", "£5.50", "1 290 ₽", "1 290 P", "¥199", "199元", "99.90 USD", "EUR 15"]
)
def test_amounts_with_a_currency_are_prices(text):
    assert PRICE.search(text)


@pytest.mark.parametrize("text", ["2024", "100% COTTON", "SIZE 42", "NEW", "-30%", "12.99"])
def test_numbers_alone_are_no_prices(text):
    assert not PRICE.search(text)


def test_faint_text_is_a_watermark_with_its_opacity():
    found = outcome_of(
        "H14", pair_with(lettered("MOYASTYLE", scene(SIZE, 3).resize((80, 80)).resize(SIZE), px=60, opacity=0.5))
    )
    assert [item.code for item in found.findings] == ["ERR_IMG_HID_WATERMARK"]
    assert "opacity" in found.findings[0].detail


def test_opacity_is_measured_on_a_ground_that_varies():
    ground = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    picture = np.asarray(lettered("WATERMARK", ground, (40, 250), 90, (255, 255, 255), 0.4))
    assert measure_opacity(picture, (30, 255, 600, 370)) == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("side", [24, 32, 64, 200])
def test_a_code_is_found(side):
    found = outcome_of("H13", pair_with(with_qr(side)))
    assert levels(found) == ["ERROR"]
    assert covers(found.findings[0].bbox, (102, 102, 98 + side, 98 + side))


def test_a_linear_code_has_to_be_decoded():
    stripes = np.full((100, 300, 3), 255, np.uint8)
    stripes[:, ::7] = 0
    assert find_codes(stripes) == ()


def test_an_opaque_arrow_is_found_and_words_on_a_badge_are_the_badge():
    image = photo()
    ImageDraw.Draw(image).polygon(
        [(60, 90), (120, 90), (120, 60), (180, 110), (120, 160), (120, 130), (60, 130)], (220, 20, 30)
    )
    assert content(pair_with(image)) == [("H17", "ERROR")]
    ImageDraw.Draw(image).ellipse((420, 40, 600, 220), fill=(220, 20, 30))
    badge = lettered("NEW", image, (450, 95), 50, (255, 255, 255))
    assert content(pair_with(badge)) == [("H17", "ERROR"), ("H17", "ERROR")]


@pytest.mark.parametrize(("inset", "width"), [(0, 6), (0, 20), (4, 6)])
def test_a_border_is_found(inset, width):
    image = photo()
    box = (inset, inset, SIZE[0] - 1 - inset, SIZE[1] - 1 - inset)
    ImageDraw.Draw(image).rectangle(box, outline=(200, 20, 30), width=width)
    assert levels(outcome_of("H15", pair_with(image))) == ["ERROR"]


def test_a_plain_background_is_no_border():
    assert find_border(np.asarray(product(SIZE))) is None
    assert find_border(np.full((300, 300, 3), 240, np.uint8)) is None


def test_bands_on_two_sides_are_no_border():
    image = photo()
    ImageDraw.Draw(image).rectangle((0, 0, SIZE[0], 14), fill=(0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, SIZE[1] - 15, SIZE[0], SIZE[1]), fill=(0, 0, 0))
    assert find_border(np.asarray(image)) is None


def test_boxes_are_in_pixels_of_the_file():
    large = lettered("FREE SHIPPING").resize((3200, 3200))
    found = outcome_of("H12", pair_with(large))
    assert covers(found.findings[0].bbox, (300, 290, 500, 340))


def test_letters_are_read_inside_the_limited_child():
    data = encode(lettered("FREE SHIPPING"), "JPEG")
    params = {"profile": "aliexpress-seed-2024", "main_name": "m", "hidden_name": "h", "pictures": False}
    with PixelPool(1) as pool:
        first, second = (
            pool.run("compliance.checks.worker_tasks:check_pair_task", [data, data], params).values for _ in range(2)
        )
    first.pop("timings_ms"), second.pop("timings_ms")
    assert json.dumps(first) == json.dumps(second)
    assert [item["level"] for item in first["findings"] if item["rule"] == "H12"] == [Level.ERROR]
