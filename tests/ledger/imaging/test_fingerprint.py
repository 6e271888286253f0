"""Fingerprints are bit for bit imagehash's, however they are computed, and survive what they should survive."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from ledger.imaging import fingerprint as module
from ledger.imaging.fingerprint import DHASH, PHASH, dihedral_fingerprints, fingerprint, hamming_distance
from tests import images


def library_values(image: Image.Image) -> tuple[bytes, bytes]:
    phash, dhash = (np.packbits(code(image).hash).tobytes() for code in (imagehash.phash, imagehash.dhash))
    return phash, dhash


def our_values(image) -> tuple[bytes, ...]:
    return tuple(item.value for item in fingerprint(image))


@pytest.mark.parametrize("seed", range(12))
def test_values_equal_the_library_on_photos(seed):
    rng = np.random.default_rng(seed)
    image = images.product_photo(seed, (int(rng.integers(60, 1400)), int(rng.integers(60, 1400))))
    assert our_values(image) == library_values(image)


def random_size(rng: np.random.Generator, below: int) -> tuple[int, int]:
    width, height = rng.integers(1, below, 2)
    return int(width), int(height)


def test_values_equal_the_library_on_every_odd_size():
    rng = np.random.default_rng(1)
    sizes = [(1, 1), (1, 50), (50, 1), (2, 3), (8, 9), (9, 8), (31, 33), (32, 32), (33, 31), (9, 1000), (3000, 7)]
    # Around the height from which Pillow reduces the height first, and the same where it enlarges.
    sizes += [(width, 2 * width + extra) for width in (20, 33, 90) for extra in range(-36, 4, 3)]
    sizes += [random_size(rng, 300) for _ in range(150)]
    for size in sizes:
        image = images.noise_picture(int(rng.integers(0, 1000)), size)
        assert our_values(image) == library_values(image), size


@pytest.mark.parametrize(
    "image",
    [
        images.flat_picture((0, 0, 0)),
        images.flat_picture((255, 255, 255)),
        images.flat_picture((13, 200, 90), (333, 222)),
        Image.linear_gradient("L").convert("RGB"),
        Image.radial_gradient("L").convert("RGB"),
        Image.linear_gradient("L").rotate(90).resize((301, 77)).convert("RGB"),
        Image.fromarray((np.indices((512, 512)).sum(axis=0) // 64 % 2 * 255).astype(np.uint8)).convert("RGB"),
        Image.fromarray((np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)).convert("RGB"),
    ],
    ids=["black", "white", "colour", "linear", "radial", "turned", "board", "fine-board"],
)
def test_values_equal_the_library_where_many_coefficients_tie(image):
    assert our_values(image) == library_values(image)


def test_reductions_equal_pillow_pixel_by_pixel():
    rng = np.random.default_rng(4)
    for _ in range(40):
        grey = images.noise_picture(int(rng.integers(0, 1000)), random_size(rng, 700)).convert("L")
        reduced = module._reduce(np.asarray(grey))
        assert np.array_equal(reduced.square, np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS)))
        assert np.array_equal(reduced.strip, np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS)))


def test_values_equal_the_library_on_a_large_picture():
    image = images.rescaled(images.product_photo(7, (1000, 750)), 4)
    assert our_values(image) == library_values(image)


def test_arrays_and_pictures_give_the_same():
    image = images.product_photo(3)
    assert fingerprint(np.asarray(image)) == fingerprint(image)


def test_a_fingerprint_names_its_algorithm_and_is_eight_bytes():
    first, second = fingerprint(images.product_photo(1))
    assert (first.algorithm, first.version, len(first.value)) == (PHASH, 1, 8)
    assert (second.algorithm, second.version, len(second.value)) == (DHASH, 1, 8)


def test_quality_is_nothing_for_a_blank_sheet_and_full_for_noise():
    assert [item.quality for item in fingerprint(images.flat_picture())] == [0, 0]
    assert fingerprint(images.noise_picture(1, (32, 32)))[0].quality == 100
    assert 10 <= fingerprint(images.product_photo(1))[0].quality <= 100


@pytest.mark.parametrize("seed", range(8))
def test_the_eight_views_are_those_of_the_turned_pixels(seed):
    image = images.product_photo(seed, (640 + 37 * seed, 500))
    turns = [None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]
    wanted = []
    for mirror in (False, True):
        for turn in turns:
            view = image if turn is None else image.transpose(turn)
            wanted.append(library_values(images.mirrored(view) if mirror else view))
    got = [tuple(item.value for item in view) for view in dihedral_fingerprints(image)]
    assert got[0] == wanted[0]
    for ours, theirs in zip(got, wanted, strict=True):
        assert all(hamming_distance(left, right) <= 1 for left, right in zip(ours, theirs, strict=True))
    assert sum(ours == theirs for ours, theirs in zip(got, wanted, strict=True)) >= 7


@pytest.mark.parametrize("seed", range(5))
def test_scaling_and_recompression_stay_near_and_other_pictures_far(seed):
    image = images.product_photo(seed)
    original = our_values(image)
    for edited in (images.rescaled(image, 0.5), images.recompressed(image, 50), images.brightened(image, 1.1)):
        assert min(map(hamming_distance, original, our_values(edited))) <= 4
    assert min(map(hamming_distance, original, our_values(images.product_photo(seed + 100)))) >= 10


def test_distance_counts_bits_and_refuses_unequal_lengths():
    assert hamming_distance(b"\x00\xff", b"\x01\x0f") == 5
    with pytest.raises(ValueError, match="1 bytes against 2"):
        hamming_distance(b"\x00", b"\x00\x00")
