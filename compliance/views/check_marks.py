"""Where the numbers of findings are drawn on the picture: whole pixels of the hidden image, for an inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compliance.checks.check import SideReport
from compliance.services.check_sheet import FindingLine

TAG_SHARE = 22  # a number is this part of the long side: 32 px on a desk, 16 px on a telephone
FONT_SHARE = 0.68


@dataclass(frozen=True, slots=True)
class Mark:
    """A box and its numbered tag; label is what a screen reader says."""

    number: int
    state: str
    label: str
    left: int
    top: int
    width: int
    height: int
    tag_left: int
    tag_top: int
    tag: int
    text_left: int
    text_top: int
    font: int


def marks_of(findings: Sequence[FindingLine], hidden: SideReport) -> list[Mark]:
    """One mark for each finding that has a place; larger boxes first, so that a small one inside stays on top."""
    tag = max(8, max(hidden.width, hidden.height) // TAG_SHARE)
    placed = [line for line in findings if line.place is not None]
    placed.sort(key=_area, reverse=True)
    return [_mark(line, hidden, tag) for line in placed]


def _area(line: FindingLine) -> int:
    return line.place.width * line.place.height if line.place else 0


def _mark(line: FindingLine, hidden: SideReport, tag: int) -> Mark:
    place = line.place
    assert place is not None  # noqa: S101 - marks_of picked those that have one
    above = place.top - tag
    tag_left = max(0, min(place.left, hidden.width - tag))
    tag_top = above if above >= 0 else min(place.top, hidden.height - tag)
    return Mark(
        number=line.number,
        state=line.state,
        label=f"{line.number}. {line.title}",
        left=place.left,
        top=place.top,
        width=place.width,
        height=place.height,
        tag_left=tag_left,
        tag_top=tag_top,
        tag=tag,
        text_left=tag_left + tag // 2,
        text_top=tag_top + tag // 2,
        font=round(tag * FONT_SHARE),
    )
