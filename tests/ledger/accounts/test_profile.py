"""One's own page, and turning from one seller to another."""

from __future__ import annotations

import pytest
from django.urls import reverse

from ledger.accounts.models import Membership, Role, User
from ledger.accounts.services import create_seller
from tests.factories import PASSWORD, make_member


@pytest.fixture
def both(alice, other_seller):
    """alice, who also views the rival's pictures."""
    Membership.objects.create(user=alice, seller=other_seller, role=Role.VIEWER)
    return alice


def test_switch_turns_to_another_own_seller(client_of, both, other_seller):
    client = client_of(both)
    answer = client.post(reverse("accounts:switch"), {"seller": other_seller.slug})
    assert answer.url == "/"
    assert client.session["seller_id"] == other_seller.pk
    assert client.get(reverse("accounts:team")).status_code == 403


def test_switch_to_somebody_elses_seller_is_404(client_of, alice, other_seller):
    client = client_of(alice)
    assert client.post(reverse("accounts:switch"), {"seller": other_seller.slug}).status_code == 404
    assert "seller_id" not in client.session


@pytest.mark.parametrize("slug", ["", "unknown", "a\x00b"])
def test_switch_to_an_unknown_seller_is_404(client_of, alice, slug):
    assert client_of(alice).post(reverse("accounts:switch"), {"seller": slug}).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/originals/?q=mug", "/originals/?q=mug"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil", "/"),
        ("", "/"),
    ],
)
def test_switch_returns_only_to_local_pages(client_of, alice, seller, wanted, reached):
    answer = client_of(alice).post(reverse("accounts:switch"), {"seller": seller.slug, "next": wanted})
    assert answer.url == reached


def test_sign_in_starts_with_the_seller_joined_first_and_never_with_sample_data(client_of, db):
    first = create_seller(name="Zebra")
    sample = create_seller(name="Able", is_sample=True)
    user = make_member("lin@example.org", sample, Role.OWNER)
    Membership.objects.create(user=user, seller=first, role=Role.VIEWER)
    Membership.objects.create(user=user, seller=create_seller(name="Baker"), role=Role.OWNER)
    assert client_of(user).get(reverse("accounts:profile")).context["current_seller"] == first


def test_a_removed_member_sees_the_seller_no_more(client_of, both, other_seller):
    client = client_of(both)
    client.post(reverse("accounts:switch"), {"seller": other_seller.slug})
    Membership.objects.filter(user=both, seller=other_seller).delete()
    assert "Rival Trading" not in client.get(reverse("accounts:profile")).text


def test_profile_lists_sellers_and_roles(client_of, both):
    page = client_of(both).get(reverse("accounts:profile")).text
    assert "Acme Trading" in page
    assert "Rival Trading" in page
    assert "viewer" in page


def test_profile_links_to_password_and_second_factor(client_of, bob):
    page = client_of(bob).get(reverse("accounts:profile")).text
    assert reverse("account_change_password") in page
    assert reverse("mfa_index") in page


def test_profile_offers_a_new_address_only_where_mail_can_confirm_it(client_of, bob, settings):
    assert reverse("account_email") not in client_of(bob).get(reverse("accounts:profile")).text
    settings.EMAIL_URL = "smtp://mail.example:25"
    assert reverse("account_email") in client_of(bob).get(reverse("accounts:profile")).text


def test_name_is_saved(client_of, bob):
    assert client_of(bob).post(reverse("accounts:profile"), {"name": "Bob 王"}).status_code == 302
    bob.refresh_from_db()
    assert bob.name == "Bob 王"


def test_too_long_name_is_refused(client_of, bob):
    assert client_of(bob).post(reverse("accounts:profile"), {"name": "x" * 151}).status_code == 200
    bob.refresh_from_db()
    assert bob.name == ""


def test_person_without_a_seller_is_told_what_to_do(client_of, db):
    loner = User.objects.create_user("loner@example.org", PASSWORD)
    client = client_of(loner)
    assert client.get(reverse("accounts:team")).url == reverse("accounts:profile")
    page = client.get(reverse("accounts:profile"))
    assert page.status_code == 200
    assert "Ask an owner to invite this address" in page.text


def test_profile_costs_few_queries(client_of, both, django_assert_num_queries):
    client = client_of(both)
    # session, user, memberships, second factor, dead jobs
    with django_assert_num_queries(5):
        client.get(reverse("accounts:profile"))
