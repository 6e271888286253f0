"""Searching for copies: a query picture against one seller's gallery, recorded in the log.

The request seals the picture and enqueues; a job decodes it in the limited child, asks the seller's index, and writes
candidates, the run and its entry in one transaction. Running it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from compliance.models import Candidate, GalleryItem, RunState, Scope, SearchRun
from compliance.search.copy_score import Verdict, strongest_verdict
from compliance.search.finder import ENGINE, ENGINE_VERSION, called_from
from compliance.search.finder import Candidate as Found
from compliance.search.index import Filter, recent
from compliance.search.index import Scope as IndexScope
from compliance.search.limits import copy_threshold
from compliance.search.query import QueryFeatures
from compliance.services.answering import ask_gallery, evidence_of, query_features
from compliance.services.gallery import CATEGORY_NUMBERS, newest_import
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import ALPHABET, LENGTH, new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.anchors.errors import FetchError
from ledger.anchors.fetch import Fetched, fetch_url
from ledger.imaging.errors import ImagingError
from ledger.models import ImageFile, ImageState, JobState, Original
from ledger.services.blobs import BlobUnreadableError, read_blob, write_part
from ledger.services.identity import identity_document
from ledger.services.job_context import JobError
from ledger.services.jobs import REQUEUABLE, UNFINISHED, enqueue_job, requeue_job
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.originals import Upload, store_pictures
from ledger.services.pictures import THUMBNAILS
from ledger.tlog.claim_documents import ClaimFile, NamedVersion, QueryResult, query_recorded_claim

THRESHOLD_DEFAULT = 85
THRESHOLD_NEW_LAUNCH = 92
THRESHOLD_MIN, THRESHOLD_MAX = 50, 100
LIMIT = 5
UPLOAD, ORIGINAL, URL = "upload", "original", "url"
ENGINE_NAMED = NamedVersion(ENGINE, str(ENGINE_VERSION))
CLAIM_SCOPES = {Scope.ALL: "all", Scope.RECENT: "recent", Scope.REGISTERED: "registered"}
FETCH_CODE = "fetch.{}"  # a page's "too large" is not an upload's "too large"
RESULT_FIELDS = ["statement", "searched", "engine", "took_ms", "verdict", "state", "error_code", "finished_at"]
LOST = "search.lost"
ERASED = "erased"  # the query picture is gone for good
FINAL = Q(state=RunState.DONE) | Q(error_code=ERASED)
LOST_AFTER = timedelta(minutes=10)  # far beyond the job's own time limit

Fetch = Callable[[str], Fetched]


@dataclass(frozen=True, slots=True)
class Question:
    """How to search: scope, threshold 50..100, category slug or empty."""

    scope: str = Scope.ALL
    threshold: int = THRESHOLD_DEFAULT
    category: str = ""

    def __post_init__(self) -> None:
        """An unknown category or scope would silently search everything and be recorded as something else."""
        if self.scope not in Scope.values or not THRESHOLD_MIN <= self.threshold <= THRESHOLD_MAX:
            raise ValueError(f"no such search: scope {self.scope!r}, threshold {self.threshold}")
        if self.category and self.category not in CATEGORY_NUMBERS:
            raise ValueError(f"no such category: {self.category!r}")


def start_search(
    *,
    actor: User | None,
    seller: Seller,
    question: Question,
    upload: Upload | None = None,
    original: Original | None = None,
    url: str = "",
    request_id: str = "",
    enqueue: bool = True,
) -> SearchRun:
    """Record a query and have a worker answer it; exactly one of upload, original and url is given.

    Raises ImagingError when the upload is not an acceptable picture. A URL is fetched by the job. The same request
    with the same picture gives the first run. An original of another seller is refused even to a person who belongs to
    both: its picture would end up in this seller's records.
    """
    require_permission(actor, seller, Permission.QUERY)
    if original is not None and original.seller_id != seller.pk:
        raise PermissionDenied("the original belongs to another seller")
    number = _run_number(seller, request_id, upload, original, url, question)
    if (known := SearchRun.objects.of(seller).filter(number=number).first()) is not None:
        return known
    image, source = None, URL
    if upload is not None:
        (image,), source = store_pictures(seller=seller, uploads=[upload]), UPLOAD
    elif original is not None:
        image, source = original.image, ORIGINAL
    run = SearchRun(
        number=number,
        seller=seller,
        actor=actor,
        image=image,
        source=source,
        source_url=url[:2048],
        scope=question.scope,
        threshold=question.threshold,
        category=question.category,
    )
    try:
        with transaction.atomic():
            run.save(force_insert=True)
            if enqueue:
                run.job = enqueue_job(kind="search.run", args={"run_id": run.pk}, seller=seller, actor=actor)
                run.save(update_fields=["job"])
    except IntegrityError:  # the same request, twice at the same moment
        return SearchRun.objects.of(seller).get(number=number)
    return run


def _run_number(
    seller: Seller, request_id: str, upload: Upload | None, original: Original | None, url: str, question: Question
) -> str:
    """The run's number, drawn from the request so that sending it again finds the first run.

    Keyed with the site's secret: the number is public and must not be guessed from a request id. Picture and question
    are part of it, since a form that is sent again after going back may ask something else.
    """
    if not request_id:
        return new_number()
    query = hashlib.sha256(upload.content).hexdigest() if upload else original.number if original else url
    value = "\n".join([str(seller.pk), request_id, query, question.scope, str(question.threshold), question.category])
    digest = salted_hmac("compliance.search", value, algorithm="sha256").digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])


def failure_of(run: SearchRun) -> str:
    """The code of why nobody is answering this query any more; empty while somebody is, and when it is answered."""
    job = run.job
    if run.state == RunState.DONE or (job is not None and job.state in UNFINISHED):
        return ""
    if run.state == RunState.FAILED:
        return run.error_code
    if job is not None and job.state != JobState.DONE:
        return job.error_code or LOST
    return LOST if timezone.now() - run.created_at > LOST_AFTER else ""


def retry_search(*, actor: User | None, run: SearchRun) -> SearchRun:
    """Have a query that failed, or that lost its worker, answered after all; any other stays as it is."""
    require_permission(actor, run.seller, Permission.QUERY)
    with transaction.atomic():
        locked: SearchRun = SearchRun.objects.select_for_update().get(pk=run.pk)
        if not failure_of(locked) or locked.error_code == ERASED:
            return locked
        if locked.job is not None and locked.job.state in REQUEUABLE:
            locked.job = requeue_job(actor=actor, job=locked.job)
        else:
            locked.job = enqueue_job(kind="search.run", args={"run_id": run.pk}, seller=run.seller, actor=actor)
        locked.state, locked.error_code = RunState.WAITING, ""
        locked.save(update_fields=["state", "error_code", "job"])
    return locked


def run_search(run_id: int, *, fetch: Fetch = fetch_url) -> SearchRun:
    """Answer a query. A finished run is returned as it is; what cannot be answered is marked with a named code."""
    run: SearchRun = SearchRun.objects.select_related("seller", "actor", "image__blob").get(pk=run_id)
    if run.state == RunState.DONE or run.error_code == ERASED:
        return run
    started = time.monotonic()
    try:
        run.image = run.image or _fetch(run, fetch)
        features = _features(run.image)
    except FetchError as error:
        raise _failed(run, FETCH_CODE.format(error.code), str(error)) from error
    except (ImagingError, BlobUnreadableError) as error:
        raise _failed(run, error.code, str(error)) from error
    where = _where(Question(run.scope, run.threshold, run.category), run.created_at)
    # Counted before the index catches up: whatever is claimed to have been searched was there when it was asked.
    counts = _counts(run.seller, where, run.category)
    found = ask_gallery(seller=run.seller, query=features, where=where, limit=LIMIT + 1)
    _record(run, features, found, counts, round((time.monotonic() - started) * 1000))
    return run


def _failed(run: SearchRun, code: str, detail: str) -> JobError:
    """Mark the run, and give back what its job ends with."""
    unfinished = SearchRun.objects.filter(pk=run.pk).exclude(FINAL)
    unfinished.update(state=RunState.FAILED, error_code=code, finished_at=timezone.now())
    return JobError(code, detail)


def _fetch(run: SearchRun, fetch: Fetch) -> ImageFile:
    """Read the URL through checked addresses only, and seal what came."""
    fetched = fetch(run.source_url)
    name = fetched.final_url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    (image,) = store_pictures(seller=run.seller, uploads=[Upload(_plain_name(name), fetched.data)])
    SearchRun.objects.filter(pk=run.pk).update(image=image)
    return image


def _plain_name(name: str) -> str:
    """A URL's last part names no format we could hold it to: servers rename pictures freely."""
    return name.rsplit(".", 1)[0][:200] or "picture"


def _features(image: ImageFile) -> QueryFeatures:
    """Decode in the limited child; keep the previews of a picture that has none yet."""
    features = query_features(read_blob(image.blob), thumbnails=not image.has_thumbnails)
    if image.state == ImageState.SEALED and not hasattr(image, "original"):
        for item in features.thumbnails:
            write_part(image.blob, THUMBNAILS[item.long_side], item.data)
        ImageFile.objects.filter(pk=image.pk, state=ImageState.SEALED).update(
            state=ImageState.READY,
            width=features.width,
            height=features.height,
            pixel_sha256=features.query.pixel_sha256,
            flags=list(dict.fromkeys([*image.flags, *features.flags])),
            has_thumbnails=bool(features.thumbnails),
        )
    return features


def _where(question: Question, at: datetime) -> Filter:
    category = CATEGORY_NUMBERS[question.category] if question.category else None
    if question.scope == Scope.RECENT:
        return recent(int(at.timestamp()), category=category)
    return Filter(IndexScope(question.scope), category=category)


def searched_counts(seller: Seller, question: Question | None = None) -> dict[str, Any]:
    """How many pictures a search asked now would look through: originals, listing_images, newest_import (or "")."""
    question = question or Question()
    return _counts(seller, _where(question, timezone.now()), question.category)


def _counts(seller: Seller, where: Filter, category: str) -> dict[str, Any]:
    """The rows that the index's own filter lets through, counted in SQL."""
    items = GalleryItem.objects.of(seller).filter(deleted=False)
    originals, listings = items.filter(listing_image__isnull=True), items.filter(listing_image__isnull=False)
    if category:
        originals = originals.filter(original__category=category)
        listings = listings.filter(listing_image__listing__category=category)
    if where.since:
        since = datetime.fromtimestamp(where.since, UTC)
        originals = originals.filter(image__created_at__gte=since)
        listed_since = Q(listing_image__listing__listed_at__gte=since)
        unlisted = Q(listing_image__listing__listed_at=None, listing_image__listing__first_seen__gte=since)
        listings = listings.filter(listed_since | unlisted)
    newest = newest_import(seller)
    return {
        "originals": originals.count(),
        "listing_images": 0 if where.scope is IndexScope.REGISTERED else listings.count(),
        "newest_import": newest.isoformat() if newest else "",
    }


def waiting_pictures(seller: Seller) -> QuerySet[ImageFile]:
    """Originals' and listings' pictures that no search sees yet, because their pixels have not been analysed."""
    sealed = ImageFile.objects.of(seller).filter(state=ImageState.SEALED)
    return sealed.filter(Q(original__isnull=False) | Q(listing_image__isnull=False))


def _record(
    run: SearchRun, features: QueryFeatures, found: Sequence[Found], counts: dict[str, Any], took_ms: int
) -> None:
    """Candidates, run and entry together, or none of them."""
    items = GalleryItem.objects.of(run.seller).select_related(
        "image", "original__statement", "original__image", "listing_image__listing__catalogue"
    )
    with transaction.atomic():
        lock_head()
        if SearchRun.objects.filter(FINAL, pk=run.pk).exists():
            run.refresh_from_db()  # another worker was first, or the query was erased meanwhile
            return
        # A registered original that is the query itself is no answer to "who else has it". What was erased since the
        # index was asked is none either.
        items = items.filter(deleted=False).exclude(image=run.image)
        by_id = items.in_bulk([candidate.image_id for candidate in found])
        found = [candidate for candidate in found if candidate.image_id in by_id][:LIMIT]
        rows = [_candidate(run, rank, c, by_id[c.image_id]) for rank, c in enumerate(found, start=1)]
        matches = [row for row in rows if row.score_milli >= run.threshold * 1000]
        draft = _draft(run, features, rows, bool(matches), counts)
        (run.statement,) = append_statements(seller=run.seller, actor=run.actor, drafts=[draft])
        Candidate.objects.bulk_create(rows)
        run.searched, run.engine, run.took_ms = counts, f"{ENGINE_NAMED.name} {ENGINE_NAMED.version}", took_ms
        run.verdict = strongest_verdict([Verdict(row.verdict) for row in matches])
        run.state, run.error_code, run.finished_at = RunState.DONE, "", timezone.now()
        run.save(update_fields=RESULT_FIELDS)


def _candidate(run: SearchRun, rank: int, found: Found, item: GalleryItem) -> Candidate:
    found = called_from(found, copy_threshold(_category(item)))
    return Candidate(
        run=run,
        seller=run.seller,
        rank=rank,
        score_milli=round(found.score * 1000),
        verdict=found.verdict,
        evidence=evidence_of(found),
        facts=_facts(item),
        image=item.image,
        original=item.original,
        listing_image=item.listing_image,
    )


def _category(item: GalleryItem) -> str:
    if item.original is not None:
        return item.original.category
    assert item.listing_image is not None  # noqa: S101 - a database constraint says so
    return item.listing_image.listing.category


def _facts(item: GalleryItem) -> dict[str, Any]:
    """What was known of the picture at the time of the search; empty means "not in the feed"."""
    if item.original is not None:
        return {
            "kind": "original",
            "ref": item.original.number,
            "title": str(item.original),
            "listed_at": item.original.registered_at.isoformat(),
            "entry": item.original.statement.seq,
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
        engine=ENGINE_NAMED,
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
