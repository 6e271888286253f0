"""Joining by a one-time link: the first owner, a new member, somebody who already has an account, a stranger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.accounts.models import Invitation, Membership, Role, Seller, User
from ledger.accounts.services import first_owner_invitation, invite
from tests.factories import PASSWORD, make_member


@pytest.fixture
def invited(alice, seller):
    """A link that makes new@example.org an operator of acme."""
    return invite(actor=alice, seller=seller, email="New@Example.org", role=Role.OPERATOR)


def url_of(new) -> str:
    return reverse("accounts:join", args=[new.token])


def words_of(page, *secrets: str) -> list[str]:
    """The page without its forgery tokens and without what is allowed to differ."""
    text = page.text
    for secret in secrets:
        text = text.replace(secret, "")
    return [line for line in text.splitlines() if "csrf" not in line.lower()]


def test_page_says_who_invites_to_what(client_of, invited):
    page = client_of().get(url_of(invited))
    assert page.status_code == 200
    assert "Join Acme Trading" in page.text
    assert "alice@example.org invites you as operator" in page.text
    assert "new@example.org" in page.text


def test_new_person_joins_and_is_signed_in(client_of, invited, seller):
    client = client_of()
    answer = client.post(url_of(invited), {"password": PASSWORD})
    assert answer.status_code == 302
    assert answer.url == "/"
    user = User.objects.get(email="new@example.org")
    assert client.session["_auth_user_id"] == str(user.pk)
    assert Membership.objects.get(user=user).role == Role.OPERATOR
    assert EmailAddress.objects.get(user=user).verified
    assert not user.is_site_staff


def test_session_id_changes_when_somebody_joins(client_of, invited):
    client = client_of()
    client.get(reverse("account_login"))
    session = client.session
    session["mark"] = 1
    session.save()
    before = session.session_key
    client.post(url_of(invited), {"password": PASSWORD})
    assert client.session.session_key != before


def test_posted_address_does_not_replace_the_invited_one(client_of, invited):
    client_of().post(url_of(invited), {"email": "other@example.org", "password": PASSWORD})
    assert not User.objects.filter(email="other@example.org").exists()
    assert User.objects.filter(email="new@example.org").exists()


@pytest.mark.parametrize("password", ["short", "qwerty123456", "new@example.org", ""])
def test_weak_password_is_refused(client_of, invited, password):
    page = client_of().post(url_of(invited), {"password": password})
    assert page.status_code == 200
    assert not User.objects.filter(email="new@example.org").exists()


def test_link_works_once(client_of, invited):
    client_of().post(url_of(invited), {"password": PASSWORD})
    assert client_of().get(url_of(invited)).status_code == 404
    assert client_of().post(url_of(invited), {"password": PASSWORD}).status_code == 404


def test_first_owner_names_the_seller_and_becomes_site_staff(client_of, db):
    client = client_of()
    new = first_owner_invitation()
    page = client.get(url_of(new))
    assert "Set up this site" in page.text
    fields = {"email": "Lin@Example.org", "password": PASSWORD, "seller_name": "林记商行"}
    assert client.post(url_of(new), fields).status_code == 302
    user = User.objects.get()
    assert user.email == "lin@example.org"
    assert user.is_site_staff
    assert Seller.objects.get().name == "林记商行"
    assert Membership.objects.get(user=user).role == Role.OWNER


def test_first_owner_must_give_all_three_values(client_of, db):
    page = client_of().post(url_of(first_owner_invitation()), {})
    assert page.text.count("This field is required.") == 3


def test_first_run_link_dies_when_somebody_has_an_account(client_of, db, seller):
    new = first_owner_invitation()
    make_member("early@example.org", seller, Role.VIEWER)
    assert client_of().get(url_of(new)).status_code == 404


def test_used_expired_withdrawn_and_unknown_links_look_alike(client_of, alice, seller):
    def closed(**change) -> str:
        new = invite(actor=alice, seller=seller, email=f"{next(iter(change), 'x')}@example.org", role=Role.VIEWER)
        Invitation.objects.filter(pk=new.invitation.pk).update(**change)
        return url_of(new)

    past = timezone.now() - timedelta(seconds=1)
    links = [closed(accepted_at=past), closed(expires_at=past), closed(withdrawn_at=past)]
    links.append(reverse("accounts:join", args=["never-issued"]))
    pages = [client_of().get(link) for link in links]
    assert {page.status_code for page in pages} == {404}
    first, *others = (words_of(page, link) for page, link in zip(pages, links, strict=True))
    assert all(other == first for other in others)
    assert "Ask the person who sent it for a new one" in pages[0].text


def test_signed_in_person_joins_with_one_button(client_of, alice, other_seller, mallory):
    new = invite(actor=mallory, seller=other_seller, email=alice.email, role=Role.IP_MANAGER)
    client = client_of(alice)
    assert "Join Rival Trading" in client.get(url_of(new)).text
    answer = client.post(url_of(new))
    assert answer.url == "/"
    assert Membership.objects.get(user=alice, seller=other_seller).role == Role.IP_MANAGER
    assert client.session["seller_id"] == other_seller.pk


def test_somebody_else_cannot_use_the_link(client_of, invited, mallory, seller):
    client = client_of(mallory)
    page = client.get(url_of(invited))
    assert "this invitation is for another address" in page.text
    page = client.post(url_of(invited))
    assert page.status_code == 200
    assert not Membership.objects.filter(user=mallory, seller=seller).exists()


def test_taken_address_is_told_to_sign_in_first(client_of, alice, seller, mallory):
    new = invite(actor=alice, seller=seller, email=mallory.email, role=Role.VIEWER)
    page = client_of().post(url_of(new), {"password": PASSWORD})
    assert "Sign in first" in page.text
    assert not Membership.objects.filter(user=mallory, seller=seller).exists()


def test_page_does_not_say_whether_the_invited_address_has_an_account(client_of, alice, seller, mallory):
    known = invite(actor=alice, seller=seller, email=mallory.email, role=Role.VIEWER)
    unknown = invite(actor=alice, seller=seller, email="nobody@example.org", role=Role.VIEWER)
    moment = timezone.now() + timedelta(days=1)
    Invitation.objects.update(expires_at=moment)
    pages = [words_of(client_of().get(url_of(new)), new.token, new.invitation.email) for new in (known, unknown)]
    assert pages[0] == pages[1]


def test_token_stays_out_of_referers_and_caches(client_of, invited):
    for page in (client_of().get(url_of(invited)), client_of().get(reverse("accounts:join", args=["unknown"]))):
        assert page["Referrer-Policy"] == "strict-origin"
        assert "no-store" in page["Cache-Control"]


def test_form_is_protected_against_forgery(invited):
    assert Client(enforce_csrf_checks=True).post(url_of(invited), {"password": PASSWORD}).status_code == 403


def test_token_itself_is_not_stored(invited):
    assert invited.token.encode() not in bytes(Invitation.objects.get().token_sha256)


def test_second_invitation_replaces_the_first(client_of, alice, seller, invited):
    again = invite(actor=alice, seller=seller, email="new@example.org", role=Role.VIEWER)
    assert client_of().get(url_of(invited)).status_code == 404
    assert client_of().get(url_of(again)).status_code == 200


def test_odd_methods_are_refused(client_of, invited):
    assert client_of().put(url_of(invited)).status_code == 405


def test_join_page_costs_few_queries(client_of, invited, django_assert_num_queries):
    with django_assert_num_queries(1):
        client_of().get(url_of(invited))
