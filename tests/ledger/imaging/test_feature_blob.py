"""Blobs of features: round trip, size, and every cut or altered byte refused."""

import dataclasses
import struct

import numpy as np
import pytest

from ledger.imaging.feature_blob import (
    MAX_BYTES,
    PORTRAIT_SIDE,
    FeatureBlobError,
    Reference,
    format_features,
    make_reference,
    parse_features,
)
from tests.images import flat_picture, noise_picture, product_photo


@pytest.fixture(scope="module")
def reference():
    return make_reference(np.asarray(product_photo(5, (400, 300))))


@pytest.fixture(scope="module")
def blob(reference):
    return format_features(reference)


@pytest.fixture(scope="module")
def small_blob(reference):
    return format_features(dataclasses.replace(reference, features=reference.features.first(2)))


def test_a_blob_round_trips(reference, blob):
    parsed = parse_features(blob)
    assert np.array_equal(parsed.features.geometry, reference.features.geometry)
    assert np.array_equal(parsed.features.descriptors, reference.features.descriptors)
    assert (parsed.features.width, parsed.features.height) == (400, 300)
    assert np.array_equal(parsed.tint, reference.tint)
    assert format_features(parsed) == blob


def test_the_same_picture_gives_the_same_blob(blob):
    assert format_features(make_reference(np.asarray(product_photo(5, (400, 300))))) == blob


@pytest.mark.parametrize("picture", [product_photo(1), noise_picture(2), flat_picture()])
def test_no_picture_takes_more_than_sixty_thousand_bytes(picture):
    assert len(format_features(make_reference(np.asarray(picture)))) <= MAX_BYTES


def test_the_portrait_is_the_picture_made_small(reference):
    portrait = reference.decode_portrait()
    assert portrait.shape == (168, PORTRAIT_SIDE)
    grey = np.asarray(product_photo(5, (400, 300)).convert("L").resize((PORTRAIT_SIDE, 168)), int)
    assert np.abs(grey - portrait.astype(int)).mean() < 8


def test_every_cut_blob_is_refused(small_blob):
    for length in range(len(small_blob)):
        with pytest.raises(FeatureBlobError):
            parse_features(small_blob[:length])


def test_every_altered_byte_is_refused(small_blob):
    for place in range(len(small_blob)):
        altered = bytearray(small_blob)
        altered[place] ^= 0x5A
        with pytest.raises(FeatureBlobError):
            parse_features(bytes(altered))


def test_trailing_bytes_are_refused(blob):
    with pytest.raises(FeatureBlobError):
        parse_features(blob + b"\0")


def test_a_later_version_is_named(blob):
    with pytest.raises(FeatureBlobError, match="version 3"):
        parse_features(blob[:4] + struct.pack("<B", 3) + blob[5:])


def test_a_portrait_that_is_no_picture_is_refused(reference):
    broken = Reference(reference.features, b"not a picture", reference.tint)
    with pytest.raises(FeatureBlobError):
        parse_features(format_features(broken)).decode_portrait()
