"""The compliance app's kinds of job."""

from typing import Any

from django.utils import timezone

from compliance.models import IndexSegment
from compliance.services.captures import FETCH_JOB, run_fetch
from compliance.services.case_deadlines import remind
from compliance.services.case_erasing import PARTICIPANT as CASE_PARTICIPANT
from compliance.services.check_batches import KIND as BATCH
from compliance.services.check_batches import run_batch
from compliance.services.checks import run_check
from compliance.services.digests import KIND as DIGEST
from compliance.services.digests import send_digest, sweep_digests
from compliance.services.erasing import PARTICIPANT
from compliance.services.feature_index import SEAL_JOB, seal_segments, sweep_segments
from compliance.services.gallery import refresh_gallery, sweep_gallery, update_gallery
from compliance.services.imports import KIND as IMPORT
from compliance.services.imports import run_import
from compliance.services.outdated import KIND as OUTDATED
from compliance.services.outdated import compare_import
from compliance.services.packs import KIND as PACKS
from compliance.services.packs import make_packs
from compliance.services.remote_pictures import KIND as REMOTE
from compliance.services.remote_pictures import fetch_remote, sweep_remote
from compliance.services.repairs import KIND as REPAIRS
from compliance.services.repairs import run_repair
from compliance.services.retention import KIND as SWEEP
from compliance.services.retention import sweep_delisted, sweep_listings
from compliance.services.sample import load_sample
from compliance.services.search import run_search
from compliance.services.sku_sets import KIND as SKUS
from compliance.services.sku_sets import run_sku_set
from compliance.services.watch import KIND as WATCH
from compliance.services.watch import QUEUE as WATCH_QUEUE
from compliance.services.watch import STINT_S, is_in_the_way, sweep_watch, watch_gallery
from compliance.services.webhooks import KIND as WEBHOOK
from compliance.services.webhooks import deliver, sweep_webhooks
from ledger.services.backup import leave_out
from ledger.services.erasing import take_part
from ledger.services.job_context import JobContext
from ledger.services.job_registry import HEAVY, job
from ledger.services.periodic import periodic


@job("gallery.update")
def gallery(ctx: JobContext, image_ids: list[int], refresh: bool = False) -> dict[str, int]:
    assert ctx.job.seller is not None  # noqa: S101 - this kind is always somebody's
    if refresh:
        return {"refreshed": refresh_gallery(seller=ctx.job.seller, image_ids=image_ids)}
    return {"added": update_gallery(seller=ctx.job.seller, image_ids=image_ids)}


@job("search.run", timeout_s=120)
def search(ctx: JobContext, run_id: int) -> dict[str, str]:
    return {"number": run_search(run_id).number}


@job("checks.run", timeout_s=120)
def check(ctx: JobContext, run_id: int) -> dict[str, str]:
    run = run_check(run_id)
    return {"number": run.number, "verdict": run.verdict, "code": run.error_code}


@job(BATCH, queue=HEAVY, timeout_s=590)
def batch(ctx: JobContext, batch_id: int) -> dict[str, str]:
    return {"number": run_batch(batch_id, progress=ctx.progress, cancelled=ctx.cancelled).number}


@job(OUTDATED, queue=HEAVY, timeout_s=590)
def outdated(ctx: JobContext, catalogue_id: int, pictures: dict[str, list[str]]) -> dict[str, int]:
    return {"outdated": compare_import(catalogue_id=catalogue_id, pictures=pictures)}


@job(SKUS, queue=HEAVY, timeout_s=590)
def skus(ctx: JobContext, batch_id: int) -> dict[str, str]:
    checked = run_sku_set(batch_id, progress=ctx.progress, cancelled=ctx.cancelled)
    return {"number": checked.number, "verdict": checked.verdict}


@job(FETCH_JOB, timeout_s=60)
def fetch_capture(ctx: JobContext, capture_id: int) -> dict[str, str]:
    return {"number": run_fetch(capture_id).number}


@job(REPAIRS, timeout_s=120)
def repair(ctx: JobContext, repair_id: int) -> dict[str, str]:
    made = run_repair(repair_id)
    return {"number": made.number, "code": made.error_code}


@job(PACKS, queue=HEAVY, timeout_s=590)
def packs(ctx: JobContext, run_id: int) -> dict[str, str]:
    return {"number": make_packs(run_id, progress=ctx.progress, cancelled=ctx.cancelled).number}


# Not behind a large import: until its pictures are sealed, every process reads them one by one at its next search.
@job(SEAL_JOB)
def seal(ctx: JobContext) -> dict[str, int]:
    assert ctx.job.seller is not None  # noqa: S101 - this kind is always somebody's
    return {"pictures": seal_segments(seller=ctx.job.seller, progress=ctx.progress)}


@job(IMPORT, queue=HEAVY, timeout_s=590)
def catalogue_import(ctx: JobContext, run_id: int) -> dict[str, Any]:
    run = run_import(run_id, progress=ctx.progress, cancelled=ctx.cancelled)
    return {"number": run.number, "counts": run.counts}


@job(REMOTE, timeout_s=590)
def fetch_pictures(ctx: JobContext) -> dict[str, int]:
    assert ctx.job.seller is not None  # noqa: S101 - this kind is always somebody's
    return {"pictures": fetch_remote(seller=ctx.job.seller, progress=ctx.progress, cancelled=ctx.cancelled)}


@job(SWEEP, queue=HEAVY, timeout_s=590)
def sweep(ctx: JobContext) -> dict[str, int]:
    assert ctx.job.seller is not None  # noqa: S101 - this kind is always somebody's
    seller, now = ctx.job.seller, timezone.now()
    return {"listings": sweep_listings(seller=seller, now=now, progress=ctx.progress, cancelled=ctx.cancelled)}


periodic("delisted listings", interval_s=24 * 3600)(sweep_delisted)
periodic("remote pictures", interval_s=5)(sweep_remote)


@job(WATCH, queue=WATCH_QUEUE)
def watch(ctx: JobContext) -> dict[str, int]:
    assert ctx.job.seller is not None  # noqa: S101 - this kind is always somebody's

    def stop() -> bool:
        return ctx.cancelled() or is_in_the_way()

    return {"matches": watch_gallery(seller=ctx.job.seller, progress=ctx.progress, cancelled=stop, budget_s=STINT_S)}


@job(WEBHOOK, timeout_s=60)
def webhook(ctx: JobContext, delivery_id: int) -> dict[str, str]:
    row = deliver(delivery_id)
    return {"state": row.state, "code": row.error_code}


@job(DIGEST, timeout_s=60)
def digest(ctx: JobContext, digest_id: int) -> dict[str, int]:
    return {"matches": send_digest(digest_id)}


periodic("watch", interval_s=5)(sweep_watch)
periodic("webhooks", interval_s=5)(sweep_webhooks)
periodic("digests", interval_s=60)(sweep_digests)
periodic("gallery", interval_s=60)(sweep_gallery)
periodic("search index", interval_s=20)(sweep_segments)
periodic("deadline reminders", interval_s=60)(remind)


@job("sample.load", queue=HEAVY, timeout_s=590)
def sample(ctx: JobContext) -> dict[str, Any]:
    return load_sample(ctx)


take_part(PARTICIPANT)
take_part(CASE_PARTICIPANT)
leave_out(IndexSegment)
