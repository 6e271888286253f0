"""Nomination and the close look, on drawn pictures."""

import numpy as np
import pytest
from PIL import Image

from compliance.search.compare import compare, make_query, repetition
from compliance.search.nominate import nominate, views_of
from compliance.search.segments import SegmentIndex
from compliance.search.terms import COLUMN, MEASURES
from ledger.imaging.agreement import agree
from ledger.imaging.feature_blob import make_reference
from ledger.imaging.features import QUERY, extract
from tests.images import cropped, mirrored, product_photo, rotated

SIZE = (420, 500)
PHOTOS = {seed: product_photo(seed, SIZE) for seed in range(60, 66)}
REFERENCES = {seed: make_reference(np.asarray(image)) for seed, image in PHOTOS.items()}


@pytest.fixture(scope="module")
def index():
    index = SegmentIndex()
    index.add((seed, reference.features) for seed, reference in REFERENCES.items())
    return index


def nominees(index, image: Image.Image, **options):
    return nominate(index, views_of(extract(np.asarray(image), QUERY)), **options)


def measure(image: Image.Image, seed: int, name: str) -> float:
    comparison = compare(make_query(np.asarray(image)), REFERENCES[seed], "upright")
    return float(comparison.measures[COLUMN[name]])


@pytest.mark.parametrize(
    ("edit", "view"),
    [
        (lambda image: rotated(image, 12), "upright"),
        (lambda image: cropped(image, 0.15), "upright"),
        (mirrored, "mirrored"),
        (lambda image: Image.fromarray(255 - np.asarray(image)), "inverted"),
    ],
    ids=["turned", "cropped", "mirrored", "inverted"],
)
def test_the_copied_picture_has_the_most_votes_in_its_view(index, edit, view):
    best = nominees(index, edit(PHOTOS[62]))[0]
    assert (best.image_id, best.view) == (62, view)


def test_both_pictures_of_a_sheet_are_nominated(index):
    sheet = Image.new("RGB", (860, 520), (255, 255, 255))
    sheet.paste(PHOTOS[61], (5, 10))
    sheet.paste(PHOTOS[64], (435, 10))
    assert {nominee.image_id for nominee in nominees(index, sheet)[:2]} == {61, 64}


def test_no_more_are_nominated_than_asked_for(index):
    assert len(nominees(index, PHOTOS[63], limit=1)) == 1


def test_a_copy_agrees_down_to_the_detail():
    assert measure(rotated(PHOTOS[60], 8), 60, "median") > 0.9
    assert measure(rotated(PHOTOS[60], 8), 60, "hull_detail") > 0.7


def test_a_covered_half_leaves_the_region_intact():
    image = PHOTOS[60].copy()
    image.paste(Image.new("RGB", (210, 500), (200, 40, 40)), (210, 0))
    assert measure(image, 60, "hull_median") > 0.95
    assert measure(image, 60, "agreeing") < 0.8


def test_measurements_are_finite_and_repeat_to_the_bit():
    query = make_query(np.asarray(rotated(PHOTOS[65], 5)))
    first, second = (compare(query, REFERENCES[65], "upright").measures for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert first.shape == (len(MEASURES),)
    assert np.isfinite(first).all()


def test_cloth_repeats_itself_and_a_photo_does_not():
    y, x = np.mgrid[:224, :168]
    cloth = (128 + 60 * np.sin(x / 2.5) + 60 * np.sin(y / 2.5)).astype(np.uint8)
    assert repetition(cloth) > 0.8
    assert repetition(REFERENCES[60].decode_portrait()) < 0.6


def test_a_picture_agrees_with_itself_and_not_with_another():
    own, other = REFERENCES[60].decode_portrait(), REFERENCES[61].decode_portrait()
    assert agree(own, own, np.eye(3)).agreeing_well > 0.99
    assert agree(other, own, np.eye(3)).agreeing < 0.3


def test_agreement_ignores_brightness_and_contrast():
    own = REFERENCES[60].decode_portrait()
    darker = (own * 0.5 + 20).astype(np.uint8)
    assert agree(darker, own, np.eye(3)).median > 0.97


def test_nothing_agrees_where_nothing_overlaps():
    own = REFERENCES[60].decode_portrait()
    away = np.array([[1.0, 0, 5000], [0, 1, 5000], [0, 0, 1]])
    result = agree(own, own, away)
    assert (result.overlap, result.agreeing, result.median, result.overall) == (0, 0, 0, 0)
