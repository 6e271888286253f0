"""Reading a report back: `parse_report` is the other half of PairReport.to_dict.

What it reads comes from the child process that touched hostile bytes, or from a row an older version wrote. Types are
checked; keys that this version does not know are left alone.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeVar

from compliance.checks.base import Box, Finding, Level, RuleOutcome, Value, Verdict
from compliance.checks.check import OriginalReport, PairReport, SideReport
from compliance.checks.errors import ReportMalformed

MAX_FINDINGS = 500  # what one ledger claim may hold
MAX_TEXT = 300  # no code, format or measured value is longer
T = TypeVar("T")


def parse_report(values: Mapping[str, Any], heatmap: bytes = b"") -> PairReport:
    """The report of these JSON values, or ReportMalformed naming the first value that is wrong."""
    findings = _rows(values, "findings", _finding)
    timings = _mapping(values, "timings_ms")
    profile = _mapping(values, "profile")
    return PairReport(
        verdict=_verdict(values),
        outcomes=_rows(values, "outcomes", lambda row: _outcome(row, findings)),
        findings=findings,
        ssim=_optional_number(values, "ssim"),
        ssim_masked=_optional_number(values, "ssim_masked"),
        ssim_scale_px=_integer(values, "ssim_scale_px"),
        background_deviation=_optional_number(values, "background_deviation"),
        timings_ms={str(key)[:MAX_TEXT]: _number(timings, key) for key in timings},
        heatmap=heatmap,
        main=_side(_mapping(values, "main")),
        hidden=_side(_mapping(values, "hidden")),
        profile_id=_text(profile, "id"),
        profile_version=_integer(profile, "version"),
        category=_text(values, "category"),
        hidden_need=_text(values, "hidden_need"),
        not_looked_at=_texts(values, "not_looked_at"),
        overlay_share=_optional_number(values, "overlay_share"),
        original=_original(values),
    )


def _original(values: Mapping[str, Any]) -> OriginalReport | None:
    if values.get("original") is None:
        return None
    row = _mapping(values, "original")
    return OriginalReport(
        name=_text(row, "name"),
        width=_integer(row, "width"),
        height=_integer(row, "height"),
        path=_text(row, "path"),
        reason=_text(row, "reason"),
    )


def _finding(row: Mapping[str, Any]) -> Finding:
    return Finding(
        rule=_text(row, "rule"),
        code=_text(row, "code"),
        level=_level(row),
        bbox=_box(row),
        measured=_value(row, "measured"),
        allowed=_value(row, "allowed"),
        unit=_text(row, "unit"),
        detail=_text(row, "detail"),
    )


def _outcome(row: Mapping[str, Any], findings: tuple[Finding, ...]) -> RuleOutcome:
    rule = _text(row, "rule")
    return RuleOutcome(
        rule=rule,
        verdict=_verdict(row),
        findings=tuple(finding for finding in findings if finding.rule == rule),
        measured=None if row.get("measured") is None else _value(row, "measured"),
        allowed=None if row.get("allowed") is None else _value(row, "allowed"),
        unit=_text(row, "unit"),
        reason=_text(row, "reason"),
    )


def _side(row: Mapping[str, Any]) -> SideReport:
    return SideReport(
        name=_text(row, "name"),
        format=_text(row, "format"),
        width=_integer(row, "width"),
        height=_integer(row, "height"),
        size_bytes=_integer(row, "size_bytes"),
        metadata=_texts(row, "metadata"),
    )


def _verdict(row: Mapping[str, Any]) -> Verdict:
    try:
        return Verdict(_text(row, "verdict"))
    except ValueError as error:
        raise ReportMalformed("verdict", row["verdict"]) from error


def _level(row: Mapping[str, Any]) -> Level:
    try:
        return Level(_text(row, "level"))
    except ValueError as error:
        raise ReportMalformed("level", row["level"]) from error


def _box(row: Mapping[str, Any]) -> Box | None:
    box = row.get("bbox")
    if box is None:
        return None
    if not isinstance(box, list) or len(box) != 4 or any(type(edge) is not int for edge in box):
        raise ReportMalformed("bbox", box)
    return (box[0], box[1], box[2], box[3])


def _rows(values: Mapping[str, Any], key: str, parse: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    rows = values.get(key)
    if not isinstance(rows, list) or len(rows) > MAX_FINDINGS or not all(isinstance(row, dict) for row in rows):
        raise ReportMalformed(key, type(rows).__name__)
    return tuple(parse(row) for row in rows)


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    if not isinstance(found, dict):
        raise ReportMalformed(key, found)
    return found


def _text(row: Mapping[str, Any], key: str) -> str:
    found = row.get(key)
    if not isinstance(found, str) or len(found) > MAX_TEXT:
        raise ReportMalformed(key, found)
    return found


def _texts(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = row.get(key)
    if not isinstance(found, list) or len(found) > MAX_FINDINGS:
        raise ReportMalformed(key, found)
    return tuple(_text({key: item}, key) for item in found)


def _value(row: Mapping[str, Any], key: str) -> Value:
    return _text(row, key) if isinstance(row.get(key), str) else _number(row, key)


def _number(row: Mapping[str, Any], key: str) -> int | float:
    found = row.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        raise ReportMalformed(key, found)
    return found


def _integer(row: Mapping[str, Any], key: str) -> int:
    found = _number(row, key)
    if not isinstance(found, int):
        raise ReportMalformed(key, found)
    return found


def _optional_number(row: Mapping[str, Any], key: str) -> float | None:
    return None if row.get(key) is None else float(_number(row, key))


# The readers by the names under which the report of one picture uses them too.
read_verdict, read_mapping = _verdict, _mapping
read_side = _side
read_text, read_texts, read_integer, read_number = _text, _texts, _integer, _number


def read_findings(values: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings of a report's JSON values."""
    return _rows(values, "findings", _finding)
