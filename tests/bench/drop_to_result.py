"""From dropping a picture to seeing the answer, on a running site: upload, job, limited child, index, page.

    PYTHONPATH=. python -m tests.bench.drop_to_result --photos FOLDER [--originals 1100] [--queries 60]

Registers the photos by the command, waits until they are analysed and sealed, then asks with turned, cropped copies of
some of them as a browser does: one POST, then the result page every 100 ms until it says that it is finished. The
first query is reported apart: it starts a child and opens the index. Wall-clock time, beside the time of the answer
that the page itself states, so the rest is upload, queue and page.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.bench.pages import EMAIL, PASSWORD, SELLER, Visitor
from tests.journeys.server import ROOT, Site, running_site

EVERY_S = 0.1
PATIENCE_S = 1800


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--originals", type=int, default=1100)
    parser.add_argument("--queries", type=int, default=60)
    options = parser.parse_args()
    photos = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    photos = photos[: options.originals]
    with tempfile.TemporaryDirectory(prefix="originmark-drop-") as folder, running_site(Path(folder)) as site:
        owner = ("create_owner", EMAIL, "--seller", SELLER, "--password-stdin")
        site.manage(*owner, stdin=PASSWORD)
        register(site, photos)
        wait_until_sealed(site, len(photos))
        visitor = Visitor(site)
        visitor.sign_in()
        step = max(1, len(photos) // options.queries)
        report([ask(visitor, copy_of(path)) for path in photos[::step][: options.queries]], len(photos))
    return 0


def register(site: Site, photos: list[Path]) -> None:
    begun = time.monotonic()
    command = [sys.executable, "manage.py", "register", *map(str, photos), "--seller", SELLER]
    subprocess.run(command, cwd=ROOT, env=site.environment, check=True, stdout=subprocess.DEVNULL)
    print(f"{len(photos)} photos registered in {time.monotonic() - begun:.0f} s")


def wait_until_sealed(site: Site, count: int) -> None:
    """Until every picture is in a segment, except the fewer than fifty that wait for company."""
    program = (
        "from compliance.models import GalleryItem, IndexSegment;"
        "print(GalleryItem.objects.count(), sum(IndexSegment.objects.values_list('pictures', flat=True)))"
    )
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        found, sealed = map(int, site.manage("shell", "-v", "0", "-c", program).stdout.split()[-2:])
        if found == count and sealed > count - 50:
            print(f"analysed and sealed {time.monotonic() - begun:.0f} s later ({sealed} sealed)")
            return
        time.sleep(5)
    raise SystemExit("the pictures were not analysed in time")


def copy_of(path: Path) -> bytes:
    """Turned by 7 degrees, a tenth cropped away on each side, saved again."""
    with Image.open(path) as photo:
        turned = photo.convert("RGB").rotate(7, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    across, down = turned.width // 10, turned.height // 10
    out = io.BytesIO()
    turned.crop((across, down, turned.width - across, turned.height - down)).save(out, "JPEG", quality=75)
    return out.getvalue()


def ask(visitor: Visitor, picture: bytes) -> tuple[float, float]:
    """(seconds from sending to the finished page, seconds the answer itself took as the page says)."""
    page = visitor.ask("/search/")[1].decode()
    fields = {name: hidden(page, name) for name in ("csrfmiddlewaretoken", "request_id")}
    begun = time.perf_counter()
    location = visitor.upload(
        "/search/", {**fields, "scope": "all", "threshold": "85"}, ("picture", "copy.jpg", picture)
    )
    while "data-finished" not in (page := visitor.ask(location)[1].decode()):
        time.sleep(EVERY_S)
    took = time.perf_counter() - begun
    stated = re.search(r"([\d,]+) ms</dd>", page)
    if stated is None:
        raise SystemExit(f"{location} has no answer")
    return took, int(stated.group(1).replace(",", "")) / 1000


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    if found is None:
        raise SystemExit(f"the form has no field {name}")
    return found.group(1)


def report(times: list[tuple[float, float]], count: int) -> None:
    first, later = times[0], times[1:]
    taken, stated = (sorted(column) for column in zip(*later, strict=True))
    print(f"{count} originals, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; first query {first[0]:.2f} s")
    for name, values in (("drop to result", taken), ("of it the answer", stated)):
        p95 = values[int(0.95 * (len(values) - 1))]
        print(
            f"{name}: p50 {statistics.median(values):.2f} s, p95 {p95:.2f} s, most {values[-1]:.2f} s (n={len(values)})"
        )


if __name__ == "__main__":
    sys.exit(main())
