"""Searching for copies: a query picture against one seller's gallery, recorded in the log.

The request seals the picture and enqueues; a job decodes it in the limited child, asks the seller's index, and writes
candidates, the run and its entry in one transaction. Running it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from compliance.models import Candidate, GalleryItem, RunState, Scope, SearchRun
from compliance.search import engine
from compliance.search.index import Filter, recent
from compliance.search.index import Scope as IndexScope
from compliance.search.query import QUERY_FEATURES_TASK, QueryFeatures, parse_features
from compliance.search.score import MatchKind
from compliance.services.gallery import CATEGORY_NUMBERS, indexes, newest_import
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.anchors.fetch import FetchError, fetch_url
from ledger.imaging.errors import ImagingError
from ledger.models import ImageFile, ImageState, Original
from ledger.services.blobs import BlobUnreadableError, read_blob, write_part
from ledger.services.identity import identity_document
from ledger.services.job_context import JobError
from ledger.services.jobs import enqueue_job
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.originals import Upload, store_pictures
from ledger.services.pictures import THUMBNAILS, pixel_pool
from ledger.tlog.claims import ClaimFile, NamedVersion, QueryResult, query_recorded_claim

THRESHOLD_DEFAULT = 85
THRESHOLD_NEW_LAUNCH = 92
THRESHOLD_MIN = 50
LIMIT = 5
UPLOAD, ORIGINAL, URL = "upload", "original", "url"
ENGINE = NamedVersion(engine.ENGINE, str(engine.ENGINE_VERSION))
CLAIM_SCOPES = {Scope.ALL: "all", Scope.RECENT: "recent", Scope.REGISTERED: "registered"}


@dataclass(frozen=True, slots=True)
class Question:
    """How to search: scope, threshold 50..100, category slug or empty."""

    scope: str = Scope.ALL
    threshold: int = THRESHOLD_DEFAULT
    category: str = ""


def start_search(
    *,
    actor: User | None,
    seller: Seller,
    question: Question,
    upload: Upload | None = None,
    original: Original | None = None,
    url: str = "",
    enqueue: bool = True,
) -> SearchRun:
    """Record a query and have a worker answer it; exactly one of upload, original and url is given.

    Raises ImagingError when the upload is not an acceptable picture. A URL is fetched by the job.
    """
    require_permission(actor, seller, Permission.QUERY)
    image, source = None, URL
    if upload is not None:
        (image,), source = store_pictures(seller=seller, uploads=[upload]), UPLOAD
    elif original is not None:
        require_permission(actor, original.seller, Permission.QUERY)
        image, source = original.image, ORIGINAL
    with transaction.atomic():
        run = SearchRun.objects.create(
            seller=seller,
            actor=actor,
            image=image,
            source=source,
            source_url=url[:2048],
            scope=question.scope,
            threshold=question.threshold,
            category=question.category,
        )
        if enqueue:
            run.job = enqueue_job(kind="search.run", args={"run_id": run.pk}, seller=seller, actor=actor)
            run.save(update_fields=["job"])
    return run


def run_search(run_id: int) -> SearchRun:
    """Answer a query. A finished run is returned as it is; what cannot be answered is marked with a named code."""
    run = SearchRun.objects.select_related("seller", "actor", "image__blob").get(pk=run_id)
    if run.state == RunState.DONE:
        return run
    started = time.monotonic()
    try:
        run.image = run.image or _fetch(run)
        features = _features(run.image)
    except (ImagingError, FetchError, BlobUnreadableError) as error:
        _fail(run, error.code)
        raise JobError(error.code, str(error)) from error
    found = engine.search(
        indexes.get(run.seller_id), features.query, _filter(run), LIMIT, threshold=float(run.threshold)
    )
    _record(run, features, found, round((time.monotonic() - started) * 1000))
    return run


def _fetch(run: SearchRun) -> ImageFile:
    """Read the URL through checked addresses only, and seal what came."""
    fetched = fetch_url(run.source_url)
    name = fetched.final_url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    (image,) = store_pictures(seller=run.seller, uploads=[Upload(_plain_name(name), fetched.data)])
    SearchRun.objects.filter(pk=run.pk).update(image=image)
    return image


def _plain_name(name: str) -> str:
    """A URL's last part names no format we could hold it to: servers rename pictures freely."""
    return name.rsplit(".", 1)[0][:200] or "picture"


def _features(image: ImageFile) -> QueryFeatures:
    """Decode in the limited child; keep the previews of a picture that has none yet."""
    answer = pixel_pool().run(QUERY_FEATURES_TASK, [read_blob(image.blob)], {"thumbnails": not image.has_thumbnails})
    features = parse_features(answer.values, answer.blobs)
    if image.state == ImageState.SEALED and not hasattr(image, "original"):
        for item in features.thumbnails:
            write_part(image.blob, THUMBNAILS[item.long_side], item.data)
        ImageFile.objects.filter(pk=image.pk).update(
            state=ImageState.READY,
            width=features.width,
            height=features.height,
            pixel_sha256=features.query.pixel_sha256,
            flags=list(dict.fromkeys([*image.flags, *features.flags])),
            has_thumbnails=bool(features.thumbnails),
        )
    return features


def _filter(run: SearchRun) -> Filter:
    category = CATEGORY_NUMBERS.get(run.category) if run.category else None
    if run.scope == Scope.RECENT:
        return recent(int(run.created_at.timestamp()), category=category)
    return Filter(IndexScope(run.scope), category=category)


def searched_counts(seller: Seller, scope: str = Scope.ALL) -> dict[str, Any]:
    """What a search looks through: the figures of the scope banner."""
    items = GalleryItem.objects.of(seller).filter(deleted=False)
    listings = 0 if scope == Scope.REGISTERED else items.exclude(listing_image=None).count()
    newest = newest_import(seller)
    return {
        "originals": items.exclude(original=None).count(),
        "listing_images": listings,
        "newest_import": newest.isoformat() if newest else "",
    }


def _record(run: SearchRun, features: QueryFeatures, found: Sequence[engine.Candidate], took_ms: int) -> None:
    """Candidates, run and entry together, or none of them."""
    items = GalleryItem.objects.of(run.seller).select_related(
        "image", "original__statement", "listing_image__listing__catalogue"
    )
    by_id = items.in_bulk([candidate.item_id for candidate in found])
    found = [candidate for candidate in found if candidate.item_id in by_id]
    counts = searched_counts(run.seller, run.scope)
    with transaction.atomic():
        lock_head()
        if SearchRun.objects.filter(pk=run.pk, state=RunState.DONE).exists():
            run.refresh_from_db()  # another worker was first
            return
        rows = [_candidate(run, rank, c, by_id[c.item_id]) for rank, c in enumerate(found, start=1)]
        matches = [row for row in rows if row.score_milli >= run.threshold * 1000]
        draft = _draft(run, features, rows, bool(matches), counts)
        (run.statement,) = append_statements(seller=run.seller, actor=run.actor, drafts=[draft])
        Candidate.objects.bulk_create(rows)
        run.searched, run.engine, run.took_ms = counts, f"{ENGINE.name} {ENGINE.version}", took_ms
        run.verdict = engine.strongest_kind(found) if matches or not found else MatchKind.CANDIDATE
        run.state, run.error_code, run.finished_at = RunState.DONE, "", timezone.now()
        run.save()


def _candidate(run: SearchRun, rank: int, found: engine.Candidate, item: GalleryItem) -> Candidate:
    return Candidate(
        run=run,
        seller=run.seller,
        rank=rank,
        score_milli=round(found.score * 1000),
        verdict=found.kind,
        distances={"phash": found.phash_distance, "dhash": found.dhash_distance, "view": found.view},
        facts=_facts(item),
        image=item.image,
        original=item.original,
        listing_image=item.listing_image,
    )


def _facts(item: GalleryItem) -> dict[str, Any]:
    """What was known of the picture at the time of the search; empty means "not in the feed"."""
    if item.original is not None:
        return {
            "kind": "original",
            "ref": item.original.number,
            "title": str(item.original),
            "listed_at": item.original.registered_at.isoformat(),
            "entry": item.original.statement.entry_id,
        }
    assert item.listing_image is not None  # noqa: S101 - a database constraint says so
    listing = item.listing_image.listing
    return {
        "kind": "listing",
        "ref": listing.product_id,
        "title": listing.title,
        "url": listing.url,
        "listed_at": listing.listed_at.isoformat() if listing.listed_at else "",
        "first_seen": listing.first_seen.isoformat(),
        "delisted_at": listing.delisted_at.isoformat() if listing.delisted_at else "",
        "shop_country": listing.shop_country,
        "shop_name": listing.shop_name,
        "catalogue": listing.catalogue.name,
        "price": listing.price,
    }


def _draft(
    run: SearchRun, features: QueryFeatures, rows: Sequence[Candidate], matched: bool, counts: dict[str, Any]
) -> Draft:
    assert run.image is not None  # noqa: S101 - run_search made sure
    claim = query_recorded_claim(
        secrets.token_bytes(32),
        query=ClaimFile("query", features.query.sha256, run.image.size_bytes),
        scope=CLAIM_SCOPES[Scope(run.scope)],
        threshold=run.threshold,
        engine=ENGINE,
        searched_originals=counts["originals"],
        searched_listing_images=counts["listing_images"],
        results=[
            QueryResult(
                source="original" if row.original is not None else "listing_image",
                ref=hashlib.sha256(row.facts["ref"].encode()).digest(),
                score_milli=row.score_milli,
                sha256=bytes(row.image.sha256),
            )
            for row in rows
        ],
        verdict="matches_found" if matched else "nothing_found",
        category=run.category,
    )
    return Draft(
        kind="query.recorded",
        claim=claim,
        identity=identity_document(actor=run.actor, seller=run.seller),
        request_id=f"search-{run.number}",
        label=run.image.file_name,
        outcome="needs-you" if matched else "passed",
        number=run.number,
    )


def _fail(run: SearchRun, code: str) -> None:
    SearchRun.objects.filter(pk=run.pk).update(state=RunState.FAILED, error_code=code, finished_at=timezone.now())
