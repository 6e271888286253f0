"""The registered original against the hidden image: every way down from it, every mark, and nothing where nothing is."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import segno
from PIL import Image, ImageDraw, ImageFont

from compliance.checks.base import Finding, Level, Verdict
from compliance.checks.settle import settle_outcomes
from compliance.checks.threeway import explained_by_original, residue_in, three_way
from tests.compliance.checks.pictures import encode, outcome_of, pair_of, photo, scene, with_promotion

ORIGINAL = photo(size=(640, 520))
BYTES = encode(ORIGINAL, "JPEG", quality=95)
PLACE = (150, 90)


def graded(image: Image.Image) -> Image.Image:
    levels = np.asarray(image).astype(np.float64) * (1.05, 1.0, 0.96) - 4
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


WAYS: dict[str, Any] = {
    "same": lambda image: image,
    "scaled": lambda image: image.resize((448, 364), Image.Resampling.LANCZOS),
    "cropped": lambda image: image.crop((33, 21, 613, 481)),
    "cropped scaled": lambda image: image.crop((20, 10, 620, 500)).resize((480, 392), Image.Resampling.BICUBIC),
    "graded": graded,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def with_text(image: Image.Image, opacity: float, size_px: int = 12) -> Image.Image:
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    colour = (255, 255, 255, round(255 * opacity))
    ImageDraw.Draw(layer).text(PLACE, "SALE 50%", font=ImageFont.load_default(size_px), fill=colour)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def compared(hidden: Image.Image, original: bytes = BYTES, **options: Any):
    data = encode(hidden, "JPEG", **options)
    return pair_of(data, data, original)


@pytest.fixture(scope="module")
def decoded() -> Image.Image:
    """What a designer opens: the decoded file."""
    return Image.fromarray(pair_of(BYTES, BYTES).hidden.detail)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_found_where_nothing_was_left(decoded, way):
    found = three_way(compared(WAYS[way](decoded), quality=82))
    assert (found.reason, found.residues) == ("", ())
    assert way.split()[0] in found.path


@pytest.mark.parametrize("opacity", [1.0, 0.3])
@pytest.mark.parametrize("way", WAYS)
def test_text_that_was_left_is_found_however_the_picture_came_about(decoded, way, opacity):
    found = three_way(compared(with_text(WAYS[way](decoded), opacity)))
    assert found.residues
    left, top, right, bottom = found.residues[0].box
    assert left <= PLACE[0] + 8
    assert right >= PLACE[0] + 40
    assert PLACE[1] - 6 <= top < bottom <= PLACE[1] + 22
    assert found.residues[0].opacity <= opacity + 0.1


@pytest.mark.parametrize("percent", [20, 25, 30, 40, 50, 60])
def test_a_translucent_text_is_found_at_every_strength_from_a_fifth_on(decoded, percent):
    found = outcome_of("T01", compared(with_text(decoded, percent / 100, 20)))
    assert found.verdict is Verdict.FAILED
    assert {finding.code for finding in found.findings} == {"ERR_IMG_HID_RESIDUE"}


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_an_exchanged_part_is_noticed_beside_the_original(decoded, share):
    """Without the original it could be what lay under removed promotion."""
    edge = round(decoded.width * (1 - share))
    box = (edge, 0, decoded.width, decoded.height)
    hidden = decoded.copy()
    hidden.paste(photo(seed=9, size=decoded.size).crop(box), box)
    found = outcome_of("T01", compared(hidden))
    assert found.verdict is Verdict.FAILED
    assert all(finding.bbox[0] >= edge - 24 for finding in found.findings)


@pytest.mark.parametrize("side", [12, 16, 20, 40])
def test_a_code_however_small_is_found_beside_the_original(decoded, side):
    """Below 24 px a QR code is found as something the original does not show; nobody could read it as a code."""
    modules = np.array([[bool(cell) for cell in row] for row in segno.make("P552405", micro=False).matrix])
    code = Image.fromarray(np.where(modules, 0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.LANCZOS)
    hidden = decoded.copy()
    hidden.paste(code.convert("RGB"), PLACE)
    found = outcome_of("T01", compared(hidden))
    assert found.verdict is Verdict.FAILED
    left, top, right, bottom = found.findings[0].bbox
    assert left - 4 <= PLACE[0] <= right
    assert top - 4 <= PLACE[1] <= bottom


def test_a_lossless_hidden_image_is_compared_pixel_by_pixel(decoded):
    data = encode(with_text(decoded, 0.1))
    assert len(three_way(pair_of(data, data, BYTES)).residues) == 1


def test_a_residue_fails_and_says_how_strong_it_is(decoded):
    found = outcome_of("T01", compared(with_text(decoded, 0.5)))
    assert found.verdict is Verdict.FAILED
    (finding,) = found.findings
    assert (finding.code, finding.level, finding.allowed) == ("ERR_IMG_HID_RESIDUE", Level.ERROR, 0)
    assert finding.measured == pytest.approx(0.5, abs=0.12)


def test_a_picture_that_cannot_be_laid_over_leaves_the_pair_undecided(decoded):
    pair = compared(decoded, encode(scene((640, 520), seed=9), "JPEG"))
    assert three_way(pair).reason == "original_not_found"
    found = outcome_of("T01", pair)
    assert (found.verdict, found.reason, found.findings) == (Verdict.INDETERMINATE, "original_not_found", ())


def test_without_an_original_the_rule_says_so(decoded):
    found = outcome_of("T01", pair_of(BYTES, BYTES))
    assert (found.verdict, found.reason) == (Verdict.PASSED, "no_original")


def test_the_products_own_print_is_explained_and_a_mark_beside_it_is_not():
    printed = with_promotion(ORIGINAL, (300, 300, 420, 340))
    original = encode(printed, "JPEG", quality=95)
    pair = compared(with_text(printed, 1.0), original)
    assert explained_by_original(pair, (300, 300, 420, 340))
    assert not explained_by_original(pair, (150, 90, 215, 105))
    assert residue_in(pair, (150, 90, 215, 105)) is not None
    assert residue_in(pair, (300, 300, 420, 340)) is None


def test_a_question_that_the_original_answers_is_not_asked():
    printed = with_promotion(ORIGINAL, (300, 300, 420, 340))
    pair = compared(printed, encode(printed, "JPEG", quality=95))
    asked = outcome_of("H07", pair)
    question = replace(
        asked,
        rule="H12",
        verdict=Verdict.INDETERMINATE,
        findings=(_finding("H12", Level.CONFIRM, (300, 300, 420, 340)), _finding("H12", Level.CONFIRM, None)),
    )
    (settled,) = settle_outcomes(pair, [question])
    assert [finding.bbox for finding in settled.findings] == [None]
    (answered,) = settle_outcomes(pair, [replace(question, findings=question.findings[:1])])
    assert (answered.verdict, answered.reason) == (Verdict.PASSED, "in_the_original")


def test_a_mark_with_a_better_name_is_reported_once(decoded):
    pair = compared(with_text(decoded, 1.0))
    residue = outcome_of("T01", pair)
    text = replace(residue, rule="H12", findings=(_finding("H12", Level.ERROR, (140, 85, 230, 112)),))
    settled = {each.rule: each for each in settle_outcomes(pair, [text, residue])}
    assert settled["T01"].findings == ()
    assert (settled["T01"].verdict, settled["T01"].reason) == (Verdict.PASSED, "named_elsewhere")
    assert len(settled["H12"].findings) == 1


def _finding(rule: str, level: Level, box: tuple[int, int, int, int] | None):
    return Finding(rule, "ERR_IMG_HID_TEXT", level, box, 1, 0, "words")
