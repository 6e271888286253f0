"""A small gate for the changes a seller document names: turned by up to 15 degrees, 20 % brighter or darker, a
translucent logo. At least 96.4 % have to be among the first five; the full measurement is `python -m tests.bench.copies`.
"""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw, ImageFont

from compliance.search.benchmark import Copies
from tests.images import brightened, jpeg_bytes, product_photo, rotated

SIZE = (420, 520)
GALLERY, ASKED = range(60, 84), range(60, 68)
GOAL = 0.964


def with_translucent_logo(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    draw.ellipse((120, 180, 300, 360), fill=(250, 250, 250, 110))
    draw.text((150, 245), "BRAND", font=ImageFont.load_default(40), fill=(20, 20, 120, 130))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


EDITS = {
    "turned 15": lambda image: rotated(image, 15),
    "turned -15": lambda image: rotated(image, -15),
    "turned 7": lambda image: rotated(image, 7),
    "brighter": lambda image: brightened(image, 1.2),
    "darker": lambda image: brightened(image, 0.8),
    "logo": with_translucent_logo,
}


@pytest.fixture(scope="module")
def system() -> Copies:
    filled = Copies()
    for seed in GALLERY:
        filled.add(str(seed), jpeg_bytes(product_photo(seed, SIZE), quality=92))
    filled.finish()
    return filled


@pytest.fixture(scope="module")
def originals() -> dict[int, Image.Image]:
    """The gallery's files as a thief opens them."""
    return {seed: Image.open(io.BytesIO(jpeg_bytes(product_photo(seed, SIZE), quality=92))) for seed in ASKED}


def test_the_changes_the_document_names_are_found_as_often_as_it_says(system, originals):
    asked, listed = 0, 0
    for seed, image in originals.items():
        for edit in EDITS.values():
            answer = system.query(jpeg_bytes(edit(image), quality=75), 5)
            asked += 1
            listed += str(seed) in [name for name, _score in answer]
    assert asked == len(ASKED) * len(EDITS)
    assert listed / asked >= GOAL


def test_none_of_the_other_pictures_is_called_a_copy(system, originals):
    for seed in list(ASKED)[:4]:
        for edit in EDITS.values():
            answer = system.query(jpeg_bytes(edit(originals[seed]), quality=75), 5)
            assert [name for name, score in answer if score >= system.threshold and name != str(seed)] == []
