"""A seller's own rates: how searches failed, and how checks ended, each with its number."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from compliance.models import CheckRun, RunState, SearchRun
from compliance.services.rates import category_rates, search_failures
from tests.compliance.check_pairs import checked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]


def words(page) -> str:
    return " ".join(page.content.decode().split())


def test_failed_searches_are_counted_by_cause_for_90_days(client_of, seller, other_seller, bob):
    now = timezone.now()
    outcomes = [("done", "", 5), ("failed", "fetch.timed_out", 2), ("failed", "corrupt_image", 1), ("waiting", "", 1)]
    outcomes.append(("failed", "erased", 1))  # the picture went later; the search had worked
    for state, code, times in outcomes:
        SearchRun.objects.bulk_create(
            SearchRun(seller=seller, source="upload", state=state, error_code=code) for _ in range(times)
        )
    SearchRun.objects.create(seller=other_seller, source="upload", state=RunState.FAILED, error_code="corrupt_image")
    old = SearchRun.objects.create(seller=seller, source="upload", state=RunState.FAILED, error_code="corrupt_image")
    SearchRun.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=91))
    found = search_failures(seller, now)
    assert (found.failed.k, found.failed.n) == (3, 8)
    assert found.causes == (("fetch.timed_out", 2), ("corrupt_image", 1))
    page = words(client_of(bob).get(reverse("compliance:search_method")))
    assert "3 of 8 searches of the last 90 days failed." in page
    assert "fetch.timed_out" in page


def test_checks_are_counted_by_category(client_of, seller, bob):
    run = checked(seller)
    CheckRun.objects.filter(pk=run.pk).update(category="shoes", verdict="FAILED")
    rows = [("shoes", "PASSED"), ("shoes", "INDETERMINATE"), ("", "PASSED")]
    CheckRun.objects.bulk_create(
        CheckRun(
            seller=seller,
            main_image=run.main_image,
            hidden_image=run.hidden_image,
            profile_id=run.profile_id,
            profile_version=run.profile_version,
            category=category,
            verdict=verdict,
            state=RunState.DONE,
        )
        for category, verdict in rows
    )
    found = [
        (one.category, one.failed.k, one.failed.n, one.undecided) for one in category_rates(seller, timezone.now())
    ]
    assert found == [("shoes", 1, 3, 1), ("", 0, 1, 0)]
    page = words(client_of(bob).get(reverse("compliance:standing")))
    assert "Your checks by category" in page
    assert "none given" in page
