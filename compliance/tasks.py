"""The compliance app's kinds of job."""

from compliance.services.gallery import update_gallery
from ledger.services.job_context import JobContext
from ledger.services.job_registry import job


@job("gallery.update")
def gallery(ctx: JobContext, image_ids: list[int]) -> dict[str, int]:
    assert ctx.job.seller is not None  # noqa: S101 - this kind is always somebody's
    return {"added": update_gallery(seller=ctx.job.seller, image_ids=image_ids)}
