"""A fingerprint's hint: the whole picture, however it is turned, and nothing less."""

import numpy as np
import pytest
from PIL import Image

from compliance.search.hints import check_hint, coarse_look
from ledger.imaging.feature_blob import make_reference
from ledger.imaging.fingerprint import DIHEDRAL_NAMES
from tests.images import brightened, captioned, cropped, product_photo, recompressed, rescaled, rotated

# How a copy must be turned so that the named view of it is the original: the inverse of the view.
TURNS = {
    "upright": None,
    "rot90": Image.Transpose.ROTATE_270,
    "rot180": Image.Transpose.ROTATE_180,
    "rot270": Image.Transpose.ROTATE_90,
    "mirror": Image.Transpose.FLIP_LEFT_RIGHT,
    "mirror_rot90": Image.Transpose.TRANSVERSE,
    "mirror_rot180": Image.Transpose.FLIP_TOP_BOTTOM,
    "mirror_rot270": Image.Transpose.TRANSPOSE,
}
PHOTO = product_photo(21, (400, 520))
REFERENCE = make_reference(np.asarray(PHOTO))


def check(image, view="upright"):
    return check_hint(coarse_look(np.asarray(image)), REFERENCE, DIHEDRAL_NAMES.index(view))


@pytest.mark.parametrize("view", DIHEDRAL_NAMES)
def test_a_turned_copy_is_settled_in_its_view_only(view):
    copy = PHOTO if TURNS[view] is None else PHOTO.transpose(TURNS[view])
    settled = [name for name in DIHEDRAL_NAMES if check(copy, name) is not None]
    assert settled == [view]


@pytest.mark.parametrize(
    "copy",
    [recompressed(PHOTO, 50), rescaled(PHOTO, 0.6), rescaled(PHOTO, 2.0), brightened(PHOTO, 0.8)],
    ids=["saved again", "smaller", "larger", "darker"],
)
def test_a_light_edit_is_settled_above_the_threshold(copy):
    hint = check(copy)
    assert 90 <= hint.score <= 99


@pytest.mark.parametrize(
    "copy",
    [cropped(PHOTO, 0.1), rotated(PHOTO, 5), product_photo(22, (400, 520)), captioned(product_photo(23, (400, 520)))],
    ids=["cropped", "tilted", "another", "another with text"],
)
def test_anything_less_clear_is_left_to_the_features(copy):
    assert check(copy) is None


def test_a_plain_picture_settles_nothing():
    plain = make_reference(np.full((300, 300, 3), 240, np.uint8))
    assert check_hint(coarse_look(np.full((300, 300, 3), 240, np.uint8)), plain, 0) is None
