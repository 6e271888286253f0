"""What this app keeps of an original, and how it goes when the original is erased."""

from __future__ import annotations

import secrets
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance.models import (
    Candidate,
    CheckBatch,
    CheckItem,
    CheckRun,
    CheckVerdict,
    Finding,
    FindingAnswer,
    GalleryItem,
    HiddenShot,
    IndexSegment,
    ListingImage,
    PackItem,
    PromotionKind,
    QualityRun,
    Repair,
    RunState,
    SearchRun,
    WatchMatch,
)
from compliance.services.checks import ERASED
from compliance.services.feature_index import purge_segments
from compliance.services.gallery import remove_from_gallery
from ledger.services.erasing import Participant, Plan

TABLES = (
    *(Candidate, CheckBatch, CheckItem, CheckRun, CheckVerdict, Finding, FindingAnswer, GalleryItem, HiddenShot),
    *(IndexSegment, ListingImage, PackItem, QualityRun, Repair, SearchRun, WatchMatch),
)


def collect(plan: Plan) -> None:
    """Checks of it or of files made from it, searches with it and searches that found it, packs made from it."""
    checks = _checks(plan)
    for main, hidden, statement, heatmap in checks.values_list("main_image", "hidden_image", "statement", "heatmap"):
        plan.images |= {main, hidden}
        plan.statements |= {statement} - {None}
        plan.blobs |= {heatmap} - {None}
    _collect_batches(plan)
    searches = _searches(plan).exclude(statement=None)
    plan.statements |= set(searches.values_list("statement", flat=True))
    found = _candidates(plan).exclude(run__statement=None)
    plan.statements |= set(found.values_list("run__statement", flat=True))
    packs = _packs(plan)
    plan.images |= set(packs.filter(promotion_kind=PromotionKind.MAIN).values_list("promotion", flat=True)) - {None}
    plan.images |= _overlays(plan)
    watched = WatchMatch.objects.of(plan.seller).filter(original__in=plan.originals)
    counts = {
        "matches": watched,
        "checks": checks,
        "searches": _searches(plan),
        "found_by_searches": found,
        "packs": packs,
    }
    plan.lost.update({kind: rows.count() - plan.lost[kind] for kind, rows in counts.items()})


def _checks(plan: Plan) -> QuerySet[CheckRun]:
    mine = Q(main_image__in=plan.images) | Q(hidden_image__in=plan.images) | Q(original__in=plan.originals)
    return CheckRun.objects.of(plan.seller).filter(mine)


def _collect_batches(plan: Plan) -> None:
    """Orders of many checks, repairs and later verdicts of the checks that go."""
    for image, statement, archive in _batches(plan).values_list("main_image", "statement", "archive"):
        # What was sent as one file holds the picture; it was needed until its pictures were sealed.
        plan.blobs |= {archive} - {None}
        if image in plan.images:
            plan.statements |= {statement} - {None}
    checks = list(_checks(plan).values_list("pk", flat=True))
    later = CheckVerdict.objects.of(plan.seller).filter(run__in=checks)
    plan.statements |= set(later.values_list("statement", flat=True))
    repairs = Repair.objects.of(plan.seller).filter(run__in=checks).exclude(image=None)
    plan.images |= set(repairs.values_list("image", flat=True))


def _batches(plan: Plan) -> QuerySet[CheckBatch]:
    checks = list(_checks(plan).values_list("pk", flat=True))
    shows = Q(main_image__in=plan.images) | Q(items__image__in=plan.images) | Q(items__run__in=checks)
    return CheckBatch.objects.filter(pk__in=CheckBatch.objects.of(plan.seller).filter(shows).values("pk"))


def _searches(plan: Plan) -> QuerySet[SearchRun]:
    return SearchRun.objects.of(plan.seller).filter(image__in=plan.images)


def _candidates(plan: Plan) -> QuerySet[Candidate]:
    return Candidate.objects.of(plan.seller).filter(image__in=plan.images)


def _packs(plan: Plan) -> QuerySet[PackItem]:
    return PackItem.objects.of(plan.seller).filter(original__in=plan.originals)


def _overlays(plan: Plan) -> set[int]:
    """Promotions that lie over no other original."""
    overlays = _packs(plan).filter(promotion_kind=PromotionKind.OVERLAY).values_list("promotion", flat=True)
    others = PackItem.objects.of(plan.seller).exclude(original__in=plan.originals).exclude(promotion=None)
    return set(overlays) - set(others.values_list("promotion", flat=True)) - {None}


def erase(plan: Plan) -> None:
    """Blank the rows; inside the erasing transaction."""
    remove_from_gallery(seller=plan.seller, image_ids=plan.images)
    for listing in ListingImage.objects.of(plan.seller).filter(image__in=plan.images):
        listing.sha256 = secrets.token_bytes(32)  # unique within the listing; no file has it as its digest
        listing.save(update_fields=["sha256"])
    _erase_batches(plan)
    checks = _checks(plan)
    ids = list(checks.values_list("pk", flat=True))
    Finding.objects.filter(run__in=ids).delete()
    FindingAnswer.objects.filter(run__in=ids).delete()
    CheckVerdict.objects.filter(run__in=ids).update(verdict="", answers=[])
    Repair.objects.filter(run__in=ids).update(report={}, error_detail="")
    blank: dict[str, Any] = {
        "report": {},
        "verdict": "",
        "heatmap": None,
        "original": None,
        "sku": "",
        "answers": [],
        "stale": {},
    }
    checks.update(state=RunState.FAILED, error_code=ERASED, **blank)
    _candidates(plan).delete()
    WatchMatch.objects.of(plan.seller).filter(original__in=plan.originals).delete()
    searches = _searches(plan)
    Candidate.objects.filter(run__in=list(searches.values_list("pk", flat=True))).delete()
    searches.update(
        state=RunState.FAILED, error_code=ERASED, source_url="", searched={}, verdict="", finished_at=timezone.now()
    )
    for item in _packs(plan):
        plan.add_words([item.sku])
        item.sku, item.promotion, item.promotion_kind = f"erased-{item.position}", None, PromotionKind.NONE
        item.state, item.error_code, item.error_detail = RunState.FAILED, ERASED, ""
        item.verdict, item.report, item.category = "", {}, ""
        item.main = item.hidden = item.detail = None
        item.save()


def _erase_batches(plan: Plan) -> None:
    """Rows about the erased pictures in orders of many checks; the other rows of an order stay."""
    HiddenShot.objects.of(plan.seller).filter(image__in=plan.images).delete()
    quality = QualityRun.objects.of(plan.seller).filter(statement__in=plan.statements)
    quality.update(file_name="", sha256=b"", size_bytes=0, verdict="", report={})
    checks = list(_checks(plan).values_list("pk", flat=True))
    batches = list(_batches(plan).values_list("pk", flat=True))
    items = CheckItem.objects.filter(batch__in=batches).filter(Q(image__in=plan.images) | Q(run__in=checks))
    gone = {"sku": "", "main_name": "", "hidden_name": "", "original_name": "", "category": "", "report": {}}
    items.update(**gone, error_code=ERASED, error_detail="")
    CheckBatch.objects.filter(pk__in=batches).update(archive=None)
    collages = CheckBatch.objects.filter(pk__in=batches, main_image__in=plan.images)
    collages.update(state=RunState.FAILED, error_code=ERASED, label="", category="", verdict="", report={}, stale={})


def clean(seller_id: int) -> None:
    """The index on disk, rewritten without what is no longer in the gallery."""
    purge_segments(seller_id)


PARTICIPANT = Participant("compliance", collect, erase, clean, TABLES)
