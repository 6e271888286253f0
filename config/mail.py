"""Mail settings from one URL: smtp://user:password@host:port?tls=1, or smtps:// for TLS from the first byte.

tls=1 means STARTTLS. A password is never sent in the clear to another machine: such a URL stops the start. Without a
URL nothing is sent, and nothing waits for mail: every link the product makes can be copied from a page or the terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from config.env import SettingError

VARIABLE = "ORIGINMARK_SMTP_URL"
PORTS = {"smtp": 25, "smtps": 465}
STARTTLS_PORT = 587
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
TIMEOUT_S = 10  # a mail server that hangs must not hold a page for longer


@dataclass(frozen=True, slots=True)
class MailSettings:
    """What Django's EMAIL_* settings need."""

    backend: str
    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    use_tls: bool = False
    use_ssl: bool = False


def parse_smtp_url(url: str) -> MailSettings:
    """Settings of one mail server, or the backend that sends nothing for an empty URL. Messages never show the URL."""
    if not url:
        return MailSettings("django.core.mail.backends.dummy.EmailBackend")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingError(VARIABLE, "is not a URL; it should look like smtp://user:password@host:587?tls=1") from None
    if parts.scheme not in PORTS or not host or parts.path not in ("", "/") or parts.fragment:
        raise SettingError(VARIABLE, "must look like smtp://user:password@host:587?tls=1 or smtps://user:password@host")
    use_ssl, use_tls = parts.scheme == "smtps", _starttls(parts.query)
    if use_ssl and use_tls:
        raise SettingError(VARIABLE, "says smtps:// and tls=1; smtps:// alone is enough")
    if parts.password and not (use_ssl or use_tls or host in LOCAL_HOSTS):
        raise SettingError(VARIABLE, "would send the password unencrypted; add ?tls=1 or use smtps://")
    return MailSettings(
        "django.core.mail.backends.smtp.EmailBackend",
        host,
        port or (STARTTLS_PORT if use_tls else PORTS[parts.scheme]),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        use_tls,
        use_ssl,
    )


def _starttls(query: str) -> bool:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if options.keys() - {"tls"} or options.get("tls", "0") not in ("0", "1"):
        raise SettingError(VARIABLE, "may only end in ?tls=1 or ?tls=0")
    return options.get("tls") == "1"
