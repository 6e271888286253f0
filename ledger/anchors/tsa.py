"""Asking a time-stamping authority (RFC 3161 over HTTP, section 3.4) and checking its answer before anybody relies on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.anchors.errors import FetchError
from ledger.anchors.fetch import Fetched, fetch_url, post_url
from ledger.tlog import x509_path
from ledger.tlog.errors import TimestampError
from ledger.tlog.timestamp import MAX_RESPONSE_BYTES, Stamp, build_request, embedded_certificates, verify_timestamp

REQUEST_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
TIMEOUT_S = 15.0  # a slow authority takes two seconds; a job of ours must not hang on a dead one
MAX_CRL_BYTES = 64 * 1024  # larger lists belong to authorities with thousands of other certificates

Post = Callable[..., Fetched]


@dataclass(frozen=True, slots=True)
class Authority:
    """Where to ask and whom to believe: anchors are DER certificates, policy an OID or empty."""

    url: str
    anchors: tuple[bytes, ...]
    policy: str = ""
    allows_local: bool = False
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The response byte for byte, and what it says."""

    response: bytes
    stamp: Stamp


def request_token(
    authority: Authority, message: bytes, *, nonce: int, post: Post = post_url, timeout_s: float = TIMEOUT_S
) -> Answer:
    """A checked token over `message`, or a FetchError or TimestampError with a stable code.

    nonce: 64 fresh random bits; an answer with another is a replay.
    """
    request = build_request(message, nonce=nonce, policy=authority.policy)
    fetched = post(
        authority.url,
        request,
        content_type=REQUEST_TYPE,
        accept_type=REPLY_TYPE,
        allow_local=authority.allows_local,
        max_bytes=MAX_RESPONSE_BYTES,
        total_timeout_s=timeout_s,
    )
    stamp = verify_timestamp(
        fetched.data,
        message,
        nonce=nonce,
        policy=authority.policy,
        anchors=authority.anchors,
        certificates=authority.anchors,
        crls=authority.crls,
    )
    return Answer(fetched.data, stamp)


def fetch_crls(chain: Sequence[bytes]) -> list[bytes]:
    """Revocation lists (DER) that the certificates of a chain name, as far as they can be had and are small enough."""
    found: list[bytes] = []
    for url in dict.fromkeys(url for certificate in chain for url in x509_path.crl_urls(certificate)[:1]):
        try:
            data = fetch_url(url, accept=lambda _head: True, max_bytes=MAX_CRL_BYTES, total_timeout_s=TIMEOUT_S).data
            found += x509_path.load_crls(data)
        except (FetchError, TimestampError):
            continue  # the token holds without; the bundle says that revocation is not known
    return found


def chain_of(answer: bytes, stamp: Stamp) -> tuple[bytes, ...]:
    """The chain to keep with a token: from the signer to the anchor, then whatever else the token carried."""
    return tuple(dict.fromkeys([*stamp.chain, *embedded_certificates(answer)]))
