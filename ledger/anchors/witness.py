"""Asking a witness to cosign a checkpoint: one POST of C2SP tlog-witness over the guarded client of fetch.py."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass

import httpcore

from ledger.anchors import fetch
from ledger.tlog.witnessing import SIZE_TYPE

MAX_ANSWER_BYTES = 64 * 1024
TOTAL_TIMEOUT_S = 20.0
_ANY_PORT = range(1, 65536)


class WitnessConflictError(fetch.FetchError):
    """The witness saw another size than we said; it says which."""

    code = "witness_conflict"

    def __init__(self, size: int) -> None:
        super().__init__(f"it cosigned a tree of {size}")
        self.size = size


class WitnessRefusedError(fetch.FetchError):
    """The witness answered with a refusal; the text names its status and first words."""

    code = "witness_refused"


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a witness listens. allow_local is the operator's word that an address inside the network is meant."""

    url: str
    allow_local: bool = False


def check_address(address: WitnessAddress) -> None:
    """Refuse, without any network, what can never be asked: not a URL, or an address inside the network unasked for."""
    target = fetch._parse(f"{address.url.rstrip('/')}/add-checkpoint", _ANY_PORT)
    if target.literal is not None and not address.allow_local and not fetch.is_public_address(str(target.literal)):
        raise fetch.PrivateAddressError(target.host)


def add_checkpoint(
    address: WitnessAddress,
    body: bytes,
    *,
    resolve: fetch.Resolve = fetch.system_resolve,
    connect: fetch.Connect = fetch.system_connect,
    ssl_context: ssl.SSLContext | None = None,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
) -> bytes:
    """The cosignature lines a witness answered with (not verified yet), or a FetchError. Follows no redirect."""
    deadline = fetch._Deadline(time.monotonic, total_timeout_s)
    target = fetch._parse(f"{address.url.rstrip('/')}/add-checkpoint", _ANY_PORT)
    limited = fetch._within(deadline, resolve)
    addresses = _local_too(target, limited) if address.allow_local else fetch._addresses(target, limited)
    backend = fetch._PinnedBackend(addresses, connect, deadline)
    headers = {
        "Host": target.authority,
        "Content-Type": "text/plain",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    try:
        with (
            httpcore.ConnectionPool(ssl_context=ssl_context, max_connections=1, network_backend=backend) as pool,
            pool.stream("POST", target.url, headers=list(headers.items()), content=body) as response,
        ):
            deadline.allow_body()
            return _read(response)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as problem:
        raise fetch.HttpError(type(problem).__name__) from problem
    except httpcore.TimeoutException as problem:
        raise fetch.FetchTimeoutError(type(problem).__name__) from problem


def _local_too(target: fetch._Target, resolve: fetch.Resolve) -> tuple[str, ...]:
    if target.literal is not None:
        return (str(target.literal),)
    try:
        found = tuple(resolve(target.host))
    except (OSError, UnicodeError) as problem:
        raise fetch.UnresolvedError(target.host) from problem
    if not found:
        raise fetch.UnresolvedError(target.host)
    return found


def _read(response: httpcore.Response) -> bytes:
    answer = b""
    for chunk in response.iter_stream():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise fetch.TooLargeError(f"more than {MAX_ANSWER_BYTES} bytes")
    if response.status == 200:
        return answer
    types = [value.decode("latin-1") for name, value in response.headers if name.lower() == b"content-type"]
    size = answer.strip()
    if response.status == 409 and types == [SIZE_TYPE] and size.isdigit() and len(size) <= 19:
        raise WitnessConflictError(int(size))
    raise WitnessRefusedError(f"status {response.status}: {answer[:200].decode('utf-8', 'replace').strip()}")
