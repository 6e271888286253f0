"""Quality checks of single pictures, answered at once: each is looked at in the limited child.

The picture is not kept. What was found is: a row and an entry of the log for each picture, with its digest.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from compliance.checks.base import Verdict
from compliance.checks.codes import CodeText, code_text
from compliance.checks.profile import Profile, load_profile
from compliance.checks.quality_check import QualityReport, parse_quality
from compliance.checks.worker_tasks import CHECK_QUALITY_TASK
from compliance.models import QualityRun
from compliance.services.check_sheet import VERDICT_STATES, FindingLine, finding_lines, format_value
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import ALPHABET, LENGTH, new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import TaskResult
from ledger.imaging.scan import scan_picture
from ledger.services.identity import identity_document
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.originals import Upload
from ledger.services.pictures import pixel_pool
from ledger.tlog.claim_documents import CheckFinding, ClaimFile, NamedVersion, quality_recorded_claim

MAX_PICTURES = 20  # half a second each: more would hold a web worker for longer than a person waits


class TooManyPicturesError(Exception):
    """More pictures at once than a page can answer."""

    code = "quality.too_many"


class QualityRefusedError(Exception):
    """The file is no picture that can be checked; code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RequestReusedError(Exception):
    """The same request id with other bytes."""

    code = "request_id_reused"


@dataclass(frozen=True, slots=True)
class QualityLine:
    """One picture's answer in words; refused is a code when the file is no picture, and then the rest is empty."""

    name: str
    refused: str
    state: str
    findings: tuple[FindingLine, ...]
    facts: tuple[tuple[str, str], ...]
    number: str = ""  # of its record; empty for a file that was refused
    notes: tuple[CodeText, ...] = ()


def check_picture(
    *,
    actor: User | None,
    seller: Seller,
    upload: Upload,
    profile_id: str,
    category: str = "",
    without_hidden: bool = False,
    request_id: str = "",
) -> QualityRun:
    """One picture's recorded answer; the same request again gives the first one.

    Raises QualityRefusedError for what is no picture, RequestReusedError where the request stood for other bytes.
    """
    require_permission(actor, seller, Permission.CHECK)
    number = _number_of(seller, request_id) if request_id else new_number()
    if (known := _known(seller, number, upload)) is not None:
        return known
    profile = load_profile(profile_id)
    code = _refusal(upload)
    answers = pixel_pool().map(
        CHECK_QUALITY_TASK, [([upload.content], _params(upload, profile, category, without_hidden))]
    )
    report = code or _read("", iter(answers))
    if isinstance(report, str):
        raise QualityRefusedError(report)
    with transaction.atomic():
        lock_head()
        if (known := _known(seller, number, upload)) is not None:  # the same request twice at the same moment
            return known
        return _save(actor, seller, [(upload, report, number)])[0]


def _number_of(seller: Seller, request_id: str) -> str:
    """The record's number, drawn from the request; keyed, since numbers are public and must not be guessed."""
    digest = salted_hmac("compliance.services.quality", f"{seller.pk}\n{request_id}", algorithm="sha256").digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])


def _known(seller: Seller, number: str, upload: Upload) -> QualityRun | None:
    run: QualityRun | None = QualityRun.objects.of(seller).filter(number=number).first()
    if run is not None and bytes(run.sha256) != hashlib.sha256(upload.content).digest():
        raise RequestReusedError
    return run


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
    read = [_read(refused.get(position, ""), answers) for position in range(len(uploads))]
    runs = iter(
        _record(actor, seller, [pair for pair in zip(uploads, read, strict=True) if not isinstance(pair[1], str)])
    )
    return [
        _refused(upload, answer) if isinstance(answer, str) else _line(upload, answer, next(runs).number)
        for upload, answer in zip(uploads, read, strict=True)
    ]


def _read(refused: str, answers: Iterator[TaskResult | ImagingError]) -> QualityReport | str:
    """One picture's report, or the code of why there is none."""
    if refused:
        return refused
    answer = next(answers)
    if isinstance(answer, ImagingError):
        return answer.code
    values = answer.values.get("refused")
    return str(values.get("cause"))[:40] if isinstance(values, dict) else parse_quality(answer.values)


def _record(
    actor: User | None, seller: Seller, checked: Sequence[tuple[Upload, QualityReport | str]]
) -> list[QualityRun]:
    """One row and one entry for each picture that was looked at, all together."""
    done = [(upload, report) for upload, report in checked if not isinstance(report, str)]
    if not done:
        return []
    with transaction.atomic():
        lock_head()
        return _save(actor, seller, [(upload, report, new_number()) for upload, report in done])


def _save(actor: User | None, seller: Seller, done: Sequence[tuple[Upload, QualityReport, str]]) -> list[QualityRun]:
    """Rows and entries; inside a transaction that holds the head."""
    drafts = [_draft(actor, seller, *one) for one in done]
    statements = append_statements(seller=seller, actor=actor, drafts=drafts)
    return QualityRun.objects.bulk_create(
        QualityRun(
            number=statement.number,
            seller=seller,
            actor=actor,
            statement=statement,
            file_name=upload.file_name[-255:],
            sha256=hashlib.sha256(upload.content).digest(),
            size_bytes=len(upload.content),
            verdict=report.verdict.value,
            report=report.to_dict(),
        )
        for (upload, report, _number), statement in zip(done, statements, strict=True)
    )


def _draft(actor: User | None, seller: Seller, upload: Upload, report: QualityReport, number: str) -> Draft:
    claim = quality_recorded_claim(
        secrets.token_bytes(32),
        image=ClaimFile("image", hashlib.sha256(upload.content).digest(), len(upload.content)),
        profile=NamedVersion(report.profile_id, str(report.profile_version)),
        verdict=report.verdict.value,
        findings=[CheckFinding(each.rule, each.code, each.level.value) for each in report.findings],
    )
    return Draft(
        kind="quality.recorded",
        claim=claim,
        identity=identity_document(actor=actor, seller=seller),
        request_id=f"quality-{number}",
        label=upload.file_name[-255:],
        outcome=_state(report),
        number=number,
    )


def _state(report: QualityReport) -> str:
    """A warning does not fail a picture, and somebody should look at it."""
    has_warning = report.verdict is Verdict.PASSED and bool(report.findings)
    return "needs-you" if has_warning else VERDICT_STATES[report.verdict]


def quality_line(run: QualityRun) -> QualityLine:
    """A recorded check in the language that is active now."""
    return _line(Upload(run.file_name, b""), parse_quality(run.report), run.number)


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


def _line(upload: Upload, report: QualityReport, number: str) -> QualityLine:
    quality = str(report.jpeg_quality) if report.jpeg_quality else "—"
    return QualityLine(
        name=upload.file_name,
        refused="",
        state=_state(report),
        findings=finding_lines(report.findings),
        facts=(
            (gettext("Size"), f"{report.width} × {report.height} px"),
            (gettext("Format"), report.format),
            (gettext("JPEG quality"), quality),
            (gettext("Camera data"), gettext("yes") if report.has_camera else gettext("none")),
            (gettext("Area under text"), format_value(report.text_share, "share")),
        ),
        number=number,
        notes=tuple(_translated(code_text(code)) for code in report.notes),
    )


def _translated(text: CodeText) -> CodeText:
    return CodeText(text.code, gettext(text.title), gettext(text.advice))
