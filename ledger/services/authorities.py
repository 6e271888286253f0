"""Which time-stamping authorities this site asks, and how each has been answering. Decided by who runs the site.

An authority that has stamped is never deleted, only switched off: its trust anchors are needed for its old tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from ledger.accounts.models import User
from ledger.accounts.permissions import may_run_site
from ledger.anchors import tsa
from ledger.anchors.address import OK, check_url
from ledger.anchors.errors import FetchError, PrivateAddressError
from ledger.models import AuthorityCall, TimeAuthority
from ledger.tlog import x509_path
from ledger.tlog.errors import TimestampError
from ledger.tlog.timestamp import DEVELOPMENT_ORGANIZATION

PUBLIC_EXAMPLE = "1.1.1.1"
FIRST_REST = timedelta(seconds=15)
LONGEST_REST = timedelta(hours=1)
LONGEST_WISH = timedelta(days=1)  # of an authority that says when to come back
BREAKER_FAILURES = 3
CALLS_KEPT = timedelta(days=7)


class AuthorityError(Exception):
    """What was typed about an authority cannot be used; code is stable."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """What a person decides about an authority; trust_anchors is PEM from the authority's own site or a contract."""

    name: str
    url: str
    trust_anchors: str
    policy: str = ""
    is_accredited: bool = False
    allows_local: bool = False
    priority: int = 10
    quota_calls: int = 1
    quota_window_s: int = 60
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """An authority as its page shows it. state: ready, resting (after a failure), open (the breaker), off."""

    authority: TimeAuthority
    state: str
    quota_left: int
    tokens: int
    is_development: bool


def require_site_right(actor: User | None) -> None:
    """None stands for the operator of the machine."""
    if actor is not None and not may_run_site(actor):
        raise PermissionDenied("only who runs this site decides about outside clocks and witnesses")


def save_authority(
    *, actor: User | None, wanted: AuthoritySettings, authority: TimeAuthority | None = None
) -> TimeAuthority:
    """Add or change an authority. Raises AuthorityError."""
    require_site_right(actor)
    # Names are resolved and checked again at each call; here only what is wrong with the text itself is found.
    code = check_url(wanted.url, lambda _host: [PUBLIC_EXAMPLE], ports=None)
    if code == PrivateAddressError.code and not wanted.allows_local:
        raise AuthorityError("authority_local", wanted.url)
    if code not in (OK, PrivateAddressError.code):
        raise AuthorityError("authority_url", code)
    try:
        anchors = x509_path.load_certificates(wanted.trust_anchors.encode())
    except TimestampError as error:
        raise AuthorityError("authority_anchors", error.message) from error
    if is_development(anchors) and not settings.DEV_TSA:
        raise AuthorityError("authority_development")
    row = authority or TimeAuthority()
    namesake = TimeAuthority.objects.filter(name=wanted.name).first()
    if namesake is not None and namesake != row:
        raise AuthorityError("authority_name")
    for field in AuthoritySettings.__dataclass_fields__:
        setattr(row, field, getattr(wanted, field))
    row.trust_anchors = x509_path.pem_of(anchors).decode()
    # Whoever changes something wants to see whether it helped.
    row.failures, row.rest_until = 0, None
    row.save()
    return row


def settings_of(authority: TimeAuthority) -> AuthoritySettings:
    """What was decided about an authority, to be changed in part and saved again."""
    return AuthoritySettings(**{field: getattr(authority, field) for field in AuthoritySettings.__dataclass_fields__})


def is_development(anchors: Sequence[bytes]) -> bool:
    """Whether these trust anchors say themselves that they prove nothing."""
    return any(x509_path.organization_of(anchor) == DEVELOPMENT_ORGANIZATION for anchor in anchors)


def anchors_of(authority: TimeAuthority) -> list[bytes]:
    return x509_path.load_certificates(authority.trust_anchors.encode())


def trusted_anchors() -> list[bytes]:
    """DER of every certificate this site trusts for time, of switched-off authorities too: their tokens remain."""
    found = [der for authority in TimeAuthority.objects.all() for der in anchors_of(authority)]
    return [der for der in dict.fromkeys(found) if settings.DEV_TSA or not is_development([der])]


def askable() -> list[TimeAuthority]:
    """The authorities in the order in which they are asked; the development clock only where it is allowed."""
    rows = TimeAuthority.objects.filter(is_enabled=True)
    return [row for row in rows if settings.DEV_TSA or not is_development(anchors_of(row))]


def client_of(authority: TimeAuthority) -> tsa.Authority:
    return tsa.Authority(
        url=authority.url,
        anchors=tuple(anchors_of(authority)),
        policy=authority.policy,
        allows_local=authority.allows_local,
        crls=tuple(x509_path.load_crls(authority.crls.encode())) if authority.crls else (),
    )


def reserve_call(authority: TimeAuthority, now: datetime) -> bool:
    """Note a call that is about to be made, or say that the authority rests or its quota is used up."""
    with transaction.atomic():
        row = TimeAuthority.objects.select_for_update().get(pk=authority.pk)
        if not row.is_enabled or is_resting(row, now) or quota_left(row, now) < 1:
            return False
        AuthorityCall.objects.filter(authority=row, at__lt=now - CALLS_KEPT).delete()
        AuthorityCall.objects.create(authority=row, at=now)
    return True


def is_resting(authority: TimeAuthority, now: datetime) -> bool:
    return authority.rest_until is not None and authority.rest_until > now


def quota_left(authority: TimeAuthority, now: datetime) -> int:
    since = now - timedelta(seconds=authority.quota_window_s)
    used = AuthorityCall.objects.filter(authority=authority, at__gt=since, at__lte=now).count()
    return max(0, authority.quota_calls - used)


def note_failure(authority: TimeAuthority, now: datetime, code: str, detail: str, wish_s: int = 0) -> None:
    """Let the authority rest, longer each time in a row, up to an hour; or as long as it asked for."""
    with transaction.atomic():
        row = TimeAuthority.objects.select_for_update().get(pk=authority.pk)
        row.failures += 1
        rest = min(FIRST_REST * 2 ** min(row.failures - 1, 20), LONGEST_REST)
        row.rest_until = now + max(rest, min(timedelta(seconds=wish_s), LONGEST_WISH))
        row.last_error, row.last_error_detail, row.last_error_at = code, detail[:300], now
        row.save(update_fields=["failures", "rest_until", "last_error", "last_error_detail", "last_error_at"])


def states(now: datetime | None = None) -> list[AuthorityState]:
    at = now or timezone.now()
    return [state_of(row, at) for row in TimeAuthority.objects.all()]


def state_of(authority: TimeAuthority, now: datetime) -> AuthorityState:
    development = is_development(anchors_of(authority))
    if not authority.is_enabled or (development and not settings.DEV_TSA):
        state = "off"
    elif is_resting(authority, now):
        state = "open" if authority.failures >= BREAKER_FAILURES else "resting"
    else:
        state = "ready"
    return AuthorityState(authority, state, quota_left(authority, now), authority.tokens.count(), development)


def try_authority(*, actor: User | None, authority: TimeAuthority, nonce: int) -> tsa.Answer:
    """Ask for one token about nothing, to see whether all is well. Counts against the quota, changes nothing else.

    Raises AuthorityError with the code of what is wrong.
    """
    require_site_right(actor)
    now = timezone.now()
    if quota_left(authority, now) < 1:
        raise AuthorityError("authority_quota")
    AuthorityCall.objects.create(authority=authority, at=now)
    try:
        return tsa.request_token(client_of(authority), b"originmark/test\n", nonce=nonce)
    except (FetchError, TimestampError) as error:
        raise AuthorityError(error.code, str(error)) from error
