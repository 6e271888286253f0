"""Background colour to the level, in both directions of every band, and white stand-ins."""

import numpy as np
import pytest
from PIL import Image

from compliance.checks.background import background_offset, find_background
from compliance.checks.base import Verdict
from tests.compliance.checks.pictures import (
    BACKGROUND,
    encode,
    levels,
    outcome,
    outcome_of,
    pair_of,
    product,
    scene,
    with_promotion,
)


def shifted(by: int, channel: int = 0) -> Image.Image:
    colour = list(BACKGROUND)
    colour[channel] += by
    return product(background=tuple(colour))


@pytest.mark.parametrize(("by", "expected"), [(0, []), (5, []), (-5, []), (6, ["ERROR"]), (-6, ["ERROR"])])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_lossless_background_may_differ_by_five_levels(by, channel, expected):
    found = outcome("H10", product(), shifted(by, channel))
    assert found.measured == abs(by)
    assert levels(found) == expected


@pytest.mark.parametrize(("by", "expected"), [(0, []), (2, []), (5, ["WARNING"]), (9, ["ERROR"])])
def test_jpeg_background_has_a_band_of_doubt(by, expected):
    # All channels alike, so that the colour transform of JPEG keeps the step.
    moved = product(background=tuple(value + by for value in BACKGROUND))
    assert levels(outcome("H10", product(), moved, "JPEG")) == expected


def test_one_jpeg_of_two_widens_the_band():
    pair = pair_of(encode(product(), "JPEG"), encode(shifted(6)))
    assert levels(outcome_of("H10", pair)) == ["WARNING"]


def test_the_offset_is_told_by_channel():
    found = outcome("H10", product(), shifted(-8, channel=2))
    assert found.findings[0].detail == "R+0.0 G+0.0 B-8.0"


def test_promotion_on_the_background_does_not_move_the_mean():
    main = with_promotion(product(), box=(0, 0, 800, 150))
    assert outcome("H10", main, product()).measured == 0


def test_a_scene_has_no_background_to_measure():
    found = outcome("H10", scene(), scene())
    assert (found.verdict, found.measured, found.reason) == (Verdict.PASSED, None, "no_plain_background")


@pytest.mark.parametrize("quality", [80, 90, 95])
@pytest.mark.parametrize("by", [-12, -3, 4, 10])
def test_compression_moves_the_figure_by_at_most_a_level(quality, by):
    main, hidden = product(), product(background=tuple(value + by for value in BACKGROUND))
    measured = outcome("H10", main, hidden, "JPEG", quality=quality).measured
    assert measured == pytest.approx(abs(by), abs=1)


def test_a_white_background_instead_of_the_real_one_fails():
    found = outcome("H24", product(), product(background=(255, 255, 255)))
    assert found.verdict is Verdict.FAILED
    assert (found.findings[0].code, found.findings[0].detail) == ("ERR_IMG_HID_BG", "white_background")


def test_a_cut_out_of_a_scene_on_white_fails():
    assert outcome("H24", scene(), product(background=(255, 255, 255))).verdict is Verdict.FAILED


@pytest.mark.parametrize("background", [BACKGROUND, (255, 255, 255)])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_a_white_sheet_fails(background, format_name):
    sheet = Image.new("RGB", (800, 800), (255, 255, 255))
    found = outcome("H24", product(background=background), sheet, format_name)
    assert (found.verdict, found.findings[0].detail) == (Verdict.FAILED, "no_product")


@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_a_product_that_was_shot_on_white_passes(format_name):
    white = product(background=(255, 255, 255))
    assert outcome("H24", with_promotion(white), white, format_name).verdict is Verdict.PASSED


def test_offset_needs_a_background_in_both():
    plain, busy = find_background(np.asarray(product())), find_background(np.asarray(scene()))
    assert plain.is_plain
    assert not busy.is_plain
    assert background_offset(plain, busy) is None
    assert background_offset(busy, plain) is None
