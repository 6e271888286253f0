"""How fast the service starts and stops, and what it weighs.

    python -m tests.bench.supervisor [--starts 5]

First start on empty directories, then later starts; each until pages come, and until a job that was waiting is done.
Processor time is what the site's own processes had used by the time pages came: it says what the seconds would be on a
machine with nothing else to do. Memory is the sum over all processes: resident, and with shared pages counted once.
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
        print(f"first start: pages after {service.start():.2f} s, {processor_s(service):.2f} s of processor time")
        service.stop()
        starts = [measure(service, number) for number in range(options.starts)]
    names = ("pages", "processor time until pages", "waiting job done", "stopped")
    for name, values in zip(names, zip(*starts, strict=True), strict=True):
        print(f"later starts: {name}: {statistics.median(values):.2f} s (worst {max(values):.2f})")
    return 0


def measure(service: Service, number: int) -> tuple[float, ...]:
    """Seconds until pages came, of processor time, until a job that waited was done, and until all had stopped."""
    photo = service.folder / f"{number}.jpg"
    photo.write_bytes(draw(number))
    run_beside(service, "register", str(photo), "--seller", "bench")
    started = time.monotonic()
    pages_s, used_s = service.start(), processor_s(service)
    service.wait_for(lambda: unfinished_jobs(service) == 0, "the waiting job to be done")
    job_s = time.monotonic() - started
    if number == 0:
        time.sleep(2.0)
        family = service.family()
        resident, proportional = (sum(memory_mib(pid, name) for pid in family) for name in ("Rss", "Pss"))
        print(f"{len(family)} processes: {resident:.0f} MiB resident, {proportional:.0f} MiB with shared pages once")
    return pages_s, used_s, job_s, service.stop()[1]


def processor_s(service: Service) -> float:
    """What all processes of the site have used so far, those that ended included."""
    ticks = 0
    for pid in service.family():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += sum(int(value) for value in fields[11:15])  # utime, stime and those of children waited for
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    raise SystemExit(main())
