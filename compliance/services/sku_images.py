"""Which SKU each hidden image was used for, so that one that serves two of them is found again by its pixels.

A small copy of the pixels is kept with the SKU; the few that may be the same are compared closely, from their files.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compliance.checks.base import RuleOutcome, overall
from compliance.checks.check import PairReport
from compliance.checks.collage import (
    LEVEL_REACH,
    SAME_PX,
    SIDE_PX,
    find_same_small,
    is_same_shot,
    judge_reuse,
    level_of,
    small_of,
)
from compliance.checks.pair import Pixels
from compliance.checks.worker_tasks import SHOT_TASK
from compliance.models import CheckBatch, CheckRun, HiddenShot
from ledger.accounts.models import Seller
from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.models import ImageFile
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.pictures import pixel_pool

CLOSE_LOOKS = 12  # pictures that are opened to make sure; each costs some 30 ms
SHOT_BYTES = SIDE_PX * SIDE_PX * 3


def shot_of_image(image: ImageFile) -> Pixels:
    """The pixels by which a stored picture is compared, made in the limited child. Raises ImagingError."""
    answer = pixel_pool().run(SHOT_TASK, [read_blob(image.blob)])
    if len(answer.blobs) != 1 or len(answer.blobs[0]) != SHOT_BYTES:
        raise DecodeCrashed("malformed answer")
    return np.frombuffer(answer.blobs[0], np.uint8).reshape(SIDE_PX, SIDE_PX, 3)


def remember_hidden(
    *, seller: Seller, sku: str, image: ImageFile, run: CheckRun | None = None, batch: CheckBatch | None = None
) -> Pixels | None:
    """Keep that this hidden image was used for this SKU; its shot, or None for a file that is no picture."""
    try:
        shot = shot_of_image(image)
    except (ImagingError, BlobUnreadableError):
        return None
    small = small_of(shot)
    values = {"seller": seller, "run": run, "batch": batch, "level": level_of(small), "small": small.tobytes()}
    HiddenShot.objects.get_or_create(image=image, sku=sku, defaults=values)
    return shot


def find_other_skus(*, seller: Seller, sku: str, shot: Pixels) -> list[HiddenShot]:
    """Earlier uses of the same pixels for another SKU of this seller, the newest of each SKU."""
    small = small_of(shot)
    level = level_of(small)
    near = HiddenShot.objects.of(seller).filter(level__range=(level - LEVEL_REACH, level + LEVEL_REACH))
    rows = list(near.exclude(sku=sku).order_by("-pk").values_list("pk", "small"))
    smalls = [np.frombuffer(bytes(kept), np.uint8).reshape(SAME_PX, SAME_PX, 3) for _pk, kept in rows]
    wanted = [rows[place][0] for place in find_same_small(small, smalls)][: CLOSE_LOOKS * 4]
    found: dict[str, HiddenShot] = {}
    looks = 0
    related = ("image__blob", "run", "batch")
    for row in HiddenShot.objects.filter(pk__in=wanted).select_related(*related).order_by("-pk"):
        if row.sku in found or looks == CLOSE_LOOKS:
            continue
        looks += 1
        if _shows(row, shot):
            found[row.sku] = row
    return list(found.values())


def _shows(row: HiddenShot, shot: Pixels) -> bool:
    try:
        return is_same_shot(shot_of_image(row.image), shot)
    except (ImagingError, BlobUnreadableError):
        return False


def with_sku_rule(run: CheckRun, report: PairReport) -> PairReport:
    """The report with rule H23 asked, when the check knows its SKU; otherwise as it is."""
    if not run.sku:
        return report
    shot = remember_hidden(seller=run.seller, sku=run.sku, image=run.hidden_image, run=run)
    if shot is None:
        return report
    others = find_other_skus(seller=run.seller, sku=run.sku, shot=shot)
    return with_outcome(report, judge_reuse([row.sku for row in others]))


def with_outcome(report: PairReport, outcome: RuleOutcome) -> PairReport:
    """The report with one more rule. Its findings come last: the others keep the numbers drawn on the picture."""
    outcomes = (*report.outcomes, outcome)
    return replace(
        report,
        outcomes=outcomes,
        findings=(*report.findings, *outcome.findings),
        verdict=overall(outcomes),
        not_looked_at=tuple(rule for rule in report.not_looked_at if rule != outcome.rule),
    )
