"""Straight lines between the points of the scale."""

import pytest

from compliance.search.score import interpolate

ANCHORS = ((-2.0, 0.0), (0.0, 85.0), (3.0, 99.0))


@pytest.mark.parametrize(("logit", "score"), [(-9, 0), (-2, 0), (-1, 42.5), (0, 85), (1.5, 92), (3, 99), (50, 99)])
def test_a_score_lies_on_the_line_between_its_anchors(logit, score):
    assert interpolate(ANCHORS, logit) == pytest.approx(score)
