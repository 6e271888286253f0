"""The copy-detection benchmark with peers in one run, as a table with 95 % intervals.

    PYTHONPATH=. python -m tests.bench.copies --split SPLIT_DIR --bench BENCH_DIR [--per-attack 30 --negative-rounds 8]

One core, CPU time; speeds are compared within one table only. `--extraction` measures our feature extraction against
bare OpenCV SIFT with the same parameters instead.
"""

from __future__ import annotations

import argparse
import importlib
import runpy
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ledger.imaging.decode import decode_picture
from ledger.imaging.features import CONTRAST, EDGE, QUERY, REFERENCE, extract_grey, grey_frame
from ledger.imaging.threads import use_one_thread

SYSTEMS = "compliance.search.benchmark:system,compliance.search.benchmark:fingerprints,pdq.dihedral,imagehash.phash"
Z = 1.96


def interval(share: float, count: int) -> str:
    """A share with its Wilson 95 % interval."""
    if not count:
        return "-"
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z * ((share * (1 - share) + Z**2 / (4 * count)) / count) ** 0.5 / (1 + Z**2 / count)
    return f"{share:.4f} [{max(0.0, middle - half):.4f}, {min(1.0, middle + half):.4f}] n={count}"


def print_report(name: str, report: dict[str, Any], cost: dict[str, float]) -> None:
    """Totals, then one line per group and per kind of negative, then the attacks below one."""
    print(f"\n## {name}: uAP {report['uAP']:.4f}, threshold {report['threshold']:.2f}")
    print(
        f"query {cost['query_ms']:.1f} ms (p95 {cost['query_p95_ms']:.1f}), index {cost['index_ms']:.1f} ms a picture, "
        f"{cost['bytes_per_image']:.0f} bytes a picture"
    )
    for row in report["rows"]:
        if row["level"] == "negative":
            print(f"  {row['name']:20} false positives {interval(row['false_positive_rate'], row['n'])}")
        elif row["level"] != "attack" or row["recall@threshold"] < 1:
            print(
                f"  {row['name']:20} R@1 {interval(row['recall@1'], row['n'])}  R@5 {row['recall@5']:.4f}  "
                f"found {interval(row['recall@threshold'], row['n'])}"
            )


def run_systems(options: argparse.Namespace) -> None:
    """Every system over the same queries."""
    sys.path.insert(0, str(options.bench))
    if options.extra_attacks:
        runpy.run_path(str(options.extra_attacks))
    dataset, metrics, run = (importlib.import_module(name) for name in ("dataset", "metrics", "run"))
    split = dataset.Split(options.split)
    queries = split.plan(options.seed, options.per_attack, bool(options.extra_attacks), options.negative_rounds)
    print(f"seed {options.seed}, {len(split.gallery)} pictures, {len(queries)} queries")
    speeds = {}
    for name in options.systems.split(","):
        system = run.load(name)
        answers, cost = run.evaluate(system, split, queries, options.seed, cache=options.cache)
        label = getattr(system, "name", name)
        speeds[label] = cost["query_ms"]
        print_report(label, metrics.report(queries, answers, getattr(system, "threshold", None)), cost)
    if "pdq.dihedral" in speeds:
        for label, speed in speeds.items():
            print(f"{label}: {speed / speeds['pdq.dihedral']:.1f} x PDQ dihedral")


def extraction_ratio(options: argparse.Namespace) -> None:
    """Median CPU time of our extraction over bare OpenCV SIFT with the same parameters on the same frames."""
    paths = sorted((options.split / "images").glob("*.jpg"))[:: options.every]
    for name, profile in (("reference", REFERENCE), ("query", QUERY)):
        sift = cv2.SIFT.create(nfeatures=profile.pool, contrastThreshold=CONTRAST, edgeThreshold=EDGE)
        ours, bare = [], []
        for path in paths:
            grey = grey_frame(decode_picture(path.read_bytes()).pixels, profile)
            start = time.process_time()
            sift.detectAndCompute(grey, None)
            middle = time.process_time()
            extract_grey(grey, profile)
            bare.append(middle - start)
            ours.append(time.process_time() - middle)
        ratio = float(np.median(np.array(ours) / np.array(bare)))
        print(f"{name}: {1e3 * statistics.median(ours):.1f} ms, {ratio:.3f} x bare SIFT, n={len(paths)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.copies", description=__doc__)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--systems", default=SYSTEMS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-attack", type=int, default=10)
    parser.add_argument("--negative-rounds", type=int, default=2)
    parser.add_argument("--extra-attacks", type=Path)
    parser.add_argument("--cache", type=Path, help="folder for rendered queries")
    parser.add_argument("--extraction", action="store_true")
    parser.add_argument("--every", type=int, default=20, help="with --extraction: use one picture of so many")
    options = parser.parse_args(arguments)
    use_one_thread()
    if options.extraction:
        extraction_ratio(options)
    else:
        run_systems(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
