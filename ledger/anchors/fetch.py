"""One guarded way to read a URL that a person typed.

The address is decided once: the host is resolved, every address it has must be public, and the connection goes to an
address that was checked, while TLS still verifies the name. Each redirect starts over. Time and size are bounded as
totals, so a server that drips single bytes gains nothing. Cookies, proxies, credentials and content negotiation are
deliberately absent. Network, resolver and clock are arguments. Sources: RFC 3986, RFC 9110, WHATWG URL (host
parsing), the IANA special-purpose address registries as of 2025.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

import httpcore
import idna

Resolve = Callable[[str], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]
Clock = Callable[[], float]

OK = "ok"
MAX_BYTES = 20 * 1024 * 1024
TOTAL_TIMEOUT_S = 20.0
HEADER_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
MAX_REDIRECTS = 3
PORTS = (80, 443)
MAX_URL_CHARS = 2048
USER_AGENT = "Originmark/1 (picture check at the request of a signed-in seller)"
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Enough for every signature in `is_picture`.
_MAGIC_BYTES = 16


class FetchError(Exception):
    """Base of every reason not to hand back a body. `code` is stable; the text is for logs, not for people."""

    code = "fetch_error"


class BadUrlError(FetchError):
    """Not a URL: control characters, a backslash, a port that is no number, too long."""

    code = "bad_url"


class BadSchemeError(FetchError):
    """Anything but http and https."""

    code = "bad_scheme"


class CredentialsError(FetchError):
    """A user name or password in front of the host, the classic disguise of another host."""

    code = "credentials"


class BadPortError(FetchError):
    """A port outside the allowed ones."""

    code = "bad_port"


class BadHostError(FetchError):
    """A host that is neither a full domain name nor an address in its canonical form."""

    code = "bad_host"


class PrivateAddressError(FetchError):
    """At least one address of the host is not on the public internet."""

    code = "private_address"


class UnresolvedError(FetchError):
    """The name has no address."""

    code = "unresolved"


class TooManyRedirectsError(FetchError):
    """More redirects than allowed."""

    code = "too_many_redirects"


class InsecureRedirectError(FetchError):
    """A redirect from https to http."""

    code = "insecure_redirect"


class FetchTimeoutError(FetchError):
    """The total time is used up, or the headers took too long."""

    code = "timeout"


class TooLargeError(FetchError):
    """The body announces or delivers more bytes than allowed."""

    code = "too_large"


class UnsupportedTypeError(FetchError):
    """The body is not a picture, judged by its first bytes, or it is wrapped in an encoding nobody asked for."""

    code = "unsupported_type"


class HttpError(FetchError):
    """The server refused, answered with another status than 200, or broke the protocol.

    status is 0 where there was no answer; retry_after_s is what a refusal asks for, in whole seconds.
    """

    code = "http_error"

    def __init__(self, text: str, *, status: int = 0, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_s = retry_after_s


FETCH_CODES = tuple(
    kind.code
    for kind in (
        BadUrlError,
        BadSchemeError,
        CredentialsError,
        BadPortError,
        BadHostError,
        PrivateAddressError,
        UnresolvedError,
        TooManyRedirectsError,
        InsecureRedirectError,
        FetchTimeoutError,
        TooLargeError,
        UnsupportedTypeError,
        HttpError,
    )
)


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
class _Target:
    """A URL that passed every check that needs no network. host is ASCII, lower case, without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    literal: ipaddress.IPv4Address | ipaddress.IPv6Address | None

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


# --- addresses -------------------------------------------------------------------------------------------------------

# Written out instead of asking `is_global`, whose answers changed between Python releases and which knows nothing of
# IPv4 addresses carried inside IPv6 ones.
_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIXTOFOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(net)
    for net in ("2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)
# The interface identifiers 0000:5efe and 0200:5efe carry an IPv4 address in the low half (ISATAP, RFC 5214).
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public_address(text: str) -> bool:
    """Whether an address, and every IPv4 address hidden inside it, lies on the public internet.

    Mapped, compatible, translated and local-NAT64 forms lie outside 2000::/3 and are refused with it, except
    64:ff9b::/96, which IPv6-only networks need and which is judged by the IPv4 address it carries.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in net for net in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address not in _GLOBAL_UNICAST and address not in _NAT64:
        return False
    if any(address in net for net in _NOT_PUBLIC_V6):
        return False
    return all(is_public_address(str(inner)) for inner in _embedded_v4(address))


def _embedded_v4(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    number = int(address)
    if address in _NAT64:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if address in _SIXTOFOUR:
        yield ipaddress.IPv4Address((number >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        yield ipaddress.IPv4Address((number >> 64) & 0xFFFFFFFF)
        yield ipaddress.IPv4Address(~number & 0xFFFFFFFF)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)


# --- the URL ---------------------------------------------------------------------------------------------------------

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\]")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~?"


def _parse(url: str, ports: Sequence[int] | None) -> _Target:
    """Take a URL apart or say why not. Strict on purpose: whatever two parsers could read differently is refused.

    ports None allows any.
    """
    if len(url) > MAX_URL_CHARS or _FORBIDDEN.search(url):
        raise BadUrlError("forbidden character or too long")
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[1].lower() not in _DEFAULT_PORTS:
        raise BadSchemeError("only http and https")
    try:
        parts = urlsplit(url)
    except ValueError as problem:
        raise BadUrlError(str(problem)) from problem
    if not url[scheme.end() :].startswith("//") or not parts.netloc:
        raise BadUrlError("no host")
    if "@" in parts.netloc:
        raise CredentialsError("user information before the host")
    host_text, port = _split_port(parts.netloc, _DEFAULT_PORTS[parts.scheme])
    if ports is not None and port not in ports:
        raise BadPortError(f"port {port}")
    host, literal = _canonical_host(host_text)
    path = quote(parts.path or "/", safe=_PATH_SAFE) + (
        f"?{quote(parts.query, safe=_PATH_SAFE)}" if parts.query else ""
    )
    return _Target(parts.scheme, host, port, path, literal)


def _split_port(netloc: str, default: int) -> tuple[str, int]:
    end = netloc.rfind("]") + 1
    host, colon, port = netloc[end:].partition(":")
    host = netloc[:end] + host
    if not host:
        raise BadUrlError("no host")
    if not colon or not port:
        return host, default
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise BadUrlError("port is not a number below 65536")
    return host, int(port)


def _canonical_host(text: str) -> tuple[str, ipaddress.IPv4Address | ipaddress.IPv6Address | None]:
    """The host in the one form that everything downstream will see, or an error."""
    if "[" in text or "]" in text:
        if "%" in text:
            raise BadHostError("scoped address")
        bracketed = _BRACKETED.fullmatch(text)
        if bracketed is None:
            raise BadUrlError("malformed address in brackets")
        try:
            six = ipaddress.IPv6Address(bracketed[1])
        except ValueError as problem:
            raise BadUrlError(str(problem)) from problem
        return str(six), six
    if "%" in text:
        raise BadHostError("percent sign in the host")
    host = _ascii_host(text)
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        # Resolvers read 127.1, 0x7f.1, 0177.0.0.1 and 2130706433 as addresses; only the plain form may pass.
        try:
            four = ipaddress.IPv4Address(host)
        except ValueError as problem:
            raise BadHostError("an address that is not in its canonical form") from problem
        return str(four), four
    labels = host.split(".")
    if len(labels) < 2 or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadHostError("not a full domain name")
    return host, None


def _ascii_host(text: str) -> str:
    """Lower case ASCII without the final dot; other scripts by UTS 46, which also folds full-width digits and dots."""
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.uts46_remap(host, std3_rules=True)
            if not host.isascii():
                host = idna.encode(host).decode("ascii")
        except idna.IDNAError as problem:
            raise BadHostError(str(problem)) from problem
    return host.removesuffix(".")


def _addresses(target: _Target, resolve: Resolve, *, allow_local: bool = False) -> tuple[str, ...]:
    """Every address of the target, all of them public unless local ones were allowed."""
    if target.literal is not None:
        found: tuple[str, ...] = (str(target.literal),)
    else:
        try:
            found = tuple(dict.fromkeys(resolve(target.host)))
        except (OSError, UnicodeError) as problem:
            raise UnresolvedError(target.host) from problem
    if not found:
        raise UnresolvedError(target.host)
    if not allow_local and not all(is_public_address(address) for address in found):
        raise PrivateAddressError(target.host)
    return found


def system_resolve(host: str) -> list[str]:
    """All addresses of a name by the operating system's resolver, in its order of preference."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def system_connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A TCP connection to an address (never a name)."""
    return socket.create_connection((address, port), timeout_s)


def check_url(url: str, resolve: Resolve = system_resolve, *, ports: Sequence[int] | None = PORTS) -> str:
    """What `fetch_url` would say before its first connection: "ok" or the code of a FetchError."""
    try:
        _addresses(_parse(url, ports), resolve)
    except FetchError as problem:
        return problem.code
    return OK


# --- the connection --------------------------------------------------------------------------------------------------


class _Deadline:
    """How much of the total time is left, and of the shorter allowance for headers while that one applies."""

    def __init__(self, clock: Clock, total_s: float) -> None:
        self._clock = clock
        self._end = clock() + total_s
        self._early = self._end

    def allow_headers(self, header_s: float) -> None:
        self._early = min(self._end, self._clock() + header_s)

    def allow_body(self) -> None:
        self._early = self._end

    def left_s(self) -> float:
        left = self._early - self._clock()
        if left <= 0:
            raise FetchTimeoutError("time is used up")
        return left


class _Stream(httpcore.NetworkStream):
    """A socket whose every call is limited by what is left of the total time."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._sock.settimeout(self._deadline.left_s())
            return self._sock.recv(max_bytes)
        except TimeoutError as problem:
            raise FetchTimeoutError("while reading") from problem
        except OSError as problem:
            raise httpcore.ReadError(str(problem)) from problem

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._sock.settimeout(self._deadline.left_s())
            self._sock.sendall(buffer)
        except TimeoutError as problem:
            raise FetchTimeoutError("while writing") from problem
        except OSError as problem:
            raise httpcore.WriteError(str(problem)) from problem

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._sock.settimeout(self._deadline.left_s())
            secured = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except TimeoutError as problem:
            self.close()
            raise FetchTimeoutError("in the TLS handshake") from problem
        except (OSError, FetchError):
            self.close()
            raise
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> typing.Any:
        return None


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[str], connect: Connect, deadline: _Deadline) -> None:
        self._addresses = addresses
        self._connect = connect
        self._deadline = deadline
        self.used = ""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        problem: OSError | None = None
        for address in self._addresses:
            try:
                sock = self._connect(address, port, min(CONNECT_TIMEOUT_S, self._deadline.left_s()))
            except OSError as failed:
                problem = failed
                continue
            self.used = address
            return _Stream(sock, self._deadline)
        if isinstance(problem, TimeoutError):
            raise FetchTimeoutError("while connecting") from problem
        raise httpcore.ConnectError(str(problem)) from problem

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("no local sockets")

    def sleep(self, seconds: float) -> None:
        raise httpcore.ConnectError("no retries")


def _within(deadline: _Deadline, resolve: Resolve) -> Resolve:
    """The resolver with a time limit. getaddrinfo has none, so it runs beside and is left behind when it is late."""

    def limited(host: str) -> Sequence[str]:
        answer: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answer.put(resolve(host))
            except (OSError, UnicodeError) as problem:
                answer.put(problem)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            got = answer.get(timeout=deadline.left_s())
        except queue.Empty as problem:
            raise FetchTimeoutError("while resolving") from problem
        if isinstance(got, (OSError, UnicodeError)):
            raise got
        return got

    return limited


# --- the fetch -------------------------------------------------------------------------------------------------------


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
    deadline = _Deadline(clock, total_timeout_s)
    hops: list[Hop] = []
    while True:
        deadline.allow_headers(header_timeout_s)
        target = _parse(url, ports)
        addresses = _addresses(target, _within(deadline, resolve))
        backend = _PinnedBackend(addresses, connect, deadline)
        answer = _request(target, backend, deadline, ssl_context, _Ask(accept, max_bytes))
        hops.append(Hop(target.url, backend.used, answer.status))
        if answer.location is None:
            return Fetched(answer.body, target.url, answer.content_type, tuple(hops))
        if len(hops) > max_redirects:
            raise TooManyRedirectsError(f"more than {max_redirects}")
        url = urljoin(target.url, answer.location)
        if target.scheme == "https" and url.lower().startswith("http:"):
            raise InsecureRedirectError("from https to http")


def post_url(
    url: str,
    body: bytes,
    *,
    content_type: str,
    accept_type: str,
    allow_local: bool = False,
    resolve: Resolve = system_resolve,
    connect: Connect = system_connect,
    clock: Clock = time.monotonic,
    ssl_context: ssl.SSLContext | None = None,
    max_bytes: int = MAX_BYTES,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
) -> Fetched:
    """The answer to one POST to an address that the operator chose, or a FetchError; never follows a redirect.

    Any port is allowed, and with allow_local an address inside this network: both are the operator's choice, made
    where authorities are set up. Limits, pinning and the total time are those of fetch_url.
    """
    deadline = _Deadline(clock, total_timeout_s)
    target = _parse(url, None)
    addresses = _addresses(target, _within(deadline, resolve), allow_local=allow_local)
    backend = _PinnedBackend(addresses, connect, deadline)
    ask = _Ask(lambda _head: True, max_bytes, accept_type, body, content_type)
    answer = _request(target, backend, deadline, ssl_context, ask)
    if answer.location is not None:
        raise HttpError("redirected", status=answer.status)
    return Fetched(answer.body, target.url, answer.content_type, (Hop(target.url, backend.used, answer.status),))


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is asked for, and what is taken as an answer; with a body it is a POST."""

    accept: Callable[[bytes], bool]
    max_bytes: int
    accept_type: str = "image/*"
    body: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    location: str | None
    body: bytes


def _request(
    target: _Target,
    backend: _PinnedBackend,
    deadline: _Deadline,
    context: ssl.SSLContext | None,
    ask: _Ask,
) -> _Answer:
    """One request on one fresh connection. A pool made here reads no proxy variables and keeps nothing."""
    headers = {
        "Host": target.authority,
        "User-Agent": USER_AGENT,
        "Accept": ask.accept_type,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if ask.body is not None:
        headers |= {"Content-Type": ask.content_type, "Content-Length": str(len(ask.body))}
    method = "GET" if ask.body is None else "POST"
    try:
        with (
            httpcore.ConnectionPool(ssl_context=context, max_connections=1, network_backend=backend) as pool,
            pool.stream(method, target.url, headers=list(headers.items()), content=ask.body) as response,
        ):
            deadline.allow_body()
            return _read_answer(response, ask.accept, ask.max_bytes)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as problem:
        raise HttpError(type(problem).__name__) from problem
    except httpcore.TimeoutException as problem:
        raise FetchTimeoutError(type(problem).__name__) from problem


def _read_answer(response: httpcore.Response, accept: Callable[[bytes], bool], max_bytes: int) -> _Answer:
    fields = {name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in response.headers}
    content_type = fields.get("content-type", "")
    if response.status in _REDIRECTS:
        location = fields.get("location")
        if not location:
            raise HttpError("redirect without a target")
        return _Answer(response.status, content_type, _as_typed(location), b"")
    if response.status != 200:
        wait = fields.get("retry-after", "")
        wait_s = int(wait) if wait.isascii() and wait.isdecimal() and len(wait) <= 6 else 0
        raise HttpError(f"status {response.status}", status=response.status, retry_after_s=wait_s)
    length = fields.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > max_bytes:
        raise TooLargeError(f"announced {length[:20]} bytes")
    unpack = _unpacker(fields.get("content-encoding", "").lower())
    return _Answer(response.status, content_type, None, _read_body(response, unpack, accept, max_bytes))


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
