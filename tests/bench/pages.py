"""How long a seller with many originals waits for a page: what a browser would ask for, from a running site.

    python -m tests.bench.pages [--originals 100000] [--requests 40]

Rows are generated (every one a real entry of the log, its files missing), then `manage.py up` runs on them and each page
is asked for again and again over one kept connection. Each figure is set against the limit of 150 ms and, in the same
run, against the sign-in page: a page of the same frame that lists nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.journeys.server import ROOT, Site, running_site

LIMIT_MS = 150.0
PLAIN = "/accounts/login/"
PAGES = [
    "/",
    "/originals/",
    "/originals/?layout=table",
    "/originals/?q=lamp-099",
    "/originals/?q=nothing-is-called-so",
    "/originals/?category=shoes&state=ready",
    "/history/",
    "/history/?kind=image.registered&outcome=passed",
    "/history/?q=lamp-099",
    "/history/?q=nothing-is-called-so",
    "/find/?q=lamp-0999",
    "/find/?q=nothing-is-called-so",
    "/search/",
    "/hidden/",
    "/catalogues/",
    "/ledger/",
    "/jobs/",
    "/originals/register/",
]
SELLER, EMAIL, PASSWORD = "bench", "lin@example.org", "a calm harbour at dusk"
BATCH = 2000
CATEGORIES = ("shoes", "bags", "lights", "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--originals", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=40, help="of each page")
    parser.add_argument("--database", default="", help="a URL instead of SQLite; its database must be empty")
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.originals)
        return 0
    with tempfile.TemporaryDirectory(prefix="originmark-pages-") as folder:
        work = Path(folder)
        prepare(work, options)
        with running_site(work, options.database) as site:
            return report(measure(site, options.requests), options)


def prepare(work: Path, options: argparse.Namespace) -> None:
    """Tables, keys, a seller and an owner, then the rows; in processes of their own, as the site will be."""
    environment = os.environ | {
        "ORIGINMARK_DATA": str(work / "data"),
        "ORIGINMARK_KEYS": str(work / "keys"),
        "ORIGINMARK_DATABASE_URL": options.database,
        "ORIGINMARK_VENV": sys.prefix,
        "ORIGINMARK_PUBLIC_URL": "",
    }
    with running_site(work, options.database):
        pass  # the first start makes what is missing
    owner = [sys.executable, "manage.py", "create_owner", EMAIL, "--seller", SELLER, "--password-stdin"]
    subprocess.run(owner, cwd=ROOT, env=environment, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    rows = [sys.executable, "-m", "tests.bench.pages", "--fill", "--originals", str(options.originals)]
    subprocess.run(rows, cwd=ROOT, env=environment, check=True)
    print(f"{options.originals:,} originals made in {time.monotonic() - started:.0f} s")


def fill(count: int) -> None:
    """The rows that registering and analysing `count` pictures would leave, without the pictures."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from ledger.accounts.models import Seller, User

    seller, actor = Seller.objects.get(slug=SELLER), User.objects.get(email=EMAIL)
    for start in range(0, count, BATCH):
        fill_batch(seller, actor, range(start, min(start + BATCH, count)))


def fill_batch(seller: Any, actor: Any, numbers: range) -> None:
    from django.db import transaction

    from compliance.models import Gallery, GalleryItem
    from ledger.models import Blob, Fingerprint, ImageFile, ImageState, Original
    from ledger.services.identity import identity_document
    from ledger.services.log import Draft, append_statements
    from ledger.tlog.claim_documents import ClaimItem, image_registered_claim

    digests = [hashlib.sha256(b"%d" % number).digest() for number in numbers]
    names = [f"lamp-{number:06d}.jpg" for number in numbers]
    drafts = [
        Draft(
            kind="image.registered",
            claim=image_registered_claim(
                secrets.token_bytes(32), [ClaimItem("original", digest, 250_000, "image/jpeg")]
            ),
            identity=identity_document(actor=actor, seller=seller),
            request_id=f"bench-{number}",
            label=name,
            outcome="passed",
        )
        for number, digest, name in zip(numbers, digests, names, strict=True)
    ]
    with transaction.atomic():
        statements = append_statements(seller=seller, actor=actor, drafts=drafts)
        blobs = Blob.objects.bulk_create(Blob(seller=seller, size_bytes=250_000, wrapped_key=bytes(60)) for _ in names)
        images = ImageFile.objects.bulk_create(
            ImageFile(
                seller=seller,
                blob=blob,
                sha256=digest,
                pixel_sha256=digest,
                size_bytes=250_000,
                file_name=name,
                format="JPEG",
                mime="image/jpeg",
                state=ImageState.READY,
                width=1200,
                height=1600,
                has_thumbnails=True,
            )
            for blob, digest, name in zip(blobs, digests, names, strict=True)
        )
        Fingerprint.objects.bulk_create(
            Fingerprint(image=image, algorithm=algorithm, version=1, value=digest[at : at + 8])
            for image, digest in zip(images, digests, strict=True)
            for algorithm, at in (("phash64", 0), ("dhash64", 8))
        )
        originals = Original.objects.bulk_create(
            Original(
                number=statement.number,
                seller=seller,
                statement=statement,
                image=image,
                sha256=image.sha256,
                search_text=image.file_name,
                category=CATEGORIES[number % len(CATEGORIES)],
                registered_by=actor,
                registered_at=statement.logged_at,
            )
            for number, statement, image in zip(numbers, statements, images, strict=True)
        )
        gallery, _made = Gallery.objects.get_or_create(seller=seller)
        gallery.generation += 1
        gallery.save()
        GalleryItem.objects.bulk_create(
            GalleryItem(seller=seller, generation=gallery.generation, image_id=original.image_id, original=original)
            for original in originals
        )


class Visitor:
    """One signed-in browser with a kept connection; no client of any weight, so that the site has the processor."""

    def __init__(self, site: Site) -> None:
        self._host = urllib.parse.urlsplit(site.base).netloc
        self._connection = HTTPConnection("127.0.0.1", int(self._host.rpartition(":")[2]), timeout=60)
        self._cookies: dict[str, str] = {}

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes, float]:
        """Status, body and milliseconds until all of it was here."""
        if form is None:
            status, content, took_ms, _location = self._exchange("GET", path)
        else:
            kind = "application/x-www-form-urlencoded"
            status, content, took_ms, _location = self._exchange(
                "POST", path, urllib.parse.urlencode(form).encode(), kind
            )
        return status, content, took_ms

    def upload(self, path: str, fields: dict[str, str], file: tuple[str, str, bytes]) -> str:
        """Send a form with one file (field, file name, bytes); the address it leads to."""
        edge = secrets.token_hex(16)
        parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{file[0]}"; filename="{file[1]}"\r\n\r\n'
        body = "".join(parts).encode() + head.encode() + file[2] + f"\r\n--{edge}--\r\n".encode()
        status, content, _took, location = self._exchange("POST", path, body, f"multipart/form-data; boundary={edge}")
        assert status == 302, f"{path} answered {status}: {content[:400]!r}"
        return location

    def _exchange(
        self, method: str, path: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[int, bytes, float, str]:
        headers = {"Host": self._host, "Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if body is not None:
            headers |= {"Content-Type": kind, "Origin": f"http://{self._host}"}
        started = time.perf_counter()
        self._connection.request(method, path, body=body, headers=headers)
        answer = self._connection.getresponse()
        content = answer.read()
        took_ms = (time.perf_counter() - started) * 1000
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status, content, took_ms, answer.headers.get("Location", "")

    def sign_in(self) -> None:
        self.ask(PLAIN)
        form = {"login": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": self._cookies["csrftoken"]}
        status, _content, _took = self.ask(PLAIN, form)
        assert status == 302, f"signing in answered {status}"


def measure(site: Site, requests: int) -> dict[str, list[float]]:
    """Milliseconds of each request, by page. The first request of each page warms caches and is not counted."""
    stranger, visitor = Visitor(site), Visitor(site)
    visitor.sign_in()
    times: dict[str, list[float]] = {page: [] for page in (PLAIN, *PAGES)}
    for number in range(requests + 1):
        for page, taken in times.items():
            status, _content, took_ms = (stranger if page == PLAIN else visitor).ask(page)
            assert status == 200, f"{page} answered {status}"
            if number:
                taken.append(took_ms)
    return times


def report(times: dict[str, list[float]], options: argparse.Namespace) -> int:
    plain = statistics.median(times[PLAIN])
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; n = {options.requests} a page; limit {LIMIT_MS:.0f} ms"
    )
    print(f"{'page':48} {'median':>8} {'p95':>8} {'p95/limit':>10} {'median/sign-in':>15}")
    worst = 0.0
    for page, taken in times.items():
        median, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
        worst = max(worst, p95)
        print(f"{page:48} {median:6.1f}ms {p95:6.1f}ms {p95 / LIMIT_MS:9.2f}x {median / plain:14.2f}x")
    print(f"worst p95 {worst:.0f} ms = {worst / LIMIT_MS:.2f} x the limit")
    return 0 if worst <= LIMIT_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
