"""What comes back from the child process, and the child itself."""

import copy

import pytest

from compliance.search.query import (
    DHASH,
    PHASH,
    QUERY_FEATURES_TASK,
    VIEW_NAMES,
    format_features,
    parse_features,
    view_of,
)
from compliance.search.worker_tasks import extract_features, query_features_task
from ledger.imaging import fingerprint
from ledger.imaging.analysis import analyse_picture
from ledger.imaging.errors import DecodeError
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
    assert parse_features(*format_features(features)) == features


def test_previews_can_be_left_out() -> None:
    values, blobs = query_features_task([encode(draw(2))], {"thumbnails": False})
    assert (values["thumbnails"], blobs) == ([], [])


def test_the_limited_child_runs_the_task() -> None:
    data = encode(draw(3))
    with PixelPool() as pool:
        result = pool.run(QUERY_FEATURES_TASK, [data])
    assert parse_features(result.values, result.blobs) == extract_features(data)


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
        ("thumbnails", [{"long_side": 1}]),
    ],
)
def test_malformed_features_are_refused(field: str, value: object) -> None:
    values, blobs = format_features(extract_features(encode(draw(2))))
    broken = copy.deepcopy(values) | {field: value}
    with pytest.raises((ValueError, TypeError, KeyError)):
        parse_features(broken, blobs)
