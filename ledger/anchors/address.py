"""Where a URL leads, decided once: taken apart strictly, resolved, and every address behind it judged. No connection.

Sources: RFC 3986, WHATWG URL (host parsing), the IANA special-purpose address registries as of 2025. The resolver is an
argument.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import idna

from ledger.anchors.errors import (
    BadHostError,
    BadPortError,
    BadSchemeError,
    BadUrlError,
    CredentialsError,
    FetchError,
    PrivateAddressError,
    UnresolvedError,
)

Resolve = Callable[[str], Sequence[str]]

OK = "ok"
PORTS = (80, 443)
MAX_URL_CHARS = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
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


# --- the URL ---------------------------------------------------------------------------------------------------------

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\]")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~?"


def parse_url(url: str, ports: Sequence[int] | None) -> Target:
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
    return Target(parts.scheme, host, port, path, literal)


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


def find_addresses(target: Target, resolve: Resolve, *, allow_local: bool = False) -> tuple[str, ...]:
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


def check_url(url: str, resolve: Resolve = system_resolve, *, ports: Sequence[int] | None = PORTS) -> str:
    """What `fetch_url` would say before its first connection: "ok" or the code of a FetchError."""
    try:
        find_addresses(parse_url(url, ports), resolve)
    except FetchError as problem:
        return problem.code
    return OK
