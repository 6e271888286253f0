"""What the child process costs: analysing pictures through the pool against a bare loop with the same pixel work.

    python tests/bench/imaging.py [--photos DIR ...] [--count 200] [--rounds 5]

The bare loop is what one would write in an afternoon, in this very process and with nothing around it: decode, turn
upright, imagehash's phash and dhash, two WebP previews of the same sizes and settings. The pool also scans the file,
checks PNG checksums, reads metadata, converts colour profiles and takes the digest of all pixels. Both work on the
same files in turns; the ratio is bare time divided by pooled time, so above 1 the pool is faster.
"""

import argparse
import io
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import imagehash
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ledger.imaging import thumbnail
from ledger.imaging.sandbox import PixelPool, TaskResult
from ledger.imaging.scan import scan_picture
from tests import images

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
ANALYSE = "ledger.imaging.analysis:analyse_task"
ECHO = "tests.ledger.imaging.misbehave:echo_task"


def bare(files: Sequence[bytes]) -> None:
    for data in files:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        imagehash.phash(image)
        imagehash.dhash(image)
        for long_side in thumbnail.LONG_SIDES:
            small = image.copy()
            small.thumbnail((long_side, long_side))
            small.save(io.BytesIO(), "WEBP", quality=thumbnail.QUALITY, method=thumbnail.METHOD)


def pooled(pool: PixelPool, files: Sequence[bytes]) -> None:
    def jobs():
        for data in files:
            scan_picture(data, file_name="photo.jpg")
            yield [data], {}

    for answer in pool.map(ANALYSE, jobs()):
        assert isinstance(answer, TaskResult), answer


def cpu_seconds(pool: PixelPool) -> float:
    """CPU used by this process and by the pool's children."""
    total = time.process_time()
    for pid in pool.child_pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measure(pool: PixelPool, work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), cpu_seconds(pool)
    work()
    return time.perf_counter() - wall, cpu_seconds(pool) - cpu


def load(folders: Sequence[Path], count: int) -> tuple[str, list[bytes]]:
    paths = sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.suffix == ".jpg")
    if not paths:
        made = (images.product_photo(seed, (500, 600)) for seed in range(min(count, 60)))
        return "generated 500 x 600", [images.jpeg_bytes(image) for image in made]
    chosen = random.Random(1).sample(paths, min(count, len(paths)))
    return ", ".join(folder.name for folder in folders), [path.read_bytes() for path in chosen]


def report(title: str, files: Sequence[bytes], rounds: int) -> None:
    walls, cpus = [], []
    with PixelPool() as pool:
        pooled(pool, files[:3])
        bare(files[:3])
        for _ in range(rounds):
            wall_pool, cpu_pool = measure(pool, lambda: pooled(pool, files))
            wall_bare, cpu_bare = measure(pool, lambda: bare(files))
            walls.append((wall_bare, wall_pool))
            cpus.append((cpu_bare, cpu_pool))
    print(f"{title}: n = {len(files)} files, {rounds} rounds in turns")
    for name, pairs in (("wall", walls), ("cpu", cpus)):
        bare_ms, pool_ms = (statistics.median(pair[side] for pair in pairs) / len(files) * 1000 for side in (0, 1))
        ratio = statistics.median(left / right for left, right in pairs)
        print(f"  {name:4}  bare {bare_ms:7.2f} ms  pooled {pool_ms:7.2f} ms a picture  median ratio {ratio:.2f}")


def report_overhead() -> None:
    with PixelPool(prefixes=("tests.",)) as pool:
        for size in (20_000, 500_000, 5_000_000):
            blob, times = bytes(size), []
            pool.run(ECHO, [], {})
            for _ in range(200):
                start = time.perf_counter()
                pool.run("tests.ledger.imaging.misbehave:count_task", [blob])
                times.append(time.perf_counter() - start)
            print(f"  empty job with {size:>9,} bytes, n = 200: median {statistics.median(times) * 1000:.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pooled analysis against a bare loop.")
    parser.add_argument("--photos", type=Path, action="append", help="folder of JPEGs; may be given several times")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    report_overhead()
    groups = [options.photos] if options.photos else [[SHARED / "copies" / "images"], [SHARED / "photos-large"]]
    for folders in groups:
        title, files = load(folders, options.count)
        report(title, files, options.rounds)
    large = [images.jpeg_bytes(images.rescaled(images.product_photo(seed, (1000, 750)), 4), 90) for seed in range(3)]
    report("generated 4000 x 3000", large, options.rounds)


if __name__ == "__main__":
    main()
