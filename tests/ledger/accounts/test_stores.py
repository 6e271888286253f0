"""The seller's shops and its name."""

from __future__ import annotations

import pytest
from django.urls import reverse

from ledger.accounts.models import Store
from ledger.accounts.services import add_store

STORES = "accounts:stores"
SHOP = {"marketplace": "aliexpress", "name": "Acme Home", "shop_id": "1102"}


def test_store_is_added_and_listed(client_of, alice, seller):
    client = client_of(alice)
    assert client.post(reverse(STORES), SHOP).url == reverse(STORES)
    assert Store.objects.get().seller == seller
    assert "Acme Home" in client.get(reverse(STORES)).text


def test_empty_page_says_what_to_do(client_of, alice):
    assert "No store yet" in client_of(alice).get(reverse(STORES)).text


def test_same_store_is_added_once(client_of, alice):
    client_of(alice).post(reverse(STORES), SHOP)
    assert "already listed" in client_of(alice).post(reverse(STORES), SHOP).text
    assert Store.objects.count() == 1


@pytest.mark.parametrize(
    "bad", [{**SHOP, "marketplace": "nowhere"}, {**SHOP, "name": ""}, {**SHOP, "shop_id": "x" * 81}]
)
def test_bad_store_is_refused(client_of, alice, bad):
    assert client_of(alice).post(reverse(STORES), bad).status_code == 200
    assert not Store.objects.exists()


def test_another_sellers_stores_stay_unseen(client_of, alice, other_seller, mallory):
    add_store(actor=mallory, seller=other_seller, **SHOP)
    assert "Acme Home" not in client_of(alice).get(reverse(STORES)).text


@pytest.mark.parametrize("person", ["bob", "olga", "ivan"])
def test_only_owners_manage_stores(client_of, person, request):
    client = client_of(request.getfixturevalue(person))
    assert client.get(reverse(STORES)).status_code == 403
    assert client.post(reverse(STORES), SHOP).status_code == 403
    assert client.post(reverse("accounts:rename_seller"), {"seller-name": "Mine"}).status_code == 403


def test_owner_renames_the_seller(client_of, alice, seller):
    client_of(alice).post(reverse("accounts:rename_seller"), {"seller-name": "Acme 家居"})
    seller.refresh_from_db()
    assert seller.name == "Acme 家居"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_unusable_name_is_refused(client_of, alice, seller, name):
    client_of(alice).post(reverse("accounts:rename_seller"), {"seller-name": name})
    seller.refresh_from_db()
    assert seller.name == "Acme Trading"


def test_stores_cost_few_queries(client_of, alice, seller, django_assert_num_queries):
    for number in range(5):
        add_store(actor=alice, seller=seller, marketplace="ebay", name=f"Shop {number}", shop_id=str(number))
    client = client_of(alice)
    # session, user, memberships, stores, dead jobs
    with django_assert_num_queries(5):
        client.get(reverse(STORES))
