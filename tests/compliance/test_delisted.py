"""Listings that are gone: found and named for 18 months, then swept with their pictures, unless they are evidence in use."""

from __future__ import annotations

import io
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from compliance.models import (
    Candidate,
    Catalogue,
    Gallery,
    GalleryItem,
    IndexSegment,
    Listing,
    ListingChange,
    MatchState,
    WatchMatch,
)
from compliance.search.segments import Segment
from compliance.services import feature_index, retention
from compliance.services.cases import facts_of_match, open_case
from compliance.services.feature_index import features, index_folder, seal_segments
from compliance.services.gallery import GallerySource, indexes
from compliance.services.receipts import receipt_of
from compliance.services.retention import (
    due_listings,
    held_listings,
    kept_until,
    set_months_kept,
    sweep_delisted,
    sweep_listings,
)
from compliance.services.triage import decide, undo
from ledger.models import Blob, Fingerprint, ImageFile, ImageState, Job
from ledger.services.blobs import BlobUnreadableError, read_blob
from tests.compliance.captured import capture_page
from tests.compliance.listings import ask, copy_of, found, import_listings, matches, photo, work
from tests.compliance.matches import own, watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
GONE = datetime(2025, 1, 31, 9, tzinfo=UTC)
LAST_DAY = datetime(2026, 7, 31, 9, tzinfo=UTC)  # 18 months later
NAMES = ("OPEN", "DECIDED", "CASED", "CAPTURED", "PLAIN")


def files() -> int:
    """Sealed files and what is computed from them, on the disk."""
    return sum(path.is_file() for path in Path(django_settings.DATA_DIR, "blobs").rglob("*"))


def delist(*products: str, at: datetime = GONE) -> None:
    Listing.objects.filter(product_id__in=products).update(delisted_at=at, last_seen=at)


def listed() -> set[str]:
    return set(Listing.objects.values_list("product_id", flat=True))


@pytest.fixture
def gone(seller):
    """Listings of copies of one original, all gone since GONE; found by the watch, and sealed into a segment."""
    own(seller, 1)
    pictures = {f"{name}.jpg": copy_of(1, 50 + n) for n, name in enumerate(NAMES)}
    rows = [{"product_id": name, "image": f"{name}.jpg", "price": "1"} for name in NAMES]
    import_listings(seller, *rows, pictures=pictures)
    import_listings(seller, *({**row, "price": "2"} for row in rows), pictures=pictures)
    work()
    watched(seller)
    WatchMatch.objects.filter(listing_image__listing__product_id="PLAIN").delete()
    delist(*NAMES)
    seal_segments(seller=seller)


def match_of(name: str) -> WatchMatch:
    return WatchMatch.objects.get(listing_image__listing__product_id=name)


def test_a_listing_that_went_is_still_found_and_called_delisted(client_of, seller, alice):
    gone, listed_at = (timezone.now() - timedelta(days=days) for days in (500, 900))
    row = {"product_id": "GONE", "image": "1.jpg", "listed_at": listed_at.isoformat(), "delisted_at": gone.isoformat()}
    import_listings(seller, row, pictures={"1.jpg": photo(1)})
    work()
    Listing.objects.update(first_seen=listed_at, last_seen=gone)
    assert sweep_delisted() == 0
    run = ask(seller, copy_of(1), actor=alice)
    assert matches(run) == ["GONE"]
    page = client_of(alice).get(reverse("compliance:search_result", args=[run.number])).content.decode()
    assert "Delisted" in page
    assert f"{gone:%Y-%m-%d}" in page
    page = client_of(alice).get(reverse("compliance:catalogue", args=[Catalogue.objects.get().number])).content.decode()
    until = kept_until(Listing.objects.get(), 18)
    assert until
    assert f"{until:%Y-%m-%d}" in page.partition("kept until")[2]


def test_what_nobody_uses_goes_when_its_time_is_over_and_evidence_stays(client_of, seller, alice, gone):
    run = ask(seller, copy_of(1, 30), actor=alice)
    assert "PLAIN" in found(run) or "OPEN" in found(run)
    decide(
        actor=alice, seller=seller, matches=WatchMatch.objects.filter(pk=match_of("DECIDED").pk), state=MatchState.COPY
    )
    open_case(
        actor=alice,
        seller=seller,
        kind="complaint",
        target="ebay_vero",
        infringements=[facts_of_match(match_of("CASED"))],
    )
    capture_page(seller, actor=alice, listing=Listing.objects.get(product_id="CAPTURED"))
    before = files()
    assert ListingChange.objects.filter(listing__product_id="PLAIN").exists()

    assert sweep_listings(seller=seller, now=LAST_DAY - timedelta(seconds=1)) == 0
    assert sweep_listings(seller=seller, now=LAST_DAY) == 2
    assert listed() == {"DECIDED", "CASED", "CAPTURED"}
    assert set(WatchMatch.objects.values_list("state", flat=True)) == {MatchState.COPY, MatchState.OPEN}
    assert WatchMatch.objects.count() == 3
    assert not ListingChange.objects.exclude(listing__in=Listing.objects.all()).exists()
    assert Catalogue.objects.values_list("listing_count", "picture_count").get() == (3, 3)
    swept = ImageFile.objects.filter(state=ImageState.ERASED)
    assert swept.count() == 2
    assert not Fingerprint.objects.filter(image__in=swept).exists()
    assert files() < before
    for image in swept:
        with pytest.raises(BlobUnreadableError):
            read_blob(image.blob)

    # No search finds it, in this process or the next, and the index on disk holds no byte of it.
    again = ask(seller, copy_of(1, 30), actor=alice)
    assert not {"PLAIN", "OPEN"} & set(found(again))
    held = set(GalleryItem.objects.filter(deleted=False).values_list("pk", flat=True))
    for row in IndexSegment.objects.all():
        assert set(Segment.open(index_folder(seller.pk) / row.folder).image_ids.tolist()) <= held

    # What the earlier search wrote down stays to be read, and its receipt can still be made.
    page = client_of(alice).get(reverse("compliance:search_result", args=[run.number])).content.decode()
    for number in range(1, len(found(run)) + 1):
        shown = client_of(alice).get(reverse("compliance:search_result", args=[run.number]), {"pick": number})
        assert shown.status_code == 200
    assert "PLAIN" in page or "OPEN" in page
    assert receipt_of(actor=alice, run=run).blob.size_bytes

    # The run of the next day forgets the rows that nothing points at.
    pointed = set(Candidate.objects.filter(image__in=swept).values_list("image", flat=True))
    assert pointed
    pictures = ImageFile.objects.count()
    assert sweep_listings(seller=seller, now=LAST_DAY + timedelta(days=1)) == 0
    assert ImageFile.objects.count() == pictures - (2 - len(pointed))
    assert set(swept.values_list("pk", flat=True)) == pointed
    assert Blob.objects.filter(wrapped_key=b"").count() == len(pointed)
    assert not GalleryItem.objects.filter(deleted=True).exists()
    assert found(ask(seller, copy_of(1, 31), actor=alice)) == found(again)


def test_a_listing_that_came_back_or_is_still_named_by_a_feed_stays(seller):
    rows = [{"product_id": name, "image": "1.jpg"} for name in ("BACK", "NAMED", "AWAY")]
    import_listings(seller, *rows, pictures={"1.jpg": photo(1)})
    delist("BACK", "AWAY")
    Listing.objects.filter(product_id="NAMED").update(delisted_at=GONE, last_seen=LAST_DAY - timedelta(days=1))
    back = {"product_id": "BACK", "image": "1.jpg", "delisted_at": ""}
    import_listings(seller, back, pictures={"1.jpg": photo(1)})
    assert sweep_listings(seller=seller, now=LAST_DAY) == 1
    assert listed() == {"BACK", "NAMED"}


def test_a_decision_taken_back_holds_no_more(seller, alice, gone):
    match = match_of("OPEN")
    made = decide(actor=alice, seller=seller, matches=WatchMatch.objects.filter(pk=match.pk), state=MatchState.LATER)
    listing = match.listing_image.listing_id
    assert held_listings([listing]) == {listing}
    undo(actor=alice, seller=seller, batch=made.batch)
    assert held_listings([listing]) == set()


def test_another_sellers_listings_go_by_their_own_period(seller, other_seller):
    for owner in (seller, other_seller):
        import_listings(owner, {"product_id": "X", "image": "1.jpg"}, pictures={"1.jpg": photo(1)})
    delist("X")
    set_months_kept(other_seller, 0)
    assert sweep_delisted() == 1
    assert Job.objects.get(kind=retention.KIND).seller == seller
    work()
    assert list(Listing.objects.values_list("seller", flat=True)) == [other_seller.pk]
    assert not GalleryItem.objects.of(other_seller).filter(deleted=True).exists()


def test_the_period_is_the_sites_or_the_sellers_own(seller, settings):
    import_listings(seller, {"product_id": "X", "image": "1.jpg"}, pictures={"1.jpg": photo(1)})
    delist("X")
    settings.DELISTED_MONTHS = 19
    assert not due_listings(seller, LAST_DAY).exists()
    out = io.StringIO()
    call_command("delisted", seller.slug, "--months", "17", stdout=out)
    assert "kept 17 months\n1 delisted, 1 of them due, of these 0 in use as evidence" in out.getvalue()
    call_command("delisted", seller.slug, "--default", stdout=out)
    assert Gallery.objects.get().delisted_months is None
    with pytest.raises(CommandError, match="0 to 1200"):
        call_command("delisted", seller.slug, "--months", "1201")
    with pytest.raises(CommandError, match="no seller"):
        call_command("delisted", "nobody")
    call_command("delisted", seller.slug, "--months", "1", "--sweep", stdout=out)
    assert "1 listings swept" in out.getvalue()


def test_a_process_that_missed_a_deletion_begins_anew(seller, gone):
    """The rows that told it are gone: without noticing, its copy would hold the picture for ever."""
    hashes, spots = indexes.get(seller.pk), features.get(seller.pk)
    assert (len(hashes), len(spots)) == (6, 6)
    for _day in range(2):
        sweep_listings(seller=seller, now=LAST_DAY)
    assert GallerySource(seller.pk).forgotten_generation() > 0
    assert (len(indexes.get(seller.pk)), len(features.get(seller.pk))) == (1, 1)


DEATHS = [
    ("in a portion, before its commit", (retention, "discard_pictures"), 2),
    ("between two portions", (retention, "_take_out"), 2),
    ("before the index is rewritten", (retention, "purge_segments"), 1),
    ("before its row names the new segment", (feature_index, "_save"), 1),
    ("before the files go", (retention, "remove_discarded"), 1),
    ("while the rows are forgotten", (retention, "forget_pictures"), 1),
]


@pytest.mark.django_db(transaction=True)
def test_a_sweep_killed_anywhere_goes_on_where_it_was(seller, monkeypatch, gone, assert_log_valid):
    monkeypatch.setattr(retention, "PORTION", 1)
    kept = ImageFile.objects.get(original__isnull=False)
    left = len(NAMES)
    for name, place, call in DEATHS:
        connections.close_all()
        child = os.fork()
        if child == 0:
            die_in(place, call)
            sweep_listings(seller=seller, now=LAST_DAY)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, name
        left, before = Listing.objects.count(), left
        assert left <= before
        # Whole or gone, nothing in between, and the count says so.
        alive = ImageFile.objects.filter(listing_image__isnull=False)
        assert all(read_blob(image.blob) for image in [kept, *alive.select_related("blob")])
        assert Catalogue.objects.get().listing_count == left == alive.count()
    assert left == 3
    for _day in range(2):
        sweep_listings(seller=seller, now=LAST_DAY)
    assert list(ImageFile.objects.all()) == [kept]
    assert not GalleryItem.objects.filter(deleted=True).exists()
    assert {path.name.partition(".")[0] for path in Path(django_settings.DATA_DIR, "blobs").rglob("*.*")} == {
        kept.blob_id.hex
    }
    assert IndexSegment.objects.get().pictures == 1
    assert_log_valid()


def die_in(place: tuple[object, str], call: int) -> None:
    """This process kills itself where that function is called for the nth time."""
    module, name = place
    real, calls = getattr(module, name), []

    def count(*args, **values):
        calls.append(name)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **values)

    setattr(module, name, count)
