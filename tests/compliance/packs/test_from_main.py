"""A pack from a finished main image: the original is found in it, and the hidden image comes from the original alone."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from compliance.packs.errors import MainBeyondOriginal, MainNotFromOriginal, MainReworked, MainTransformed
from compliance.packs.jpeg import read_form
from compliance.packs.maker import PackInput, make_pack
from tests.compliance.packs.pictures import PROFILE, faults, graded, original, photo, pixels, promoted
from tests.images import jpeg_bytes, mirrored, png_bytes, product_photo, rotated, webp_bytes

CROP = (36, 48, 684, 858)


def same():
    return photo()


def scaled():
    return photo().resize((640, 800), Image.Resampling.LANCZOS)


def cropped():
    return photo().crop(CROP)


def cropped_and_scaled():
    return photo(size=(1080, 1350)).crop((55, 71, 1000, 1253)).resize((640, 800), Image.Resampling.BICUBIC)


def coloured():
    return graded(photo())


WAYS: dict[str, Any] = {
    "same": (same, original, ()),
    "scaled": (scaled, original, ("scaled",)),
    "cropped": (cropped, original, ("cropped",)),
    "cropped and scaled": (
        cropped_and_scaled,
        lambda: jpeg_bytes(photo(size=(1080, 1350)), quality=94),
        ("cropped", "scaled"),
    ),
    "graded": (coloured, original, ("graded",)),
}


@pytest.fixture(scope="module", params=list(WAYS))
def case(request):
    """Name, the clean picture a designer had, the main image, and the pack made from it."""
    derive, source, _ = WAYS[request.param]
    clean = derive()
    main = jpeg_bytes(promoted(clean), quality=88)
    return request.param, np.asarray(clean), main, make_pack(PackInput(source(), main=main), PROFILE)


def test_how_the_original_lies_in_the_main_image_is_found(case):
    name, _, _, pack = case
    assert pack.file("hidden").relation.steps == WAYS[name][2]
    assert pack.file("main").relation.steps == (*WAYS[name][2], "overlaid")


def test_no_rule_stands_against_the_pack(case):
    assert faults(case[3].report) == []


def test_the_hidden_image_is_the_clean_picture(case):
    _, clean, _, pack = case
    off = np.abs(pixels(pack.file("hidden").data).astype(int) - clean).max(axis=2)
    # What a JPEG of quality 88 does to this grainy picture, and nothing under the banner.
    assert np.median(off) <= 5
    assert np.median(off[70:150, 60:400]) <= 5


def test_the_promotion_is_kept_in_the_main_image(case):
    _, _, main, pack = case
    off = np.abs(pixels(pack.file("main").data).astype(int) - pixels(main))
    assert off[74:146, 64:396].mean() < 3
    assert off.mean() < 4


def test_pixels_outside_the_promotion_s_blocks_are_identical(case):
    pack = case[3]
    assert pack.agreement.differing_px == 0
    assert 0.02 < pack.agreement.promotion < pack.agreement.touched < 0.25


def test_both_files_have_the_given_main_image_s_tables(case):
    _, _, main, pack = case
    given = read_form(main)
    for role in ("main", "hidden"):
        form = read_form(pack.file(role).data)
        assert (form.tables, form.sampling) == (given.tables, given.sampling)


def test_a_crop_is_found_to_the_pixel():
    pack = make_pack(PackInput(original(), main=jpeg_bytes(promoted(cropped()))), PROFILE)
    relation = pack.file("hidden").relation
    assert (relation.across, relation.right, relation.down, relation.lower) == (1, -CROP[0], 1, -CROP[1])


@pytest.mark.parametrize("write", [png_bytes, webp_bytes])
def test_a_main_image_that_is_no_jpeg_is_taken_too(write):
    pack = make_pack(PackInput(original(), main=write(promoted(scaled()))), PROFILE)
    assert faults(pack.report) == []
    assert read_form(pack.file("main").data) == read_form(pack.file("hidden").data)


def test_a_faint_watermark_never_reaches_the_hidden_image():
    faint = promoted(same(), colour=(255, 255, 255, 40), text="")
    pack = make_pack(PackInput(original(), main=jpeg_bytes(faint, quality=90)), PROFILE)
    off = pixels(pack.file("hidden").data).astype(int) - np.asarray(photo())
    assert abs(off[74:146, 64:396].mean()) < 0.5
    assert pack.boxes


def test_two_promotions_are_two_places():
    both = promoted(promoted(same()), box=(380, 760, 680, 840))
    pack = make_pack(PackInput(original(), main=jpeg_bytes(both)), PROFILE)
    assert len(pack.boxes) == 2


@pytest.mark.parametrize(
    ("main", "error"),
    [
        (lambda: product_photo(77, (720, 900)), MainNotFromOriginal),
        (lambda: Image.new("RGB", (720, 900), (240, 240, 240)), MainNotFromOriginal),
        (lambda: mirrored(photo()), MainTransformed),
        (lambda: rotated(photo(), 4), MainTransformed),
        (lambda: photo().resize((900, 900)), MainTransformed),
        (lambda: widened(photo()), MainBeyondOriginal),
        (lambda: reworked(photo()), MainReworked),
    ],
)
def test_what_cannot_be_derived_is_named(main, error):
    with pytest.raises(error):
        make_pack(PackInput(original(), main=jpeg_bytes(main())), PROFILE)


def widened(image: Image.Image) -> Image.Image:
    """The picture on a larger sheet, as for a square listing."""
    sheet = Image.new("RGB", (900, 900), (240, 238, 236))
    sheet.paste(image, (90, 0))
    return sheet


def reworked(image: Image.Image) -> Image.Image:
    """Another photo in most of the frame, the product's middle as it was."""
    values = np.asarray(product_photo(78, image.size)).copy()
    values[200:600, 150:550] = np.asarray(image)[200:600, 150:550]
    return Image.fromarray(values)
