"""How little a hostile server gains. Servers here are real sockets on the loopback."""

import contextlib
import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger.anchors.connection import system_connect
from ledger.anchors.errors import FetchError
from ledger.anchors.fetch import Fetched, fetch_url, is_picture
from tests.ledger.anchors.names import NAMES, PUBLIC, resolve

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200)) + b"\xff\xd9"


# --- servers ---------------------------------------------------------------------------------------------------------

Behaviour = Callable[[socket.socket, str], None]


@dataclass
class Server:
    """A listener on the loopback that answers each connection by one behaviour and writes down what it saw."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    connected_to: list[tuple[str, int]] = field(default_factory=list)

    def __enter__(self) -> "Server":
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(20)
            conversation = self.tls.wrap_socket(client, server_side=True) if self.tls else client
            with conversation:
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = conversation.recv(4096)
                    if not piece:
                        return
                    request += piece
                self.requests.append(request.decode("latin-1"))
                self.behaviour(conversation, request.decode("latin-1").split(" ")[1])

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        """Stands for the internet: every public address leads here."""
        self.connected_to.append((address, port))
        return system_connect("127.0.0.1", self.listener.getsockname()[1], timeout_s)

    def fetch(self, url: str = "http://shop.example.com/1.jpg", **options: object) -> Fetched:
        return fetch_url(url, **({"resolve": resolve, "connect": self.connect} | options))  # type: ignore[arg-type]

    def code(self, url: str = "http://shop.example.com/1.jpg", **options: object) -> str:
        with pytest.raises(FetchError) as caught:
            self.fetch(url, **options)
        return caught.value.code


def respond(body: bytes = JPEG, status: str = "200 OK", **headers: str) -> Behaviour:
    fields = {"Content-Length": str(len(body)), "Content-Type": "image/jpeg"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return lambda client, _path: client.sendall(head.encode() + b"\r\n" + body)


def drip(data: bytes, every_s: float = 0.05) -> Behaviour:
    def behave(client: socket.socket, _path: str) -> None:
        for byte in data:
            client.sendall(bytes([byte]))
            time.sleep(every_s)

    return behave


def redirect(where: dict[str, str]) -> Behaviour:
    """Paths to targets; what is not listed is a picture."""

    def behave(client: socket.socket, path: str) -> None:
        target = where.get(path)
        answer = respond() if target is None else respond(b"", "302 Found", Location=target)
        answer(client, path)

    return behave


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:
        yield lambda behaviour, **options: stack.enter_context(Server(behaviour, **options))


Serve = Callable[..., Server]


def test_a_picture_arrives_byte_for_byte(serve: Serve) -> None:
    server = serve(respond())
    fetched = server.fetch("http://shop.example.com/%E5%9B%BE.jpg?x=1#part")
    assert fetched.data == JPEG
    assert fetched.content_type == "image/jpeg"
    assert fetched.final_url == "http://shop.example.com/%E5%9B%BE.jpg?x=1"
    assert [(hop.address, hop.status) for hop in fetched.hops] == [(PUBLIC, 200)]


def test_the_request_says_little_and_asks_for_no_compression(serve: Serve) -> None:
    server = serve(respond())
    server.fetch("http://shop.example.com/商品.jpg")
    lines = server.requests[0].split("\r\n")
    assert lines[0] == "GET /%E5%95%86%E5%93%81.jpg HTTP/1.1"
    names = sorted(line.partition(":")[0].lower() for line in lines[1:] if line)
    assert names == ["accept", "accept-encoding", "connection", "host", "user-agent"]
    assert "Host: shop.example.com" in lines
    assert "Accept-Encoding: identity" in lines


def test_the_connection_goes_to_the_address_that_was_checked(serve: Serve) -> None:
    server = serve(respond())
    server.fetch()
    assert server.connected_to == [(PUBLIC, 80)]


def test_a_second_dns_answer_changes_nothing(serve: Serve) -> None:
    server = serve(respond())
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    server.fetch(resolve=lambda _host: next(answers))
    assert server.connected_to == [(PUBLIC, 80)]
    assert next(answers) == ["127.0.0.1"]


def test_a_rebound_name_is_caught_on_the_redirect_and_the_listener_sees_nothing(serve: Serve) -> None:
    public, inside = serve(redirect({"/1.jpg": "/2.jpg"})), serve(respond())
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        return (inside if address == "127.0.0.1" else public).connect(address, port, timeout_s)

    assert public.code(resolve=lambda _host: next(answers), connect=connect) == "private_address"
    assert (public.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "private_address"),
        ("//127.0.0.1/", "private_address"),
        ("http://loop.example.com/", "private_address"),
        ("http://2130706433/", "bad_host"),
        ("http://shop.example.com:22/", "bad_port"),
        ("http://a:b@shop.example.com/", "credentials"),
        ("file:///etc/hostname", "bad_scheme"),
        ("http://nobody.example.com/", "unresolved"),
        ("/a\\b", "bad_url"),
    ],
)
def test_each_redirect_is_checked_like_the_first_url(target: str, code: str, serve: Serve) -> None:
    server = serve(redirect({"/1.jpg": target}))
    assert server.code() == code
    assert server.connections == 1


def test_three_redirects_are_followed(serve: Serve) -> None:
    server = serve(redirect({"/0": "/1", "/1": "2", "/2": "http://both.example.com/图.jpg"}))
    fetched = server.fetch("http://shop.example.com/0")
    assert fetched.final_url == "http://both.example.com/%E5%9B%BE.jpg"
    assert [hop.status for hop in fetched.hops] == [302, 302, 302, 200]


def test_a_fourth_redirect_is_not(serve: Serve) -> None:
    server = serve(redirect({f"/{n}": f"/{n + 1}" for n in range(6)}))
    assert server.code("http://shop.example.com/0") == "too_many_redirects"
    assert server.connections == 4


def test_a_redirect_without_a_target_is_an_error(serve: Serve) -> None:
    assert serve(respond(b"", "302 Found")).code() == "http_error"


def test_cookies_are_not_sent_on(serve: Serve) -> None:
    def behave(client: socket.socket, path: str) -> None:
        moved = respond(b"", "302 Found", Location="/2.jpg", Set_Cookie="id=1")
        (moved if path == "/1.jpg" else respond(Set_Cookie="id=2"))(client, path)

    server = serve(behave)
    server.fetch()
    assert len(server.requests) == 2
    assert not any("cookie" in request.lower() for request in server.requests)


def test_proxy_variables_are_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server, proxy = serve(respond()), serve(respond())
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.listener.getsockname()[1]}")
    assert server.fetch().data == JPEG
    assert proxy.connections == 0


def within(limit_s: float, action: Callable[[], str]) -> str:
    begun = time.monotonic()
    code = action()
    assert time.monotonic() - begun < limit_s
    return code


def test_dripping_headers_end_at_their_limit(serve: Serve) -> None:
    server = serve(drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000))
    assert within(5.0, lambda: server.code(header_timeout_s=0.4)) == "timeout"


def test_a_silent_server_ends_at_the_limit_for_headers(serve: Serve) -> None:
    server = serve(lambda client, _path: time.sleep(12))
    assert within(5.0, lambda: server.code(header_timeout_s=0.4)) == "timeout"


def test_a_dripping_body_ends_at_the_total_limit(serve: Serve) -> None:
    server = serve(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + JPEG * 100, 0.005))
    assert within(5.0, lambda: server.code(total_timeout_s=0.8)) == "timeout"


def test_all_redirects_share_one_total_limit(serve: Serve) -> None:
    def behave(client: socket.socket, path: str) -> None:
        time.sleep(0.3)
        respond(b"", "302 Found", Location=path + "x")(client, path)

    assert within(5.0, lambda: serve(behave).code(total_timeout_s=0.5)) == "timeout"


def test_a_slow_resolver_ends_at_the_limit(serve: Serve) -> None:
    server, release = serve(respond()), threading.Event()
    asked = lambda _host: [PUBLIC] if release.wait(12) else []  # noqa: E731
    assert within(5.0, lambda: server.code(resolve=asked, header_timeout_s=0.3)) == "timeout"
    release.set()
    assert server.connections == 0


def test_a_stalled_tls_handshake_ends_at_the_limit(serve: Serve) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = serve(respond())
    with listener:
        port = listener.getsockname()[1]
        connect = lambda _address, _port, timeout_s: system_connect("127.0.0.1", port, timeout_s)  # noqa: E731
        url = "https://shop.example.com/"
        assert within(5.0, lambda: server.code(url, connect=connect, header_timeout_s=0.3)) == "timeout"


def test_an_announced_size_is_refused_before_the_body(serve: Serve) -> None:
    server = serve(respond(Content_Length=str(10 * 1024**3)))
    assert server.code() == "too_large"


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(serve: Serve) -> None:
    assert serve(respond()).fetch(max_bytes=len(JPEG)).data == JPEG
    assert serve(respond()).code(max_bytes=len(JPEG) - 1) == "too_large"


def test_an_endless_chunked_body_ends_at_the_cap(serve: Serve) -> None:
    sent = [0]

    def behave(client: socket.socket, _path: str) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = JPEG + bytes(65_536 - len(JPEG))
        while True:
            client.sendall(b"10000\r\n" + piece + b"\r\n")
            sent[0] += len(piece)

    assert serve(behave).code(max_bytes=1_000_000) == "too_large"
    assert sent[0] < 20_000_000


def test_a_gzip_bomb_ends_at_the_cap(serve: Serve) -> None:
    bomb = gzip.compress(JPEG + bytes(50_000_000))
    assert len(bomb) < 100_000
    assert serve(respond(bomb, Content_Encoding="gzip")).code(max_bytes=1_000_000) == "too_large"


def test_a_gzipped_picture_is_unpacked(serve: Serve) -> None:
    assert serve(respond(gzip.compress(JPEG), Content_Encoding="gzip")).fetch().data == JPEG


def test_a_broken_gzip_body_is_an_error(serve: Serve) -> None:
    assert serve(respond(JPEG, Content_Encoding="gzip")).code() == "http_error"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_other_encodings_are_refused(encoding: str, serve: Serve) -> None:
    assert serve(respond(Content_Encoding=encoding)).code() == "unsupported_type"


def test_a_page_is_refused_after_its_first_bytes(serve: Serve) -> None:
    server = serve(respond(b"<!doctype html>" + b" " * 5_000_000, Content_Type="text/html"))
    assert server.code() == "unsupported_type"


@pytest.mark.parametrize("body", [b"", b"\xff\xd8", b"<html>"])
def test_a_short_body_that_is_no_picture_is_refused(body: bytes, serve: Serve) -> None:
    assert serve(respond(body)).code() == "unsupported_type"


def test_a_picture_is_known_by_its_bytes_not_by_its_label(serve: Serve) -> None:
    assert serve(respond(Content_Type="application/octet-stream")).fetch().data == JPEG
    assert serve(respond(b"%PDF-1.7 and so on, long enough")).code() == "unsupported_type"


def test_other_callers_bring_their_own_judgement(serve: Serve) -> None:
    assert serve(respond(b"0\x82\x01")).fetch(accept=lambda head: head[:1] == b"0").data == b"0\x82\x01"


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial Content", "304 Not Modified", "404 Not Found", "500 x"]
)
def test_any_other_status_is_an_error(status: str, serve: Serve) -> None:
    assert serve(respond(JPEG, status)).code() == "http_error"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + JPEG,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + JPEG,
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_an_error(answer: bytes, serve: Serve) -> None:
    assert serve(lambda client, _path: client.sendall(answer)).code() == "http_error"


def test_a_refused_connection_is_an_error() -> None:
    def connect(_address: str, _port: int, _timeout_s: float) -> socket.socket:
        raise ConnectionRefusedError

    with pytest.raises(FetchError) as caught:
        fetch_url("http://shop.example.com/", resolve=resolve, connect=connect)
    assert caught.value.code == "http_error"


def test_a_second_address_is_tried_when_the_first_refuses(serve: Serve) -> None:
    server = serve(respond())

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        if address == PUBLIC:
            raise ConnectionRefusedError
        return server.connect(address, port, timeout_s)

    fetched = server.fetch("http://both.example.com/", connect=connect)
    assert [hop.address for hop in fetched.hops] == NAMES["both.example.com"][1:]


# --- TLS -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trust:
    server: ssl.SSLContext
    client: ssl.SSLContext


def make_trust(folder: Path, *names: x509.GeneralName) -> Trust:
    """A self-signed x509 certificate for the names, and a client that trusts only it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    encoding, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "both.pem").write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, encoding, none))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return Trust(server, ssl.create_default_context(cadata=pem.decode()))


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return make_trust(tmp_path, x509.DNSName("shop.example.com"), x509.IPAddress(ipaddress.ip_address("8.8.8.8")))


@pytest.mark.parametrize("url", ["https://shop.example.com/1.jpg", "https://8.8.8.8/1.jpg"])
def test_tls_checks_the_name_although_the_address_is_pinned(url: str, serve: Serve, trust: Trust) -> None:
    server = serve(respond(), tls=trust.server)
    assert server.fetch(url, ssl_context=trust.client).data == JPEG
    assert [port for _address, port in server.connected_to] == [443]


def test_a_certificate_for_another_name_is_refused(serve: Serve, trust: Trust) -> None:
    server = serve(respond(), tls=trust.server)
    assert server.code("https://both.example.com/1.jpg", ssl_context=trust.client) == "http_error"
    assert server.requests == []


def test_an_unknown_authority_is_refused(serve: Serve, trust: Trust) -> None:
    assert serve(respond(), tls=trust.server).code("https://shop.example.com/1.jpg") == "http_error"


def test_a_redirect_from_https_to_http_is_refused(serve: Serve, trust: Trust) -> None:
    server = serve(redirect({"/1.jpg": "http://shop.example.com/2.jpg"}), tls=trust.server)
    assert server.code("https://shop.example.com/1.jpg", ssl_context=trust.client) == "insecure_redirect"
    assert server.connections == 1


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        JPEG[:16],
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"GIF89a\1\0\1\0",
        b"\0\0\0\x1cftypavif\0\0\0\0",
        b"\0\0\0\x18ftypheic\0\0\0\0",
        b"II*\0\x08\0\0\0",
    ],
)
def test_picture_formats_are_recognised(head: bytes) -> None:
    assert is_picture(head)


@pytest.mark.parametrize("head", [b"", b"<svg xmlns=", b"RIFF\x10\0\0\0WAVE", b"\0\0\0\x18ftypmp42", b"PK\3\4", b"{}"])
def test_everything_else_is_not(head: bytes) -> None:
    assert not is_picture(head)
