"""Asking a witness to cosign a checkpoint: one POST of C2SP tlog-witness over the guarded connection of connection.py."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass

import httpcore

from ledger.anchors.address import Resolve, Target, find_addresses, is_public_address, parse_url, system_resolve
from ledger.anchors.connection import Connect, Deadline, PinnedBackend, exchange, system_connect, within
from ledger.anchors.errors import FetchError, PrivateAddressError, TooLargeError
from ledger.tlog.witnessing import SIZE_TYPE

MAX_ANSWER_BYTES = 64 * 1024
TOTAL_TIMEOUT_S = 20.0


class WitnessConflictError(FetchError):
    """The witness saw another size than we said; it says which."""

    code = "witness_conflict"

    def __init__(self, size: int) -> None:
        super().__init__(f"it cosigned a tree of {size}")
        self.size = size


class WitnessRefusedError(FetchError):
    """The witness answered with a refusal; the text names its status and first words."""

    code = "witness_refused"


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a witness listens. allow_local is the operator's word that an address inside the network is meant."""

    url: str
    allow_local: bool = False


def check_address(address: WitnessAddress) -> None:
    """Refuse, without any network, what can never be asked: not a URL, or an address inside the network unasked for."""
    target = _target(address)
    if target.literal is not None and not address.allow_local and not is_public_address(str(target.literal)):
        raise PrivateAddressError(target.host)


def add_checkpoint(
    address: WitnessAddress,
    body: bytes,
    *,
    resolve: Resolve = system_resolve,
    connect: Connect = system_connect,
    ssl_context: ssl.SSLContext | None = None,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
) -> bytes:
    """The cosignature lines a witness answered with (not verified yet), or a FetchError. Follows no redirect."""
    deadline = Deadline(time.monotonic, total_timeout_s)
    target = _target(address)
    addresses = find_addresses(target, within(deadline, resolve), allow_local=address.allow_local)
    backend = PinnedBackend(addresses, connect, deadline)
    headers = {"Content-Type": "text/plain"}
    return exchange(target, backend, deadline, _read, headers=headers, body=body, ssl_context=ssl_context)


def _target(address: WitnessAddress) -> Target:
    return parse_url(f"{address.url.rstrip('/')}/add-checkpoint", None)


def _read(response: httpcore.Response) -> bytes:
    answer = b""
    for chunk in response.iter_stream():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise TooLargeError(f"more than {MAX_ANSWER_BYTES} bytes")
    if response.status == 200:
        return answer
    types = [value.decode("latin-1") for name, value in response.headers if name.lower() == b"content-type"]
    size = answer.strip()
    if response.status == 409 and types == [SIZE_TYPE] and size.isdigit() and len(size) <= 19:
        raise WitnessConflictError(int(size))
    raise WitnessRefusedError(f"status {response.status}: {answer[:200].decode('utf-8', 'replace').strip()}")
