"""The original laid over the hidden image: what is no mark explains itself, and a mark does not."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from compliance.checks.cells import planes_of
from compliance.checks.frame import lay_at, lay_over
from compliance.checks.second_look import MISFIT_MOST, regrade, unfilter
from compliance.checks.threeway import WINDOW
from compliance.checks.tone import apply_grade, fit_grade

SIDE = 200


def colours(seed: int = 1) -> np.ndarray:
    """Two halves of one colour each with a little grain, uint8 (SIDE, SIDE, 3)."""
    sheet = np.empty((SIDE, SIDE, 3), np.float64)
    sheet[:, : SIDE // 2], sheet[:, SIDE // 2 :] = (60, 90, 160), (200, 180, 120)
    return np.clip(sheet + np.random.default_rng(seed).normal(0, 1, sheet.shape), 0, 255).astype(np.uint8)


def patch() -> np.ndarray:
    seeming = np.zeros((SIDE, SIDE), bool)
    seeming[80:110, 20:60] = True
    return seeming


def test_a_colour_that_is_off_everywhere_is_the_grade():
    expected = colours()
    seen = expected.copy()
    seen[:, : SIDE // 2] += 4
    left = seen.astype(int) - regrade(expected, seen, patch())
    assert np.abs(left[patch()].mean(axis=0)).max() < 0.5


@pytest.mark.parametrize("change", [4, 40])
def test_a_colour_that_is_off_in_one_place_is_a_mark(change):
    expected = colours()
    seen = expected.copy()
    seen[patch()] += change
    left = seen.astype(int) - regrade(expected, seen, patch())
    assert left[patch()].mean() == pytest.approx(change, abs=0.3)


def test_a_grade_is_not_believed_to_miss_by_much():
    expected = colours()
    seen = expected + np.uint8(30)
    left = seen.astype(int) - regrade(expected, seen, patch())
    assert left.mean() == pytest.approx(30 - MISFIT_MOST, abs=0.5)


def smooth_photo() -> Image.Image:
    """Dark and light stripes of all directions, as cloth has them."""
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = np.sin(x / 6 + y / 17) + np.sin(y / 9 - x / 23)
    grey = np.clip(128 + 50 * waves, 0, 255)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))


def differences(seen: Image.Image, expected: Image.Image) -> tuple[list[np.ndarray], list[np.ndarray]]:
    planes = [np.asarray(plane) for plane in planes_of(np.asarray(expected))]
    others = planes_of(np.asarray(seen))
    return [cv2.blur(other - plane, WINDOW) for other, plane in zip(others, planes, strict=True)], planes


def test_a_place_that_is_half_a_pixel_off_is_explained():
    photo = smooth_photo()
    moved = photo.transform(photo.size, Image.Transform.AFFINE, (1, 0, 0.5, 0, 1, 0.3), Image.Resampling.BICUBIC)
    levels, planes = differences(moved, photo)
    seeming = np.zeros((SIDE, SIDE), bool)
    seeming[60:120, 60:120] = True
    left = unfilter(levels, planes, seeming, WINDOW)
    assert np.abs(levels[0][seeming]).mean() > 1
    assert np.abs(left[0][seeming]).mean() < 0.15 * np.abs(levels[0][seeming]).mean()


def test_a_caption_is_not_explained():
    photo = smooth_photo()
    marked = photo.copy()
    ImageDraw.Draw(marked).text((70, 80), "SALE 50%", fill=(150, 150, 150), font_size=16)
    levels, planes = differences(marked, photo)
    seeming = np.abs(levels[0]) > 3
    left = unfilter(levels, planes, seeming, WINDOW)
    assert np.abs(left[0][seeming]).mean() > 0.8 * np.abs(levels[0][seeming]).mean()


def test_a_saturated_cloth_does_not_bend_the_grade_of_rare_colours():
    """Cyan without any red, and little else: red is clipped nearly everywhere, and a codec leaves it some levels up."""
    random = np.random.default_rng(3)
    cyan = np.stack([random.normal(6, 4, 6000), random.uniform(120, 210, 6000), random.uniform(170, 245, 6000)], axis=1)
    white = np.repeat(random.uniform(150, 235, 1500)[:, None], 3, axis=1)
    orange = np.tile([205.0, 120.0, 75.0], (40, 1))
    source = np.clip(np.vstack([cyan, white, orange]), 0, 255)
    grey = source.mean(axis=1, keepdims=True)
    wanted = np.clip(grey + (source - grey) * 1.15, 0, 255)
    wanted += np.abs(random.normal(0, 4, wanted.shape)) * (wanted <= 0)
    grade = fit_grade(source.astype(np.float32), wanted.astype(np.float32))
    assert grade is not None
    found = apply_grade(np.rint(orange[:1, None]).astype(np.uint8), grade)[0, 0]
    assert np.abs(found - wanted[-1]).max() <= 3


@pytest.mark.parametrize("lean", [0.002, 0.008])
def test_a_fit_that_leans_a_little_does_not_make_a_cut_a_turn(lean):
    """Lines that run one way leave the lean open; the plain cut that an export tool makes fits better."""
    photo = np.asarray(smooth_photo().resize((640, 480), Image.Resampling.BICUBIC))
    hidden = np.asarray(Image.fromarray(photo).resize((560, 420), Image.Resampling.LANCZOS, box=(16, 12, 608, 456)))
    across, down = 592 / 560, 444 / 420
    x, y = 16 + across / 2 - 0.5, 12 + down / 2 - 0.5
    matrix = np.array([[across, lean, x - lean * 420 / 2], [0, down, y], [0, 0, 1]])
    pixels, _inside, path = lay_at(photo, hidden, matrix)
    assert path == "cropped"
    assert np.abs(pixels.astype(int) - hidden).mean() < 0.5


def test_a_real_turn_stays_one():
    photo = np.asarray(smooth_photo().resize((640, 480), Image.Resampling.BICUBIC))
    turned = cv2.warpAffine(photo, np.array([[0.9, -0.008, -10], [0.008, 0.9, -8]]), (560, 420))
    assert lay_over(photo, turned).path == "turned"
