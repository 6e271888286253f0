"""Owners run their team: roles, invitations, reset links; nobody else does, and never beyond their own seller."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from ledger.accounts import services
from ledger.accounts.models import Invitation, Membership, Role, User
from tests.factories import PASSWORD, make_member

TEAM = "accounts:team"


def membership_of(user: User) -> Membership:
    membership: Membership = Membership.objects.select_related("user", "seller").get(user=user)
    return membership


def link_on(page: str) -> str:
    found = re.search(r'<code class="om-link-once">http://testserver([^<]+)</code>', page)
    assert found
    return found.group(1)


def test_team_shows_members_and_open_invitations(client_of, alice, bob, seller):
    services.invite(actor=alice, seller=seller, email="new@example.org", role=Role.VIEWER)
    page = client_of(alice).get(reverse(TEAM)).text
    assert "bob@example.org" in page
    assert "new@example.org" in page


def test_team_shows_nobody_of_another_seller(client_of, alice, mallory):
    assert "mallory" not in client_of(alice).get(reverse(TEAM)).text


@pytest.mark.parametrize("person", ["bob", "olga", "ivan"])
def test_only_owners_see_the_team(client_of, person, request):
    assert client_of(request.getfixturevalue(person)).get(reverse(TEAM)).status_code == 403


def test_invitation_link_is_shown_exactly_once(client_of, alice):
    client = client_of(alice)
    answer = client.post(reverse(TEAM), {"email": "new@example.org", "role": "operator"})
    assert answer.url == reverse(TEAM)
    page = client.get(reverse(TEAM))
    link = link_on(page.text)
    assert link in page.text
    assert "no-store" in page["Cache-Control"]
    assert link not in client.get(reverse(TEAM)).text
    assert client_of().get(link).status_code == 200


def test_public_site_makes_links_on_its_own_address(client_of, alice, settings):
    settings.PUBLIC_URL = "https://proof.example"
    client = client_of(alice)
    client.post(reverse(TEAM), {"email": "new@example.org", "role": "operator"})
    assert "https://proof.example/join/" in client.get(reverse(TEAM)).text


@pytest.mark.parametrize(
    "bad", [{"email": "nonsense", "role": "viewer"}, {"email": "a@example.org", "role": "king"}, {}]
)
def test_bad_invitation_makes_no_link(client_of, alice, bad):
    assert client_of(alice).post(reverse(TEAM), bad).status_code == 200
    assert not Invitation.objects.exists()


def test_member_is_not_invited_again(client_of, alice, bob):
    page = client_of(alice).post(reverse(TEAM), {"email": "BOB@example.org", "role": "owner"})
    assert "already belongs" in page.text


def test_withdrawn_link_no_longer_works(client_of, alice, seller):
    new = services.invite(actor=alice, seller=seller, email="new@example.org", role=Role.VIEWER)
    url = reverse("accounts:withdraw_invitation", args=[new.invitation.number])
    assert client_of(alice).post(url).status_code == 302
    assert client_of().get(reverse("accounts:join", args=[new.token])).status_code == 404


def test_a_new_link_replaces_one_that_is_too_old(client_of, alice, seller):
    old = services.invite(actor=alice, seller=seller, email="new@example.org", role=Role.OPERATOR)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    client = client_of(alice)
    assert "Too old" in client.get(reverse("accounts:team")).text
    client.post(reverse("accounts:renew_invitation", args=[old.invitation.number]))
    page = client.get(reverse("accounts:team")).text
    link = link_on(page)
    assert client_of().get(link).status_code == 200
    assert client_of().get(reverse("accounts:join", args=[old.token])).status_code == 404
    assert Invitation.objects.open().get().role == Role.OPERATOR


def test_a_used_or_withdrawn_link_is_not_made_anew(client_of, alice, seller):
    new = services.invite(actor=alice, seller=seller, email="new@example.org", role=Role.VIEWER)
    Invitation.objects.update(withdrawn_at=timezone.now())
    client_of(alice).post(reverse("accounts:renew_invitation", args=[new.invitation.number]))
    assert Invitation.objects.count() == 1


def test_role_changes_at_once(client_of, alice, bob):
    client = client_of(bob)
    assert client.get(reverse(TEAM)).status_code == 403
    url = reverse("accounts:change_role", args=[membership_of(bob).pk])
    client_of(alice).post(url, {"role": "owner"})
    assert client.get(reverse(TEAM)).status_code == 200


def test_unknown_role_is_refused(client_of, alice, bob):
    client_of(alice).post(reverse("accounts:change_role", args=[membership_of(bob).pk]), {"role": "king"})
    assert membership_of(bob).role == Role.VIEWER


@pytest.mark.parametrize(("name", "data"), [("change_role", {"role": "viewer"}), ("remove_member", {})])
def test_last_owner_stays(client_of, alice, bob, name, data):
    client = client_of(alice)
    client.post(reverse(f"accounts:{name}", args=[membership_of(alice).pk]), data)
    assert membership_of(alice).role == Role.OWNER
    assert "at least one owner" in client.get(reverse(TEAM)).text


def test_owner_steps_down_when_there_is_another(client_of, alice, seller):
    make_member("second@example.org", seller, Role.OWNER)
    answer = client_of(alice).post(reverse("accounts:change_role", args=[membership_of(alice).pk]), {"role": "viewer"})
    assert answer.url == reverse("accounts:profile")
    assert membership_of(alice).role == Role.VIEWER


def test_removed_member_keeps_the_account(client_of, alice, bob):
    client_of(alice).post(reverse("accounts:remove_member", args=[membership_of(bob).pk]))
    assert not Membership.objects.filter(user=bob).exists()
    assert User.objects.filter(pk=bob.pk).exists()


@pytest.mark.parametrize("leave", ["change_role", "remove_member"])
def test_former_owner_cannot_come_back_by_an_own_link(client_of, alice, seller, leave):
    second = make_member("second@example.org", seller, Role.OWNER)
    new = services.invite(actor=second, seller=seller, email="sock@example.org", role=Role.OWNER)
    url = reverse(f"accounts:{leave}", args=[membership_of(second).pk])
    client_of(alice).post(url, {"role": "viewer"})
    assert client_of().get(reverse("accounts:join", args=[new.token])).status_code == 404


def test_huge_member_number_is_404(client_of, alice):
    assert client_of(alice).post(f"/team/members/{10**30}/remove/").status_code == 404


@pytest.mark.parametrize("number", ["x", "0" * 16, "a%00b"])
def test_unknown_invitation_is_404(client_of, alice, number):
    assert client_of(alice).post(f"/team/invitations/{number}/withdraw/").status_code == 404


# Reset links -----------------------------------------------------------------------------------------------------


def make_link(client, person: User) -> str:
    client.post(reverse("accounts:make_reset_link", args=[membership_of(person).pk]))
    return link_on(client.get(reverse(TEAM)).text)


def test_reset_link_lets_the_member_choose_a_password_once(client_of, alice, bob):
    link = make_link(client_of(alice), bob)
    browser = client_of()
    form = browser.get(link, follow=True)
    target = form.redirect_chain[-1][0]
    assert link not in target
    fresh = "brand new horse battery"
    assert browser.post(target, {"password1": fresh, "password2": fresh}).status_code == 302
    bob.refresh_from_db()
    assert bob.check_password(fresh)
    assert "This link does not work" in client_of().get(link, follow=True).text


def test_reset_ends_the_members_sessions(client_of, alice, bob):
    old = client_of(bob)
    link = make_link(client_of(alice), bob)
    browser = client_of()
    target = browser.get(link, follow=True).redirect_chain[-1][0]
    fresh = "brand new horse battery"
    browser.post(target, {"password1": fresh, "password2": fresh})
    assert old.get(reverse("accounts:profile")).status_code == 302


def test_reset_leaves_the_second_factor_in_place(client_of, alice, bob):
    Authenticator.objects.create(user=bob, type=Authenticator.Type.TOTP, data={"secret": "x"})
    link = make_link(client_of(alice), bob)
    browser = client_of()
    target = browser.get(link, follow=True).redirect_chain[-1][0]
    fresh = "brand new horse battery"
    browser.post(target, {"password1": fresh, "password2": fresh})
    answer = browser.post(reverse("account_login"), {"login": bob.email, "password": fresh})
    assert answer.url == reverse("mfa_authenticate")


def test_reset_link_is_refused_for_members_of_another_seller(alice, bob, other_seller):
    Membership.objects.create(user=bob, seller=other_seller, role=Role.VIEWER)
    membership = Membership.objects.of(membership_of(alice).seller).get(user=bob)
    with pytest.raises(ValidationError) as refusal:
        services.make_reset_link(actor=alice, membership=membership)
    assert refusal.value.code == "reset_refused"


def test_sample_data_is_no_other_seller(alice, bob):
    sample = services.create_seller(name="Sample", is_sample=True)
    Membership.objects.create(user=bob, seller=sample, role=Role.OWNER)
    membership = Membership.objects.of(membership_of(alice).seller).get(user=bob)
    assert services.make_reset_link(actor=alice, membership=membership).key


def test_reset_link_is_refused_for_site_staff(alice, bob):
    User.objects.filter(pk=bob.pk).update(is_site_staff=True)
    with pytest.raises(ValidationError) as refusal:
        services.make_reset_link(actor=alice, membership=membership_of(bob))
    assert refusal.value.code == "reset_refused"


def test_reset_link_is_not_for_oneself(alice):
    with pytest.raises(ValidationError) as refusal:
        services.make_reset_link(actor=alice, membership=membership_of(alice))
    assert refusal.value.code == "reset_self"


@pytest.mark.parametrize("person", ["bob", "olga", "ivan", "mallory"])
def test_only_the_sellers_owner_makes_reset_links(person, request, alice):
    with pytest.raises(PermissionDenied):
        services.make_reset_link(actor=request.getfixturevalue(person), membership=membership_of(alice))


def test_reset_link_dies_when_the_member_signs_in_meanwhile(client_of, alice, bob):
    link = make_link(client_of(alice), bob)
    client_of().post(reverse("account_login"), {"login": bob.email, "password": PASSWORD})
    assert "This link does not work" in client_of().get(link, follow=True).text


def test_team_costs_the_same_for_any_size(client_of, alice, bob, seller, django_assert_num_queries):
    client = client_of(alice)
    for number in range(10):
        make_member(f"member{number}@example.org", seller, Role.VIEWER)
        services.invite(actor=alice, seller=seller, email=f"guest{number}@example.org", role=Role.VIEWER)
    # session, user, memberships, members, invitations, dead jobs
    with django_assert_num_queries(6):
        client.get(reverse(TEAM))
