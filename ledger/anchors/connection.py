"""One request to addresses that were checked, within a total time, whatever name and proxy the process knows.

TLS still verifies the name. Time is bounded as a total, so a server that drips single bytes gains nothing. Network and
clock are arguments.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence

import httpcore

from ledger.anchors.address import Resolve, Target
from ledger.anchors.errors import FetchError, FetchTimeoutError, HttpError

Connect = Callable[[str, int, float], socket.socket]
Clock = Callable[[], float]
Result = typing.TypeVar("Result")

CONNECT_TIMEOUT_S = 5.0


def system_connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A TCP connection to an address (never a name)."""
    return socket.create_connection((address, port), timeout_s)


class Deadline:
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

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
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


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[str], connect: Connect, deadline: Deadline) -> None:
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


def within(deadline: Deadline, resolve: Resolve) -> Resolve:
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


def exchange(
    target: Target,
    backend: PinnedBackend,
    deadline: Deadline,
    read: Callable[[httpcore.Response], Result],
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Result:
    """What `read` makes of the answer to one request on one fresh connection, or a FetchError; with a body it is a POST.

    A pool made here reads no proxy variables and keeps nothing.
    """
    sent = {"Host": target.authority, **headers, "Accept-Encoding": "identity", "Connection": "close"}
    if body is not None:
        sent["Content-Length"] = str(len(body))
    method = "GET" if body is None else "POST"
    try:
        with (
            httpcore.ConnectionPool(ssl_context=ssl_context, max_connections=1, network_backend=backend) as pool,
            pool.stream(method, target.url, headers=list(sent.items()), content=body) as response,
        ):
            deadline.allow_body()
            return read(response)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as problem:
        raise HttpError(type(problem).__name__) from problem
    except httpcore.TimeoutException as problem:
        raise FetchTimeoutError(type(problem).__name__) from problem
