"""Where one picture lies in another: known transforms are found, strangers are not, and runs repeat to the bit."""

import cv2
import numpy as np
import pytest

from ledger.imaging.features import QUERY, REFERENCE, extract
from ledger.imaging.geometry import (
    Placement,
    apply,
    fit_affine,
    fit_homography,
    locate,
    squared_distances,
)
from tests.images import product_photo

SIZE = (420, 500)
CORNERS = np.array([(0, 0), (419, 0), (419, 499), (0, 499)], np.float64)


@pytest.fixture(scope="module")
def grey():
    return np.asarray(product_photo(11, SIZE).convert("L"))


@pytest.fixture(scope="module")
def reference(grey):
    return extract(grey, REFERENCE)


def turned(degrees: float, scale: float, shift: tuple[float, float] = (60, 40)) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((210, 250), degrees, scale)
    matrix[:2, 2] += shift
    return matrix


def placed(grey: np.ndarray, matrix: np.ndarray, size: tuple[int, int] = (560, 620)) -> Placement | None:
    shown = cv2.warpPerspective(grey, matrix, size, borderValue=255)
    return locate(extract(shown, QUERY), extract(grey, REFERENCE))


@pytest.mark.parametrize(
    "matrix",
    [
        turned(0, 1.0),
        turned(12, 1.0),
        turned(-90, 0.9),
        turned(180, 0.6),
        turned(7, 1.1),
        np.array([[1.2, 0, 10], [0, 0.9, 20], [0, 0, 1]]),
        np.array([[1.0, 0.05, 20], [0.02, 0.95, 30], [2e-4, 1e-4, 1]]),
    ],
    ids=["shift", "turn", "quarter", "half and small", "turn and large", "stretch", "perspective"],
)
def test_a_known_transform_is_found(grey, matrix):
    placement = placed(grey, matrix)
    assert placement is not None
    # Places of a warped picture follow the matrix to a pixel and a half everywhere inside the frame.
    assert np.abs(apply(placement.matrix, CORNERS) - apply(matrix, CORNERS)).max() < 1.5
    assert placement.inliers > 30
    assert placement.share > 0.25
    assert placement.residual < 2


def test_a_quarter_of_the_picture_is_found_in_place(grey, reference):
    placement = locate(extract(grey[120:370, 100:310], QUERY), reference)
    # The part is 250 px tall and enlarged to 256.
    wanted = (CORNERS - [100, 120]) * (256 / 250)
    assert np.abs(apply(placement.matrix, CORNERS) - wanted).max() < 2


def test_two_runs_give_the_same_bits(grey, reference):
    query = extract(cv2.warpPerspective(grey, turned(9, 0.8), (560, 620)), QUERY)
    first, second = locate(query, reference), locate(query, reference)
    assert first.matrix.tobytes() == second.matrix.tobytes()
    assert np.array_equal(first.query, second.query)
    assert np.array_equal(first.reference, second.reference)


def test_another_picture_has_few_features_in_place(reference):
    for seed in range(20, 26):
        placement = locate(extract(np.asarray(product_photo(seed, SIZE)), QUERY), reference)
        assert placement is None or placement.inliers < 25


def test_too_few_features_have_no_place(grey, reference):
    assert locate(extract(grey, QUERY).first(2), reference) is None
    assert locate(extract(np.full((300, 300), 255, np.uint8), QUERY), reference) is None


def test_each_reference_feature_counts_once(grey, reference):
    placement = locate(extract(np.hstack([grey, grey]), QUERY), reference)
    assert len(np.unique(placement.reference)) == placement.inliers


def test_distances_equal_the_plain_formula():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 256, (40, 128), dtype=np.uint8), rng.integers(0, 256, (30, 128), dtype=np.uint8)
    plain = ((a[:, None].astype(int) - b[None].astype(int)) ** 2).sum(axis=2)
    assert np.array_equal(squared_distances(a, b).astype(int), plain)


@pytest.mark.parametrize("count", [3, 20])
def test_least_squares_recovers_a_similarity(count):
    points = np.random.default_rng(count).uniform(0, 400, (count, 2))
    matrix = turned(25, 1.3)
    assert np.abs(fit_affine(points, apply(matrix, points)) - matrix).max() < 1e-6


def test_direct_linear_transform_recovers_a_homography():
    points = np.random.default_rng(9).uniform(0, 400, (30, 2))
    matrix = np.array([[1.1, 0.1, 5], [-0.05, 0.9, 8], [1e-4, -2e-4, 1]])
    assert np.abs(fit_homography(points, apply(matrix, points), np.ones(30)) - matrix).max() < 1e-6
