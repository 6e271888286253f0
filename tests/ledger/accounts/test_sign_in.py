"""Signing in through allauth: by e-mail, with a second step, without telling strangers who has an account."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.urls import reverse

from ledger.accounts.models import Invitation, Membership, Role, User
from tests.factories import PASSWORD

LOGIN = "account_login"


def totp(secret: str, at: float) -> str:
    """RFC 6238 with the defaults every authenticator app uses: SHA-1, 30 seconds, six digits."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(at) // 30), hashlib.sha1)
    start = digest[-1] & 0xF
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found
    return found.group(1)


def sign_in(client, email: str, password: str = PASSWORD):
    return client.post(reverse(LOGIN), {"login": email, "password": password})


def enrol(client) -> str:
    """Add an authenticator app to the signed-in person; returns its secret."""
    again = client.get(reverse("mfa_activate_totp"))
    client.post(again.url, {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp")).text
    secret = find(r'value="([A-Z2-7]{32})"', page)
    answer = client.post(reverse("mfa_activate_totp"), {"code": totp(secret, time.time())})
    assert answer.url == reverse("mfa_view_recovery_codes")
    cache.clear()  # allauth accepts each code once; the sign-in of the same half minute needs it again
    return secret


def test_email_and_password_sign_in_whatever_the_capitals(client_of, alice):
    client = client_of()
    assert sign_in(client, "ALICE@example.org").url == "/"
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_session_id_changes_at_sign_in(client_of, alice):
    client = client_of()
    session = client.session
    session["mark"] = 1
    session.save()
    before = session.session_key
    sign_in(client, alice.email)
    assert client.session.session_key != before


def test_signing_in_returns_to_the_page_asked_for_but_never_elsewhere(client_of, alice):
    for wanted, reached in (("/team/", "/team/"), ("https://evil.example/", "/"), ("//evil.example", "/")):
        answer = client_of().post(reverse(LOGIN), {"login": alice.email, "password": PASSWORD, "next": wanted})
        assert answer.url == reached


def test_wrong_password_and_unknown_address_get_the_same_answer(client_of, alice):
    pages = [
        sign_in(client_of(), email, "wrong password here").text.replace(email, "")
        for email in (alice.email, "nobody@example.org")
    ]
    stripped = [re.sub(r'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"', "", page) for page in pages]
    assert stripped[0] == stripped[1]


def test_deactivated_person_cannot_sign_in(client_of, alice):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    client = client_of()
    sign_in(client, alice.email)
    assert "_auth_user_id" not in client.session


def test_nobody_signs_up_alone(client_of, db):
    page = client_of().get(reverse("account_signup"))
    assert "by invitation" in page.text
    fields = {"email": "x@example.org", "password1": PASSWORD}
    assert "by invitation" in client_of().post(reverse("account_signup"), fields).text
    assert not User.objects.exists()


def test_sign_in_is_limited_after_five_failures_for_one_address(client_of, alice):
    for _attempt in range(5):
        sign_in(client_of(), alice.email, "wrong password here")
    page = sign_in(client_of(), alice.email)
    assert page.status_code == 200
    assert "Too many failed login attempts" in page.text


def test_limits_are_counted_in_the_database_for_all_processes(settings):
    assert settings.CACHES["default"]["BACKEND"] == "django.core.cache.backends.db.DatabaseCache"


def test_unknown_address_is_limited_alike(client_of, db):
    for _attempt in range(5):
        sign_in(client_of(), "nobody@example.org", "wrong password here")
    assert "Too many failed login attempts" in sign_in(client_of(), "nobody@example.org").text


def test_limit_of_one_network_address_answers_429_in_words(client_of, db):
    answers = [sign_in(client_of(), f"n{number}@example.org").status_code for number in range(31)]
    assert answers[-1] == 429
    assert "Wait a few minutes" in sign_in(client_of(), "n@example.org").text


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org", "gone@example.org"])
def test_a_wrong_password_costs_one_hash_whoever_is_named(client_of, alice, bob, email, monkeypatch):
    """Hashing is nearly all of the time that an answer takes, so counting it is what can be promised about time."""
    User.objects.filter(pk=bob.pk).update(email="gone@example.org", is_active=False)
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, *args: str) -> str:
        hashed.append("once")
        return encode(self, *args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    sign_in(client_of(), email, "wrong password here")
    assert len(hashed) == 1


def test_sign_up_answers_alike_for_known_and_unknown(client_of, alice):
    pages = [
        client_of().post(reverse("account_signup"), {"email": email, "password1": PASSWORD}).text
        for email in (alice.email, "nobody@example.org")
    ]
    stripped = [re.sub(r'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"', "", page) for page in pages]
    assert stripped[0] == stripped[1]


def test_a_forgotten_password_sends_one_message_whoever_is_named(client_of, alice):
    for email in (alice.email, "nobody@example.org"):
        mail.outbox.clear()
        client_of().post(reverse("account_reset_password"), {"email": email})
        assert len(mail.outbox) == 1


def test_a_pause_for_one_address_is_none_for_another(client_of, alice, bob):
    for _attempt in range(5):
        sign_in(client_of(), alice.email, "wrong password here")
    assert sign_in(client_of(), bob.email).url == "/"


def test_passphrases_of_two_hundred_characters_work_and_are_not_cut(client_of, alice):
    long = "correct horse battery staple " * 7
    alice.set_password(long)
    alice.save()
    assert sign_in(client_of(), alice.email, long[:-2]).status_code == 200
    assert sign_in(client_of(), alice.email, long).url == "/"


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_forgotten_password_answers_alike(client_of, alice, email):
    answer = client_of().post(reverse("account_reset_password"), {"email": email})
    assert answer.url == reverse("account_reset_password_done")


def test_reset_mail_leads_to_a_new_password(client_of, alice):
    browser = client_of()
    browser.post(reverse("account_reset_password"), {"email": alice.email})
    link = find(r"http://testserver(\S+)", str(mail.outbox[0].body))
    target = browser.get(link, follow=True).redirect_chain[-1][0]
    fresh = "brand new horse battery"
    browser.post(target, {"password1": fresh, "password2": fresh})
    alice.refresh_from_db()
    assert alice.check_password(fresh)


def test_broken_mail_server_changes_no_answer(client_of, alice, settings):
    settings.EMAIL_BACKEND = "tests.ledger.accounts.broken_mail.BrokenBackend"
    for email in (alice.email, "nobody@example.org"):
        answer = client_of().post(reverse("account_reset_password"), {"email": email})
        assert answer.url == reverse("account_reset_password_done")


def test_authenticator_app_is_enrolled_and_asked_for(client_of, bob):
    client = client_of()
    sign_in(client, bob.email)
    secret = enrol(client)
    stranger = client_of()
    assert sign_in(stranger, bob.email).url == reverse("mfa_authenticate")
    assert "_auth_user_id" not in stranger.session
    assert stranger.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert stranger.post(reverse("mfa_authenticate"), {"code": totp(secret, time.time())}).url == "/"
    assert stranger.session["_auth_user_id"] == str(bob.pk)


def test_a_code_works_once(client_of, bob):
    client = client_of()
    sign_in(client, bob.email)
    secret = enrol(client)
    code = totp(secret, time.time())
    first, second = client_of(), client_of()
    for browser in (first, second):
        sign_in(browser, bob.email)
    assert first.post(reverse("mfa_authenticate"), {"code": code}).status_code == 302
    assert second.post(reverse("mfa_authenticate"), {"code": code}).status_code == 200


def test_recovery_code_stands_in_for_the_app_once(client_of, bob):
    client = client_of()
    sign_in(client, bob.email)
    enrol(client)
    codes = client.get(reverse("mfa_download_recovery_codes")).text.split()
    for expected in (302, 200):
        browser = client_of()
        sign_in(browser, bob.email)
        assert browser.post(reverse("mfa_authenticate"), {"code": codes[-1]}).status_code == expected


def test_second_factor_needs_the_password_again(client_of, bob):
    client = client_of(bob)
    assert client.get(reverse("mfa_activate_totp")).url.startswith(reverse("account_reauthenticate"))


def test_pages_about_passkeys_open(client_of, bob):
    client = client_of()
    sign_in(client, bob.email)
    again = client.get(reverse("mfa_add_webauthn"))
    client.post(again.url, {"password": PASSWORD})
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200
    assert client.get(reverse("mfa_list_webauthn")).status_code == 200


def test_sign_in_page_offers_a_passkey(client_of, db):
    assert "passkey_login" in client_of().get(reverse(LOGIN)).text


# A public site asks its owners for a second step ------------------------------------------------------------------


@pytest.fixture
def public(settings):
    settings.IS_PUBLIC = True


def test_owner_of_a_public_site_first_sets_up_a_second_step(client_of, alice, public):
    client = client_of(alice)
    answer = client.get(reverse("accounts:team"))
    assert answer.url == reverse("mfa_index")
    assert "Set one up, then go on" in client.get(answer.url).text


def test_owner_with_a_second_step_goes_on(client_of, alice, public):
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "x"})
    assert client_of(alice).get(reverse("accounts:team")).status_code == 200


def test_other_roles_may_go_on_without(client_of, bob, public):
    assert client_of(bob).get(reverse("accounts:profile")).status_code == 200


def test_site_staff_of_a_public_site_needs_one_too(client_of, bob, public):
    User.objects.filter(pk=bob.pk).update(is_site_staff=True)
    assert client_of(bob).get(reverse("accounts:profile")).url == reverse("mfa_index")


@pytest.mark.parametrize("name", ["account_change_password", "account_email", "accounts:profile", "ledger:originals"])
def test_nothing_but_the_second_step_opens_before_it_is_set_up(client_of, alice, public, name):
    assert client_of(alice).get(reverse(name)).url == reverse("mfa_index")


def test_recovery_codes_alone_are_no_second_step(client_of, alice, public):
    Authenticator.objects.create(user=alice, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"})
    assert client_of(alice).get(reverse("accounts:team")).url == reverse("mfa_index")


def test_what_strangers_may_open_stays_open(client_of, alice, log, public):
    assert client_of(alice).get(reverse("ledger:verify")).status_code == 200


def test_the_owner_sets_it_up_and_goes_on(client_of, alice, public):
    client = client_of(alice)
    enrol(client)
    assert client.get(reverse("accounts:team")).status_code == 200


def test_owner_of_a_local_site_is_not_asked(client_of, alice):
    assert client_of(alice).get(reverse("accounts:team")).status_code == 200


def test_strangers_choose_their_language(client_of, db):
    client = client_of()
    answer = client.post(reverse("set_language"), {"language": "en", "next": reverse(LOGIN)})
    assert answer.url == reverse(LOGIN)
    assert client.cookies["django_language"].value == "en"


# What cannot be taken back asks again ------------------------------------------------------------------------------


def age_sign_in(client, seconds: float) -> None:
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= seconds
    session.save()


IRREVERSIBLE = ["accounts:team", "accounts:change_role", "accounts:remove_member", "ledger:erase_member"]


@pytest.mark.parametrize("name", IRREVERSIBLE)
def test_an_old_sign_in_is_asked_for_the_password_again(client_of, alice, bob, log, settings, name):
    membership = Membership.objects.get(user=bob).pk
    url = reverse(name, args=[membership] if name != "accounts:team" else [])
    client = client_of(alice)
    age_sign_in(client, settings.ACCOUNT_REAUTHENTICATION_TIMEOUT + 1)
    answer = client.post(url, {"email": "x@example.org", "role": "viewer", "reason": "request"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert Membership.objects.filter(user=bob, role=Role.VIEWER).exists()
    assert not Invitation.objects.filter(email="x@example.org").exists()


def test_after_the_password_the_same_thing_is_done_without_asking_twice(client_of, alice, bob, settings):
    client = client_of(alice)
    age_sign_in(client, settings.ACCOUNT_REAUTHENTICATION_TIMEOUT + 1)
    url = reverse("accounts:change_role", args=[Membership.objects.get(user=bob).pk])
    again = client.post(url, {"role": "operator"}).url
    assert client.post(again, {"password": "another password"}).status_code == 200
    assert Membership.objects.get(user=bob).role == Role.VIEWER
    client.post(again, {"password": PASSWORD})
    assert Membership.objects.get(user=bob).role == Role.OPERATOR


def test_reading_is_never_asked_again(client_of, alice, settings):
    client = client_of(alice)
    age_sign_in(client, 10**6)
    assert client.get(reverse("accounts:team")).status_code == 200
