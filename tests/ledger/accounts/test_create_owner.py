"""manage.py create_owner: for scripts, and for the person at the server when a password is forgotten."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from ledger.accounts.models import Membership, Role, Seller, User
from ledger.models import LogHead
from tests.factories import PASSWORD

FRESH = "brand new horse battery"


@pytest.fixture
def create_owner(db, monkeypatch, capsys):
    """create_owner(password, *arguments) runs the command and returns what it said: (stdout, stderr)."""

    def run(password: str, *arguments: str) -> tuple[str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
        out, err = io.StringIO(), io.StringIO()
        call_command("create_owner", *arguments, "--password-stdin", stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return run


def test_makes_person_seller_and_log(create_owner):
    out, err = create_owner(PASSWORD, "Lin@Example.org", "--seller", "lin-shop", "--name", "Lin", "--json")
    assert json.loads(out) == {"email": "lin@example.org", "seller": "lin-shop", "created": True}
    assert "lin-shop did not exist" in err
    user = User.objects.get()
    assert user.check_password(PASSWORD)
    assert user.name == "Lin"
    assert Membership.objects.get().role == Role.OWNER
    assert LogHead.objects.exists()


def test_first_person_is_site_staff_and_the_second_is_not(create_owner):
    create_owner(PASSWORD, "first@example.org", "--seller", "one")
    create_owner(PASSWORD, "second@example.org", "--seller", "one")
    assert list(User.objects.order_by("pk").values_list("is_site_staff", flat=True)) == [True, False]


def test_running_again_changes_nothing(create_owner):
    create_owner(PASSWORD, "lin@example.org", "--seller", "one")
    out, err = create_owner(FRESH, "lin@example.org", "--seller", "one", "--json")
    assert json.loads(out)["created"] is False
    assert "keeps the password" in err
    assert User.objects.get().check_password(PASSWORD)
    assert (User.objects.count(), Seller.objects.count(), Membership.objects.count()) == (1, 1, 1)


def test_existing_member_becomes_owner(create_owner, bob, seller):
    create_owner("", bob.email, "--seller", seller.slug)
    assert Membership.objects.get(user=bob).role == Role.OWNER


def test_forgotten_password_is_replaced_only_when_asked(create_owner, alice, seller):
    create_owner(FRESH, alice.email, "--seller", seller.slug, "--reset-password")
    alice.refresh_from_db()
    assert alice.check_password(FRESH)


@pytest.mark.parametrize("password", ["short", "qwerty123456", "lin@example.org", ""])
def test_weak_password_is_refused_with_the_validators_words(create_owner, password):
    with pytest.raises(CommandError, match=r"password|密码"):
        create_owner(password, "lin@example.org", "--seller", "one")
    assert not User.objects.exists()
    assert not Seller.objects.exists()


def test_weak_password_is_refused_at_a_reset_too(create_owner, alice, seller):
    with pytest.raises(CommandError):
        create_owner("short", alice.email, "--seller", seller.slug, "--reset-password")


@pytest.mark.parametrize(("email", "seller"), [("nonsense", "one"), ("a@example.org", "no slug!"), ("a@b", "one")])
def test_malformed_address_or_slug_is_refused(create_owner, email, seller):
    with pytest.raises(CommandError):
        create_owner(PASSWORD, email, "--seller", seller)
    assert not Seller.objects.exists()


def test_password_is_never_taken_from_a_pipe_by_accident(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("piped by accident\n"))
    with pytest.raises(CommandError, match="--password-stdin"):
        call_command("create_owner", "lin@example.org", "--seller", "one")
