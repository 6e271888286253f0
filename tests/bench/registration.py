"""How fast originals are sealed and analysed, against bare loops that do the same work in the same run.

    python -m tests.bench.registration [--photos DIR] [--count 600] [--repeat 3]

Sealing: receipts per second of register_originals() / a bare loop of SHA-256 + durable file + durable row, one by one.
Pipeline: pictures per processor second of sealing and analysis with every job / a bare loop that decodes, takes two
fingerprints with the imagehash library, makes the same two previews and takes OpenCV's SIFT features, in one process.
Needs nothing running; works on a database and directories of its own. Without photos it draws some.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

BATCH = 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/copies/images"))
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="originmark-bench-", dir=".") as folder:
        os.environ["ORIGINMARK_DATA"], os.environ["ORIGINMARK_KEYS"] = f"{folder}/data", f"{folder}/keys"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        import django

        django.setup()
        contents = load_photos(options.photos, options.count)
        size = sum(map(len, contents)) / len(contents)
        print(f"{len(contents)} photos, {size / 1000:.0f} kB on average, {options.repeat} rounds, medians")
        compare(contents, options.repeat, Path(folder))
    return 0


def load_photos(folder: Path, count: int) -> list[bytes]:
    if folder.is_dir():
        return [path.read_bytes() for path in sorted(folder.iterdir())[:count]]
    from tests.images import jpeg_bytes, product_photo

    return [jpeg_bytes(product_photo(seed)) for seed in range(min(count, 100))]


def compare(contents: Sequence[bytes], repeat: int, folder: Path) -> None:
    from ledger.services.setup import prepare

    prepare()
    rows = []
    for number in range(repeat):
        bare_seal = rate(len(contents), partial(seal_bare, contents, folder / f"bare-{number}"))
        ours_seal = rate(len(contents), partial(seal_ours, contents, f"seller-{number}"))
        single = rate(100, partial(seal_single, contents[:100], f"single-{number}"))
        bare_pixels = cpu_rate(len(contents), lambda: pixels_bare(contents))
        ours_all = cpu_rate(len(contents), partial(pipeline_ours, contents, f"pipeline-{number}"))
        rows.append((bare_seal, ours_seal, single, bare_pixels, ours_all))
    bare_seal, ours_seal, single, bare_pixels, ours_all = (
        statistics.median(column) for column in zip(*rows, strict=True)
    )
    print(f"sealing, bare loop                   {bare_seal:8.0f} /s")
    print(
        f"sealing, batches of {BATCH}               {ours_seal:8.0f} receipts/s   {ours_seal / bare_seal:5.2f} x   asked >= 0.5"
    )
    print(f"sealing, one request per file        {single:8.0f} receipts/s   {single / bare_seal:5.2f} x")
    print(f"pixels, bare loop                    {bare_pixels:8.1f} /s of one core")
    print(
        f"whole pipeline, seal to gallery      {ours_all:8.1f} /s of one core  {ours_all / bare_pixels:5.2f} x   asked >= 0.8"
    )


def rate(count: int, work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def cpu_rate(count: int, work: Callable[[], None]) -> float:
    """Pictures per second of processor time, children included."""
    before = cpu_seconds()
    work()
    return count / (cpu_seconds() - before)


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def seal_bare(contents: Sequence[bytes], folder: Path) -> None:
    """One by one: digest, temporary file, fsync, rename, fsync of the folder, one durable row."""
    folder.mkdir()
    database = sqlite3.connect(folder / "rows.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE receipt (id INTEGER PRIMARY KEY, sha256 BLOB UNIQUE, size INTEGER)")
    directory = os.open(folder, os.O_RDONLY)
    for number, content in enumerate(contents):
        digest = hashlib.sha256(content).digest()
        temporary, final = folder / f".{number}", folder / str(number)
        with temporary.open("wb", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
        temporary.rename(final)
        os.fsync(directory)
        database.execute("INSERT INTO receipt (sha256, size) VALUES (?, ?)", (digest, len(content)))
    os.close(directory)
    database.close()


def seal_ours(contents: Sequence[bytes], slug: str) -> None:
    from ledger.services.originals import Upload, register_originals
    from tests.factories import make_seller

    seller = make_seller(slug)
    for start in range(0, len(contents), BATCH):
        uploads = [Upload(f"{start + i}.jpg", c) for i, c in enumerate(contents[start : start + BATCH])]
        answers = register_originals(actor=None, seller=seller, uploads=uploads)
        assert all(answer.original for answer in answers)


def seal_single(contents: Sequence[bytes], slug: str) -> None:
    from ledger.services.originals import Upload, register_originals
    from tests.factories import make_seller

    seller = make_seller(slug)
    for content in contents:
        register_originals(actor=None, seller=seller, uploads=[Upload("photo.jpg", content)])


def pixels_bare(contents: Sequence[bytes]) -> None:
    """What any program must do for these pixels: decode, two fingerprints, two previews, OpenCV's SIFT, a portrait."""
    import cv2
    import imagehash
    import numpy as np
    from PIL import Image, ImageOps

    from ledger.imaging import feature_blob, features, thumbnail

    side, limit = features.REFERENCE.long_side, features.REFERENCE.limit
    sift = cv2.SIFT.create(nfeatures=limit, contrastThreshold=features.CONTRAST, edgeThreshold=features.EDGE)
    for content in contents:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
        imagehash.phash(image)
        imagehash.dhash(image)
        for long_side in thumbnail.LONG_SIDES:
            copy = image.copy()
            copy.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
            copy.save(io.BytesIO(), "WEBP", quality=thumbnail.QUALITY, method=thumbnail.METHOD)
        grey = image.convert("L")
        grey.thumbnail((side, side), Image.Resampling.BOX)
        sift.detectAndCompute(np.asarray(grey), None)
        grey.thumbnail((feature_blob.PORTRAIT_SIDE, feature_blob.PORTRAIT_SIDE), Image.Resampling.BOX)
        grey.save(io.BytesIO(), "WEBP", quality=feature_blob.PORTRAIT_QUALITIES[0], method=feature_blob.PORTRAIT_METHOD)


def pipeline_ours(contents: Sequence[bytes], slug: str) -> None:
    """Seal, then every job there is, in this process and its pixel child."""
    from ledger.services import pictures
    from ledger.services.jobs import find_waiting_jobs, run_job

    for queue in ("heavy", "fast"):  # leftovers of the sealing rounds are not this round's work
        drain(queue, find_waiting_jobs, lambda job_id: None, drop=True)
    seal_ours(contents, slug)
    for queue in ("heavy", "fast"):
        drain(queue, find_waiting_jobs, run_job)
    pictures.pixel_pool().close()  # so that the child's processor time is counted
    pictures._pool = None


def drain(queue: str, find: Callable[..., list], run: Callable[[int], None], *, drop: bool = False) -> None:
    from ledger.models import Job

    if drop:
        Job.objects.filter(state="queued").update(state="cancelled")
        return
    while jobs := find(queue=queue, limit=100):
        for job in jobs:
            run(job.pk)


if __name__ == "__main__":
    sys.exit(main())
