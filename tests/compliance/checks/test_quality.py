"""Small pictures are told, never refused."""

import pytest

from compliance.checks.base import Verdict
from tests.compliance.checks.pictures import levels, outcome, product


@pytest.mark.parametrize(
    ("size", "expected"),
    [((600, 600), []), ((600, 4000), []), ((599, 600), ["WARNING", "WARNING"]), ((1000, 599), ["WARNING", "WARNING"])],
)
def test_six_hundred_pixels_are_enough(size, expected):
    found = outcome("Q01", product(size), product(size))
    assert levels(found) == expected
    assert found.verdict is Verdict.PASSED


def test_the_small_side_is_named():
    found = outcome("Q01", product((700, 700)), product((500, 500)))
    assert [finding.detail for finding in found.findings] == ["hidden"]
