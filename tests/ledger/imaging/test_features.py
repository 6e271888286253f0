"""Features: same pixels same bytes, bounds of the profiles, and the two permutations."""

import cv2
import numpy as np
import pytest

from ledger.imaging.features import (
    CONTRAST,
    EDGE,
    INVERT,
    MIRROR,
    QUERY,
    REFERENCE,
    Features,
    Profile,
    decode_geometry,
    encode_geometry,
    extract,
    extract_grey,
    grey_frame,
    inverted,
    mirrored,
    root_sift,
)
from tests.images import flat_picture, product_photo


@pytest.fixture(scope="module")
def pixels():
    return np.asarray(product_photo(3, (480, 600)))


def nearest(found: Features, wanted: Features) -> tuple[np.ndarray, np.ndarray]:
    """For each feature of `wanted`: how far the nearest of `found` is in place, size and turn, and which it is."""
    gap = np.abs(wanted.geometry[:, None] - found.geometry[None])
    gap[..., 3] = np.minimum(gap[..., 3], 360 - gap[..., 3])
    total = gap.sum(axis=2)
    return total.min(axis=1), total.argmin(axis=1)


def test_the_same_pixels_give_the_same_bytes(pixels):
    first, second = extract(pixels, REFERENCE), extract(pixels.copy(), REFERENCE)
    assert first.geometry.tobytes() == second.geometry.tobytes()
    assert first.descriptors.tobytes() == second.descriptors.tobytes()


def blobs() -> np.ndarray:
    """Soft round spots only: nothing in it is fine enough for the enlarged picture."""
    y, x = np.mgrid[:400, :400]
    places = [(90, 110), (280, 130), (200, 300)]
    sums = sum(np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * 28.0**2)) for left, top in places)
    return np.asarray(40 + 180 * sums, np.uint8)


@pytest.mark.parametrize("source", ["photo", "blobs"])
def test_a_spot_is_described_as_if_all_were(pixels, source):
    """Only the chosen are described, from the very pyramid OpenCV makes for all of them."""
    grey = grey_frame(pixels if source == "photo" else blobs(), REFERENCE)
    features = extract_grey(grey, REFERENCE)
    sift = cv2.SIFT.create(nfeatures=REFERENCE.pool, contrastThreshold=CONTRAST, edgeThreshold=EDGE)
    _spots, raw = sift.detectAndCompute(grey, None)
    every = {row.tobytes() for row in root_sift(raw)}
    assert len(features)
    assert {row.tobytes() for row in features.descriptors} <= every


@pytest.mark.parametrize("profile", [REFERENCE, QUERY])
def test_the_strongest_are_kept_up_to_the_limit(pixels, profile):
    features = extract(pixels, profile)
    assert len(features) == profile.limit
    assert features.geometry.shape == (profile.limit, 4)
    assert features.descriptors.shape == (profile.limit, 128)


@pytest.mark.parametrize(
    ("size", "expected"), [((1024, 512), (512, 256)), ((400, 300), (400, 300)), ((128, 96), (256, 192))]
)
def test_frames_are_bounded_above_and_small_ones_enlarged(size, expected):
    frame = grey_frame(np.zeros((size[1], size[0], 3), np.uint8), REFERENCE)
    assert frame.shape == (expected[1], expected[0])


def test_grey_pixels_are_taken_as_they_are(pixels):
    grey = grey_frame(pixels, REFERENCE)
    assert np.array_equal(grey_frame(grey, REFERENCE), grey)


def test_every_part_of_a_picture_has_its_share_of_spots(pixels):
    """A loud quarter must not take them all: its neighbours are what may be left of a copy."""
    grey = np.full((480, 480), 128, np.uint8)
    loud = np.random.default_rng(3).integers(0, 256, (60, 60), dtype=np.uint8)
    grey[:240, :240] = cv2.resize(loud, (240, 240), interpolation=cv2.INTER_CUBIC)
    quiet = grey_frame(pixels, REFERENCE)[:240, :240]
    grey[240:, 240:] = 128 + (quiet.astype(int) - 128) // 4
    spots = extract(grey, REFERENCE)
    in_quiet = (spots.geometry[:, :2] > 240).all(axis=1)
    strongest = cv2.SIFT.create(REFERENCE.limit, contrastThreshold=CONTRAST, edgeThreshold=EDGE).detect(grey)
    assert in_quiet.sum() >= 30
    assert sum(min(spot.pt) > 240 for spot in strongest) < in_quiet.sum() / 2


def test_the_first_spots_are_as_fair_as_all_of_them(pixels):
    spots = extract(pixels, REFERENCE)
    parts = (spots.geometry[:, :2] * 6 // (spots.width, spots.height)).astype(int)
    filled = {tuple(part) for part in parts.tolist()}
    assert {tuple(part) for part in parts[:108].tolist()} == filled


def test_a_blank_picture_has_no_features():
    features = extract(np.asarray(flat_picture()), REFERENCE)
    assert (len(features), features.geometry.shape, features.descriptors.shape) == (0, (0, 4), (0, 128))


def test_both_permutations_undo_themselves_and_commute():
    every = np.arange(128)
    assert np.array_equal(every[MIRROR][MIRROR], every)
    assert np.array_equal(every[INVERT][INVERT], every)
    assert np.array_equal(every[MIRROR][INVERT], every[INVERT][MIRROR])


def test_inverting_the_pixels_is_a_permutation_of_the_features(pixels):
    # Of two equally strong spots at one place the direction says which is cut, so the last few are left out.
    grey = grey_frame(pixels, REFERENCE)
    asked = inverted(extract(grey, REFERENCE)).first(350)
    gap, which = nearest(extract(255 - grey, REFERENCE), asked)
    assert (gap < 0.01).mean() > 0.99
    wanted = asked.descriptors.astype(int)
    found = extract(255 - grey, REFERENCE).descriptors[which].astype(int)
    assert np.abs(wanted - found)[gap < 0.01].mean() < 0.02


def test_mirroring_the_pixels_is_a_permutation_of_the_finest_features(pixels):
    # From the second octave on OpenCV keeps every other column, counted from the left: those of the mirror image are
    # other columns, so only features of the first octave (size below 4 px) are equal to rounding, and a few of those lose against others at the limit.
    grey = grey_frame(pixels, Profile(512, 800))
    image = np.ascontiguousarray(grey[:, ::-1])
    wanted, found = mirrored(extract(grey, QUERY)), extract(image, QUERY)
    fine = wanted.geometry[:, 2] < 4
    gap, which = nearest(found, wanted)
    assert fine.sum() > 100
    assert (gap[fine] < 0.1).mean() > 0.9
    change = np.abs(wanted.descriptors.astype(int) - found.descriptors[which].astype(int))[fine & (gap < 0.1)]
    assert change.mean() < 0.5


def test_mirroring_twice_gives_the_picture_back(pixels):
    features = extract(pixels, REFERENCE)
    again = mirrored(mirrored(features))
    assert np.array_equal(again.descriptors, features.descriptors)
    assert np.abs(again.geometry - features.geometry).max() < 1e-3


def test_geometry_on_the_grid_is_stored_exactly(pixels):
    geometry = extract(pixels, QUERY).geometry
    assert np.array_equal(decode_geometry(encode_geometry(geometry)), geometry)
