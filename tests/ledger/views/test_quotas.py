"""Who sees how much is stored, and who may change how much may be."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from ledger.accounts.models import Seller, User
from ledger.forms import QuotaForm
from ledger.services import usage
from ledger.services.room import quota_of, used_bytes
from tests.factories import register, register_one
from tests.images import jpeg_bytes, product_photo

MIB = 2**20


@pytest.fixture
def staff(mallory) -> User:
    """Runs the site, and belongs to another seller."""
    User.objects.filter(pk=mallory.pk).update(is_site_staff=True)
    mallory.refresh_from_db()
    return mallory


def test_an_owner_sees_what_is_used_and_what_happens_at_the_limit(client_of, alice, seller, other_seller, log):
    register_one(seller, analyse=True)
    register_one(other_seller, seed=9)
    Seller.objects.filter(pk=seller.pk).update(max_bytes=7 * MIB, max_files_per_day=1)
    page = client_of(alice).get(reverse("ledger:storage"))
    assert page.context["usage"].stored.used == used_bytes(seller)
    assert "7.0\xa0MB" in page.text
    assert "1 of 1" in page.text
    assert {"quota_bytes", "quota_files"} <= {word.strip("()") for word in page.text.split()}
    shares = page.context["shares"]
    assert sum(share.size_bytes for share in shares) == used_bytes(seller)
    assert shares[0].files == 1


def test_without_a_limit_it_says_so(client_of, alice, log):
    assert client_of(alice).get(reverse("ledger:storage")).text.count("without a limit") == 2


def test_staff_sets_a_quota_that_counts_from_the_next_file_on(client_of, staff, alice, seller, log):
    register_one(seller)
    client, prefix = client_of(staff), f"quota-{seller.pk}"
    address = reverse("ledger:quota_change", args=[seller.slug])
    assert client.post(address, {f"{prefix}-mib": "7", f"{prefix}-files": "1"}).status_code == 302
    assert quota_of(Seller.objects.get(pk=seller.pk)) == (7 * MIB, 1)
    (answer,) = register(Seller.objects.get(pk=seller.pk), jpeg_bytes(product_photo(5)), actor=alice)
    assert answer.code == "quota_files"
    page = client.get(reverse("ledger:quotas")).text
    assert 'value="7"' in page
    client.post(address, {f"{prefix}-mib": "", f"{prefix}-files": "0"})
    changed = Seller.objects.get(pk=seller.pk)
    assert (changed.max_bytes, changed.max_files_per_day) == (None, 0)


def test_a_quota_that_makes_no_sense_stays_in_its_form(client_of, staff, seller, log):
    prefix = f"quota-{seller.pk}"
    page = client_of(staff).post(reverse("ledger:quota_change", args=[seller.slug]), {f"{prefix}-mib": "-1"})
    assert page.status_code == 400
    assert 'value="-1"' in page.text
    assert Seller.objects.get(pk=seller.pk).max_bytes is None


def test_the_page_of_staff_costs_the_same_for_many_sellers(
    client_of, staff, seller, log, django_assert_max_num_queries
):
    client = client_of(staff)
    Seller.objects.bulk_create(Seller(slug=f"s{n}", name=f"S {n}") for n in range(30))
    with django_assert_max_num_queries(16):
        assert client.get(reverse("ledger:quotas")).status_code == 200


def test_a_part_of_a_mib_is_not_shown_as_no_limit(seller):
    seller.max_bytes = 1000
    assert QuotaForm.of(seller).initial["mib"] == 1


def test_an_owner_changes_nobodys_quota(alice, seller):
    with pytest.raises(PermissionDenied):
        usage.change_quota(actor=alice, seller=seller, max_bytes=0, max_files_per_day=0)
    with pytest.raises(PermissionDenied):
        usage.list_usage(actor=alice)


@pytest.mark.parametrize(
    ("used", "allowed", "percent", "state"),
    [
        (5, 0, 0, "passed"),
        (89, 100, 89, "passed"),
        (90, 100, 90, "needs-you"),
        (999, 1000, 99, "needs-you"),
        (1000, 1000, 100, "failed"),
        (2000, 1000, 100, "failed"),
    ],
)
def test_a_limit_warns_before_it_is_reached(used, allowed, percent, state):
    limit = usage.Limit(used, allowed, is_own=False)
    assert (limit.percent, limit.state) == (percent, state)
