"""The points of the scale every score is on, and the straight lines between them.

100 is the same file, 99.9 the same pixels; what is only similar stays at 99 or below. 85 is the point at which 99.9 % of
the best answers were right when measured.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

SCORE_SAME_FILE = 100.0
SCORE_SAME_PIXELS = 99.9
SCORE_CEILING = 99.0
THRESHOLD = 85.0


def interpolate(anchors: Sequence[tuple[float, float]], logit: float) -> float:
    """Piecewise linear through the anchors, constant outside them."""
    right = bisect_right(anchors, logit, key=lambda anchor: anchor[0])
    if right == 0:
        return anchors[0][1]
    if right == len(anchors):
        return anchors[-1][1]
    (x0, y0), (x1, y1) = anchors[right - 1], anchors[right]
    return y0 + (y1 - y0) * (logit - x0) / (x1 - x0)
