"""One URL says how mail is sent; a slip stops the start without repeating the password."""

from __future__ import annotations

import pytest

from config.env import SettingError
from config.mail import MailSettings, parse_smtp_url

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("", MailSettings("django.core.mail.backends.dummy.EmailBackend")),
        ("smtp://mail.example", MailSettings(SMTP, "mail.example", 25)),
        ("smtp://mail.example:2525/", MailSettings(SMTP, "mail.example", 2525)),
        ("smtp://a:b@mail.example?tls=1", MailSettings(SMTP, "mail.example", 587, "a", "b", use_tls=True)),
        ("smtp://me%40x.cn:p%3A%2Fw@m.cn:25?tls=1", MailSettings(SMTP, "m.cn", 25, "me@x.cn", "p:/w", use_tls=True)),
        ("smtps://a:b@mail.example", MailSettings(SMTP, "mail.example", 465, "a", "b", use_ssl=True)),
        ("smtp://a:b@localhost:1025", MailSettings(SMTP, "localhost", 1025, "a", "b")),
        ("smtp://a:b@[::1]:1025?tls=0", MailSettings(SMTP, "::1", 1025, "a", "b")),
    ],
)
def test_url_becomes_settings(url, wanted):
    assert parse_smtp_url(url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://u:hunter2@mail.example:port?tls=1",
        "smtp://u:hunter2@mail.example:99999?tls=1",
        "smtp://u:hunter2@[::1?tls=1",
        "smtp://u:hunter2@mail.example",
        "smtp://u:hunter2@mail.example?tls=0",
        "smtp://u:hunter2@mail.example?tls=yes",
        "smtp://u:hunter2@mail.example?ssl=1",
        "smtp://u:hunter2@mail.example/box?tls=1",
        "smtps://u:hunter2@mail.example?tls=1",
    ],
)
def test_malformed_url_stops_the_start_and_keeps_the_secret(url):
    with pytest.raises(SettingError) as stop:
        parse_smtp_url(url)
    assert stop.value.name == "ORIGINMARK_SMTP_URL"
    assert "hunter2" not in str(stop.value)
