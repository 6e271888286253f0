"""The standing watch: each new listing picture against all originals, each new original against all listing pictures.

One job per seller takes what no watch has compared yet, a few pictures at a time, each portion in one transaction with its
matches; stopped anywhere, it goes on there. What is kept of a picture since its analysis is looked at first, and only
what may be a copy by that is decoded and searched for: of a feed, a few. Both ways end in the same comparison, the
listing's picture asked and the original answering, so a pair has one score however it was met, and one row: no alert
comes twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from compliance.models import GalleryItem, Listing, MatchDecision, MatchState, RuleKind, WatchMatch
from compliance.search.copy_score import COPIES
from compliance.search.finder import ENGINE, ENGINE_VERSION, Candidate, called_from
from compliance.search.index import Filter, Scope
from compliance.search.limits import copy_threshold
from compliance.services.alerts import raise_alerts
from compliance.services.answering import (
    OpenGallery,
    ask_opened,
    evidence_of,
    glance,
    may_be_copies,
    open_gallery,
    query_features,
)
from compliance.services.feature_index import is_seal_due, seal_segments
from compliance.services.shops import rules_of, shop_key
from ledger.accounts.models import Seller
from ledger.accounts.numbers import new_number
from ledger.imaging.errors import ImagingError
from ledger.models import Original
from ledger.services.blobs import BlobUnreadableError, batched, read_blob
from ledger.services.job_registry import FAST
from ledger.services.jobs import enqueue_job, has_waited

KIND = "watch.run"
# Not behind a large import, whose pictures it is to look at as they come; see STINT_S.
QUEUE = FAST
WATCHED = 1  # raised when a change of the engine is worth comparing everything again
UNREADABLE = -1
PORTION = 32  # pictures whose matches are written together; at most so many are compared twice after a crash
SEARCHES = 8  # of these, full ones: half a second each, and alerts are waited for
AT_ONCE = 500  # rows of one statement: a placeholder that somebody registered may be in every listing
MOST_ORIGINALS = 20  # of which one picture may be a copy at once
BUDGET_S = 420.0  # for whoever waits for all of it
# A job's: short, so that sellers take turns. It ends early where another job finds no worker, and the sweep goes on with
# the rest: with 15 seconds the pauses between cost a quarter of the time.
STINT_S = 60.0
GIVE_WAY_AFTER = timedelta(seconds=1)
ENGINE_NAME = f"{ENGINE} {ENGINE_VERSION}"
ORIGINALS, LISTINGS = Filter(Scope.REGISTERED), Filter(Scope.LISTINGS)


def _say_nothing(done: int, total: int) -> None:
    """Progress that nobody reads."""


def unwatched(seller: Seller) -> QuerySet[GalleryItem]:
    """Pictures that no watch has compared with the other side yet."""
    return GalleryItem.objects.of(seller).filter(watched=0, deleted=False)


def enqueue_watch(seller: Seller) -> None:
    """Have a worker compare what is new; one job per seller at a time."""
    with transaction.atomic():
        enqueue_job(kind=KIND, args={}, seller=seller, actor=None, dedupe_key="watch")


def sweep_watch() -> int:
    """Enqueue the watch where pictures wait for it; called every few seconds by the supervisor."""
    waiting = GalleryItem.objects.filter(watched=0, deleted=False).order_by().values("seller").distinct()
    sellers = list(Seller.objects.filter(pk__in=waiting))
    for seller in sellers:
        enqueue_watch(seller)
    return len(sellers)


def is_in_the_way() -> bool:
    """Whether another job finds no worker."""
    return has_waited(queue=QUEUE, longer_than=GIVE_WAY_AFTER)


def watch_gallery(
    *,
    seller: Seller,
    progress: Callable[[int, int], None] = _say_nothing,
    cancelled: Callable[[], bool] = lambda: False,
    budget_s: float = BUDGET_S,
) -> int:
    """Compare what is new until nothing is, the time is used up or somebody says stop; how many matches were made."""
    end, made, done = time.monotonic() + budget_s, 0, 0
    opened: OpenGallery | None = None
    if is_seal_due(seller):
        seal_segments(seller=seller)  # or this process would take in one by one what all have to read sealed anyway
    while time.monotonic() < end and not cancelled():
        waiting = unwatched(seller).select_related("image__blob", "listing_image__listing").order_by("pk")
        # Originals first: the listing pictures that resemble them are then compared once, not twice.
        originals = list(waiting.filter(listing_image=None)[:PORTION])
        if originals:
            done += _watch_originals(seller, originals)
            opened = None  # every original that was watched has to answer from now on
        else:
            listings = list(waiting[:PORTION])
            if not listings:
                break
            # A newer listing answers nobody here and a newer original is unwatched, so this is opened once.
            opened = opened or open_gallery(seller, ORIGINALS)
            fresh, seen = _watch_listings(seller, opened, listings)
            made, done = made + fresh, done + seen
        progress(done, done + unwatched(seller).count())
    return made


def _watch_originals(seller: Seller, items: Sequence[GalleryItem]) -> int:
    """Put the listing pictures that may be copies of new originals back among those to be compared; how many were new."""
    listings = GalleryItem.objects.of(seller).filter(listing_image__isnull=False, watched=WATCHED, deleted=False)
    opened = open_gallery(seller, LISTINGS) if listings.exists() else None
    for item in items:
        alike = may_be_copies(opened, item.image) if opened else []
        with transaction.atomic():
            for ids in batched(alike or [], AT_ONCE):
                GalleryItem.objects.of(seller).filter(pk__in=ids, watched=WATCHED).update(watched=0)
            GalleryItem.objects.filter(pk=item.pk).update(watched=UNREADABLE if alike is None else WATCHED)
    return len(items)


def _watch_listings(seller: Seller, opened: OpenGallery, items: Sequence[GalleryItem]) -> tuple[int, int]:
    """Compare listing pictures with all originals and write what they are copies of; how many matches are new, and how
    many pictures were compared: after a few full searches what was found is written first."""
    found: dict[int, list[Candidate]] = {}
    states: dict[int, int] = {}
    for item in items:
        try:
            if glance(opened, item.image):
                query = query_features(read_blob(item.image.blob), thumbnails=False)
                found[item.pk] = ask_opened(opened, query=query, limit=MOST_ORIGINALS)
            states[item.pk] = WATCHED
        except (ImagingError, BlobUnreadableError):
            states[item.pk] = UNREADABLE
        if len(found) == SEARCHES:
            break
    compared = [item for item in items if item.pk in states]
    with transaction.atomic():
        made = _write(seller, compared, found)
        for state in set(states.values()):
            GalleryItem.objects.filter(pk__in=[pk for pk, one in states.items() if one == state]).update(watched=state)
    return made, len(compared)


def _write(seller: Seller, items: Sequence[GalleryItem], found: dict[int, list[Candidate]]) -> int:
    candidates = {answer.image_id for answers in found.values() for answer in answers}
    answering = GalleryItem.objects.of(seller).filter(pk__in=candidates, deleted=False, original__erased_at=None)
    originals: dict[int, Original] = {
        row.pk: row.original for row in answering.select_related("original") if row.original is not None
    }
    rows: list[WatchMatch] = []
    # What was erased or swept while its picture was compared is not matched any more.
    alive = set(
        GalleryItem.objects.filter(pk__in=[item.pk for item in items], deleted=False).values_list("pk", flat=True)
    )
    alive_items = [item for item in items if item.pk in alive and found.get(item.pk)]
    rules = rules_of(seller, [_listing(item) for item in alive_items])
    for item in alive_items:
        for answer in found[item.pk]:
            original = originals.get(answer.image_id)
            if original is None:
                continue
            called = called_from(answer, copy_threshold(original.category))
            if called.verdict in COPIES:
                rows.append(_match(seller, original, item, called, rules))
    known = _known(rows)
    fresh = [row for row in rows if (row.original_id, row.listing_image_id) not in known]
    _measure_again([(known[key], row) for row in rows if (key := (row.original_id, row.listing_image_id)) in known])
    for row in fresh:
        row.relist_of = _earlier_copy(row)
        row.relisted_at = row.found_at if row.relist_of else None
    WatchMatch.objects.bulk_create(fresh)
    raise_alerts(seller, [row for row in fresh if row.rule != RuleKind.ALLOW])
    return len(fresh)


def _listing(item: GalleryItem) -> Listing:
    assert item.listing_image is not None  # noqa: S101 - only these are compared
    return item.listing_image.listing


def _match(
    seller: Seller, original: Original, item: GalleryItem, found: Candidate, rules: dict[str, str]
) -> WatchMatch:
    listing = _listing(item)
    key = shop_key(listing.shop_id, listing.shop_name)
    edits = "+".join(found.edits.names) if found.edits is not None else ""
    return WatchMatch(
        seller=seller,
        original=original,
        listing_image=item.listing_image,
        engine=ENGINE_NAME,
        score_milli=round(found.score * 1000),
        verdict=found.verdict,
        transform=(edits or str(found.verdict))[:120],
        evidence=evidence_of(found),
        shop_key=key,
        shop_name=listing.shop_name or listing.shop_id,
        rule=rules.get(key, ""),
    )


def _known(rows: Sequence[WatchMatch]) -> dict[tuple[int, int], WatchMatch]:
    pictures = [row.listing_image_id for row in rows]
    known = WatchMatch.objects.filter(listing_image__in=pictures).defer("evidence")
    return {(row.original_id, row.listing_image_id): row for row in known}


def _measure_again(pairs: Sequence[tuple[WatchMatch, WatchMatch]]) -> None:
    """A newer engine's measurements replace those of an older one; what people decided stays."""
    for known, row in pairs:
        if known.engine != row.engine:
            known.engine, known.score_milli, known.verdict = row.engine, row.score_milli, row.verdict
            known.transform, known.evidence = row.transform, row.evidence
            known.save(update_fields=["engine", "score_milli", "verdict", "transform", "evidence"])


def _earlier_copy(row: WatchMatch) -> WatchMatch | None:
    """The same shop showed the same original before, and that was called a copy."""
    if not row.shop_key:
        return None
    earlier = WatchMatch.objects.of(row.seller).filter(
        shop_key=row.shop_key, original=row.original_id, state=MatchState.COPY
    )
    listing = row.listing_image.listing_id
    return earlier.exclude(listing_image__listing=listing).defer("evidence").order_by("-pk").first()


def reopen_relisted(*, seller: Seller, listing_ids: Sequence[int]) -> int:
    """Listings that were gone and are back: what was called a copy there waits for somebody again, and is alerted."""
    with transaction.atomic():
        back = WatchMatch.objects.select_for_update().of(seller)
        rows = list(back.filter(listing_image__listing__in=listing_ids, state=MatchState.COPY).defer("evidence"))
        # The lock is on the matches alone; what the message tells is read beside it.
        facts = WatchMatch.objects.select_related("original", "listing_image__listing").in_bulk(
            [row.pk for row in rows]
        )
        now, batch = timezone.now(), new_number()
        for row in rows:
            MatchDecision.objects.create(
                seller=seller,
                match=row,
                batch=batch,
                state_before=row.state,
                state_after=MatchState.OPEN,
                reason_before=row.reason,
                reason="relisted",
            )
            row.state, row.relisted_at = MatchState.OPEN, now
            row.save(update_fields=["state", "relisted_at"])
        raise_alerts(seller, [row for row in facts.values() if row.rule != RuleKind.ALLOW])
    return len(rows)
