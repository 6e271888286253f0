"""Many pairs at once: one order, one job, a check of its own for each pair.

The request seals what was sent as one archive; the job unpacks a pair, makes its check, and goes on. What cannot be
checked is named in its row and stops no other. Running it again makes only what is missing.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from compliance.checks.profile import load_profile
from compliance.models import BatchKind, CheckBatch, CheckItem, CheckRun, RunState
from compliance.services.batch_orders import HEX_DIGEST, BatchOrder
from compliance.services.checks import run_check
from compliance.services.sku_images import remember_hidden
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import ALPHABET, LENGTH, new_number, parse_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import ImagingError
from ledger.imaging.scan import scan_picture
from ledger.models import Blob, ImageFile, ImageState, Original
from ledger.services.archives import Member, open_archive, pictures_in, unpack
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files, seal_uploads
from ledger.services.job_context import JobError
from ledger.services.jobs import REQUEUABLE, UNFINISHED, JobStateError, enqueue_job, requeue_job
from ledger.services.originals import Upload, image_row

KIND = "checks.batch"
Progress = Callable[[int, int, str], None]


class BatchFinishedError(Exception):
    """Every row of the batch has its answer."""

    code = "batch.finished"


class _RowRefused(Exception):
    """Why one row has no check."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".rstrip())
        self.code = code
        self.detail = detail


class _TakenError(Exception):
    """Another worker has made this row's check."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What holds for all rows: a row's own category goes before."""

    profile_id: str
    category: str = ""
    request_id: str = ""


def start_batch(*, actor: User | None, seller: Seller, order: BatchOrder, choices: Choices) -> CheckBatch:
    """Seal what was sent and have a worker check the pairs; the same request again gives the first batch.

    Raises ProfileUnknown.
    """
    require_permission(actor, seller, Permission.CHECK)
    profile = load_profile(choices.profile_id)
    number = batch_number(seller, choices, order.archive, [f"{plan}" for plan in order.plans])
    batches = CheckBatch.objects.of(seller).filter(number=number)
    known: CheckBatch | None = batches.first()
    if known is not None:
        return known
    blobs = seal_uploads(seller=seller, contents=[order.archive] if order.archive else [])
    try:
        with transaction.atomic():
            Blob.objects.bulk_create(blobs)
            batch: CheckBatch = CheckBatch.objects.create(
                number=number,
                seller=seller,
                actor=actor,
                kind=BatchKind.PAIRS,
                label=order.label,
                archive=blobs[0] if blobs else None,
                profile_id=profile.id,
                profile_version=str(profile.version),
                category=choices.category,
                report={"left_out": list(order.left_out)},
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
            main_name=plan.main[-255:],
            hidden_name=plan.hidden[-255:],
            original_name=plan.original[-255:],
            category=plan.category[:40] or batch.category,
            error_code=plan.code,
            error_detail=plan.detail[:200],
        )
        for position, plan in enumerate(order.plans, start=1)
    ]


def _enqueue(batch: CheckBatch, actor: User | None) -> None:
    batch.job = enqueue_job(
        kind=KIND, args={"batch_id": batch.pk}, seller=batch.seller, actor=actor, dedupe_key=f"batch-{batch.number}"
    )
    batch.save(update_fields=["job"])


def batch_number(seller: Seller, choices: Choices, content: bytes, parts: Sequence[str]) -> str:
    """The batch's number, drawn from the request so that sending it again finds the first; keyed, as it is public."""
    if not choices.request_id:
        return new_number()
    value = [str(seller.pk), choices.request_id, choices.profile_id, choices.category, *parts]
    value.append(hashlib.sha256(content).hexdigest())
    digest = salted_hmac("compliance.services.check_batches", "\n".join(value), algorithm="sha256").digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])


# The job --------------------------------------------------------------------------------------------------------


def run_batch(batch_id: int, *, progress: Progress, cancelled: Callable[[], bool]) -> CheckBatch:
    """Make the checks that are missing, one after another; stops between two when asked to.

    All rows are unpacked first, so that every check knows which hidden images the others use.
    """
    batch: CheckBatch = CheckBatch.objects.select_related("seller", "actor", "job", "archive").get(pk=batch_id)
    items = list(batch.items.select_related("run"))
    progress(0, len(items), "")
    with ExitStack() as stack:
        archive, members = _open(batch, stack)
        for item in items:
            if cancelled():
                return batch
            if item.run is None and not item.error_code:
                _prepare(batch, item, archive, members)
    for done, item in enumerate(items):
        progress(done, len(items), item.sku)
        if cancelled():
            return batch
        if item.run is not None and item.run.state == RunState.WAITING:
            with suppress(JobError):  # the run says what is wrong; the others go on
                run_check(item.run.pk)
    progress(len(items), len(items), "")
    CheckBatch.objects.filter(pk=batch.pk).update(state=RunState.DONE, finished_at=timezone.now())
    return batch


def _open(batch: CheckBatch, stack: ExitStack) -> tuple[zipfile.ZipFile | None, Mapping[str, Member]]:
    if batch.archive is None:
        return None, {}
    try:
        archive = stack.enter_context(open_archive(read_blob(batch.archive)))
    except BlobUnreadableError as error:
        raise JobError(error.code, str(error)) from error
    return archive, {member.path: member for member in pictures_in(archive)}


def _prepare(
    batch: CheckBatch, item: CheckItem, archive: zipfile.ZipFile | None, members: Mapping[str, Member]
) -> None:
    """The row's check, waiting, or the reason why there is none."""
    try:
        original = _original(batch.seller, item, archive, members)
        files = [_picture(batch.seller, side, name, archive, members) for side, name in _sides(item)]
        item.run = _create_run(batch, item, files, original)
        remember_hidden(seller=batch.seller, sku=item.sku, image=item.run.hidden_image, run=item.run)
    except _RowRefused as refusal:
        item.error_code, item.error_detail = refusal.code[:60], refusal.detail[:200]
        CheckItem.objects.filter(pk=item.pk, run=None).update(
            error_code=item.error_code, error_detail=item.error_detail
        )
    except _TakenError:
        item.refresh_from_db()


def _sides(item: CheckItem) -> tuple[tuple[str, str], ...]:
    return (("main", item.main_name), ("hidden", item.hidden_name))


def _picture(
    seller: Seller, side: str, name: str, archive: zipfile.ZipFile | None, members: Mapping[str, Member]
) -> Upload | ImageFile:
    """A file that was sent, or one that is stored already, by its digest."""
    if name in members and archive is not None:
        return _upload(side, archive, members[name])
    stored = _stored(seller, name)
    if stored is None:
        raise _RowRefused("batch.file_not_sent", name)
    return stored


def _upload(side: str, archive: zipfile.ZipFile, member: Member) -> Upload:
    content = unpack(archive, member.info)
    if content is None:
        raise _RowRefused("zip_member_damaged", member.path)
    try:
        scan_picture(content, file_name="")
    except ImagingError as error:
        raise _RowRefused(error.code, f"{side}: {member.path} {error.detail}".rstrip()) from error
    return Upload(member.name, content)


def _stored(seller: Seller, text: str) -> ImageFile | None:
    if not HEX_DIGEST.fullmatch(text):
        return None
    rows = ImageFile.objects.of(seller).filter(sha256=bytes.fromhex(text)).exclude(state=ImageState.UNDECODABLE)
    found: ImageFile | None = rows.order_by("-pk").first()
    return found


def _original(
    seller: Seller, item: CheckItem, archive: zipfile.ZipFile | None, members: Mapping[str, Member]
) -> Original | None:
    """The registered original that the row names: by number, digest or file name, or by a file that was sent along."""
    text = item.original_name
    if not text:
        return None
    rows = Original.objects.of(seller)
    found: Original | None = None
    if text in members and archive is not None:
        content = unpack(archive, members[text].info) or b""
        found = rows.filter(sha256=hashlib.sha256(content).digest()).first()
    elif HEX_DIGEST.fullmatch(text):
        found = rows.filter(sha256=bytes.fromhex(text)).first()
    elif (number := parse_number(text)) is not None:
        found = rows.filter(number=number).first()
    found = found or rows.filter(image__file_name=text).order_by("-pk").first()
    if found is None:
        raise _RowRefused("batch.original_unknown", text)
    return found


def _create_run(
    batch: CheckBatch, item: CheckItem, files: Sequence[Upload | ImageFile], original: Original | None
) -> CheckRun:
    """Both pictures sealed and the check waiting; nothing when another worker was first."""
    uploads = [file for file in files if isinstance(file, Upload)]
    blobs = seal_files(seller=batch.seller, contents=[upload.content for upload in uploads])
    with transaction.atomic():
        Blob.objects.bulk_create(blobs)
        rows = ImageFile.objects.bulk_create(_row(batch.seller, *each) for each in zip(uploads, blobs, strict=True))
        fresh = iter(rows)
        main, hidden = (next(fresh) if isinstance(file, Upload) else file for file in files)
        run: CheckRun = CheckRun.objects.create(
            seller=batch.seller,
            actor=batch.actor,
            job=batch.job,
            main_image=main,
            hidden_image=hidden,
            original=original,
            profile_id=batch.profile_id,
            profile_version=batch.profile_version,
            category=item.category,
            sku=item.sku,
        )
        if not CheckItem.objects.filter(pk=item.pk, run=None).update(run=run):
            raise _TakenError
    return run


def _row(seller: Seller, upload: Upload, blob: Blob) -> ImageFile:
    scan = scan_picture(upload.content, file_name="")
    return image_row(seller, blob, upload, scan, hashlib.sha256(upload.content).digest())


# Afterwards -----------------------------------------------------------------------------------------------------


def is_batch_working(batch: CheckBatch) -> bool:
    """Whether a worker has the batch in hand, or will."""
    return batch.job is not None and batch.job.state in UNFINISHED


def retry_batch(*, actor: User | None, batch: CheckBatch) -> CheckBatch:
    """Check what has no answer yet, and try again what broke. Files that were refused stay refused.

    Raises BatchFinishedError, or JobStateError while a worker is at it.
    """
    require_permission(actor, batch.seller, Permission.CHECK)
    with transaction.atomic():
        if is_batch_working(batch):
            raise JobStateError("the batch is already waiting or running")
        broken = CheckRun.objects.filter(batch_item__batch=batch, state=RunState.FAILED)
        again = [run.pk for run in broken if "refused" not in run.report]
        CheckRun.objects.filter(pk__in=again).update(state=RunState.WAITING, error_code="", finished_at=None)
        missing = batch.items.filter(error_code="", run=None).exists()
        if not (again or missing or batch.items.filter(run__state=RunState.WAITING).exists()):
            raise BatchFinishedError
        CheckBatch.objects.filter(pk=batch.pk).update(state=RunState.WAITING, finished_at=None)
        if batch.job is not None and batch.job.state in REQUEUABLE:
            requeue_job(actor=actor, job=batch.job)
        else:
            _enqueue(batch, actor)
    batch.refresh_from_db()
    return batch
