"""Compliance packs: three files per original, made by a job, each linked to its original in the log.

The request seals whatever was sent beside the originals and enqueues; the job makes one pack after another in the
limited child and writes its files, entries and row in one transaction. Running it again makes only what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from compliance.checks.profile import load_profile
from compliance.models import PackItem, PackRun, PromotionKind, RunState
from compliance.packs.batch import is_safe_sku
from compliance.packs.errors import ReportMalformed
from compliance.packs.report import ROLES, FileFacts, PackReport, parse_pack
from compliance.packs.worker_tasks import MAKE_PACK_TASK
from compliance.services.outdated import PACK, outdate_checks
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import ALPHABET, LENGTH, new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.sandbox import TaskResult
from ledger.imaging.scan import FileScan, scan_picture
from ledger.models import Blob, ImageFile, ImageState, Original
from ledger.services.blobs import BlobUnreadableError, read_blob, seal_files, seal_uploads, write_part
from ledger.services.derivatives import Descent, Link, link_derivatives
from ledger.services.jobs import REQUEUABLE, UNFINISHED, JobStateError, enqueue_job, requeue_job
from ledger.services.log import lock_head
from ledger.services.originals import Upload, image_row
from ledger.services.pictures import THUMBNAILS, pixel_pool
from ledger.tlog.claim_documents import NamedVersion

KIND = "packs.make"
METHOD = NamedVersion("originmark.packs", "1")
ERASED = "erased"  # the original is gone for good
MAX_PACKS = 200  # of one order: a batch is 30, and a ZIP of 200 is what a browser still downloads
CODE_PREFIX = "check."  # a decoder's code, explained for a file that is no original

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class PackOrder:
    """One pack to make. promotion: an overlay or a finished main image, as kind says; None without promotion."""

    sku: str
    original: Original
    promotion: Upload | None = None
    kind: str = PromotionKind.NONE
    category: str = ""


@dataclass(frozen=True, slots=True)
class OrderRefusal:
    """Which pack of the order was turned away, and why."""

    sku: str
    code: str
    detail: str = ""


class PackRefusedError(Exception):
    """The order cannot be taken as it is; nothing was kept."""

    code = "pack.refused"

    def __init__(self, refusals: Sequence[OrderRefusal]) -> None:
        super().__init__(", ".join(f"{each.sku}: {each.code} {each.detail}".rstrip() for each in refusals))
        self.refusals = tuple(refusals)


class PackFinishedError(Exception):
    """Nothing of the order is left to be made."""

    code = "pack.finished"


def order_packs(
    *, actor: User | None, seller: Seller, orders: Sequence[PackOrder], profile_id: str, request_id: str = ""
) -> PackRun:
    """Seal the promotions and have a worker make the packs; the same request again gives the first run.

    Raises PackRefusedError naming every order that cannot be taken, and ProfileUnknown.
    """
    require_permission(actor, seller, Permission.CHECK)
    profile = load_profile(profile_id)
    if any(order.original.seller_id != seller.pk for order in orders):
        raise ValueError("an original belongs to another seller")
    number = _run_number(seller, request_id, orders, profile_id)
    runs = PackRun.objects.of(seller).filter(number=number)
    known: PackRun | None = runs.first()
    if known is not None:
        return known
    uploads, scans = _admit(orders)
    blobs = seal_uploads(seller=seller, contents=[upload.content for upload in uploads.values()])
    try:
        with transaction.atomic():
            promotions = _save_promotions(seller, uploads, scans, blobs)
            run: PackRun = PackRun.objects.create(
                number=number,
                seller=seller,
                actor=actor,
                profile_id=profile.id,
                profile_version=str(profile.version),
            )
            PackItem.objects.bulk_create(_items(run, orders, promotions))
            _enqueue(run, actor)
    except IntegrityError:  # the same request at the same moment: it was first
        known = runs.first()
        if known is None:
            raise
        run = known
    return run


def _enqueue(run: PackRun, actor: User | None) -> None:
    run.job = enqueue_job(
        kind=KIND, args={"run_id": run.pk}, seller=run.seller, actor=actor, dedupe_key=f"packs-{run.number}"
    )
    run.save(update_fields=["job"])


def _run_number(seller: Seller, request_id: str, orders: Sequence[PackOrder], profile_id: str) -> str:
    """The run's number, drawn from the request so that sending it again finds the first run; keyed, as it is public."""
    if not request_id:
        return new_number()
    parts = [str(seller.pk), request_id, profile_id]
    for order in orders:
        promotion = _digest(order.promotion).hex() if order.promotion else ""
        parts.append(f"{order.sku}/{order.original.pk}/{order.kind}/{promotion}/{order.category}")
    digest = salted_hmac("compliance.packs", "\n".join(parts), algorithm="sha256").digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])


def _digest(upload: Upload) -> bytes:
    return hashlib.sha256(upload.content).digest()


def _admit(orders: Sequence[PackOrder]) -> tuple[dict[bytes, Upload], dict[bytes, FileScan]]:
    """Every promotion once, by its digest, with its scan; all refusals at once."""
    uploads: dict[bytes, Upload] = {}
    scans: dict[bytes, FileScan] = {}
    refusals = _wrong_orders(orders)
    for order in orders:
        if order.promotion is None or (digest := _digest(order.promotion)) in uploads:
            continue
        try:
            scans[digest] = scan_picture(order.promotion.content, file_name="")
            uploads[digest] = order.promotion
        except ImagingError as error:
            refusals.append(OrderRefusal(order.sku, error.code, error.detail))
    if refusals:
        raise PackRefusedError(refusals)
    return uploads, scans


def _wrong_orders(orders: Sequence[PackOrder]) -> list[OrderRefusal]:
    if not orders:
        return [OrderRefusal("", "pack.no_original")]
    if len(orders) > MAX_PACKS:
        return [OrderRefusal("", "pack.too_many", str(len(orders)))]
    skus = [order.sku for order in orders]
    twice = [OrderRefusal(sku, "pack.sku_twice") for sku in dict.fromkeys(skus) if skus.count(sku) > 1]
    return twice + [OrderRefusal(sku, "pack.sku_unsafe") for sku in skus if not is_safe_sku(sku)]


def _save_promotions(
    seller: Seller, uploads: Mapping[bytes, Upload], scans: Mapping[bytes, FileScan], blobs: Sequence[Blob]
) -> dict[bytes, ImageFile]:
    Blob.objects.bulk_create(blobs)
    rows = [
        image_row(seller, blob, upload, scans[digest], digest)
        for (digest, upload), blob in zip(uploads.items(), blobs, strict=True)
    ]
    return dict(zip(uploads, ImageFile.objects.bulk_create(rows), strict=True))


def _items(run: PackRun, orders: Sequence[PackOrder], promotions: Mapping[bytes, ImageFile]) -> list[PackItem]:
    return [
        PackItem(
            run=run,
            seller=run.seller,
            position=position,
            sku=order.sku,
            original=order.original,
            promotion=promotions[_digest(order.promotion)] if order.promotion else None,
            promotion_kind=order.kind if order.promotion else PromotionKind.NONE,
            category=order.category,
        )
        for position, order in enumerate(orders, start=1)
    ]


# The job --------------------------------------------------------------------------------------------------------


def make_packs(run_id: int, *, progress: Progress, cancelled: Callable[[], bool]) -> PackRun:
    """Make what is missing of an order, one pack after another; stops between two when asked to."""
    run: PackRun = PackRun.objects.select_related("seller", "actor").get(pk=run_id)
    related = ("original__image__blob", "original__statement__entry", "promotion__blob")
    items = list(run.items.select_related(*related))
    for done, item in enumerate(items):
        progress(done, len(items), item.sku)
        if cancelled():
            return run
        if item.state == RunState.WAITING:
            _make(run, item)
    progress(len(items), len(items), "")
    return run


def _make(run: PackRun, item: PackItem) -> None:
    """One pack, or the reason why there is none; neither stops the others."""
    try:
        answer = pixel_pool().run(MAKE_PACK_TASK, _files(item), _params(run, item))
        refused = answer.values.get("refused")
        if isinstance(refused, dict):
            _fail(item, *_refusal(refused))
            return
        report, files, previews = _read(answer)
    except (ImagingError, BlobUnreadableError) as error:
        _fail(item, CODE_PREFIX + error.code, str(error))
        return
    _record(run, item, report, files, previews)


def _files(item: PackItem) -> list[bytes]:
    images = [item.original.image, *([item.promotion] if item.promotion else [])]
    return [read_blob(image.blob) for image in images]


def _params(run: PackRun, item: PackItem) -> dict[str, object]:
    return {
        "profile": run.profile_id,
        "profile_version": int(run.profile_version),
        "category": item.category,
        "with": item.promotion_kind,
        "previews": True,
    }


def _refusal(refused: Mapping[str, object]) -> tuple[str, str]:
    """Code and detail as the page explains them; a file that is no picture goes by the decoder's code."""
    cause = str(refused.get("cause") or "")
    code = CODE_PREFIX + cause if cause in ("corrupt_image", "too_many_pixels", "decode_memory") else cause
    return code or str(refused.get("code")), f"{refused.get('side') or ''} {refused.get('detail') or ''}".strip()


def _read(answer: TaskResult) -> tuple[PackReport, list[bytes], list[list[bytes]]]:
    """The child's answer, checked: report, the three files, and the previews of each."""
    step = 1 + len(THUMBNAILS)
    if len(answer.blobs) != step * len(ROLES):
        raise DecodeCrashed("files missing")
    groups = [answer.blobs[start : start + step] for start in range(0, len(answer.blobs), step)]
    files = [group[0] for group in groups]
    try:
        return parse_pack(answer.values, files), files, [group[1:] for group in groups]
    except ReportMalformed as error:
        raise DecodeCrashed(str(error)) from error


def _fail(item: PackItem, code: str, detail: str) -> None:
    waiting = PackItem.objects.filter(pk=item.pk, state=RunState.WAITING)
    waiting.update(state=RunState.FAILED, error_code=code[:60], error_detail=detail[:200])


def _record(
    run: PackRun, item: PackItem, report: PackReport, files: Sequence[bytes], previews: Sequence[Sequence[bytes]]
) -> None:
    """Files, entries and row together, or none of them."""
    blobs = seal_files(seller=run.seller, contents=files)
    for blob, thumbnails in zip(blobs, previews, strict=True):
        for part, preview in zip(THUMBNAILS.values(), thumbnails, strict=True):
            write_part(blob, part, preview)
    with transaction.atomic():
        head = lock_head()
        if not PackItem.objects.filter(pk=item.pk, state=RunState.WAITING).exists():
            return  # another worker was first
        Blob.objects.bulk_create(blobs)
        images = ImageFile.objects.bulk_create(
            _image(run.seller, item, fact, blob) for fact, blob in zip(report.files, blobs, strict=True)
        )
        links = [_link(run, item, fact, image) for fact, image in zip(report.files, images, strict=True)]
        made = link_derivatives(actor=run.actor, seller=run.seller, links=links, method=METHOD, head=head)
        item.main, item.hidden, item.detail = made
        item.report, item.verdict = dict(report.values), report.check.verdict.value
        item.state, item.error_code, item.error_detail = RunState.DONE, "", ""
        item.save()
        outdate_checks(seller=run.seller, sku=item.sku, main=made[0].image, by=PACK, number=run.number)


def _image(seller: Seller, item: PackItem, fact: FileFacts, blob: Blob) -> ImageFile:
    return ImageFile(
        seller=seller,
        blob=blob,
        sha256=bytes.fromhex(fact.sha256),
        size_bytes=fact.size_bytes,
        file_name=f"{item.sku}-{fact.role}.jpg",
        format="JPEG",
        mime="image/jpeg",
        state=ImageState.READY,
        width=fact.width,
        height=fact.height,
        has_thumbnails=True,
    )


def _link(run: PackRun, item: PackItem, fact: FileFacts, image: ImageFile) -> Link:
    descent = Descent(fact.geometry, fact.matrix, fact.residual_px, fact.steps)
    return Link(item.original, image, fact.role, descent, f"pack-{run.number}-{item.position}-{fact.role}")


# Afterwards -----------------------------------------------------------------------------------------------------


def is_working(run: PackRun) -> bool:
    """Whether a worker has the order in hand, or will."""
    return run.job is not None and run.job.state in UNFINISHED


def retry_packs(*, actor: User | None, run: PackRun) -> PackRun:
    """Make what is missing, and try again what failed. Raises PackFinishedError, or JobStateError while at work."""
    require_permission(actor, run.seller, Permission.CHECK)
    with transaction.atomic():
        if is_working(run):
            raise JobStateError("the packs are already waiting or being made")
        failed = run.items.filter(state=RunState.FAILED).exclude(error_code=ERASED)
        failed.update(state=RunState.WAITING, error_code="", error_detail="")
        if not run.items.filter(state=RunState.WAITING).exists():
            raise PackFinishedError
        if run.job is not None and run.job.state in REQUEUABLE:
            requeue_job(actor=actor, job=run.job)
        else:
            _enqueue(run, actor)
    run.refresh_from_db()
    return run
