"""A pack passes every rule by construction, and its two pictures differ in the promotion's blocks alone."""

import numpy as np
import pytest

from compliance.checks.blocks import list_blocks
from compliance.packs.errors import (
    FileRefused,
    OriginalTooSmall,
    OverlayAndMain,
    OverlayEmpty,
    OverlayNotLayered,
    OverlayShape,
)
from compliance.packs.jpeg import read_form
from compliance.packs.maker import PackInput, make_pack
from tests.compliance.packs.pictures import (
    BANNER,
    PROFILE,
    SIZE,
    faults,
    layer,
    opened,
    original,
    overlay,
    photo,
    pixels,
)
from tests.images import exif_bytes, jpeg_bytes, noise_picture, png_bytes, swapped_profile


@pytest.fixture(scope="module")
def pack():
    return make_pack(PackInput(original(), overlay=overlay()), PROFILE)


def made(original_bytes, **changes):
    return make_pack(PackInput(original_bytes, **changes), PROFILE)


def test_no_rule_stands_against_the_pack(pack):
    assert faults(pack.report) == []


def test_pixels_outside_the_promotion_s_blocks_are_identical(pack):
    alpha = np.asarray(layer())[..., 3] > 0
    blocks = np.zeros_like(alpha)
    for top in range(0, SIZE[1], 8):
        for left in range(0, SIZE[0], 8):
            block = np.s_[top : top + 8, left : left + 8]
            blocks[block] = alpha[block].any()
    differs = (pixels(pack.file("main").data) != pixels(pack.file("hidden").data)).any(axis=2)
    assert differs[alpha].any()
    assert not differs[~blocks].any()
    assert pack.agreement.differing_px == 0
    assert pack.agreement.touched == pytest.approx(blocks.mean())
    assert pack.agreement.promotion == pytest.approx(alpha.mean())


def test_main_and_hidden_are_written_alike(pack):
    assert read_form(pack.file("main").data) == read_form(pack.file("hidden").data)


def test_no_file_says_anything_about_itself():
    exif = exif_bytes(gps=(22.5, 114.1))
    for file in made(jpeg_bytes(photo(), exif=exif, comment=b"by hand"), overlay=overlay()).files:
        assert list_blocks(file.data) == ()


def test_the_hidden_image_shows_the_original_and_nothing_of_the_overlay(pack):
    off = np.abs(pixels(pack.file("hidden").data).astype(int) - pixels(original()))
    assert off.mean() < 1.5
    assert off[BANNER[1] : BANNER[3], BANNER[0] : BANNER[2]].mean() < 1.5


def test_the_promotion_s_place_is_told(pack):
    (box,) = pack.boxes
    assert np.abs(np.array(box) - np.array(BANNER)).max() <= 2


def test_the_detail_image_keeps_the_original_s_pixels():
    given = jpeg_bytes(photo(), exif=exif_bytes(), quality=90)
    detail = made(given, overlay=overlay()).file("detail")
    assert np.array_equal(pixels(detail.data), pixels(given))
    assert len(detail.data) < len(given)


def test_without_promotion_main_and_hidden_are_one_picture():
    pack = made(original())
    assert pack.file("main").data == pack.file("hidden").data
    assert pack.boxes == ()


def test_a_turned_original_comes_out_upright():
    pack = made(jpeg_bytes(photo(), exif=exif_bytes(orientation=6)), overlay=overlay((SIZE[1], SIZE[0])))
    assert [(file.width, file.height) for file in pack.files] == [(SIZE[1], SIZE[0])] * 3
    assert opened(pack.file("detail").data).size == (SIZE[1], SIZE[0])


def test_another_colour_space_comes_out_as_srgb():
    given = jpeg_bytes(photo(), icc_profile=swapped_profile())
    for file in made(given).files:
        assert "icc_profile" not in opened(file.data).info
        assert np.abs(pixels(file.data).astype(int) - pixels(given)).mean() < 2


def test_large_originals_get_the_profile_s_sizes():
    pack = made(jpeg_bytes(photo(size=(2400, 4200))), overlay=overlay((1200, 2100)))
    assert [(file.width, file.height) for file in pack.files] == [(1143, 2000), (1143, 2000), (2286, 4000)]
    assert pack.file("hidden").relation.geometry == "similarity"
    assert pack.file("hidden").relation.steps == ("scaled",)
    assert faults(pack.report) == []


def test_nothing_is_enlarged_to_fit_a_larger_overlay():
    pack = made(original(), overlay=overlay((1440, 1800), box=(120, 140, 800, 300)))
    assert (pack.file("main").width, pack.file("main").height) == SIZE
    (box,) = pack.boxes
    assert np.abs(np.array(box) - np.array(BANNER)).max() <= 3


def test_quality_is_searched_until_the_files_are_small_enough():
    noise = png_bytes(noise_picture(1, (2000, 2000)))
    pack = made(noise, overlay=overlay((2000, 2000)))
    sizes = [len(file.data) for file in pack.files]
    assert max(sizes) <= 5_000_000
    assert sizes[0] > 4_000_000
    assert read_form(pack.file("main").data) == read_form(pack.file("hidden").data)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"overlay": png_bytes(photo())}, OverlayNotLayered),
        ({"overlay": overlay(colour=(0, 0, 0, 0), text="")}, OverlayEmpty),
        ({"overlay": overlay((720, 720))}, OverlayShape),
        ({"overlay": overlay(), "main": original()}, OverlayAndMain),
        ({"overlay": b"GIF89a"}, FileRefused),
        ({"overlay": overlay((360, 450))}, OriginalTooSmall),
    ],
)
def test_what_cannot_be_made_is_named(change, error):
    with pytest.raises(error):
        made(original(), **change)


def test_599_pixels_are_too_small_and_600_are_not():
    with pytest.raises(OriginalTooSmall, match="599x700, at least 600x600"):
        made(jpeg_bytes(photo(size=(599, 700))))
    assert made(jpeg_bytes(photo(size=(600, 700)))).file("main").width == 600


def test_a_file_that_is_no_picture_is_named():
    with pytest.raises(FileRefused) as caught:
        made(original()[:3000])
    assert (caught.value.side, caught.value.cause) == ("original", "corrupt_image")
