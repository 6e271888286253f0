"""Ghosts and patches: what an overlay leaves behind, and clean removals that leave nothing."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.compliance.checks.pictures import encode, levels, outcome, outcome_of, pair_of, photo

PHOTO = photo(size=(640, 520))


def promoted(opacity: float) -> Image.Image:
    layer = Image.new("RGBA", PHOTO.size, (0, 0, 0, 0))
    font = ImageFont.load_default(60)
    ImageDraw.Draw(layer).text((60, 60), "50% OFF", font=font, fill=(200, 20, 20, round(255 * opacity)))
    return Image.alpha_composite(PHOTO.convert("RGBA"), layer).convert("RGB")


@pytest.mark.parametrize(("rest", "expected"), [(0.0, []), (0.08, ["ERROR"]), (0.3, ["ERROR"])])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_a_faded_promotion_shines_through(rest, expected, format_name):
    found = outcome("H18", promoted(1.0), promoted(rest), format_name)
    assert sorted(set(levels(found))) == expected
    if rest:
        assert found.measured == pytest.approx(rest, abs=0.06)
        assert min(finding.bbox[0] for finding in found.findings) <= 66
        assert max(finding.bbox[2] for finding in found.findings) >= 280


def test_a_transparent_watermark_that_was_removed_is_no_ghost():
    assert outcome("H18", promoted(0.4), PHOTO, "JPEG").findings == ()


def test_a_flat_patch_on_texture_is_seen():
    rough = np.random.default_rng(3).integers(60, 200, (520, 640, 3), dtype=np.uint8)
    clean = Image.fromarray(cv2.blur(rough, (2, 2)))
    main, patched = clean.copy(), clean.copy()
    ImageDraw.Draw(main).rectangle((200, 200, 320, 280), fill=(220, 20, 20))
    ImageDraw.Draw(patched).rectangle((198, 198, 322, 282), fill=(130, 130, 130))
    assert levels(outcome("H19", main, patched)) == ["WARNING"]
    assert levels(outcome("H19", main, clean)) == []


def test_a_place_filled_by_an_editor_is_seen():
    """What content-aware filling leaves: the surroundings go on, their grain does not."""
    rough = np.random.default_rng(3).integers(60, 200, (520, 640, 3), dtype=np.uint8)
    clean = cv2.blur(rough, (2, 2))
    main = Image.fromarray(clean)
    ImageDraw.Draw(main).rectangle((200, 200, 320, 280), fill=(220, 20, 20))
    mask = np.zeros(clean.shape[:2], np.uint8)
    mask[198:283, 198:323] = 255
    filled = Image.fromarray(np.asarray(cv2.inpaint(np.asarray(main), mask, 5, cv2.INPAINT_TELEA)))
    found = outcome("H19", main, filled)
    assert [(item.code, item.level.value) for item in found.findings] == [("WARN_IMG_HID_INPAINT", "WARNING")]


def test_pictures_of_different_size_are_not_searched_for_ghosts():
    pair = pair_of(encode(promoted(1.0)), encode(PHOTO.resize((320, 260))))
    assert outcome_of("H18", pair).reason == "stretched"
