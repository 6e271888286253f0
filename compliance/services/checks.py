"""Hidden-image checks: a main and a hidden image against a marketplace's limits, recorded in the log.

The request seals both files and enqueues; a job compares them in the limited child and writes findings, pictures, the
run and its entry in one transaction. Running it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from compliance.checks.check import PairReport
from compliance.checks.errors import ReportMalformed
from compliance.checks.profile import load_profile
from compliance.checks.report import parse_report
from compliance.checks.worker_tasks import CHECK_PAIR_TASK
from compliance.models import CheckRun, Finding, RunState
from compliance.services.answers import known_answers, record_draft, settled_report
from compliance.services.original_lookup import find_original
from compliance.services.outdated import CHECK, outdate_checks
from compliance.services.sku_images import with_sku_rule
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import ALPHABET, LENGTH, new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.sandbox import TaskResult
from ledger.imaging.scan import FileScan, scan_picture
from ledger.models import Blob, ImageFile, ImageState, Original
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files, seal_uploads, write_part
from ledger.services.job_context import JobError
from ledger.services.jobs import REQUEUABLE, UNFINISHED, JobStateError, enqueue_job, requeue_job
from ledger.services.log import append_statements, lock_head
from ledger.services.originals import Upload, image_row
from ledger.services.pictures import THUMBNAILS, pixel_pool

KIND = "checks.run"
MAIN, HIDDEN = "main", "hidden"
DIFFERENCE = "difference"  # part of the heatmap's blob: the bare overlay that the page draws its numbers on
ERASED = "erased"  # files of the pair are gone for good
FINAL = Q(state=RunState.DONE) | Q(error_code=ERASED)
CODE_PREFIX = "check."  # a decoder's code, explained for a pair instead of for a sealed original
MAGIC = (b"\x89PNG", *[b"RIFF"] * (1 + 2 * len(THUMBNAILS)))


@dataclass(frozen=True, slots=True)
class SideRefusal:
    """Which file was turned away, and why: a code of ledger.imaging.errors."""

    side: str
    code: str
    detail: str


class PairRefusedError(Exception):
    """A file of the pair is not an acceptable picture; nothing was kept."""

    code = "check.pair_refused"

    def __init__(self, refusals: Sequence[SideRefusal]) -> None:
        super().__init__(", ".join(f"{each.side}: {each.code} {each.detail}".rstrip() for each in refusals))
        self.refusals = tuple(refusals)


class CheckFinishedError(Exception):
    """The check has its result; there is nothing to start again."""

    code = "check.finished"


def start_check(
    *,
    actor: User | None,
    seller: Seller,
    main: Upload | ImageFile,
    hidden: Upload | ImageFile,
    category: str = "",
    profile_id: str,
    sku: str = "",
    request_id: str = "",
) -> CheckRun:
    """Seal both files and have a worker check them; the same request with the same files gives the first run.

    Either may be a picture of this seller that is sealed already. Raises PairRefusedError and ProfileUnknown.
    """
    require_permission(actor, seller, Permission.CHECK)
    profile = load_profile(profile_id)
    sealed = {side: file for side, file in ((MAIN, main), (HIDDEN, hidden)) if isinstance(file, ImageFile)}
    if any(image.seller_id != seller.pk for image in sealed.values()):
        raise ValueError("a picture of the pair belongs to another seller")
    choices = (profile.id, category, *([sku] if sku else []))
    number = _run_number(seller, request_id, (_digest(main), _digest(hidden)), choices)
    runs = CheckRun.objects.of(seller).filter(number=number)
    known: CheckRun | None = runs.first()
    if known is not None:
        return known
    uploads = {side: file for side, file in ((MAIN, main), (HIDDEN, hidden)) if isinstance(file, Upload)}
    scans = _scan(uploads)
    blobs = seal_uploads(seller=seller, contents=[upload.content for upload in uploads.values()])
    try:
        with transaction.atomic():
            images = sealed | _save_images(seller, uploads, scans, blobs)
            run: CheckRun = CheckRun.objects.create(
                number=number,
                seller=seller,
                actor=actor,
                main_image=images[MAIN],
                hidden_image=images[HIDDEN],
                profile_id=profile.id,
                profile_version=str(profile.version),
                category=category,
                sku=sku,
            )
            _enqueue(run, actor)
    except IntegrityError:  # the same request at the same moment: it was first
        known = runs.first()
        if known is None:
            raise
        run = known
    return run


def _enqueue(run: CheckRun, actor: User | None) -> None:
    run.job = enqueue_job(
        kind=KIND, args={"run_id": run.pk}, seller=run.seller, actor=actor, dedupe_key=f"check-{run.number}"
    )
    run.save(update_fields=["job"])


def _run_number(seller: Seller, request_id: str, digests: tuple[bytes, bytes], choices: tuple[str, ...]) -> str:
    """The run's number, drawn from the request so that sending it again finds the first run.

    Keyed with the site's secret, because the number is public and must not be guessed from a request id. The files are
    part of it: a form sent again with other files, after going back, is another request.
    """
    if not request_id:
        return new_number()
    value = "\n".join([str(seller.pk), request_id, *(digest.hex() for digest in digests), *choices])
    digest = salted_hmac("compliance.checks", value, algorithm="sha256").digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])


def _digest(file: Upload | ImageFile) -> bytes:
    return bytes(file.sha256) if isinstance(file, ImageFile) else hashlib.sha256(file.content).digest()


def _scan(uploads: Mapping[str, Upload]) -> dict[str, FileScan]:
    """Header and structure of each file, or all refusals at once.

    The file name is not held against the bytes: that the hidden image is a renamed WebP is a finding, not a refusal.
    """
    scans, refusals = {}, []
    for side, upload in uploads.items():
        try:
            scans[side] = scan_picture(upload.content, file_name="")
        except ImagingError as error:
            refusals.append(SideRefusal(side, error.code, error.detail))
    if refusals:
        raise PairRefusedError(refusals)
    return scans


def _save_images(
    seller: Seller, uploads: Mapping[str, Upload], scans: Mapping[str, FileScan], blobs: Sequence[Blob]
) -> dict[str, ImageFile]:
    Blob.objects.bulk_create(blobs)
    rows = [
        image_row(seller, blob, upload, scans[side], _digest(upload))
        for (side, upload), blob in zip(uploads.items(), blobs, strict=True)
    ]
    return dict(zip(uploads, ImageFile.objects.bulk_create(rows), strict=True))


# The job --------------------------------------------------------------------------------------------------------


def run_check(run_id: int) -> CheckRun:
    """Check one pair. A finished run is returned as it is.

    A file that is no picture ends the run, named in error_code and report; a child that died raises JobError, so that
    the job can be started again.
    """
    related = ("seller", "actor", "main_image__blob", "hidden_image__blob", "original__image__blob")
    run: CheckRun = CheckRun.objects.select_related(*related).get(pk=run_id)
    if run.state == RunState.DONE or run.error_code == ERASED:
        return run
    started = time.monotonic()
    try:
        answer = _compare(run, original := run.original or _look_up_original(run))
        refused = answer.values.get("refused")
        if isinstance(refused, dict):
            return _refuse(run, refused)
        report, pictures = _read(answer)
    except (ImagingError, BlobUnreadableError) as error:
        _fail(run, CODE_PREFIX + error.code)
        raise JobError(CODE_PREFIX + error.code, str(error)) from error
    run.original = original
    report = with_sku_rule(run, report)
    outdate_checks(seller=run.seller, sku=run.sku, main=run.main_image, by=CHECK, number=run.number)
    return _record(run, report, pictures, started)


def _look_up_original(run: CheckRun) -> Original | None:
    """The registered original that the hidden image descends from; a file that is no picture descends from none."""
    try:
        return find_original(seller=run.seller, data=read_blob(run.hidden_image.blob))
    except ImagingError:
        return None


def _compare(run: CheckRun, original: Original | None) -> TaskResult:
    params = {
        "profile": run.profile_id,
        "profile_version": int(run.profile_version),
        "main_name": run.main_image.file_name,
        "hidden_name": run.hidden_image.file_name,
        "category": run.category,
    }
    files = [read_blob(run.main_image.blob), read_blob(run.hidden_image.blob)]
    if original is not None:
        params["original_name"] = original.image.file_name
        files.append(read_blob(original.image.blob))
    return pixel_pool().run(CHECK_PAIR_TASK, files, params)


def _read(answer: TaskResult) -> tuple[PairReport, list[bytes]]:
    """The child's answer, checked; one that makes no sense counts as a crash of the child."""
    if len(answer.blobs) != len(MAGIC) or not all(map(bytes.startswith, answer.blobs, MAGIC)):
        raise DecodeCrashed("pictures missing")
    try:
        return parse_report(answer.values, answer.blobs[0]), answer.blobs
    except ReportMalformed as error:
        raise DecodeCrashed(str(error)) from error


def _refuse(run: CheckRun, refused: Mapping[str, object]) -> CheckRun:
    """One file passed the gate but has no pixels."""
    side = MAIN if refused.get("side") == MAIN else HIDDEN
    cause = str(refused.get("cause"))[:40]
    image = run.main_image if side == MAIN else run.hidden_image
    ImageFile.objects.filter(pk=image.pk, state=ImageState.SEALED).update(
        state=ImageState.UNDECODABLE, error_code=cause
    )
    run.report = {"refused": {"side": side, "cause": cause, "detail": str(refused.get("detail"))[:200]}}
    _fail(run, CODE_PREFIX + cause)
    return run


def _fail(run: CheckRun, code: str) -> None:
    run.state, run.error_code, run.finished_at = RunState.FAILED, code, timezone.now()
    unfinished = CheckRun.objects.filter(pk=run.pk).exclude(FINAL)
    unfinished.update(state=run.state, error_code=code, report=run.report, finished_at=run.finished_at)


def _record(run: CheckRun, report: PairReport, pictures: Sequence[bytes], started: float) -> CheckRun:
    """Pictures, findings, run and entry together, or none of them."""
    heatmap, difference, *previews = pictures
    (blob,) = seal_files(seller=run.seller, contents=[heatmap])
    write_part(blob, DIFFERENCE, difference)
    half = len(THUMBNAILS)
    for image, data in ((run.main_image, previews[:half]), (run.hidden_image, previews[half:])):
        for part, preview in zip(THUMBNAILS.values(), data, strict=True):
            write_part(image.blob, part, preview)
    with transaction.atomic():
        lock_head()
        if CheckRun.objects.filter(FINAL, pk=run.pk).exists():
            run.refresh_from_db()  # another worker was first, or the pair was erased meanwhile
            return run
        blob.save(force_insert=True)
        _save_sizes(run.main_image, report.main.width, report.main.height)
        _save_sizes(run.hidden_image, report.hidden.width, report.hidden.height)
        run.answers = known_answers(run, report)
        draft = record_draft(run, report, actor=run.actor, request_id=f"check-{run.number}", number=run.number)
        (run.statement,) = append_statements(seller=run.seller, actor=run.actor, drafts=[draft])
        Finding.objects.bulk_create(_finding_rows(run, report))
        run.heatmap, run.report = blob, {**report.to_dict(), "answers": run.answers}
        run.verdict = settled_report(report, run.answers).verdict.value
        run.state, run.error_code, run.finished_at = RunState.DONE, "", timezone.now()
        run.took_ms = round((time.monotonic() - started) * 1000)
        run.save()
    return run


def _save_sizes(image: ImageFile, width: int, height: int) -> None:
    sealed = ImageFile.objects.filter(pk=image.pk, state=ImageState.SEALED)
    sealed.update(state=ImageState.READY, width=width, height=height, has_thumbnails=True)


def _finding_rows(run: CheckRun, report: PairReport) -> list[Finding]:
    return [
        Finding(
            run=run,
            seller=run.seller,
            position=position,
            rule=finding.rule,
            code=finding.code,
            level=finding.level.value,
            bbox=None if finding.bbox is None else list(finding.bbox),
            measured=str(finding.measured)[:200],
            allowed=str(finding.allowed)[:200],
            unit=finding.unit,
        )
        for position, finding in enumerate(report.findings, start=1)
    ]


# Afterwards -----------------------------------------------------------------------------------------------------


def is_working(run: CheckRun) -> bool:
    """A run without a result that a worker has, or will have, in hand."""
    return _is_open(run) and run.job is not None and run.job.state in UNFINISHED


def is_stuck(run: CheckRun) -> bool:
    """A run without a result that nobody is working on: its job gave up, was cancelled, failed or is gone."""
    return _is_open(run) and not is_working(run)


def _is_open(run: CheckRun) -> bool:
    """Neither a result nor a file that was turned away; what failed otherwise may still get one."""
    return run.state != RunState.DONE and "refused" not in run.report and run.error_code != ERASED


def retry_check(*, actor: User | None, run: CheckRun) -> CheckRun:
    """Start a check without a result again. Raises CheckFinishedError, or JobStateError while it is being worked on."""
    require_permission(actor, run.seller, Permission.CHECK)
    with transaction.atomic():
        waiting = CheckRun.objects.filter(pk=run.pk).exclude(FINAL)
        if not waiting.update(state=RunState.WAITING, error_code="", report={}, finished_at=None):
            raise CheckFinishedError
        if run.job is not None and run.job.state in REQUEUABLE:
            requeue_job(actor=actor, job=run.job)
        elif run.job is not None and run.job.state in UNFINISHED:
            raise JobStateError("the check is already waiting or running")
        else:
            _enqueue(run, actor)
    run.refresh_from_db()
    return run
