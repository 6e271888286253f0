"""What the limited child costs for one good JPEG of 1 MB: `python -m tests.bench.sandbox [--rounds 30]`.

The same function on the same bytes, in this process and through the pool, in turns; medians. Starting a child is measured apart: it
happens once for 2,000 pictures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from PIL import Image

from ledger.imaging import landlock
from ledger.imaging.analysis import analyse_task
from ledger.imaging.sandbox import PixelPool
from tests.images import jpeg_bytes, noise_picture, product_photo

ANALYSE = "ledger.imaging.analysis:analyse_task"
WANTED_BYTES = 1_000_000


def good_jpeg() -> bytes:
    """A picture with texture whose file has about 1 MB."""
    for side in range(1000, 4000, 100):
        picture, grain = product_photo(1, (side, side)), noise_picture(1, (side, side)).convert("RGB")
        data = jpeg_bytes(Image.blend(picture, grain, 0.08))
        if len(data) >= WANTED_BYTES:
            return data
    return data


def milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    data = good_jpeg()
    with PixelPool(size=1) as pool:
        start_ms = milliseconds(lambda: pool.run(ANALYSE, [data], {}))
        analyse_task([data], {})
        bare, boxed = [], []
        for _ in range(options.rounds):
            bare.append(milliseconds(lambda: analyse_task([data], {})))
            boxed.append(milliseconds(lambda: pool.run(ANALYSE, [data], {})))
    more = statistics.median(b - a for a, b in zip(bare, boxed, strict=True))
    print(
        f"{len(data):,} bytes, Landlock {landlock.version()}: in this process {statistics.median(bare):.1f} ms, in the child "
        f"{statistics.median(boxed):.1f} ms, {more:+.1f} ms (wanted at most +10), ratio "
        f"{statistics.median(boxed) / statistics.median(bare):.3f}; first picture of a child {start_ms:.0f} ms"
    )
    return 0 if more <= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
