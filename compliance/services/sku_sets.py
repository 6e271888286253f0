"""A collage with several SKUs: one check of its hidden images, each by itself and all together, with one entry.

The request seals the collage and what was sent with it; the job looks at one hidden image after another and writes all
results and the entry in one transaction. Running it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone

from compliance.checks.base import Finding, Verdict
from compliance.checks.check import PairReport, finding_dict
from compliance.checks.collage import SIDE_PX
from compliance.checks.errors import ReportMalformed
from compliance.checks.pair import Pixels
from compliance.checks.profile import load_profile
from compliance.checks.report import parse_report
from compliance.checks.sku_set import CollageReport, judge_set, judge_skus, parse_collage
from compliance.checks.worker_tasks import CHECK_COLLAGE_TASK, CHECK_SKU_TASK
from compliance.models import BatchKind, CheckBatch, CheckItem, RunState
from compliance.services.batch_orders import BatchOrder
from compliance.services.check_batches import Choices, batch_number, is_batch_working
from compliance.services.check_sheet import VERDICT_STATES
from compliance.services.checks import PairRefusedError, SideRefusal
from compliance.services.original_lookup import find_original
from compliance.services.outdated import outdate_sets
from compliance.services.sku_images import find_other_skus, remember_hidden
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.sandbox import TaskResult
from ledger.imaging.scan import scan_picture
from ledger.models import Blob, ImageFile, ImageState, Original, Statement
from ledger.services.archives import open_archive, pictures_in, unpack
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files, seal_uploads, write_part
from ledger.services.identity import identity_document
from ledger.services.job_context import JobError
from ledger.services.jobs import REQUEUABLE, JobStateError, enqueue_job, requeue_job
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.originals import Upload, image_row
from ledger.services.pictures import THUMBNAILS, pixel_pool
from ledger.tlog.claim_documents import CheckFinding, ClaimFile, NamedVersion, skus_recorded_claim

KIND = "checks.skus"
CODE_PREFIX = "check."
T = TypeVar("T")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One SKU's hidden image after the child looked at it."""

    item: CheckItem
    report: PairReport
    shot: Pixels


def start_sku_set(
    *, actor: User | None, seller: Seller, main: Upload, order: BatchOrder, choices: Choices
) -> CheckBatch:
    """Seal the collage and its hidden images and have a worker check them; the same request again gives the first.

    Raises PairRefusedError for a collage that is no picture, and ProfileUnknown.
    """
    require_permission(actor, seller, Permission.CHECK)
    profile = load_profile(choices.profile_id)
    parts = [hashlib.sha256(main.content).hexdigest(), *(f"{plan}" for plan in order.plans)]
    number = batch_number(seller, choices, order.archive, parts)
    batches = CheckBatch.objects.of(seller).filter(number=number)
    known: CheckBatch | None = batches.first()
    if known is not None:
        return known
    try:
        scan = scan_picture(main.content, file_name="")
    except ImagingError as error:
        raise PairRefusedError([SideRefusal("main", error.code, error.detail)]) from error
    blob, *rest = seal_uploads(seller=seller, contents=[main.content, *([order.archive] if order.archive else [])])
    try:
        with transaction.atomic():
            Blob.objects.bulk_create([blob, *rest])
            image = image_row(seller, blob, main, scan, hashlib.sha256(main.content).digest())
            image.save()
            batch: CheckBatch = CheckBatch.objects.create(
                number=number,
                seller=seller,
                actor=actor,
                kind=BatchKind.SKUS,
                label=main.file_name[-200:],
                archive=rest[0] if rest else None,
                main_image=image,
                profile_id=profile.id,
                profile_version=str(profile.version),
                category=choices.category,
            )
            CheckItem.objects.bulk_create(_items(batch, order))
            _enqueue(batch, actor)
    except IntegrityError:  # the same request at the same moment: it was first
        known = batches.first()
        if known is None:
            raise
        batch = known
    return batch


def _items(batch: CheckBatch, order: BatchOrder) -> list[CheckItem]:
    return [
        CheckItem(
            batch=batch,
            seller=batch.seller,
            position=position,
            sku=plan.id,
            hidden_name=plan.hidden[-255:],
            error_code=plan.code,
            error_detail=plan.detail[:200],
        )
        for position, plan in enumerate(order.plans, start=1)
    ]


def _enqueue(batch: CheckBatch, actor: User | None) -> None:
    batch.job = enqueue_job(
        kind=KIND, args={"batch_id": batch.pk}, seller=batch.seller, actor=actor, dedupe_key=f"skus-{batch.number}"
    )
    batch.save(update_fields=["job"])


# The job --------------------------------------------------------------------------------------------------------


def run_sku_set(batch_id: int, *, progress: Progress, cancelled: Callable[[], bool]) -> CheckBatch:
    """Check the SKUs of one collage. A finished one is returned as it is; a child that died raises JobError."""
    related = ("seller", "actor", "archive", "main_image__blob")
    batch: CheckBatch = CheckBatch.objects.select_related(*related).get(pk=batch_id)
    if batch.state == RunState.DONE:
        return batch
    items = list(batch.items.all())
    _seal_hidden(batch, items)
    try:
        collage = _look_at_collage(batch)
        seen = []
        for done, item in enumerate(items):
            progress(done, len(items), item.sku)
            if cancelled():
                return batch
            if item.image is not None and (found := _look_at(batch, item)) is not None:
                seen.append(found)
    except (ImagingError, BlobUnreadableError) as error:
        code = CODE_PREFIX + error.code
        unfinished = CheckBatch.objects.filter(pk=batch.pk).exclude(state=RunState.DONE)
        unfinished.update(state=RunState.FAILED, error_code=code, finished_at=timezone.now())
        raise JobError(code, str(error)) from error
    _record(batch, items, collage, seen)
    progress(len(items), len(items), "")
    return batch


def _seal_hidden(batch: CheckBatch, items: Sequence[CheckItem]) -> None:
    """A stored picture for each item that names one, once; what is no picture is named in its row."""
    waiting = [item for item in items if item.image is None and item.hidden_name and not item.error_code]
    if not waiting or batch.archive is None:
        return
    with open_archive(read_blob(batch.archive)) as archive:
        members = {member.path: member for member in pictures_in(archive)}
        for item in waiting:
            content = unpack(archive, members[item.hidden_name].info)
            if content is None:
                _refuse(item, "zip_member_damaged", item.hidden_name)
                continue
            try:
                scan = scan_picture(content, file_name="")
            except ImagingError as error:
                _refuse(item, error.code, f"{item.hidden_name} {error.detail}".rstrip())
                continue
            upload = Upload(members[item.hidden_name].name, content)
            (blob,) = seal_files(seller=batch.seller, contents=[content])
            with transaction.atomic():
                blob.save(force_insert=True)
                image = image_row(batch.seller, blob, upload, scan, hashlib.sha256(content).digest())
                image.save()
                CheckItem.objects.filter(pk=item.pk, image=None).update(image=image)
            item.refresh_from_db()


def _refuse(item: CheckItem, code: str, detail: str) -> None:
    item.error_code, item.error_detail = code[:60], detail[:200]
    item.save(update_fields=["error_code", "error_detail"])


def _look_at_collage(batch: CheckBatch) -> CollageReport:
    image = batch.main_image
    assert image is not None  # noqa: S101 - start_sku_set stores it
    params = {"name": image.file_name, "category": batch.category}
    answer = pixel_pool().run(CHECK_COLLAGE_TASK, [read_blob(image.blob)], params)
    if "refused" in answer.values:
        raise DecodeCrashed(str(answer.values["refused"]))
    _save_previews(image, answer.blobs)
    collage = _parsed(lambda: parse_collage(answer.values))
    _save_size(image, collage.side.width, collage.side.height)
    return collage


def _look_at(batch: CheckBatch, item: CheckItem) -> _Seen | None:
    """One hidden image by itself, or None with the reason in its row."""
    image = item.image
    assert image is not None  # noqa: S101 - the caller looked
    data = read_blob(image.blob)
    original = _find_original(batch.seller, data)
    params: dict[str, Any] = {
        "profile": batch.profile_id,
        "profile_version": int(batch.profile_version),
        "name": image.file_name,
        "original_name": original.image.file_name if original else "",
    }
    answer = pixel_pool().run(CHECK_SKU_TASK, [data, *([read_blob(original.image.blob)] if original else [])], params)
    refused = answer.values.get("refused")
    if isinstance(refused, dict):
        ImageFile.objects.filter(pk=image.pk).update(
            state=ImageState.UNDECODABLE, error_code=str(refused["cause"])[:40]
        )
        _refuse(item, CODE_PREFIX + str(refused["cause"]), str(refused["detail"]))
        return None
    report, shot, previews = _read(answer)
    _save_previews(image, previews)
    _save_size(image, report.hidden.width, report.hidden.height)
    remember_hidden(seller=batch.seller, sku=item.sku, image=image, batch=batch)
    return _Seen(item, report, shot)


def _find_original(seller: Seller, data: bytes) -> Original | None:
    try:
        return find_original(seller=seller, data=data)
    except ImagingError:
        return None


def _read(answer: TaskResult) -> tuple[PairReport, Pixels, list[bytes]]:
    shot, *previews = answer.blobs
    if len(shot) != SIDE_PX * SIDE_PX * 3:
        raise DecodeCrashed("malformed answer")
    report = _parsed(lambda: parse_report(answer.values))
    return report, np.frombuffer(shot, np.uint8).reshape(SIDE_PX, SIDE_PX, 3), previews


def _parsed(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ReportMalformed as error:
        raise DecodeCrashed(str(error)) from error


def _save_previews(image: ImageFile, previews: Sequence[bytes]) -> None:
    if len(previews) != len(THUMBNAILS):
        raise DecodeCrashed("pictures missing")
    for part, preview in zip(THUMBNAILS.values(), previews, strict=True):
        write_part(image.blob, part, preview)


def _save_size(image: ImageFile, width: int, height: int) -> None:
    sealed = ImageFile.objects.filter(pk=image.pk, state=ImageState.SEALED)
    sealed.update(state=ImageState.READY, width=width, height=height, has_thumbnails=True)


def _record(batch: CheckBatch, items: Sequence[CheckItem], collage: CollageReport, seen: Sequence[_Seen]) -> None:
    """Reports, result and entry together, or none of them."""
    skus = [item.sku for item in items]
    earlier = _earlier_uses(batch, skus, seen)
    findings = judge_skus(skus, {each.item.sku: each.shot for each in seen}, earlier, collage)
    verdict = judge_set(findings, [each.report for each in seen])
    with transaction.atomic():
        lock_head()
        if CheckBatch.objects.filter(pk=batch.pk, state=RunState.DONE).exists():
            batch.refresh_from_db()  # another worker was first
            return
        for each in seen:
            CheckItem.objects.filter(pk=each.item.pk).update(report=each.report.to_dict())
        batch.statement = _append(batch, skus, seen, findings, verdict)
        batch.report = {
            "findings": [finding_dict(finding) for finding in findings],
            "rows": collage.grid.rows,
            "columns": collage.grid.columns,
            "need": collage.need.word,
        }
        batch.verdict, batch.state, batch.error_code = verdict.value, RunState.DONE, ""
        batch.finished_at = timezone.now()
        batch.save()
        outdate_sets(batch)


def _earlier_uses(batch: CheckBatch, skus: Sequence[str], seen: Sequence[_Seen]) -> Mapping[str, list[str]]:
    """SKUs outside this collage that the pixels of a SKU were used for before."""
    uses = {
        each.item.sku: [row.sku for row in find_other_skus(seller=batch.seller, sku=each.item.sku, shot=each.shot)]
        for each in seen
    }
    kept = {sku: [other for other in others if other not in skus] for sku, others in uses.items()}
    return {sku: others for sku, others in kept.items() if others}


def _append(
    batch: CheckBatch, skus: Sequence[str], seen: Sequence[_Seen], findings: Sequence[Finding], verdict: Verdict
) -> Statement:
    image = batch.main_image
    assert image is not None  # noqa: S101 - start_sku_set stores it
    shown = {each.item.sku: each for each in seen}
    claimed = [CheckFinding(each.rule, each.code, each.level.value) for each in findings]
    claimed += [
        CheckFinding(found.rule, found.code, found.level.value, each.item.sku)
        for each in seen
        for found in each.report.findings
    ]
    hidden = [(sku, shown[sku].item.image) for sku in skus if sku in shown]
    claim = skus_recorded_claim(
        secrets.token_bytes(32),
        main=ClaimFile("main", bytes(image.sha256), image.size_bytes),
        hidden=[(sku, ClaimFile("hidden", bytes(file.sha256), file.size_bytes)) for sku, file in hidden if file],
        missing=[sku for sku in skus if sku not in shown],
        profile=NamedVersion(batch.profile_id, batch.profile_version),
        verdict=verdict.value,
        findings=claimed[:500],
    )
    draft = Draft(
        kind="skus.recorded",
        claim=claim,
        identity=identity_document(actor=batch.actor, seller=batch.seller),
        request_id=f"skus-{batch.number}",
        label=f"{image.file_name[:150]} ({len(skus)} SKU)",
        outcome=VERDICT_STATES[verdict],
        number=batch.number,
    )
    (statement,) = append_statements(seller=batch.seller, actor=batch.actor, drafts=[draft])
    return statement


def retry_sku_set(*, actor: User | None, batch: CheckBatch) -> CheckBatch:
    """Start a check without a result again. Raises JobStateError when it has one or is being worked on."""
    require_permission(actor, batch.seller, Permission.CHECK)
    with transaction.atomic():
        if is_batch_working(batch) or batch.state == RunState.DONE:
            raise JobStateError("the check is finished, waiting or running")
        CheckBatch.objects.filter(pk=batch.pk).update(state=RunState.WAITING, error_code="", finished_at=None)
        if batch.job is not None and batch.job.state in REQUEUABLE:
            requeue_job(actor=actor, job=batch.job)
        else:
            _enqueue(batch, actor)
    batch.refresh_from_db()
    return batch
