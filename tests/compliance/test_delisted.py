"""Listings that are gone stay: their pictures are searched, and named as delisted, for as long as nobody erases them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from compliance.models import Listing
from ledger.services.periodic import CHORES
from tests.compliance.listings import ask, copy_of, import_listings, matches, photo, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]


def test_a_listing_that_went_two_years_ago_is_still_found_and_called_delisted(client_of, seller, alice):
    gone, listed = (timezone.now() - timedelta(days=days) for days in (730, 900))
    row = {"product_id": "GONE", "image": "1.jpg", "listed_at": listed.isoformat(), "delisted_at": gone.isoformat()}
    import_listings(seller, row, pictures={"1.jpg": photo(1)})
    work()
    Listing.objects.update(first_seen=listed, last_seen=gone)
    for chore in CHORES.values():
        chore.run()
    work()
    run = ask(seller, copy_of(1), actor=alice)
    assert matches(run) == ["GONE"]
    page = client_of(alice).get(reverse("compliance:search_result", args=[run.number])).content.decode()
    assert "Delisted" in page
    assert f"{gone:%Y-%m-%d}" in page
    assert Listing.objects.get().last_seen == gone
