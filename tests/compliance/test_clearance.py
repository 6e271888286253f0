"""Before a listing: who showed the picture before it was registered, and what its file tells strangers."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from compliance.models import MatchState, WatchMatch
from compliance.services.triage import decide
from ledger.accounts.models import Marketplace, Store
from ledger.models import Derivative, Original
from tests.compliance.listings import SIZE, ask, copy_of, import_listings, photo, work
from tests.compliance.matches import NORTH, own, watched
from tests.factories import analyse_all, register
from tests.images import exif_bytes, jpeg_bytes, product_photo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
FIRST = "Listed before you registered"


def words(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def test_a_listing_that_was_there_first_is_named_where_the_original_is(client_of, seller, alice, bob):
    """Mei looks at the original before she lists it; Qiang decides about the match."""
    (original,) = own(seller, 1)
    rows = [
        {"product_id": "EARLY", "image": "1.jpg", "listed_at": "2024-05-01", **NORTH},
        {"product_id": "LATER", "image": "2.jpg", "shop_id": "S-2"},
    ]
    import_listings(seller, *rows, pictures={"1.jpg": copy_of(1), "2.jpg": copy_of(1, 70)})
    work()
    early, _later = watched(seller)
    place = reverse("ledger:original", args=[original.number])
    seen_by_viewer, seen_by_owner = words(client_of(bob).get(place)), words(client_of(alice).get(place))
    for page in (seen_by_viewer, seen_by_owner):
        assert FIRST in page
        assert "EARLY" in page
        assert "2024-05-01" in page
        assert "LATER" not in page
    assert reverse("compliance:match", args=[early.number]) in seen_by_owner
    assert reverse("compliance:match", args=[early.number]) not in seen_by_viewer

    run = ask(seller, original=original, actor=alice)
    answer = reverse("compliance:search_result", args=[run.number])
    assert words(client_of(alice).get(answer)).count(FIRST) == 2  # in the strip, and beside the candidate
    ranks = {row.facts["ref"]: row.rank for row in run.candidates.all()}
    assert "Before you complain" in words(client_of(alice).get(answer, {"pick": ranks["EARLY"]}))
    assert "Before you complain" not in words(client_of(alice).get(answer, {"pick": ranks["LATER"]}))

    decide(actor=alice, seller=seller, matches=WatchMatch.objects.filter(pk=early.pk), state=MatchState.LICENSED)
    assert FIRST not in words(client_of(alice).get(place))
    Store.objects.create(seller=seller, name="Ours", marketplace=Marketplace.EBAY, shop_id=NORTH["shop_id"])
    assert FIRST not in words(client_of(alice).get(answer))


def test_a_picture_that_somebody_lists_and_nobody_registered_is_cleared_first(client_of, seller, alice):
    import_listings(seller, {"product_id": "EARLY", "image": "1.jpg"}, pictures={"1.jpg": photo(1)})
    work()
    run = ask(seller, copy_of(1), actor=alice)
    page = words(client_of(alice).get(reverse("compliance:search_result", args=[run.number])))
    assert "Listed, and not registered by you" in page
    assert FIRST not in page
    own(seller, 1)
    run = ask(seller, copy_of(1), actor=alice)
    page = words(client_of(alice).get(reverse("compliance:search_result", args=[run.number])))
    assert FIRST in page  # the registered original is among the answers, and the listing is older


def test_what_the_file_tells_strangers_is_said_before_it_is_listed(client_of, seller, bob, olga):
    exif = exif_bytes(gps=(31.2, 121.5), serial="C0FFEE77")
    register(seller, jpeg_bytes(product_photo(1, SIZE), exif=exif), photo(2))
    analyse_all()
    told, silent = (reverse("ledger:original", args=[one.number]) for one in Original.objects.order_by("pk"))
    page = words(client_of(olga).get(told))
    assert "Strangers could read from this file: where it was taken, the serial number of camera or lens." in page
    assert "it stays in the evidence" in page
    assert reverse("compliance:packs") + "?original=" in page.partition("Strangers could read")[2]
    for secret in ("C0FFEE77", "31.2", "121.5"):  # what it says is for those who may see it
        assert secret not in words(client_of(bob).get(told))
    assert "Strangers could read" not in words(client_of(olga).get(silent))
    assert not Derivative.objects.exists()
