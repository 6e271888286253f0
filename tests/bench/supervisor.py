"""How fast the service starts and stops, and what it weighs.

    python -m tests.bench.supervisor [--starts 5]

First start on empty directories, then later starts; each until pages come, and until a job that was waiting is done.
Memory is the sum over all processes: resident, and proportional (shared pages counted once).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from tests.journeys.killing import Service, draw, run_beside, unfinished_jobs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="originmark-start-") as folder:
        service = Service(Path(folder))
        print(f"first start: pages after {service.start():.2f} s")
        service.stop()
        starts = [measure(service, number) for number in range(options.starts)]
    for name, values in zip(("pages", "waiting job done", "stopped"), zip(*starts, strict=True), strict=True):
        print(f"later starts: {name} after {statistics.median(values):.2f} s (worst {max(values):.2f})")
    return 0


def measure(service: Service, number: int) -> tuple[float, float, float]:
    """Seconds until pages came, until a job that waited was done, and until everything had stopped."""
    photo = service.folder / f"{number}.jpg"
    photo.write_bytes(draw(number))
    run_beside(service, "register", str(photo), "--seller", "bench")
    started = time.monotonic()
    pages_s = service.start()
    service.wait_for(lambda: unfinished_jobs(service) == 0, "the waiting job to be done")
    job_s = time.monotonic() - started
    if number == 0:
        time.sleep(2.0)
        family = service.family()
        resident, proportional = (sum(memory_mib(pid, name) for pid in family) for name in ("Rss", "Pss"))
        print(f"{len(family)} processes: {resident:.0f} MiB resident, {proportional:.0f} MiB with shared pages once")
    return pages_s, job_s, service.stop()[1]


def memory_mib(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    raise SystemExit(main())
