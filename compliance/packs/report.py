"""A pack as JSON values and back: what leaves the child process, what the command prints, what a job stores."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from compliance.checks.check import PairReport
from compliance.checks.errors import ReportMalformed as CheckMalformed
from compliance.checks.report import parse_report
from compliance.packs.errors import ReportMalformed
from compliance.packs.maker import Pack

PACK_VERSION = 1
ROLES = ("main", "hidden", "detail")
GEOMETRIES = ("identity", "similarity", "affine")
STEPS = ("cropped", "scaled", "graded", "overlaid")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file of a pack: digest of its exact bytes, size in pixels and bytes, matrix (9,) from the original to it."""

    role: str
    sha256: str
    width: int
    height: int
    size_bytes: int
    geometry: str
    matrix: tuple[float, ...]
    residual_px: float
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackReport:
    """What is known about a finished pack; `values` are the JSON values it was read from."""

    files: tuple[FileFacts, ...]
    check: PairReport
    differing_px: int
    values: Mapping[str, Any]


def describe_pack(pack: Pack) -> dict[str, Any]:
    """The pack as JSON values, without its bytes. Keys are stable; new ones may be added."""
    return {
        "pack_version": PACK_VERSION,
        "verdict": pack.report.verdict.value,
        "files": [
            {
                "role": file.role,
                "sha256": hashlib.sha256(file.data).hexdigest(),
                "width": file.width,
                "height": file.height,
                "bytes": len(file.data),
                "mime": "image/jpeg",
                "relation": file.relation.to_dict(),
            }
            for file in pack.files
        ],
        "outside_promotion": pack.agreement.to_dict(),
        "promotion": [list(box) for box in pack.boxes],
        "check": pack.report.to_dict(),
        "timings_ms": pack.timings_ms,
    }


def parse_pack(values: Mapping[str, Any], files: Sequence[bytes]) -> PackReport:
    """Read what a child sent: the report's form, and that the bytes beside it are the files it speaks of.

    Raises ReportMalformed naming the first value that is wrong.
    """
    rows = values.get("files")
    if not isinstance(rows, list) or [row.get("role") for row in rows if isinstance(row, dict)] != list(ROLES):
        raise ReportMalformed("files")
    facts = tuple(_facts(row) for row in rows)
    for fact, data in zip(facts, files, strict=True):
        if fact.sha256 != hashlib.sha256(data).hexdigest() or fact.size_bytes != len(data):
            raise ReportMalformed(f"{fact.role} sha256")
    outside = values.get("outside_promotion")
    check = values.get("check")
    if not isinstance(outside, dict) or not isinstance(check, dict):
        raise ReportMalformed("check")
    try:
        report = parse_report(check)
    except CheckMalformed as error:
        raise ReportMalformed(f"check {error.key}") from error
    if values.get("verdict") != report.verdict.value:
        raise ReportMalformed("verdict")
    return PackReport(facts, report, _count(outside, "differing_px"), values)


def parse_relation(relation: object) -> tuple[str, tuple[float, ...], float, tuple[str, ...]]:
    """Geometry, matrix (9,), residual in pixels and steps of Relation.to_dict, or ReportMalformed."""
    if not isinstance(relation, dict) or relation.get("geometry") not in GEOMETRIES:
        raise ReportMalformed("relation")
    matrix, steps = relation.get("matrix"), relation.get("steps")
    if not isinstance(matrix, list) or len(matrix) != 9 or not isinstance(steps, list):
        raise ReportMalformed("relation")
    if any(step not in STEPS for step in steps):
        raise ReportMalformed("relation steps")
    return (
        str(relation["geometry"]),
        tuple(_number(value, "matrix") for value in matrix),
        _number(relation.get("residual_px"), "residual_px"),
        tuple(steps),
    )


def _facts(row: Mapping[str, Any]) -> FileFacts:
    geometry, matrix, residual_px, steps = parse_relation(row.get("relation"))
    return FileFacts(
        role=str(row["role"]),
        sha256=str(row.get("sha256")),
        width=_count(row, "width"),
        height=_count(row, "height"),
        size_bytes=_count(row, "bytes"),
        geometry=geometry,
        matrix=matrix,
        residual_px=residual_px,
        steps=steps,
    )


def _count(row: Mapping[str, Any], key: str) -> int:
    found = row.get(key)
    if type(found) is not int or found < 0:
        raise ReportMalformed(key)
    return found


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or abs(value) > 1e9:
        raise ReportMalformed(key)
    return float(value)
