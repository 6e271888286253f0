"""Where a person is signed in: a row for each session, so that it can be seen and ended.

The address is the connection's, or what ORIGINMARK_PROXIES trusted proxies reported, never what a client claims. A row is
written at the sign-in and touched at most every TOUCH_S seconds, so that reading pages writes next to nothing.
"""

from __future__ import annotations

import re
import time
from importlib import import_module
from typing import Any

from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from ledger.accounts.models import SignIn, User

TOUCH_S = 300
KEY, SEEN = "sign_in_session", "sign_in_seen_s"  # in the session: which session the row was written for, and when

BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("WeChat", r"MicroMessenger/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/"),
    ("Safari", r"Safari/"),
)
SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("HarmonyOS", r"HarmonyOS|OpenHarmony"),
    ("Windows", r"Windows"),
    ("macOS", r"Macintosh"),
    ("Linux", r"Linux|X11"),
)


def address_of(request: HttpRequest) -> str | None:
    """The client's address as far as it is known by trustworthy means; None where there is none."""
    try:
        address: str | None = get_client_ip(request)
    except (ImproperlyConfigured, PermissionDenied, ValueError):
        return None  # fewer addresses than trusted proxies, or not an address at all
    return address


def device_words(user_agent: str) -> str:
    """Browser and system in two words, such as "Firefox · Windows"; "" if neither is known. Only a hint for people."""
    found = [
        next((name for name, pattern in table if re.search(pattern, user_agent)), "") for table in (BROWSERS, SYSTEMS)
    ]
    return " · ".join(filter(None, found))


def note_sign_in(request: HttpRequest, user: User) -> None:
    """Write the row of a new session; also drops what is left of the person's ended ones."""
    if request.session.session_key is None:
        request.session.save()
    live_sign_ins(user)
    _write(request, user)


def touch(request: HttpRequest) -> None:
    """Keep the row of the present session true: a new session key at once, the last use every TOUCH_S seconds."""
    session = request.session
    is_same = session.get(KEY) == session.session_key
    if is_same and 0 <= time.time() - session.get(SEEN, 0) < TOUCH_S:
        return
    if not is_same and session.get(KEY):
        SignIn.objects.filter(session_key=session[KEY]).delete()
    _write(request, request.user)


def _write(request: HttpRequest, user: Any) -> None:
    session = request.session
    seen = {
        "user": user,
        "address": address_of(request),
        "user_agent": request.META.get("HTTP_USER_AGENT", "")[:300].replace("\0", ""),
        "last_seen_at": timezone.now(),
    }
    SignIn.objects.update_or_create(session_key=session.session_key, defaults=seen)
    session[KEY], session[SEEN] = session.session_key, int(time.time())


def live_sign_ins(user: User) -> list[SignIn]:
    """The person's sessions that still open something, last used first; rows of all others are deleted."""
    rows = list(SignIn.objects.filter(user=user).order_by("-last_seen_at", "-pk"))
    keys = [row.session_key for row in rows]
    stored = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    live = {found.session_key for found in stored if _opens(found, user)}
    dead = [row.pk for row in rows if row.session_key not in live]
    if dead:
        SignIn.objects.filter(pk__in=dead).delete()
    return [row for row in rows if row.session_key in live]


def _opens(session: Session, user: User) -> bool:
    """Whether the session was made with the password as it is now."""
    stored = session.get_decoded().get(HASH_SESSION_KEY, "")
    return constant_time_compare(stored, user.get_session_auth_hash())


def end_sign_in(*, actor: User, number: str) -> SignIn | None:
    """Sign the person out in one browser; None if the person has no such session."""
    found = SignIn.objects.filter(user=actor, number=number).first()
    if found is not None:
        _end(found)
    return found


def end_other_sign_ins(*, actor: User, keep: str | None) -> int:
    """Sign the person out everywhere but in the session given; how many that were."""
    others = SignIn.objects.filter(user=actor).exclude(session_key=keep or "")
    ended = list(others)
    for row in ended:
        _end(row)
    return len(ended)


def _end(row: SignIn) -> None:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    store().delete(row.session_key)
    row.delete()


def forget_session(session_key: str | None) -> None:
    """The person signed out here."""
    SignIn.objects.filter(session_key=session_key or "").delete()
