"""Same cut, same subject, same light, same compression: what each rule sees, and what it leaves alone."""

import numpy as np
import pytest
from PIL import Image

from compliance.checks.jpeg import encode_like, read_make
from tests.compliance.checks.pictures import encode, levels, outcome, outcome_of, pair_of, photo, with_promotion

PHOTO = photo(size=(640, 520))
WIDE = photo(size=(680, 560))


def cut(left: int, top: int) -> Image.Image:
    return WIDE.crop((left, top, left + 640, top + 520))


def lighter(image: Image.Image, change: float) -> Image.Image:
    return Image.fromarray(np.clip(np.asarray(image).astype(np.float64) + change, 0, 255).astype(np.uint8))


def test_a_pair_of_one_export_has_the_same_composition_and_subject():
    pair = pair_of(encode(with_promotion(PHOTO, (0, 0, 639, 120)), "JPEG"), encode(PHOTO, "JPEG"))
    for rule in ("H08", "H09", "H11", "H20"):
        assert outcome_of(rule, pair).findings == ()


@pytest.mark.parametrize(("shift", "expected"), [(0, []), (2, ["ERROR"]), (9, ["ERROR"])])
def test_a_shift_is_measured_at_500_px(shift, expected):
    found = outcome("H08", with_promotion(cut(10, 10)), cut(10 + shift, 10))
    assert levels(found) == expected
    assert found.measured == pytest.approx(shift * 500 / 640, abs=0.15)


def test_three_pixels_and_five_percent_of_light_have_their_own_codes():
    moved = outcome("H08", cut(10, 10), cut(13, 10))
    assert [finding.code for finding in moved.findings] == ["ERR_IMG_HID_GEOMETRY"]
    brighter = Image.fromarray(np.clip(np.asarray(PHOTO) * 1.05, 0, 255).astype(np.uint8))
    lit = outcome("H11", PHOTO, brighter)
    assert [finding.code for finding in lit.findings] == ["ERR_IMG_HID_LIGHT"]
    assert outcome("H08", PHOTO, brighter).findings == ()


def test_a_turn_is_measured_in_degrees():
    turned = WIDE.rotate(1.0, Image.Resampling.BICUBIC).crop((20, 20, 660, 540))
    found = outcome("H08", cut(20, 20), turned)
    assert (found.unit, levels(found)) == ("deg", ["ERROR"])
    assert found.measured == pytest.approx(1.0, abs=0.05)


def test_a_tighter_cut_is_a_scale():
    tighter = PHOTO.crop((12, 10, 628, 510)).resize((640, 520), Image.Resampling.LANCZOS)
    found = outcome("H08", PHOTO, tighter)
    assert (found.unit, found.findings[0].detail) == ("share", "scaled")


def test_a_mirror_image_is_named():
    found = outcome("H08", PHOTO, PHOTO.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert found.findings[0].detail == "mirrored"


def test_another_photo_is_another_subject_and_not_a_move():
    pair = pair_of(encode(PHOTO), encode(photo(seed=8, size=(640, 520))))
    assert levels(outcome_of("H08", pair)) == []
    assert outcome_of("H09", pair).findings[0].detail == "other_photo"
    assert outcome_of("H11", pair).reason == "other_photo"


@pytest.mark.parametrize(("change", "expected"), [(0, []), (4, []), (5, []), (6, ["ERROR"]), (-8, ["ERROR"])])
def test_light_may_differ_by_five_levels(change, expected):
    found = outcome("H11", with_promotion(PHOTO), lighter(PHOTO, change))
    assert levels(found) == expected
    assert found.measured == pytest.approx(abs(change), abs=0.5)


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"format_name": "JPEG"}, ""),
        ({"format_name": "JPEG", "quality": 80}, "other_tables"),
        ({"format_name": "JPEG", "subsampling": 0}, "other_sampling"),
        ({"format_name": "PNG"}, "other_format"),
    ],
)
def test_both_files_are_compressed_alike(options, detail):
    found = outcome_of("H20", pair_of(encode(PHOTO, "JPEG"), encode(PHOTO, **options)))
    assert [finding.detail for finding in found.findings] == ([detail] if detail else [])


def test_two_lossless_files_are_compressed_alike():
    assert outcome("H20", PHOTO, PHOTO).findings == ()


@pytest.mark.parametrize("options", [{}, {"quality": 71}, {"subsampling": 0}, {"subsampling": 1, "quality": 97}])
def test_a_picture_can_be_saved_with_the_tables_of_another_file(options):
    like = encode(PHOTO, "JPEG", **options)
    make = read_make(like)
    assert make is not None
    again = read_make(encode_like(np.asarray(photo(seed=9)), make))
    assert again == make


def test_only_jpeg_files_have_tables():
    assert read_make(encode(PHOTO)) is None
    assert read_make(encode(PHOTO.convert("L"), "JPEG")).sampling_name == "grey"
