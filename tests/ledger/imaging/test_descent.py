"""How a file descends from an original: the measured place is the true place, and strangers are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ledger.imaging.decode import decode_picture
from ledger.imaging.descent import find_descent
from ledger.imaging.geometry import apply
from tests.images import flat_picture, jpeg_bytes, png_bytes, product_photo, recompressed

PHOTO = product_photo(1, (1200, 1500))


def descent(derived: Image.Image, photo: Image.Image = PHOTO):
    return find_descent(decode_picture(png_bytes(photo)), decode_picture(png_bytes(derived)))


def miss(found, true: np.ndarray) -> float:
    """Largest distance, in pixels of the file, between where the matrix and the truth put points of the original."""
    points = np.array([[x, y] for x in (200, 600, 1000) for y in (200, 700, 1300)], float)
    return float(np.abs(apply(np.array(found.matrix).reshape(3, 3), points) - apply(true, points)).max())


def test_a_stripped_copy_has_the_same_pixels():
    found = find_descent(decode_picture(jpeg_bytes(PHOTO)), decode_picture(jpeg_bytes(PHOTO, exif=b"")))
    assert (found.geometry, found.residual_px, found.steps) == ("identity", 0.0, ())


def test_a_recompressed_copy_is_in_the_same_place():
    found = descent(recompressed(PHOTO, 40))
    assert (found.geometry, found.steps) == ("identity", ("encoded",))


def test_a_smaller_copy_is_found_within_half_a_pixel():
    found = descent(PHOTO.resize((600, 750), Image.Resampling.LANCZOS))
    assert found.geometry == "similarity"
    assert found.steps == ("scaled",)
    assert miss(found, np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])) < 0.5


def test_a_crop_is_found_where_it_was_cut():
    found = descent(PHOTO.crop((100, 150, 1100, 1400)))
    assert "cropped" in found.steps
    assert miss(found, np.array([[1.0, 0, -100], [0, 1, -150], [0, 0, 1]])) < 1.5


def test_a_stretched_copy_is_affine():
    found = descent(PHOTO.resize((900, 750), Image.Resampling.LANCZOS))
    assert found.geometry == "affine"


def test_a_mirrored_copy_is_named_so():
    found = descent(PHOTO.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((600, 750)))
    assert "mirrored" in found.steps
    assert miss(found, np.array([[-0.5, 0, 599.25], [0, 0.5, -0.25], [0, 0, 1]])) < 1.0


@pytest.mark.parametrize("seed", range(2, 10))
def test_another_picture_is_unrelated(seed):
    assert descent(product_photo(seed, (1200, 1500))) is None
    assert descent(product_photo(seed, (900, 900))) is None


def test_a_plain_picture_shows_nothing():
    assert descent(flat_picture((250, 250, 250), (800, 800)), flat_picture((250, 250, 250), (640, 640))) is None
