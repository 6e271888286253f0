"""From a feed to alerts: `python -m tests.bench.feed [--rows 10000] [--pictures FOLDER]` on an empty site of its own, SQLite.

Rows with generated pictures are imported through the page's own services by real workers; every fiftieth picture is an
edited copy of an original. Prints when the rows were visible, when their features were made, when the watch was through
and when the last alert was there, all counted from the moment the file was handed over; which copies were missed; and,
because other work on the machine lengthens every time but not this one, the CPU time of all processes of the site.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.images import captioned, jpeg_bytes, mirrored, product_photo
from tests.journeys import server
from tests.journeys.server import Site, running_site

EVERY = 50
SIZE = (480, 600)
LOOK_S = 1.0
STUCK_S = 300.0  # nothing has changed for that long: it will not
TICKS = os.sysconf("SC_CLK_TCK")
# Asked of the database file itself: a management command would cost a fifth of what is measured.
COUNTS = {
    "rows": "SELECT COUNT(*) FROM compliance_listing",
    "features": "SELECT COUNT(*) FROM compliance_listingimage l JOIN ledger_imagefile i ON i.id = l.image_id "
    "WHERE i.features_version > 0",
    "watched": "SELECT COUNT(*) FROM compliance_galleryitem WHERE listing_image_id IS NOT NULL AND watched <> 0",
    "alerts": "SELECT COUNT(*) FROM compliance_watchmatch WHERE raised > 0",
}
FOUND = (
    "SELECT DISTINCT p.product_id FROM compliance_watchmatch m JOIN compliance_listingimage l "
    "ON l.id = m.listing_image_id JOIN compliance_listing p ON p.id = l.listing_id"
)
SEND = """
import time
from pathlib import Path
from ledger.accounts.models import Seller
from compliance.services.imports import start_import, confirm_import
seller = Seller.objects.get(slug="bench")
begun = time.time()
with Path({path!r}).open("rb") as file:
    run = start_import(actor=None, seller=seller, file_name="feed.zip", file=file)
confirm_import(actor=None, run=run, mapping=run.mapping, name="feed")
print("begun", begun)
"""


def is_copy(n: int) -> bool:
    return n % EVERY == 0


def picture(n: int) -> bytes:
    """The picture of a row: an edited copy of original n, or a product nobody registered."""
    drawn = product_photo(n if is_copy(n) else 1_000_000 + n, SIZE)
    return jpeg_bytes(captioned(mirrored(drawn)) if is_copy(n) else drawn)


def draw(job: tuple[int, Path]) -> None:
    n, folder = job
    path = folder / f"{n}.jpg"
    if not path.exists():
        path.write_bytes(picture(n))


def write_feed(rows: int, folder: Path, path: Path) -> None:
    """A ZIP with a table and its pictures, which stay in the folder for the next run."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(draw, [(n, folder) for n in range(rows)], chunksize=50))
    table = [f"P{n},{n}.jpg,S{n % 97},9.90" for n in range(rows)]
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(rows):
            archive.write(folder / f"{n}.jpg", f"{n}.jpg")
        archive.writestr("feed.csv", "\n".join(["product_id,image,shop_id,price", *table]))


def ask(database: Path, statement: str) -> list[tuple[str | int, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(statement).fetchall()


def processes(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    for path in Path(f"/proc/{root}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from processes(int(child))


def used(root: int) -> tuple[float, float]:
    """CPU seconds of a process and all below it, those that have ended included; MB of the largest of them at its peak."""
    ticks, peak = 0, 0
    for pid in processes(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it has ended meanwhile: whoever waited for it has its time
            continue
        ticks += sum(int(value) for value in fields[11:15])
        peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return ticks / TICKS, peak / 1024


def follow(site: Site, database: Path, wanted: dict[str, int], begun: float) -> dict[str, float]:
    """When each count reached what was wanted, in seconds; one that stops growing is left out."""
    reached: dict[str, float] = {}
    changed_at, before, peak = time.time(), dict[str, int](), 0.0
    while wanted.keys() - reached.keys() and time.time() - changed_at < STUCK_S:
        now = {key: int(ask(database, statement)[0][0]) for key, statement in COUNTS.items()}
        peak = max(peak, used(site.process.pid)[1])
        for key in wanted.keys() - reached.keys():
            if now[key] >= wanted[key]:
                reached[key] = time.time() - begun
                print(f"{key}: {wanted[key]} after {reached[key]:.0f} s; {now}", flush=True)
        if now != before:
            changed_at, before = time.time(), now
        time.sleep(LOOK_S)
    print(f"largest process {peak:.0f} MB")
    return reached


def measure(site: Site, rows: int, pictures: Path, folder: Path) -> None:
    """Register, send, wait, report."""
    photos = folder / "photos"
    photos.mkdir()
    copies = [n for n in range(rows) if is_copy(n)]
    for n in copies:
        (photos / f"{n}.jpg").write_bytes(jpeg_bytes(product_photo(n, SIZE)))
    site.manage("create_owner", "bench@example.org", "--seller", "bench", "--password-stdin", stdin="a calm harbour 1")
    site.manage("register", str(photos), "--seller", "bench")
    path = folder / "feed.zip"
    write_feed(rows, pictures, path)
    cpu_before = used(site.process.pid)[0]
    answer = site.manage("shell", "-v", "0", "-c", SEND.format(path=str(path))).stdout
    begun = float(answer.split("begun ")[1])
    wanted = {"rows": rows, "features": rows, "watched": rows, "alerts": len(copies)}
    database = folder / "data" / "originmark.sqlite3"
    reached = follow(site, database, wanted, begun)
    cpu = used(site.process.pid)[0] - cpu_before
    found = {str(row[0]) for row in ask(database, FOUND)}
    missed = [n for n in copies if f"P{n}" not in found]
    wrong = sorted(found - {f"P{n}" for n in copies})
    print(f"{len(copies)} copies, missed {missed}, wrong {wrong}")
    if {"features", "alerts"} <= reached.keys():
        print(f"last alert {reached['alerts'] - reached['features']:+.0f} s after the last features")
    print(f"CPU {cpu:.0f} s, {1000 * cpu / rows:.0f} ms a row; load {os.getloadavg()[2]:.1f}, {os.cpu_count()} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--pictures", type=Path, help="where drawn pictures are kept from one run to the next")
    options = parser.parse_args()
    server.START_TIMEOUT_S = 900  # a busy machine takes minutes for what comes before
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = options.pictures or folder / "drawn"
        pictures.mkdir(parents=True, exist_ok=True)
        with running_site(folder) as site:
            measure(site, options.rows, pictures, folder)


if __name__ == "__main__":
    main()
