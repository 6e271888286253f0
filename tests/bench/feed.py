"""From a feed to alerts: `python -m tests.bench.feed [--rows 10000]` on an empty site of its own, SQLite unless told otherwise.

Rows with generated pictures are imported through the page's own services by real workers; every fiftieth picture is an
edited copy of an original. Prints when the rows were visible, when features were made, when the watch was through, and
how long after that the last alert came.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
import zipfile
from pathlib import Path

from tests.images import captioned, jpeg_bytes, mirrored, product_photo
from tests.journeys.server import Site, running_site

EVERY = 50
SIZE = (480, 600)
ASK = """
import json
from compliance.models import *
from ledger.models import ImageFile
listings = ListingImage.objects
print(json.dumps({"rows": Listing.objects.count(),
  "features": listings.filter(image__features_version__gt=0).count(),
  "watched": GalleryItem.objects.exclude(listing_image=None).exclude(watched=0).count(),
  "alerts": WatchMatch.objects.filter(raised__gt=0).count()}))
"""
SEND = """
from pathlib import Path
from ledger.accounts.models import Seller
from compliance.services.imports import start_import, confirm_import
seller = Seller.objects.get(slug="bench")
run = start_import(actor=None, seller=seller, file_name="feed.zip", content=Path({path!r}).read_bytes())
confirm_import(actor=None, run=run, mapping=run.mapping, name="feed")
"""


def feed_zip(rows: int) -> bytes:
    """A table and its pictures; every EVERYth is a copy of an original."""
    out, table = io.BytesIO(), []
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(rows):
            picture = product_photo(n if n % EVERY == 0 else 1_000_000 + n, SIZE)
            content = jpeg_bytes(captioned(mirrored(picture)) if n % EVERY == 0 else picture)
            archive.writestr(f"{n}.jpg", content)
            table.append(f"P{n},{n}.jpg,S{n % 97},9.90")
        archive.writestr("feed.csv", "\n".join(["product_id,image,shop_id,price", *table]))
    return out.getvalue()


def state(site: Site) -> dict[str, int]:
    answer: dict[str, int] = json.loads(site.manage("shell", "-v", "0", "-c", ASK).stdout.strip().splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name, running_site(Path(name)) as site:
        folder = Path(name) / "photos"
        folder.mkdir()
        for n in range(0, rows, EVERY):
            (folder / f"{n}.jpg").write_bytes(jpeg_bytes(product_photo(n, SIZE)))
        site.manage(
            "create_owner", "bench@example.org", "--seller", "bench", "--password-stdin", stdin="a calm harbour 1"
        )
        site.manage("register", str(folder), "--seller", "bench")
        path = Path(name) / "feed.zip"
        path.write_bytes(feed_zip(rows))
        site.manage("shell", "-v", "0", "-c", SEND.format(path=str(path)))
        started, reached = time.monotonic(), dict[str, float]()
        wanted = {"rows": rows, "features": rows, "watched": rows, "alerts": len(range(0, rows, EVERY))}
        while wanted.keys() - reached.keys():
            now = state(site)
            for key, count in wanted.items():
                if now[key] >= count and key not in reached:
                    reached[key] = time.monotonic() - started
                    print(f"{key}: {count} after {reached[key]:.0f} s", flush=True)
            time.sleep(1)
        print(f"last alert {max(0.0, reached['alerts'] - reached['watched']):.0f} s after the watch was through")


if __name__ == "__main__":
    main()
