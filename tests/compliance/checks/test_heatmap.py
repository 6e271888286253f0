"""The difference map: grey means identical, and everything a reader needs is on it."""

import io

import numpy as np
import pytest
from PIL import Image

from compliance.checks.base import Finding, Level
from compliance.checks.heatmap import difference, difference_heatmap, difference_overlay
from tests.compliance.checks.pictures import product, with_promotion

BOX = (40, 40, 200, 90)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def opened(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def colourfulness(area: np.ndarray) -> np.ndarray:
    return np.asarray(np.ptp(area.astype(int), axis=2))


def finding(bbox=None, level=Level.ERROR) -> Finding:
    return Finding("H07", "ERR_IMG_HID_MISMATCH", level, bbox, 0.9, 0.92, "ssim")


def test_identical_pictures_are_grey_everywhere():
    assert colourfulness(difference_overlay(pixels(product()), pixels(product()))).max() == 0


def test_only_the_difference_is_coloured():
    overlay = difference_overlay(pixels(with_promotion(product(), BOX)), pixels(product()))
    colour = colourfulness(overlay)
    assert colour[50:80, 60:180].min() > 60
    assert colour[100:].max() == 0


def test_compression_noise_stays_grey():
    main = pixels(product()).astype(int)
    noisy = np.clip(main + np.random.default_rng(1).integers(-3, 4, main.shape), 0, 255).astype(np.uint8)
    assert colourfulness(difference_overlay(pixels(product()), noisy)).max() == 0


def test_difference_is_measured_in_levels():
    main = np.full((50, 50, 3), 100, np.uint8)
    assert difference(main, main + np.uint8(20))[25, 25] == 20


def test_each_finding_gets_its_line_and_the_box_its_colour():
    main, hidden = pixels(with_promotion(product(), BOX)), pixels(product())
    none = opened(difference_heatmap(main, hidden, ()))
    one = opened(difference_heatmap(main, hidden, (finding(BOX),)))
    three = opened(difference_heatmap(main, hidden, (finding(BOX), finding(), finding(None, Level.WARNING))))
    assert none.shape == one.shape
    assert three.shape[0] == one.shape[0] + 2 * 26
    assert tuple(one[92, 100]) == (178, 30, 35)


def test_other_sizes_are_said():
    same = opened(difference_heatmap(pixels(product()), pixels(product()), ()))
    other = opened(difference_heatmap(pixels(product()), pixels(product((400, 400))), ()))
    assert other.shape[0] == same.shape[0] + 26


def test_a_box_of_a_smaller_hidden_image_lands_where_the_main_image_shows_it():
    sheet = opened(difference_heatmap(pixels(product()), pixels(product((400, 400))), (finding((100, 100, 200, 200)),)))
    assert tuple(sheet[300, 199]) == (178, 30, 35)


@pytest.mark.parametrize("size", [(1, 1), (20, 3), (300, 900), (3000, 1000), (100, 2000)])
def test_every_shape_is_drawn_readably(size):
    image = pixels(Image.new("RGB", size, (90, 90, 90)))
    sheet = opened(difference_heatmap(image, image, (finding(),)))
    assert 640 <= sheet.shape[1] <= 1000


def test_the_same_pair_gives_the_same_bytes():
    main, hidden = pixels(with_promotion(product())), pixels(product())
    assert difference_heatmap(main, hidden, (finding(BOX),)) == difference_heatmap(main, hidden, (finding(BOX),))
