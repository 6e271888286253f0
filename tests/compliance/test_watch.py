"""The standing watch: both ways, once each, resumable, and never across sellers."""

from __future__ import annotations

import pytest
from django.db import transaction

from compliance.models import GalleryItem, MatchState, RuleKind, WatchMatch, WatchSettings
from compliance.services import watch
from compliance.services.erasing import TABLES
from compliance.services.shops import set_rule, shop_key
from compliance.services.triage import decide, waiting_matches
from compliance.services.watch import reopen_relisted, sweep_watch, unwatched, watch_gallery
from ledger.accounts.models import Marketplace
from ledger.accounts.services import add_store
from tests.compliance.listings import copy_of, import_listings, photo, work
from tests.compliance.matches import NORTH, edited_match, mirrored_copy, own, watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
ROW = {"product_id": "P1", "image": "1.jpg", **NORTH}


def test_an_import_is_compared_with_the_originals(seller):
    (original, _other) = own(seller, 1, 2)
    import_listings(
        seller,
        ROW,
        ROW | {"product_id": "P2", "image": "9.jpg"},
        pictures={"1.jpg": mirrored_copy(1), "9.jpg": photo(9)},
    )
    work()
    (match,) = watched(seller)
    assert (match.original, match.listing_image.listing.product_id, match.state) == (original, "P1", MatchState.OPEN)
    assert match.score >= 85
    assert "mirrored" in match.transform.split("+")
    assert match.evidence["edits"]["names"]
    assert match.evidence["place"]


def test_a_new_original_is_compared_with_what_was_imported(seller):
    import_listings(seller, ROW, pictures={"1.jpg": mirrored_copy(1)})
    work()
    assert watched(seller) == []
    (original,) = own(seller, 1)
    (match,) = watched(seller)
    assert match.original == original


def test_both_ways_give_the_same_measurement(seller, other_seller):
    edited = edited_match(seller)
    import_listings(other_seller, ROW, pictures={"1.jpg": mirrored_copy(1)})
    work()
    watched(other_seller)
    own(other_seller, 1)
    (late,) = watched(other_seller)
    assert (late.score_milli, late.verdict, late.transform) == (edited.score_milli, edited.verdict, edited.transform)
    assert late.evidence == edited.evidence


def test_every_copy_of_a_new_original_is_found_however_many(seller):
    """One search compares eight pictures closely; the watch asks until none is new."""
    rows = [ROW | {"product_id": f"P{n}", "image": f"{n}.jpg"} for n in range(11)]
    import_listings(seller, *rows, pictures={f"{n}.jpg": copy_of(1, quality=50 + 3 * n) for n in range(11)})
    work()
    watched(seller)
    own(seller, 1)
    assert len(watched(seller)) == 11


def test_nothing_is_found_twice(seller):
    first = edited_match(seller)
    GalleryItem.objects.of(seller).update(watched=0)
    (again,) = watched(seller)
    assert (again.pk, again.raised) == (first.pk, first.raised)
    assert WatchSettings.objects.get(seller=seller).raised == 1


def test_a_decision_stays_when_a_newer_engine_measures_again(seller, alice, monkeypatch):
    first = edited_match(seller)
    decide(actor=alice, seller=seller, matches=WatchMatch.objects.filter(pk=first.pk), state=MatchState.OURS)
    monkeypatch.setattr(watch, "ENGINE_NAME", "copies 2")
    GalleryItem.objects.of(seller).update(watched=0)
    (again,) = watched(seller)
    assert (again.engine, again.state) == ("copies 2", MatchState.OURS)


def test_a_watch_that_dies_half_way_goes_on_where_it_was(seller, monkeypatch):
    own(seller, 1, 2, 3)
    rows = [ROW | {"product_id": f"P{n}", "image": f"{n}.jpg"} for n in (1, 2, 3)]
    import_listings(seller, *rows, pictures={f"{n}.jpg": mirrored_copy(n) for n in (1, 2, 3)})
    work()
    monkeypatch.setattr(watch, "PORTION", 1)
    for allowed in range(1, 3):
        with monkeypatch.context() as patch:
            _die_after(patch, allowed)
            with pytest.raises(RuntimeError, match="killed"):
                watch_gallery(seller=seller)
    monkeypatch.undo()
    watch_gallery(seller=seller)
    assert WatchMatch.objects.of(seller).count() == 3
    assert WatchSettings.objects.get(seller=seller).raised == 3
    assert not unwatched(seller).exists()


def _die_after(patch: pytest.MonkeyPatch, times: int) -> None:
    """The process ends inside the transaction that writes the matches of a later picture."""
    left = [times]
    write = watch._write

    def dying(*args, **kwargs):
        made = write(*args, **kwargs)
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("killed")
        return made

    patch.setattr(watch, "_write", dying)


def test_the_sweep_enqueues_one_job_for_what_waits_and_none_otherwise(seller):
    assert sweep_watch() == 0
    own(seller, 1)
    assert (sweep_watch(), sweep_watch()) == (1, 1)
    work()
    assert sweep_watch() == 0


def test_an_unreadable_picture_stops_no_other(seller, settings):
    own(seller, 1)
    rows = [ROW, ROW | {"product_id": "P2", "image": "2.jpg"}]
    import_listings(seller, *rows, pictures={"1.jpg": mirrored_copy(1), "2.jpg": photo(2)})
    work()
    lost = GalleryItem.objects.get(listing_image__listing__product_id="P2")
    lost.image.blob.__class__.objects.filter(pk=lost.image.blob_id).update(wrapped_key=b"gone")
    assert len(watched(seller)) == 1
    lost.refresh_from_db()
    assert lost.watched == watch.UNREADABLE


def test_another_sellers_originals_are_never_compared(seller, other_seller):
    own(seller, 1)
    import_listings(other_seller, ROW, pictures={"1.jpg": photo(1)})
    work()
    assert watched(other_seller) == watched(seller) == []


# Shops -----------------------------------------------------------------------------------------------------------


def test_a_shop_is_its_id_or_else_its_name():
    assert shop_key("N-1", "North") == "id:n-1"
    assert shop_key("", " North  Shop ") == shop_key("", "north shop") == "name:north shop"
    assert shop_key("", "") == ""


def test_an_allowed_shop_raises_no_alert(seller, alice):
    edited_match(seller)
    set_rule(actor=alice, seller=seller, key="id:n-1", kind=RuleKind.ALLOW)
    assert not waiting_matches(seller).exists()
    import_listings(seller, ROW | {"product_id": "P5"}, pictures={"1.jpg": copy_of(1)}, name="second")
    work()
    newest = watched(seller)[-1]
    assert (newest.rule, newest.raised) == (RuleKind.ALLOW, 0)


def test_a_denied_shop_is_marked(seller, alice):
    edited_match(seller)
    set_rule(actor=alice, seller=seller, key="id:n-1", kind=RuleKind.DENY)
    import_listings(seller, ROW | {"product_id": "P5"}, pictures={"1.jpg": copy_of(1)}, name="second")
    work()
    assert {match.rule for match in watched(seller)} == {RuleKind.DENY}


def test_ones_own_store_is_allowed_by_its_shop_id(seller, alice):
    add_store(actor=alice, seller=seller, marketplace=Marketplace.ALIEXPRESS, name="Ours", shop_id="N-1")
    assert edited_match(seller).rule == RuleKind.ALLOW


def test_the_same_shop_with_the_same_picture_again_is_a_relisting(seller, alice):
    first = edited_match(seller)
    decide(actor=alice, seller=seller, matches=WatchMatch.objects.filter(pk=first.pk), state=MatchState.COPY)
    import_listings(seller, ROW | {"product_id": "P7"}, pictures={"1.jpg": copy_of(1)}, name="second")
    work()
    second = watched(seller)[-1]
    assert second.relist_of == first
    assert second.relisted_at is not None


def test_a_listing_that_is_back_waits_for_somebody_again_and_is_alerted(seller, alice):
    first = edited_match(seller)
    decide(actor=alice, seller=seller, matches=WatchMatch.objects.filter(pk=first.pk), state=MatchState.COPY)
    assert reopen_relisted(seller=seller, listing_ids=[first.listing_image.listing_id]) == 1
    first.refresh_from_db()
    assert (first.state, first.raised) == (MatchState.OPEN, 2)
    assert first.relisted_at is not None
    assert [row.actor for row in first.decisions.all()] == [alice, None]


def test_an_erasure_takes_the_matches_with_it():
    assert WatchMatch in TABLES


def test_matches_and_their_numbers_come_or_go_together(seller):
    edited_match(seller)
    WatchMatch.objects.all().delete()
    GalleryItem.objects.of(seller).update(watched=0)
    with transaction.atomic():
        watch_gallery(seller=seller)
        assert WatchSettings.objects.get(seller=seller).raised == 2
        transaction.set_rollback(True)
    assert not WatchMatch.objects.exists()
    assert WatchSettings.objects.get(seller=seller).raised == 1
