"""Colours are matched as programs change them, rare colours included, and left alone where nothing was changed."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from compliance.packs.tone import find_tone
from tests.compliance.packs.pictures import graded, photo, promoted
from tests.images import recompressed


def gamma(image: Image.Image) -> Image.Image:
    return image.point([round(255 * (level / 255) ** 0.85) for level in range(256)] * 3)


def saturated(image: Image.Image) -> Image.Image:
    return ImageEnhance.Color(image).enhance(1.25)


GRADES = {"gain and white balance": graded, "gamma": gamma, "saturation": saturated}


@pytest.mark.parametrize("name", GRADES)
def test_a_grading_is_followed_in_every_colour_of_the_picture(name):
    """Also in the few hundred pixels of the drawn dots, and under promotion that covers a part of them."""
    clean = GRADES[name](photo())
    main = recompressed(promoted(clean), 90)
    tone = find_tone(np.asarray(photo()), np.asarray(main))
    off = np.abs(tone.apply(np.asarray(photo())).astype(int) - np.asarray(clean)).max(axis=2)
    assert tone.is_change
    assert np.median(off) <= 2
    assert np.percentile(off, 99) <= 8


def test_a_picture_that_was_only_compressed_keeps_its_exact_pixels():
    source = np.asarray(photo())
    tone = find_tone(source, np.asarray(recompressed(promoted(photo()), 80)))
    assert not tone.is_change
    assert tone.apply(source) is source


def test_a_picture_without_usable_values_is_left_alone():
    white = np.full((700, 700, 3), 255, np.uint8)
    assert not find_tone(white, white - 3).is_change
