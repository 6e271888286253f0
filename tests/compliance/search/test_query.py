"""What comes back from the child process, and the child itself."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from compliance.search.query import (
    DHASH,
    PHASH,
    QUERY_FEATURES_TASK,
    QUERY_SPOTS_TASK,
    VIEW_NAMES,
    QueryFeatures,
    format_features,
    parse_features,
    parse_spots,
    view_of,
)
from compliance.search.worker_tasks import extract_features, query_features_task
from ledger.imaging import fingerprint
from ledger.imaging.analysis import analyse_picture
from ledger.imaging.errors import DecodeError
from ledger.imaging.features import QUERY, extract_grey
from ledger.imaging.sandbox import PixelPool
from tests.compliance.search.pictures import draw, encode


def test_names_are_those_of_the_fingerprints() -> None:
    assert (PHASH, DHASH) == (fingerprint.PHASH, fingerprint.DHASH)
    assert VIEW_NAMES == fingerprint.DIHEDRAL_NAMES


def test_features_agree_with_what_registration_records() -> None:
    data = encode(draw(1))
    features, analysis = extract_features(data), analyse_picture(data)
    assert features.query.pixel_sha256 == analysis.pixel_sha256
    assert features.query.views[0] == view_of(analysis.fingerprints)
    assert len(features.query.views) == 8


def test_features_round_trip() -> None:
    features = extract_features(encode(draw(2)))
    assert_same(parse_features(*format_features(features)), features)


def assert_same(one: QueryFeatures, other: QueryFeatures) -> None:
    for left, right in zip(one.looks.arrays(), other.looks.arrays(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert replace(one, looks=other.looks) == other


def test_local_features_round_trip_through_the_child() -> None:
    frame = extract_features(encode(draw(2))).looks.frame
    with PixelPool() as pool:
        result = pool.run(QUERY_SPOTS_TASK, [frame.tobytes()], {"height": frame.shape[0], "width": frame.shape[1]})
    spots, expected = parse_spots(result.values, result.blobs), extract_grey(frame, QUERY)
    np.testing.assert_array_equal(spots.descriptors, expected.descriptors)
    np.testing.assert_array_equal(spots.geometry, expected.geometry)
    assert len(spots) > 0


def test_previews_can_be_left_out() -> None:
    values, blobs = query_features_task([encode(draw(2))], {"thumbnails": False})
    assert (values["thumbnails"], len(blobs)) == ([], 3)


def test_the_limited_child_runs_the_task() -> None:
    data = encode(draw(3))
    with PixelPool() as pool:
        result = pool.run(QUERY_FEATURES_TASK, [data])
    assert_same(parse_features(result.values, result.blobs), extract_features(data))


def test_a_broken_picture_is_a_named_error() -> None:
    with PixelPool() as pool, pytest.raises(DecodeError):
        pool.run(QUERY_FEATURES_TASK, [encode(draw(3))[:500]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sha256", "00"),
        ("pixel_sha256", "zz"),
        ("views", [["0" * 16, "0" * 16]] * 7),
        ("views", [["0" * 14, "0" * 16]] * 8),
        ("views", 5),
        ("width", None),
        ("looks", [[8, 8], [8, 8], [64, 64, 2]]),
        ("thumbnails", [{"long_side": 1}]),
    ],
)
def test_malformed_features_are_refused(field: str, value: object) -> None:
    values, blobs = format_features(extract_features(encode(draw(2))))
    broken = copy.deepcopy(values) | {field: value}
    with pytest.raises((ValueError, TypeError, KeyError)):
        parse_features(broken, blobs)
