"""Edits are read off as they were made."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from compliance.search.compare import compare, make_query
from ledger.imaging.edits import Edits, read_edits, tint_change
from ledger.imaging.feature_blob import make_reference, make_tint
from tests.images import brightened, cropped, mirrored, product_photo, recompressed, rescaled, rotated

PHOTO = product_photo(31, (440, 520))
REFERENCE = make_reference(np.asarray(PHOTO))


def edits_of(image: Image.Image, view: str = "upright") -> Edits:
    pixels = np.asarray(image.convert("RGB"))
    query = make_query(pixels)
    found = compare(query, REFERENCE, view)
    portrait = REFERENCE.decode_portrait()
    height, width = query.grey.shape
    tint = make_tint(pixels, 64)
    tint = tint[:, ::-1] if view == "mirrored" else tint
    unit = np.diag([1 / width, 1 / height, 1.0]) @ found.matrix
    change = tint_change(tint, REFERENCE.tint, unit, (portrait.shape[1], portrait.shape[0]))
    return read_edits(found.agreement, portrait, found.matrix, (width, height), view, change)


def test_a_picture_saved_again_has_no_edits():
    assert edits_of(recompressed(PHOTO, 60)).names == ()


def test_scaling_alone_is_no_edit():
    assert edits_of(rescaled(PHOTO, 0.7)).names == ()


@pytest.mark.parametrize("degrees", [-12, 7, 15])
def test_a_turn_is_measured_clockwise(degrees):
    # Pillow turns counter-clockwise.
    edits = edits_of(rotated(PHOTO, -degrees))
    assert edits.turned == pytest.approx(degrees, abs=0.5)
    assert "turned" in edits.names


def test_a_mirror_image_is_only_mirrored():
    assert edits_of(mirrored(PHOTO), "mirrored").names == ("mirrored",)


def test_a_turn_after_mirroring_is_measured_as_seen():
    edits = edits_of(rotated(mirrored(PHOTO), -10), "mirrored")
    assert edits.mirrored
    assert edits.turned == pytest.approx(10, abs=0.5)


def test_an_inverted_picture_is_only_inverted():
    assert edits_of(ImageOps.invert(PHOTO), "inverted").names == ("inverted",)


def test_a_crop_is_measured_in_the_original():
    edits = edits_of(cropped(PHOTO, 0.1))
    assert "cropped" in edits.names
    assert edits.kept == pytest.approx(0.64, abs=0.02)
    assert edits.kept_box == pytest.approx((0.1, 0.1, 0.9, 0.9), abs=0.02)


def test_a_darker_picture_is_relit():
    edits = edits_of(brightened(PHOTO, 0.7))
    assert edits.brightness == pytest.approx(0.7, abs=0.04)
    assert edits.names == ("relit",)


def test_exchanged_colours_are_noticed():
    red, green, blue = PHOTO.split()
    assert "recoloured" in edits_of(Image.merge("RGB", (blue, green, red))).names


def test_something_added_is_boxed():
    image = PHOTO.copy()
    draw = ImageDraw.Draw(image)
    draw.rectangle((260, 300, 380, 400), fill=(250, 250, 250))
    for step in range(0, 120, 12):
        draw.line((260 + step, 300, 380 - step, 400), fill=(20, 20, 20), width=3)
    edits = edits_of(image)
    assert "added" in edits.names
    left, top, right, bottom = edits.added[0]
    assert (left + right) / 2 == pytest.approx(320 / 440, abs=0.05)
    assert (top + bottom) / 2 == pytest.approx(350 / 520, abs=0.05)


def test_a_picture_in_a_page_fills_a_part_of_it():
    page = Image.new("RGB", (900, 1100), (255, 255, 255))
    page.paste(product_photo(77, (900, 500)), (0, 560))
    page.paste(PHOTO.resize((330, 390)), (40, 50))
    edits = edits_of(page)
    assert edits.fills < 0.6
    assert edits.place[0] == pytest.approx((40 / 900, 50 / 1100), abs=0.01)
    assert edits.place[2] == pytest.approx((370 / 900, 440 / 1100), abs=0.01)
