"""Where a person is signed in: seen, ended, and with an address nobody can invent."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from ledger.accounts import sign_ins
from ledger.accounts.models import SignIn
from ledger.accounts.sign_ins import device_words
from tests.factories import PASSWORD
from tests.ledger.accounts.test_sign_in import sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
LIST = "accounts:sessions"


@pytest.fixture
def browser_of(client_of):
    """browser_of(user, **headers): somebody who typed the password in a browser."""

    def open_browser(user, **extra):
        client = client_of()
        client.defaults.update({"HTTP_USER_AGENT": FIREFOX} | extra)
        assert sign_in(client, user.email).status_code == 302
        return client

    return open_browser


def test_each_browser_is_listed_with_device_and_address(browser_of, alice):
    browser_of(alice, HTTP_USER_AGENT=IPHONE, REMOTE_ADDR="192.0.2.7")
    page = browser_of(alice).get(reverse(LIST)).text
    assert "Safari · iPhone" in page
    assert "192.0.2.7" in page
    assert "Firefox · Linux" in page


def test_nobody_elses_session_is_listed_or_ended(browser_of, alice, bob):
    theirs = browser_of(bob, REMOTE_ADDR="192.0.2.7")
    client = browser_of(alice)
    assert "192.0.2.7" not in client.get(reverse(LIST)).text
    number = SignIn.objects.get(user=bob).number
    assert client.post(reverse("accounts:end_session", args=[number])).status_code == 404
    assert theirs.get(reverse(LIST)).status_code == 200


def test_an_ended_session_opens_nothing_more(browser_of, alice):
    other, here = browser_of(alice), browser_of(alice)
    number = SignIn.objects.get(session_key=other.session.session_key).number
    here.post(reverse("accounts:end_session", args=[number]))
    assert other.get(reverse(LIST)).url.startswith(reverse("account_login"))
    assert here.get(reverse(LIST)).status_code == 200


def test_ending_the_session_here_signs_out(browser_of, alice):
    here = browser_of(alice)
    answer = here.post(reverse("accounts:end_session", args=[SignIn.objects.get().number]))
    assert answer.url == "account_login" or answer.url.startswith(reverse("account_login"))
    assert not SignIn.objects.exists()


def test_all_others_are_ended_at_once(browser_of, alice):
    others, here = [browser_of(alice), browser_of(alice)], browser_of(alice)
    here.post(reverse("accounts:end_other_sessions"))
    assert all(other.get(reverse(LIST)).status_code == 302 for other in others)
    assert SignIn.objects.get().session_key == here.session.session_key


def test_signing_out_takes_the_session_off_the_list(browser_of, alice):
    browser_of(alice).post(reverse("account_logout"))
    assert not SignIn.objects.exists()


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(browser_of, alice):
    other, here = browser_of(alice), browser_of(alice)
    fresh = "brand new horse battery"
    fields = {"oldpassword": PASSWORD, "password1": fresh, "password2": fresh}
    assert here.post(reverse("account_change_password"), fields).status_code == 302
    assert other.get(reverse(LIST)).status_code == 302
    assert here.get(reverse(LIST)).context["rows"][0]["is_here"]
    assert SignIn.objects.get().session_key == here.session.session_key


def test_a_forged_address_is_not_believed_without_a_proxy(browser_of, alice, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    browser_of(alice, HTTP_X_FORWARDED_FOR="203.0.113.9", HTTP_X_REAL_IP="203.0.113.9")
    assert SignIn.objects.get().address == "127.0.0.1"


def test_behind_one_proxy_only_what_it_appended_counts(browser_of, alice, monkeypatch):
    monkeypatch.setattr("allauth.app_settings.TRUSTED_PROXY_COUNT", 1)
    browser_of(alice, HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.4")
    assert SignIn.objects.get().address == "198.51.100.4"


def test_reading_pages_writes_the_last_use_rarely(browser_of, alice, monkeypatch):
    client = browser_of(alice)
    long_ago = timezone.now() - timedelta(hours=1)
    SignIn.objects.update(last_seen_at=long_ago)
    client.get(reverse(LIST))
    assert SignIn.objects.get().last_seen_at == long_ago
    session = client.session
    session[sign_ins.SEEN] -= sign_ins.TOUCH_S + 1
    session.save()
    client.get(reverse(LIST))
    assert SignIn.objects.get().last_seen_at > long_ago


def test_devices_in_words():
    assert device_words(FIREFOX) == "Firefox · Linux"
    assert device_words("curl/8") == ""


def test_page_costs_few_queries(client_of, alice, django_assert_max_num_queries):
    client = client_of(alice)
    client.get(reverse(LIST))
    with django_assert_max_num_queries(8):
        client.get(reverse(LIST))


# The person at the server ------------------------------------------------------------------------------------------


def recover(*arguments: str) -> str:
    out = io.StringIO()
    call_command("recover", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip()


def test_recovery_link_leads_to_a_new_password_and_keeps_the_second_step(client_of, alice):
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "x"})
    link = recover("Alice@example.org")
    assert link.startswith("http://localhost:8000/accounts/password/reset/key/")
    browser = client_of()
    target = browser.get(link.removeprefix("http://localhost:8000"), follow=True).redirect_chain[-1][0]
    fresh = "brand new horse battery"
    browser.post(target, {"password1": fresh, "password2": fresh})
    assert sign_in(client_of(), alice.email, fresh).url == reverse("mfa_authenticate")


def test_a_lost_second_factor_is_dropped_with_every_session(browser_of, alice):
    client = browser_of(alice)
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "x"})
    recover("alice@example.org", "--drop-second-factor")
    assert not Authenticator.objects.filter(user=alice).exists()
    assert client.get(reverse(LIST)).status_code == 302


def test_recovery_of_nobody_is_refused(db):
    with pytest.raises(CommandError, match="Nobody"):
        recover("nobody@example.org")
