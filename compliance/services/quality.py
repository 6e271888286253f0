"""Quality checks of single pictures, answered at once: each is looked at in the limited child, and nothing is kept.

What is wrong with a picture is worth knowing before it is registered; a record of it would have no use afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from compliance.checks.base import Verdict
from compliance.checks.profile import Profile, load_profile
from compliance.checks.quality_check import parse_quality
from compliance.checks.worker_tasks import CHECK_QUALITY_TASK
from compliance.services.check_sheet import VERDICT_STATES, FindingLine, finding_lines, format_value
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import TaskResult
from ledger.imaging.scan import scan_picture
from ledger.services.originals import Upload
from ledger.services.pictures import pixel_pool

MAX_PICTURES = 20  # half a second each: more would hold a web worker for longer than a person waits


class TooManyPicturesError(Exception):
    """More pictures at once than a page can answer."""

    code = "quality.too_many"


@dataclass(frozen=True, slots=True)
class QualityLine:
    """One picture's answer in words; refused is a code when the file is no picture, and then the rest is empty."""

    name: str
    refused: str
    state: str
    findings: tuple[FindingLine, ...]
    facts: tuple[tuple[str, str], ...]


def check_pictures(
    *,
    actor: User | None,
    seller: Seller,
    uploads: Sequence[Upload],
    profile_id: str,
    category: str = "",
    without_hidden: bool = False,
) -> list[QualityLine]:
    """One line per picture, in order. Raises TooManyPicturesError and ProfileUnknown."""
    require_permission(actor, seller, Permission.CHECK)
    if len(uploads) > MAX_PICTURES:
        raise TooManyPicturesError
    profile = load_profile(profile_id)
    refused = {position: code for position, upload in enumerate(uploads) if (code := _refusal(upload))}

    def jobs() -> Iterator[tuple[list[bytes], dict[str, Any]]]:
        for position, upload in enumerate(uploads):
            if position not in refused:
                yield [upload.content], _params(upload, profile, category, without_hidden)

    answers = pixel_pool().map(CHECK_QUALITY_TASK, jobs())
    return [
        _refused(upload, refused[position]) if position in refused else _line(upload, next(answers))
        for position, upload in enumerate(uploads)
    ]


def _refusal(upload: Upload) -> str:
    """The code of the gate's refusal, or nothing. As in a pair, the extension is not held against the bytes."""
    try:
        scan_picture(upload.content, file_name="")
    except ImagingError as error:
        return error.code
    return ""


def _params(upload: Upload, profile: Profile, category: str, without_hidden: bool) -> dict[str, Any]:
    return {
        "profile": profile.id,
        "profile_version": profile.version,
        "name": upload.file_name,
        "category": category,
        "without_hidden": without_hidden,
    }


def _refused(upload: Upload, code: str) -> QualityLine:
    return QualityLine(upload.file_name, code, "failed", (), ())


def _line(upload: Upload, answer: TaskResult | ImagingError) -> QualityLine:
    if isinstance(answer, ImagingError):
        return _refused(upload, answer.code)
    refused = answer.values.get("refused")
    if isinstance(refused, dict):
        return _refused(upload, str(refused.get("cause"))[:40])
    report = parse_quality(answer.values)
    has_warning = report.verdict is Verdict.PASSED and bool(report.findings)
    quality = str(report.jpeg_quality) if report.jpeg_quality else "—"
    return QualityLine(
        name=upload.file_name,
        refused="",
        state="needs-you" if has_warning else VERDICT_STATES[report.verdict],
        findings=finding_lines(report.findings),
        facts=(
            (gettext("Size"), f"{report.width} × {report.height} px"),
            (gettext("Format"), report.format),
            (gettext("JPEG quality"), quality),
            (gettext("Camera data"), gettext("yes") if report.has_camera else gettext("none")),
            (gettext("Area under text"), format_value(report.text_share, "share")),
        ),
    )
