"""The picture of evidence of one candidate: pairs of spots as lines, and how the query is laid over the candidate."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compliance.models import Candidate
from ledger.models import ImageFile

HEIGHT, GAP = 320.0, 16.0  # of the drawing, in its own units


@dataclass(frozen=True, slots=True)
class Line:
    """From a spot of the query to the same spot of the candidate, in units of the drawing."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Both pictures side by side, HEIGHT high. matrix: how JavaScript lays the query over the candidate, nine numbers
    row by row from shares of the query to shares of the candidate."""

    width: float
    query_width: float
    their_left: float
    their_width: float
    lines: tuple[Line, ...]
    spots: int
    matrix: str
    has_map: bool
    height: float = HEIGHT


def draw(row: Candidate) -> Drawing | None:
    """The drawing, or None where digests alone decided. Needs row.image and row.run.image."""
    return draw_evidence(row.run.image, row.image, row.evidence)


def draw_evidence(query: ImageFile | None, theirs: ImageFile, evidence: dict[str, Any]) -> Drawing | None:
    """The drawing of what `evidence_of` kept about a query and the picture found for it."""
    if query is None or (not evidence.get("place") and not evidence.get("lines")):
        return None
    query_width = round(HEIGHT * (query.width or 1) / (query.height or 1), 1)
    their_width = round(HEIGHT * (theirs.width or 1) / (theirs.height or 1), 1)
    left = query_width + GAP
    lines = tuple(
        Line(*(round(v, 1) for v in (x * query_width, y * HEIGHT, left + u * their_width, v * HEIGHT)))
        for x, y, u, v in evidence.get("lines", [])
    )
    return Drawing(
        width=round(left + their_width, 1),
        query_width=query_width,
        their_left=left,
        their_width=their_width,
        lines=lines,
        spots=evidence.get("inliers", 0),
        matrix=overlay(evidence.get("place")),
        has_map="agreement" in evidence,
    )


def agreement_map(evidence: dict[str, Any]) -> bytes | None:
    """The PNG that was kept, or None."""
    encoded = evidence.get("agreement")
    return base64.b64decode(encoded) if encoded else None


def overlay(place: Sequence[Sequence[float]] | None) -> str:
    """From the corners of the candidate in the query to the transform of the query over the candidate."""
    if not place:
        return ""
    rows: list[list[float]] = []
    wanted: list[float] = []
    for (x, y), (u, v) in zip(place, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    try:
        numbers: list[Any] = np.linalg.solve(np.array(rows), np.array(wanted)).tolist()
    except np.linalg.LinAlgError:  # corners on one line: nothing to lay over
        return ""
    return json.dumps([round(value, 6) for value in [*numbers, 1.0]])
