"""The index of local features with many pictures: building, saving, opening, adding, deleting, searching, memory.

    PYTHONPATH=. python -m tests.bench.index_scale --photos FOLDER [--pictures 100000 1000000] [--work FOLDER]

A picture is a real photo's features with every descriptor jittered and every spot moved, so that the lists are as
uneven as those of real photos. One segment of 50,000 (the size at which the product stops joining) goes the product's
own way; more pictures are copies of its files under other numbers: the same codes again, as many to compare as
different ones. A query is the features of a photo that is not in the index, in all its views. CPU time of one core;
`bare loop` is the same codes compared by FAISS alone (search_preassigned over the same leaves, and nothing else).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np

from compliance.search import segments
from compliance.search.nominate import asks_of, nominate, views_of
from compliance.search.segments import Ask, Segment, SegmentIndex, leaves_visited
from ledger.imaging.decode import decode_picture
from ledger.imaging.features import QUERY, REFERENCE, Features, extract
from ledger.imaging.threads import use_one_thread

SEGMENT = 50_000
PORTION = 500
QUERIES = 60
JITTER = 12.0  # of 255: about what saving again as a JPEG of quality 70 does to a descriptor


def jittered(known: Sequence[Features], count: int, seed: int) -> Iterator[Features]:
    """`count` invented pictures out of the features of real ones."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        one = known[number % len(known)]
        noise = rng.standard_normal(one.descriptors.shape, np.float32) * JITTER
        descriptors = np.clip(one.descriptors + noise, 0, 255).astype(np.uint8)
        geometry = one.geometry.copy()
        geometry[:, :2] *= rng.uniform(0.6, 1.0, 2)
        geometry[:, 3] = (geometry[:, 3] + rng.uniform(0, 360)) % 360
        yield Features(geometry.astype(np.float32), descriptors, one.width, one.height)


def build(known: Sequence[Features], folder: Path, count: int) -> None:
    """One sealed segment the product's way, with the cost of it beside that of finding the lists alone."""
    segment = SegmentIndex().tail
    cpu = bare = 0.0
    made = jittered(known, count, 1)
    for start in range(0, count, PORTION):
        portion = [next(made) for _ in range(min(PORTION, count - start))]
        begun = time.process_time()
        segment.append(list(range(start, start + len(portion))), portion)
        cpu += time.process_time() - begun
        if start == 0:
            bare = bare_encoding(segment, portion)
    print(
        f"build: {1e3 * cpu / count:.2f} ms a picture, {cpu / count / bare:.2f} x FAISS finding one list of 4,096 and encoding"
    )
    folder.mkdir()
    begun = time.perf_counter()
    segment.save(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"save: {time.perf_counter() - begun:.2f} s, {size / count:.0f} bytes a picture on disk")


def bare_encoding(segment: Segment, portion: Sequence[Features]) -> float:
    """Seconds a picture of the bare loop: exact search of the nearest centroid and the 16-byte code, by FAISS."""
    flat = faiss.IndexFlatL2(128)
    flat.add(segment.codebook.centroids)
    begun = time.process_time()
    for one in portion:
        vectors = np.ascontiguousarray(one.first(segments.DESCRIPTORS_PER_IMAGE).descriptors, np.float32)
        flat.search(vectors, 1)
        segment._lists.pq.compute_codes(vectors)
    return (time.process_time() - begun) / len(portion)


def copies(folder: Path, whole: Path, count: int) -> list[Path]:
    """`count` segments like the first: its codes linked, its pictures under other numbers."""
    out = [whole]
    with np.load(whole / "pictures.npz") as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    for number in range(1, count):
        other = folder / f"segment{number}"
        other.mkdir()
        for name in ("codes.faiss", "geometry.npy"):
            shutil.copyfile(whole / name, other / name)
        moved = columns["image_ids"] + number * SEGMENT
        np.savez(other / "pictures.npz", **{**columns, "image_ids": moved})
        out.append(other)
    return out


def quantiles(action: Callable[[int], object], runs: int) -> str:
    """Median and 95th percentile of CPU time in ms."""
    taken = []
    for number in range(runs):
        begun = time.process_time()
        action(number)
        taken.append(1e3 * (time.process_time() - begun))
    taken.sort()
    return f"p50 {statistics.median(taken):.1f} ms, p95 {taken[int(0.95 * (runs - 1))]:.1f} ms (n={runs})"


def bare_scan(index: SegmentIndex, asks: Sequence[Ask]) -> float:
    """CPU seconds of FAISS comparing the codes of the same leaves."""
    vectors, leaves = index._leaves_of(asks)
    begun = time.process_time()
    for segment in index.sealed:
        out = (np.zeros((len(vectors), 8), np.float32), np.zeros((len(vectors), 8), np.int64))
        segments._scan(segment._lists, vectors, leaves, out, None)
    return time.process_time() - begun


def measure(paths: Sequence[Path], queries: Sequence[Features], extra: Sequence[Features]) -> None:
    """Everything about an index of these segments."""
    begun, before = time.perf_counter(), memory()
    index = SegmentIndex([Segment.open(path) for path in paths])
    print(f"\n{len(index):,} pictures in {len(paths)} segments, {leaves_visited(len(index))} leaves a descriptor")
    print(f"  open: {1e3 * (time.perf_counter() - begun):.0f} ms")
    views = [views_of(one) for one in queries]
    for one in views[:10]:
        nominate(index, one)  # the files come into the page cache
    print(f"  query: {quantiles(lambda n: nominate(index, views[n]), len(views))}")
    some = views[: len(views) // 4]
    ratios = []
    for one in some:
        begun = time.process_time()
        nominate(index, one)
        whole = time.process_time() - begun
        ratios.append(whole / bare_scan(index, asks_of(index, one)))
    print(f"  query / bare loop: {statistics.median(ratios):.2f} x (n={len(ratios)})")
    allowed = index.image_ids()[::10]
    print(f"  query, one picture of ten allowed: {quantiles(lambda n: nominate(index, some[n], allowed), len(some))}")
    print(f"  add one: {quantiles(lambda n: index.add([(10**9 + n, extra[n])]), len(extra))}")
    print(f"  delete one: {quantiles(lambda n: index.delete([10**9 + n]), len(extra))}")
    own, mapped = memory()
    print(f"  memory: own {own - before[0]:.0f} MB, mapped from files {mapped - before[1]:.0f} MB")


def memory() -> tuple[float, float]:
    """(own, mapped from files) resident memory of this process in MB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 1024, int(status["RssFile"].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pictures", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--known", type=int, default=300, help="photos whose features are jittered")
    parser.add_argument("--work", type=Path, default=None, help="where 10 KB a picture find room")
    options = parser.parse_args()
    use_one_thread()
    photos = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    pixels = [
        decode_picture(path.read_bytes()).pixels for path in photos[:: max(1, len(photos) // (options.known + QUERIES))]
    ]
    queries = [extract(one, QUERY) for one in pixels[:QUERIES]]
    known = [extract(one, REFERENCE) for one in pixels[QUERIES : QUERIES + options.known]]
    print(f"{os.cpu_count()} cores, {len(known)} photos jittered, {len(queries)} queries")
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        whole = Path(name) / "segment0"
        build(known, whole, min(SEGMENT, max(options.pictures)))
        paths = copies(Path(name), whole, -(-max(options.pictures) // SEGMENT))
        extra = list(jittered(known, 40, 2))
        for count in sorted(options.pictures):
            measure(paths[: max(1, count // SEGMENT)], queries, extra)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
