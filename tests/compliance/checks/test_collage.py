"""Collages are told by their seams, and a hidden image used twice by its pixels."""

import numpy as np
import pytest
from PIL import Image

from compliance.checks.collage import check_sku_images, find_grid, find_reused
from tests.compliance.checks.pictures import product, scene
from tests.images import product_photo, recompressed, rescaled


def collage(rows: int, columns: int, gutter: int = 0) -> np.ndarray:
    side = 600
    sheet = Image.new("RGB", (side, side), (255, 255, 255))
    wide, tall = side // columns, side // rows
    for index in range(rows * columns):
        cell = scene((wide - gutter, tall - gutter), seed=index)
        # Cells of different light, as photos of different products have.
        tinted = Image.blend(
            cell, Image.new("RGB", cell.size, [(20, 20, 60), (230, 210, 60)][(index + index // columns) % 2]), 0.6
        )
        sheet.paste(tinted, (index % columns * wide, index // columns * tall))
    return np.asarray(sheet)


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 1), (2, 2), (1, 3), (3, 3), (2, 4)])
@pytest.mark.parametrize("gutter", [0, 8])
def test_a_grid_is_found(rows, columns, gutter):
    found = find_grid(collage(rows, columns, gutter))
    assert (found.rows, found.columns) == (rows, columns)


@pytest.mark.parametrize("picture", [scene(), product(), product_photo(3, (600, 600)), product_photo(7, (600, 600))])
def test_a_single_picture_has_no_grid(picture):
    assert find_grid(np.asarray(picture)).cells == 1


def test_the_same_picture_under_two_skus_is_found_through_recompression_and_scaling():
    first, other = product_photo(1, (600, 600)), product_photo(2, (600, 600))
    pictures = {"red": first, "blue": recompressed(first, 70), "green": other, "large": rescaled(first, 1.5)}
    assert find_reused({sku: np.asarray(image) for sku, image in pictures.items()}) == (("red", "blue", "large"),)


def test_another_colour_of_a_small_part_is_another_picture():
    first = product_photo(1, (600, 600))
    second = first.copy()
    second.paste((250, 40, 40), (280, 280, 330, 330))
    assert find_reused({"a": np.asarray(first), "b": np.asarray(second)}) == ()


def test_findings_name_the_skus():
    same = np.asarray(product_photo(1, (600, 600)))
    found = check_sku_images({"red": same, "blue": same}, ("red", "blue", "green"))
    assert [(item.code, item.detail) for item in found] == [
        ("ERR_IMG_HID_SKU", "green"),
        ("ERR_IMG_HID_REUSED", "red, blue"),
    ]
