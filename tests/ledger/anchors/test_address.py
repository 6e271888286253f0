"""Which addresses may be asked at all: every spelling of a forbidden one is refused before anything connects."""

import socket

import pytest

from ledger.anchors.address import MAX_URL_CHARS, check_url, is_public_address
from ledger.anchors.errors import FETCH_CODES, FetchError
from ledger.anchors.fetch import fetch_url
from tests.ledger.anchors.names import PUBLIC, resolve

URLS = {
    "ok": [
        "http://shop.example.com/1.jpg",
        "HTTPS://Shop.Example.COM:443/1.jpg?size=2&x=%20#part",
        "http://six.example.com:80/",
        "http://shop.example.com./1.jpg",
        "http://shop.example.com",
        "http://shop.example.com?picture=1",
        "https://both.example.com/商品/主图.jpg",
        "https://公司.example.com/a.png",
        "http://8.8.8.8/a.jpg",
        "http://[2a00:1450:4001:82f::200e]/a.jpg",
        "http://[64:ff9b::808:808]/a.jpg",
        "http://８.８.８.８/a.jpg",
    ],
    "bad_scheme": [
        "",
        "shop.example.com/1.jpg",
        "//shop.example.com/1.jpg",
        "file:///etc/hostname",
        "ftp://shop.example.com/1.jpg",
        "gopher://shop.example.com/_x",
        "data:image/jpeg;base64,/9j/",
        "javascript:0",
        "ws://shop.example.com/",
        "httpx://shop.example.com/",
    ],
    "credentials": [
        "http://me@shop.example.com/",
        "http://me:secret@shop.example.com/",
        "http://@shop.example.com/",
        "http://shop.example.com:80@127.0.0.1/",
        "http://127.0.0.1@shop.example.com/",
    ],
    "bad_port": [
        "http://shop.example.com:21/",
        "http://shop.example.com:8080/",
        "https://shop.example.com:0/",
        "http://127.0.0.1:6379/",
        "http://[::1]:5432/",
    ],
    "bad_url": [
        "http:shop.example.com/",
        "http:/shop.example.com/",
        "http://",
        "http:///1.jpg",
        "http://:80/",
        "http://shop.example.com:65536/",
        "http://shop.example.com:x/",
        "http://shop.example.com:٨٠/",
        "http://shop.example.com\\@127.0.0.1/",
        "http://shop.example.com/a b",
        "http://shop.example.com/\n",
        "http://shop.example.com/\x00",
        "http://shop.example.com/\x85",
        "http://shop.example.com/\ud800",
        " http://shop.example.com/",
        "http://[::1/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[::g]/",
        "http://[1.2.3.4]/",
        "http://shop.example.com/" + "a" * MAX_URL_CHARS,
    ],
    "bad_host": [
        "http://localhost/",
        "http://intranet/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0X7F.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://127.0.0.1.5/",
        "http://0/",
        "http://1.1.1.256/",
        "http://①②⑦.1/",
        "http://a..example.com/",
        "http://.example.com/",
        "http://-a.example.com/",
        "http://a-.example.com/",
        "http://under_score.example.com/",
        "http://a%2eexample.com/",
        "http://[fe80::1%eth0]/",
        "http://" + "a" * 64 + ".example.com/",
        "http://" + "a." * 140 + "com/",
        "http://a\u200d.example.com/",
        "http://shop.example.com../",
    ],
    "private_address": [
        "http://127.0.0.1/",
        "http://127.8.9.1/",
        "http://10.1.2.3/",
        "http://172.20.0.1/",
        "http://192.168.0.10/",
        "http://169.254.169.254/latest/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://198.18.5.5/",
        "http://192.0.0.8/",
        "http://192.0.2.7/",
        "http://203.0.113.9/",
        "http://224.0.0.251/",
        "http://250.1.1.1/",
        "http://255.255.255.255/",
        "http://127.0.0.1./",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::7f00:1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[fd00::1]/",
        "http://[ff02::fb]/",
        "http://[2001:db8::1]/",
        "http://[3fff::1]/",
        "http://[100::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::808:808]/",
        "http://[2002:a00:1::1]/",
        "http://[2001:0:808:808::80ff:fffe]/",
        "http://[2a00:1450::5efe:10.0.0.1]/",
        *(f"http://{name}.example.com/" for name in ("half", "loop", "loop6", "cloud", "carrier", "hidden")),
        "http://translated.example.com/",
    ],
    "unresolved": ["http://nobody.example.com/", "http://empty.example.com/"],
}


@pytest.mark.parametrize(("want", "url"), [(code, url) for code, urls in URLS.items() for url in urls])
def test_url_gets_its_code(want: str, url: str) -> None:
    assert check_url(url, resolve) == want


@pytest.mark.parametrize("url", [url for code, urls in URLS.items() if code != "ok" for url in urls])
def test_refused_url_never_reaches_the_network(url: str) -> None:
    calls: list[str] = []

    def connect(address: str, _port: int, _timeout_s: float) -> socket.socket:
        calls.append(address)
        raise ConnectionRefusedError

    with pytest.raises(FetchError):
        fetch_url(url, resolve=resolve, connect=connect)
    assert calls == []


def test_refused_host_is_never_resolved() -> None:
    asked: list[str] = []
    for url in (*URLS["bad_host"], *URLS["credentials"], *URLS["bad_port"]):
        check_url(url, lambda host: asked.append(host) or [PUBLIC])  # type: ignore[func-returns-value]
    assert asked == []


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "2a00::1%1", "1.2.3.4/8"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public_address(text)


def test_every_error_has_its_own_code() -> None:
    kinds = [kind for kind in FetchError.__subclasses__() if kind.__module__ == FetchError.__module__]
    assert len(set(FETCH_CODES)) == len(FETCH_CODES) == len(kinds)
