"""Many at once: `python -m tests.bench.load [--seconds 60] [--clients 64] [--only uploads|writers]`.

uploads: clients send JPEGs of 1 MB to a running site (`manage.py up`) through the API, each the next as soon as it has its receipt,
while somebody looks at pages ten times a second. Prints sealed uploads a second, how long a receipt and a page took, and
whether what was acknowledged is in the log, with the same leaf hash, and nothing else.

writers: as many processes as clients register small pictures in one SQLite file, without a web server between them and
the lock. Prints receipts a second and how many writers were told of a lock.

Exit status 1 when a limit below is missed. Client, site and workers share the processors of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.pages import EMAIL, PASSWORD, SELLER, Visitor
from tests.bench.sandbox import good_jpeg
from tests.images import jpeg_bytes, jpeg_segment, noise_picture, with_jpeg_segments
from tests.journeys.server import ROOT, Site, running_site

PATH = "/api/v1/originals/"
PAGES = ("/", "/originals/", "/history/", "/search/", "/jobs/", "/ledger/")
SEALED_PER_S, RECEIPT_P99_S, PAGE_P99_S = 50.0, 1.0, 0.3
LOOK_EVERY_S = 0.1
START_S = 300.0  # for the site to come up, on a machine with much else to do
MARK = b"@@@@@@@@@@@@@@@@"  # in a comment of the picture; each upload has its own number there


@dataclass(slots=True)
class Seen:
    """What all clients saw, under one lock."""

    receipts: list[tuple[float, int, str]] = field(default_factory=list)  # seconds, entry, leaf hash
    refusals: dict[str, int] = field(default_factory=dict)
    pages: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--only", choices=["uploads", "writers"])
    parser.add_argument("--database", default="", help="for the uploads, a URL instead of SQLite; it must be empty")
    parser.add_argument("--inside", choices=["token", "compare"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options.inside)
    missed = []
    if options.only != "writers":
        missed += uploads(options)
    if options.only != "uploads":
        missed += writers(options)
    print("\n".join(missed) or "every limit kept")
    return 1 if missed else 0


# Uploads to a site --------------------------------------------------------------------------------------------------


def uploads(options: argparse.Namespace) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="originmark-load-") as folder:
        work = Path(folder)
        with running_site(work, options.database, START_S) as site:
            site.manage("create_owner", EMAIL, "--seller", SELLER, "--password-stdin", stdin=PASSWORD)
            token = ask_inside(site, "token").strip()
            seen = storm(site, token, options)
            (work / "receipts.json").write_text(json.dumps([line[1:] for line in seen.receipts]))
            compared = json.loads(ask_inside(site, "compare", str(work / "receipts.json")))
    return report(seen, compared, options)


def ask_inside(site: Site, what: str, *more: str) -> str:
    """This program again, as a process of the site."""
    command = [sys.executable, "-m", "tests.bench.load", "--inside", what]
    environment = site.environment | {"RECEIPTS": more[0] if more else ""}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def inside(what: str) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from ledger.accounts.models import Seller, User
    from ledger.accounts.tokens import create_token
    from ledger.models import Entry, Job, Statement

    seller = Seller.objects.get(slug=SELLER)
    if what == "token":
        made = create_token(
            actor=User.objects.get(email=EMAIL), seller=seller, name="load", scopes=["register"], days=30
        )
        print(made.secret)
        return 0
    receipts = json.loads(Path(os.environ["RECEIPTS"]).read_text())
    leaves = {entry.seq: bytes(entry.leaf_hash).hex() for entry in Entry.objects.all()}
    answer = {
        "entries": Statement.objects.filter(seller=seller, kind="image.registered").count(),
        "differ": sum(leaves.get(seq) != leaf for seq, leaf in receipts),
        "jobs": Job.objects.filter(kind="pictures.analyse", state="queued").count(),
    }
    print(json.dumps(answer))
    return 0


def storm(site: Site, token: str, options: argparse.Namespace) -> Seen:
    """All clients and one reader until the time is over; nobody is interrupted before the answer came."""
    seen, until = Seen(), time.monotonic() + options.seconds
    picture = with_jpeg_segments(good_jpeg(), [jpeg_segment(0xFE, MARK)])
    threads = [
        threading.Thread(target=send_until, args=(site.base, token, picture, until, seen))
        for _client in range(options.clients)
    ]
    threads.append(threading.Thread(target=look_until, args=(site, until, seen)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def send_until(base: str, token: str, picture: bytes, until: float, seen: Seen) -> None:
    """One client with a kept connection. A bare socket: the client must cost the machine next to nothing."""
    where = urlsplit(base)
    before, _mark, after = picture.partition(MARK)
    edge = "x" * 32
    opening = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'.encode() + before
    closing = after + f"\r\n--{edge}--\r\n".encode()
    size = len(opening) + len(MARK) + len(closing)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\nAccept-Language: en\r\n"
        f"Content-Type: multipart/form-data; boundary={edge}\r\nContent-Length: {size}\r\n\r\n"
    ).encode()
    connection: socket.socket | None = None
    while time.monotonic() < until:
        started = time.monotonic()
        try:
            if connection is None:
                connection = socket.create_connection((where.hostname, where.port), timeout=60)
            connection.sendall(b"".join([head, opening, secrets.token_hex(8).encode(), closing]))
            status, body, keeps = read_answer(connection)
        except OSError as error:
            status, body, keeps = 0, type(error).__name__.encode(), False
        took = time.monotonic() - started
        if not keeps and connection is not None:
            connection.close()
            connection = None
        with seen.lock:
            if status == 201:
                original = json.loads(body)["original"]
                seen.receipts.append((took, original["entry"], original["leaf_hash"]))
            else:
                what = f"{status} {body[:120]!r}"
                seen.refusals[what] = seen.refusals.get(what, 0) + 1


def read_answer(connection: socket.socket) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection stays."""
    content = b""
    while b"\r\n\r\n" not in content:
        more = connection.recv(65_536)
        if not more:
            raise ConnectionResetError
        content += more
    head, _gap, body = content.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
    while len(body) < int(fields.get("content-length", "0")):
        body += connection.recv(65_536)
    return int(head[9:12]), body, fields.get("connection") != "close"


def look_until(site: Site, until: float, seen: Seen) -> None:
    visitor = Visitor(site)
    visitor.sign_in()
    turn = 0
    while time.monotonic() < until:
        status, _content, took_ms = visitor.ask(PAGES[turn % len(PAGES)])
        turn += 1
        with seen.lock:
            if status == 200:
                seen.pages.append(took_ms / 1000)
            else:
                seen.refusals[f"page {status}"] = seen.refusals.get(f"page {status}", 0) + 1
        time.sleep(LOOK_EVERY_S)


def report(seen: Seen, compared: dict[str, int], options: argparse.Namespace) -> list[str]:
    times = [line[0] for line in seen.receipts]
    rate, p99, page_p99 = len(times) / options.seconds, quantile(times, 0.99), quantile(seen.pages, 0.99)
    print(
        f"uploads: {options.clients} clients, {options.seconds:.0f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: "
        f"{len(times):,} sealed, {rate:.1f} a second; receipt median {quantile(times, 0.5):.2f} s, p99 {p99:.2f} s, worst "
        f"{max(times, default=0):.2f} s"
    )
    print(
        f"pages meanwhile: n = {len(seen.pages)}, median {quantile(seen.pages, 0.5) * 1000:.0f} ms, p99 {page_p99 * 1000:.0f} ms; "
        f"refused: {seen.refusals or 'nothing'}"
    )
    print(
        f"acknowledged {len(times):,}, entries {compared['entries']:,}, of another leaf {compared['differ']}, "
        f"jobs waiting {compared['jobs']:,}"
    )
    missed = []
    if rate < SEALED_PER_S:
        missed.append(f"{rate:.1f} sealed uploads a second, wanted {SEALED_PER_S:.0f}")
    if p99 > RECEIPT_P99_S:
        missed.append(f"p99 of a receipt {p99:.2f} s, wanted {RECEIPT_P99_S:.1f}")
    if page_p99 > PAGE_P99_S:
        missed.append(f"p99 of a page {page_p99 * 1000:.0f} ms, wanted {PAGE_P99_S * 1000:.0f}")
    if seen.refusals:
        missed.append(f"{sum(seen.refusals.values())} requests were refused")
    if len(times) != compared["entries"] or compared["differ"]:
        missed.append("what was acknowledged is not what is in the log")
    return missed


def quantile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=1000)[round(share * 1000) - 1] if len(values) > 1 else sum(values)


# Writers on one SQLite file -----------------------------------------------------------------------------------------


def writers(options: argparse.Namespace) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="originmark-writers-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ORIGINMARK_DATA": f"{folder}/data",
            "ORIGINMARK_KEYS": f"{folder}/keys",
            "ORIGINMARK_DATABASE_URL": "",
        }
        import django

        django.setup()
        from django.db import connections

        from ledger.models import Statement
        from ledger.services.setup import prepare
        from tests.factories import make_seller

        prepare()
        seller = make_seller(SELLER)
        connections.close_all()
        until = time.monotonic() + options.seconds
        with get_context("fork").Pool(options.clients) as pool:
            results = pool.starmap(
                write_until, [(seller.pk, number, until) for number in range(options.clients)], chunksize=1
            )
        entries = Statement.objects.filter(seller=seller, kind="image.registered").count()
    times = [took for written, _errors in results for took in written]
    errors = [error for _written, found in results for error in found]
    print(
        f"writers: {options.clients} processes, {options.seconds:.0f} s, load {os.getloadavg()[0]:.1f}: {len(times):,} receipts, "
        f"{len(times) / options.seconds:.1f} a second; median {quantile(times, 0.5):.2f} s, p99 {quantile(times, 0.99):.2f} s, worst "
        f"{max(times, default=0):.2f} s; entries {entries:,}; errors shown {len(errors)}"
    )
    missed = [f"a writer was told: {error}" for error in sorted(set(errors))]
    return missed + (["receipts and entries differ"] if entries != len(times) else [])


def write_until(seller_key: int, number: int, until: float) -> tuple[list[float], list[str]]:
    """Seconds of each receipt, and what went wrong instead."""
    from ledger.accounts.models import Seller
    from ledger.services.originals import Upload, register_originals

    seller = Seller.objects.get(pk=seller_key)
    small = jpeg_bytes(noise_picture(1, (24, 24)))
    written: list[float] = []
    errors: list[str] = []
    turn = 0
    while time.monotonic() < until:
        content = with_jpeg_segments(small, [jpeg_segment(0xFE, f"{number} {turn}".encode())])
        turn += 1
        started = time.monotonic()
        try:
            (answer,) = register_originals(actor=None, seller=seller, uploads=[Upload("a.jpg", content)])
        except Exception as error:  # noqa: BLE001 - whatever a person would be shown is counted
            errors.append(f"{type(error).__name__}: {error}"[:200])
            continue
        if answer.original is None:
            errors.append(answer.code)
        else:
            written.append(time.monotonic() - started)
    return written, errors


if __name__ == "__main__":
    sys.exit(main())
