"""What the workers run: `run`, which the queue calls with a job id, and the ledger's kinds of job."""

from typing import Any

from ledger.services import archives
from ledger.services.anchoring import STAMP_JOB, stamp, stamp_if_due
from ledger.services.archiving import ARCHIVE_JOB, archive_certificates, archive_if_due
from ledger.services.erasure import CLEAN_JOB, clean_up, sweep_erasures
from ledger.services.health import keep_look
from ledger.services.job_context import JobContext
from ledger.services.job_registry import HEAVY, job
from ledger.services.jobs import release_dead_workers, run_job, sweep_jobs
from ledger.services.log import seal_if_due
from ledger.services.periodic import periodic
from ledger.services.pictures import analyse_pictures, extract_features, sweep_features, sweep_pictures
from ledger.services.witnesses import COSIGN_JOB, cosign, cosign_if_due


def run(job_id: int) -> None:
    """The only function that django-q2 ever calls."""
    run_job(job_id)


@job("pictures.analyse", queue=HEAVY)
def analyse(ctx: JobContext, image_ids: list[int]) -> dict[str, int]:
    undecodable = analyse_pictures(image_ids=image_ids, progress=ctx.progress)
    return {"pictures": len(image_ids), "undecodable": undecodable}


@job("pictures.features", queue=HEAVY)
def features(ctx: JobContext, image_ids: list[int]) -> dict[str, int]:
    return {"made": extract_features(image_ids=image_ids, progress=ctx.progress)}


@job("originals.register_zip", timeout_s=590)
def register_zip(ctx: JobContext, **args: Any) -> dict[str, Any]:
    return archives.register_zip(ctx, **args)


@job(COSIGN_JOB, timeout_s=300)
def cosign_checkpoint(ctx: JobContext) -> dict[str, int]:
    return {"cosigned": cosign()}


@job(STAMP_JOB, timeout_s=120)
def stamp_checkpoint(ctx: JobContext, at_request: bool = False) -> dict[str, int]:
    return {"tokens": len(stamp(at_request=at_request))}


@job(ARCHIVE_JOB, timeout_s=300)
def archive(ctx: JobContext) -> dict[str, int]:
    return {"archived": archive_certificates()}


# Not behind an import: what was erased is still in old pages of the database until then.
@job(CLEAN_JOB, timeout_s=590)
def clean_after_erasure(ctx: JobContext, erasure_id: int) -> dict[str, str]:
    return {"state": clean_up(erasure_id).state}


periodic("jobs of dead workers", interval_s=1)(release_dead_workers)
periodic("lost jobs", interval_s=2)(sweep_jobs)
periodic("checkpoint", interval_s=5)(seal_if_due)
periodic("witnesses", interval_s=5)(cosign_if_due)
periodic("outside time", interval_s=5)(stamp_if_due)
periodic("archival certificates", interval_s=5)(archive_if_due)
periodic("sealed pictures", interval_s=60)(sweep_pictures)
periodic("missing features", interval_s=30)(sweep_features)
periodic("unfinished erasures", interval_s=60)(sweep_erasures)
periodic("health", interval_s=10)(keep_look)
