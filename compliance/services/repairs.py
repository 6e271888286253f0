"""Repairs of a checked hidden image: made by a job in the limited child, kept as a file of the seller, checked again.

The new file, its entry as a derivative of the original and its own check come into being together. Nothing is painted:
marks go only by pasting from the registered original.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.db import transaction

from compliance.checks.answers import PRODUCT
from compliance.checks.report import parse_report
from compliance.models import CheckRun, Repair, RunState
from compliance.packs.errors import ReportMalformed
from compliance.packs.fix_table import SPECS, Fix
from compliance.packs.repair_plan import ORDER, helpful_fixes
from compliance.packs.report import parse_relation
from compliance.packs.worker_tasks import REPAIR_TASK
from compliance.services.answers import by_number
from compliance.services.checks import CODE_PREFIX, start_check
from ledger.accounts.models import User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.sandbox import TaskResult
from ledger.models import Derivative, DerivativeRole, ImageFile, ImageState, LogHead
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files, write_part
from ledger.services.derivatives import Descent, Link, link_derivatives
from ledger.services.job_context import JobError
from ledger.services.jobs import REQUEUABLE, UNFINISHED, JobStateError, enqueue_job, requeue_job
from ledger.services.log import lock_head
from ledger.services.pictures import THUMBNAILS, pixel_pool
from ledger.tlog.claim_documents import NamedVersion

KIND = "repairs.run"
METHOD = NamedVersion("originmark.repair", "1")
EVERYTHING = "all"
MIMES = {"JPEG": ("image/jpeg", ".jpg"), "PNG": ("image/png", ".png")}


class RepairNotOfferedError(Exception):
    """No such repair can help this check."""

    code = "repair.not_offered"


class RepairFinishedError(Exception):
    """The repair has its file already."""

    code = "repair.finished"


@dataclass(frozen=True, slots=True)
class MadeFile:
    """What the child made: the file, its previews, and how it descends from the original, if that is known."""

    data: bytes
    previews: Sequence[bytes]
    width: int
    height: int
    format: str
    descent: Descent | None


def offered_fixes(run: CheckRun) -> Mapping[int, Fix]:
    """The repair that can help, by the finding's number; what the seller called part of the product is left alone."""
    if run.state != RunState.DONE:
        return {}
    helpful = helpful_fixes(parse_report(run.report), has_original=run.original is not None)
    answers = by_number(run.answers)
    return {number: fix for number, fix in helpful.items() if answers.get(number) != PRODUCT}


def start_repair(*, actor: User | None, run: CheckRun, fix: str) -> Repair:
    """Have a worker make one repair, by its name, or all that can help; the same again gives the first, or tries anew
    what failed. Raises RepairNotOfferedError.
    """
    require_permission(actor, run.seller, Permission.CHECK)
    offered = set(offered_fixes(run).values())
    wanted = [each.value for each in ORDER if each in offered and fix in (EVERYTHING, each.value)]
    if not wanted:
        raise RepairNotOfferedError
    with transaction.atomic():
        repair, is_new = Repair.objects.select_for_update().get_or_create(
            run=run, fixes=",".join(wanted), defaults={"seller": run.seller, "actor": actor}
        )
        if is_new:
            _enqueue(repair, actor)
        elif repair.state != RunState.DONE and not is_working(repair):
            _again(repair, actor)
    return repair


def _enqueue(repair: Repair, actor: User | None) -> None:
    repair.job = enqueue_job(
        kind=KIND,
        args={"repair_id": repair.pk},
        seller=repair.seller,
        actor=actor,
        dedupe_key=f"repair-{repair.number}",
    )
    repair.save(update_fields=["job"])


def _again(repair: Repair, actor: User | None) -> None:
    repair.state, repair.error_code, repair.error_detail = RunState.WAITING, "", ""
    repair.save(update_fields=["state", "error_code", "error_detail"])
    if repair.job is not None and repair.job.state in REQUEUABLE:
        requeue_job(actor=actor, job=repair.job)
    else:
        _enqueue(repair, actor)


def is_working(repair: Repair) -> bool:
    """Whether a worker has it in hand, or will."""
    return repair.state == RunState.WAITING and repair.job is not None and repair.job.state in UNFINISHED


def retry_repair(*, actor: User | None, repair: Repair) -> Repair:
    """Try again what has no file. Raises RepairFinishedError, or JobStateError while it is being worked on."""
    require_permission(actor, repair.seller, Permission.CHECK)
    with transaction.atomic():
        if repair.state == RunState.DONE:
            raise RepairFinishedError
        if is_working(repair):
            raise JobStateError("the repair is already waiting or running")
        _again(repair, actor)
    return repair


# The job --------------------------------------------------------------------------------------------------------


def run_repair(repair_id: int) -> Repair:
    """Make the file and start its check. A finished repair is returned as it is.

    Where no step could be made the repair ends with the first reason; a child that died raises JobError, so that the
    job can be started again.
    """
    related = ("seller", "actor", "run__main_image__blob", "run__hidden_image__blob")
    rows = Repair.objects.select_related(*related, "run__original__image__blob", "run__original__statement__entry")
    repair: Repair = rows.get(pk=repair_id)
    if repair.state == RunState.DONE:
        return repair
    try:
        answer = pixel_pool().run(REPAIR_TASK, _files(repair.run), _params(repair))
        made = _read(answer)
    except (ImagingError, BlobUnreadableError) as error:
        _fail(repair, CODE_PREFIX + error.code, str(error))
        raise JobError(CODE_PREFIX + error.code, str(error)) from error
    repair.report = {"steps": answer.values["steps"], "failures": answer.values["failures"]}
    if made is None:
        first = repair.report["failures"][0] if repair.report["failures"] else {}
        _fail(repair, str(first.get("code") or RepairNotOfferedError.code), str(first.get("detail") or ""))
        return repair
    return _record(repair, made)


def _files(run: CheckRun) -> list[bytes]:
    images = [run.hidden_image, run.main_image, *([run.original.image] if run.original else [])]
    return [read_blob(image.blob) for image in images]


def _params(repair: Repair) -> dict[str, object]:
    run = repair.run
    findings = parse_report(run.report).findings
    pasted = [number for number, fix in offered_fixes(run).items() if SPECS[fix].needs_regions]
    boxes = (findings[number - 1].bbox for number in pasted)
    return {
        "profile": run.profile_id,
        "profile_version": int(run.profile_version),
        "fixes": repair.fixes.split(","),
        "regions": [list(box) for box in boxes if box is not None],
    }


def _read(answer: TaskResult) -> MadeFile | None:
    """The child's answer, checked; None when no step was made."""
    values, blobs = answer.values, answer.blobs
    steps, failures = values.get("steps"), values.get("failures")
    if not _are_rows(steps) or not _are_rows(failures) or bool(steps) != bool(blobs):
        raise DecodeCrashed("malformed answer")
    if not steps:
        return None
    width, height, form = values.get("width"), values.get("height"), str(values.get("format"))
    if len(blobs) != 1 + len(THUMBNAILS) or type(width) is not int or type(height) is not int or form not in MIMES:
        raise DecodeCrashed("malformed answer")
    descent = None
    if values.get("relation") is not None:
        try:
            descent = Descent(*parse_relation(values["relation"]))
        except ReportMalformed as error:
            raise DecodeCrashed(str(error)) from error
    return MadeFile(blobs[0], blobs[1:], width, height, form, descent)


def _are_rows(rows: Any) -> bool:
    return isinstance(rows, list) and len(rows) <= len(ORDER) and all(isinstance(row, dict) for row in rows)


def _fail(repair: Repair, code: str, detail: str) -> None:
    repair.state, repair.error_code, repair.error_detail = RunState.FAILED, code[:60], detail[:200]
    unfinished = Repair.objects.filter(pk=repair.pk).exclude(state=RunState.DONE)
    unfinished.update(
        state=repair.state, error_code=repair.error_code, error_detail=repair.error_detail, report=repair.report
    )


def _record(repair: Repair, made: MadeFile) -> Repair:
    """File, entry, repair and the check of the new file together, or none of them."""
    run = repair.run
    (blob,) = seal_files(seller=repair.seller, contents=[made.data])
    for part, preview in zip(THUMBNAILS.values(), made.previews, strict=True):
        write_part(blob, part, preview)
    with transaction.atomic():
        head = lock_head()
        if Repair.objects.filter(pk=repair.pk, state=RunState.DONE).exists():
            repair.refresh_from_db()  # another worker was first
            return repair
        blob.save(force_insert=True)
        mime, suffix = MIMES[made.format]
        repair.image = ImageFile.objects.create(
            seller=repair.seller,
            blob=blob,
            sha256=hashlib.sha256(made.data).digest(),
            size_bytes=len(made.data),
            file_name=f"{PurePath(run.hidden_image.file_name).stem[:200]}-repaired{suffix}",
            format=made.format,
            mime=mime,
            state=ImageState.READY,
            width=made.width,
            height=made.height,
            has_thumbnails=True,
        )
        if run.original is not None and made.descent is not None:
            number = f"repair-{repair.number}"
            link = Link(run.original, repair.image, DerivativeRole.HIDDEN, made.descent, number)
            repair.derivative = _linked(repair, link, head)
        repair.check_run = start_check(
            actor=repair.actor,
            seller=repair.seller,
            main=run.main_image,
            hidden=repair.image,
            category=run.category,
            profile_id=run.profile_id,
            sku=run.sku,
            request_id=f"repair-{repair.number}",
        )
        repair.state, repair.error_code, repair.error_detail = RunState.DONE, "", ""
        repair.save()
    return repair


def _linked(repair: Repair, link: Link, head: LogHead) -> Derivative:
    (derivative,) = link_derivatives(actor=repair.actor, seller=repair.seller, links=[link], method=METHOD, head=head)
    return derivative
