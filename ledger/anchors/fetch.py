"""One guarded way to read a URL that a person typed (a picture, or a page as it comes), and to post to the operator's.

The address is decided once (address.py) and the connection goes to an address that was checked (connection.py). Each
redirect starts over. Time and size are bounded as totals. Cookies, proxies, credentials and content negotiation are
deliberately absent. Network, resolver and clock are arguments. Source: RFC 9110.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin

import httpcore

from ledger.anchors.address import PORTS, Resolve, Target, find_addresses, parse_url, system_resolve
from ledger.anchors.connection import Clock, Connect, Deadline, PinnedBackend, exchange, system_connect, within
from ledger.anchors.errors import (
    HttpError,
    InsecureRedirectError,
    TooLargeError,
    TooManyRedirectsError,
    UnsupportedTypeError,
)

MAX_BYTES = 20 * 1024 * 1024
TOTAL_TIMEOUT_S = 20.0
HEADER_TIMEOUT_S = 10.0
MAX_REDIRECTS = 3
USER_AGENT = "Originmark/1 (picture check at the request of a signed-in seller)"
PAGE_USER_AGENT = "Originmark/1 (listing capture at the request of a signed-in seller)"
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
# Enough for every signature in `is_picture`.
_MAGIC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Hop:
    """One request that was made: its URL, the checked address it went to, the status that came back."""

    url: str
    address: str
    status: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body and how it was reached. content_type is what the server said: a label, never trusted."""

    data: bytes
    final_url: str
    content_type: str
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class PageHop:
    """One request of a page and the whole head of its answer; names in lower case, in the order received."""

    url: str
    address: str
    status: int
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """What a server answered under a page's address, whatever its status: the body (gzip undone), and every hop."""

    data: bytes
    final_url: str
    status: int
    content_type: str
    hops: tuple[PageHop, ...]


def is_picture(head: bytes) -> bool:
    """Whether the first 16 bytes open a picture format. Which formats are accepted is decided by the upload rules."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"))
    )


def fetch_url(
    url: str,
    *,
    resolve: Resolve = system_resolve,
    connect: Connect = system_connect,
    clock: Clock = time.monotonic,
    ssl_context: ssl.SSLContext | None = None,
    accept: Callable[[bytes], bool] = is_picture,
    max_bytes: int = MAX_BYTES,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
    header_timeout_s: float = HEADER_TIMEOUT_S,
    max_redirects: int = MAX_REDIRECTS,
    ports: Sequence[int] = PORTS,
) -> Fetched:
    """The body behind a URL, or a FetchError with a stable code.

    resolve: host -> addresses, asked once per hop. connect: (address, port, timeout_s) -> socket. accept: judges the
    first 16 bytes of the body. ssl_context: None trusts the authorities of the system and of certifi. Time covers
    resolving, connecting, TLS, all redirects and the body together; within it, each hop has header_timeout_s from
    resolving to the end of its headers. The body is at most max_bytes, packed or unpacked.
    """
    deadline = Deadline(clock, total_timeout_s)
    hops: list[Hop] = []
    read = partial(_read_answer, accept=accept, max_bytes=max_bytes)
    while True:
        deadline.allow_headers(header_timeout_s)
        target = parse_url(url, ports)
        backend = PinnedBackend(find_addresses(target, within(deadline, resolve)), connect, deadline)
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*"}
        answer = exchange(target, backend, deadline, read, headers=headers, ssl_context=ssl_context)
        hops.append(Hop(target.url, backend.used, answer.status))
        if answer.location is None:
            return Fetched(answer.body, target.url, answer.content_type, tuple(hops))
        url = _next_url(target, answer.location, len(hops), max_redirects)


def fetch_page(
    url: str,
    *,
    resolve: Resolve = system_resolve,
    connect: Connect = system_connect,
    clock: Clock = time.monotonic,
    ssl_context: ssl.SSLContext | None = None,
    max_bytes: int = MAX_BYTES,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
    header_timeout_s: float = HEADER_TIMEOUT_S,
    max_redirects: int = MAX_REDIRECTS,
    ports: Sequence[int] = PORTS,
) -> FetchedPage:
    """What a server answers under a page's address, with every head; a FetchError where there is no whole answer.

    An error status is an answer too: that a page is gone may be what somebody wants to keep. Limits as for fetch_url.
    """
    deadline = Deadline(clock, total_timeout_s)
    hops: list[PageHop] = []
    read = partial(_read_answer, accept=lambda _head: True, max_bytes=max_bytes, any_status=True)
    while True:
        deadline.allow_headers(header_timeout_s)
        target = parse_url(url, ports)
        backend = PinnedBackend(find_addresses(target, within(deadline, resolve)), connect, deadline)
        headers = {"User-Agent": PAGE_USER_AGENT, "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
        answer = exchange(target, backend, deadline, read, headers=headers, ssl_context=ssl_context)
        hops.append(PageHop(target.url, backend.used, answer.status, answer.headers))
        if answer.location is None:
            return FetchedPage(answer.body, target.url, answer.status, answer.content_type, tuple(hops))
        url = _next_url(target, answer.location, len(hops), max_redirects)


def _next_url(target: Target, location: str, hops: int, max_redirects: int) -> str:
    """Where a redirect leads; it is judged from the start, as if a person had typed it."""
    if hops > max_redirects:
        raise TooManyRedirectsError(f"more than {max_redirects}")
    url = urljoin(target.url, location)
    if target.scheme == "https" and url.lower().startswith("http:"):
        raise InsecureRedirectError("from https to http")
    return url


def post_url(
    url: str,
    body: bytes,
    *,
    content_type: str,
    accept_type: str,
    allow_local: bool = False,
    ports: Sequence[int] | None = None,
    signed: Mapping[str, str] | None = None,
    resolve: Resolve = system_resolve,
    connect: Connect = system_connect,
    clock: Clock = time.monotonic,
    ssl_context: ssl.SSLContext | None = None,
    max_bytes: int = MAX_BYTES,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
) -> Fetched:
    """The answer to one POST to an address that the operator chose, or a FetchError; never follows a redirect.

    Any port is allowed unless ports names some, and with allow_local an address inside this network: both are the
    operator's choice, made where authorities are set up. signed: more headers, such as a signature of the body. Limits, pinning and the total time are those of fetch_url.
    """
    deadline = Deadline(clock, total_timeout_s)
    target = parse_url(url, ports)
    addresses = find_addresses(target, within(deadline, resolve), allow_local=allow_local)
    backend = PinnedBackend(addresses, connect, deadline)
    headers = {"User-Agent": USER_AGENT, "Accept": accept_type, "Content-Type": content_type, **(signed or {})}
    read = partial(_read_answer, accept=lambda _head: True, max_bytes=max_bytes)
    answer = exchange(target, backend, deadline, read, headers=headers, body=body, ssl_context=ssl_context)
    if answer.location is not None:
        raise HttpError("redirected", status=answer.status)
    return Fetched(answer.body, target.url, answer.content_type, (Hop(target.url, backend.used, answer.status),))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    location: str | None
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def _read_answer(
    response: httpcore.Response, accept: Callable[[bytes], bool], max_bytes: int, any_status: bool = False
) -> _Answer:
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in response.headers
    )
    fields = dict(headers)
    content_type = fields.get("content-type", "")
    if response.status in _REDIRECTS:
        location = fields.get("location")
        if not location:
            raise HttpError("redirect without a target")
        return _Answer(response.status, content_type, _as_typed(location), b"", headers)
    if response.status != 200 and not any_status:
        wait = fields.get("retry-after", "")
        wait_s = int(wait) if wait.isascii() and wait.isdecimal() and len(wait) <= 6 else 0
        raise HttpError(f"status {response.status}", status=response.status, retry_after_s=wait_s)
    length = fields.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > max_bytes:
        raise TooLargeError(f"announced {length[:20]} bytes")
    unpack = _unpacker(fields.get("content-encoding", "").lower())
    return _Answer(response.status, content_type, None, _read_body(response, unpack, accept, max_bytes), headers)


def _as_typed(location: str) -> str:
    """Servers send UTF-8 in Location although headers are Latin-1."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _read_body(
    response: httpcore.Response, unpack: Callable[[bytes, int], bytes], accept: Callable[[bytes], bool], max_bytes: int
) -> bytes:
    """The whole body; refused as soon as its first bytes are not wanted or it is one byte too long."""
    body = bytearray()
    received = 0
    judged = False
    for chunk in response.iter_stream():
        received += len(chunk)
        body += unpack(chunk, max_bytes + 1 - len(body))
        if received > max_bytes or len(body) > max_bytes:
            raise TooLargeError(f"more than {max_bytes} bytes")
        if not judged and len(body) >= _MAGIC_BYTES:
            judged = True
            if not accept(bytes(body[:_MAGIC_BYTES])):
                raise UnsupportedTypeError("not a picture")
    if not judged and not accept(bytes(body)):
        raise UnsupportedTypeError("not a picture")
    return bytes(body)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Identity was asked for; gzip is undone with a bound because some servers send it regardless."""
    if encoding in ("", "identity"):
        return lambda chunk, _room: chunk
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedTypeError(f"content encoding {encoding[:20]!r}")
    inflater = zlib.decompressobj(wbits=31)

    def inflate(chunk: bytes, room: int) -> bytes:
        try:
            return inflater.decompress(chunk, max(1, room))
        except zlib.error as problem:
            raise HttpError("broken gzip body") from problem

    return inflate
