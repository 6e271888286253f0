"""Real photos through the commands people use: register originals, import a catalogue, search edited copies.

    python -m tests.bench.real_input [--data DIR] [--bench DIR] [--queries 50] [--seed 1] [--keep DIR]

Needs the public split of the copy-detection benchmark (by default ../shared/data/copies) and its attacks
(../shared/bench/copies). Every step is a process of its own with a fresh data directory; no server runs.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SELLER = "bench"
THRESHOLD = 85


@dataclass(frozen=True, slots=True)
class Query:
    """An edited original on disk, and the file name a right answer shows as its title."""

    path: Path
    attack: str
    group: str
    expected: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the right original was listed (0 = not in the TOP 5), its score, and the time of the search."""

    query: Query
    rank: int
    score: float
    took_ms: int
    wrong_above: bool


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="originmark-bench-") as temporary:
        work = arguments.keep or Path(temporary)
        environment = os.environ | {"ORIGINMARK_DATA": str(work / "data"), "ORIGINMARK_KEYS": str(work / "keys")}
        with (arguments.data / "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        originals = [row for row in rows if row["role"] == "original"]
        _register(environment, _linked(work / "originals", [arguments.data / row["file"] for row in originals]))
        feed = _write_feed(work / "distractors.csv", [row for row in rows if row["role"] == "distractor"])
        _import(environment, feed, arguments.data)
        queries = list(_queries(arguments, work / "queries", originals))
        _report(_search(environment, queries))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "copies")
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench" / "copies")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for data, keys and queries that stays afterwards")
    arguments = parser.parse_args()
    for needed in (arguments.data / "manifest.csv", arguments.bench / "attacks.py"):
        if not needed.exists():
            parser.error(f"{needed} does not exist")
    return arguments


def _manage(environment: dict[str, str], *words: str) -> list[dict[str, Any]]:
    """Run a command with --json and read its lines; print how long it took."""
    started = time.monotonic()
    command = [sys.executable, str(ROOT / "manage.py"), *words, "--seller", SELLER, "--json"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{words[0]} ended with {done.returncode}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    print(f"{words[0]}: {len(answers)} lines in {time.monotonic() - started:.1f} s")
    return answers


def _linked(folder: Path, files: list[Path]) -> Path:
    """A folder that shows these files and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).unlink(missing_ok=True)
        (folder / file.name).symlink_to(file.resolve())
    return folder


def _register(environment: dict[str, str], folder: Path) -> None:
    answers = _manage(environment, "register", str(folder))
    print(f"  {_count(answers)}")


def _write_feed(path: Path, rows: list[dict[str, str]]) -> Path:
    """Distractors as somebody's shop would export them: made-up ids, addresses and times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    countries = ("CN", "US", "ES", "BR", "PL")
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["product_id", "url", "title", "shop_country", "category", "listed_at", "image"])
        for number, row in enumerate(rows):
            product = 1_005_000_000_000_000 + number
            url = f"https://shop.example/item/{product}.html"
            when = f"2026-{number % 10 + 1:02d}-{number % 28 + 1:02d}"
            writer.writerow([product, url, row["class"], countries[number % 5], row["class"], when, row["file"]])
    return path


def _import(environment: dict[str, str], feed: Path, images: Path) -> None:
    answers = _manage(environment, "import_catalogue", str(feed), "--images", str(images))
    print(
        f"  {_count(answers)}; again: {_count(_manage(environment, 'import_catalogue', str(feed), '--images', str(images)))}"
    )


def _count(answers: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for answer in answers:
        counts[answer["status"]] = counts.get(answer["status"], 0) + 1
    return ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))


def _queries(arguments: argparse.Namespace, folder: Path, originals: list[dict[str, str]]) -> Iterator[Query]:
    """Originals under attacks, each attack once before any comes twice; made anew from the seed."""
    sys.path.insert(0, str(arguments.bench))
    attacks, dataset = importlib.import_module("attacks"), importlib.import_module("dataset")
    split = dataset.Split(arguments.data)
    rng = np.random.default_rng(arguments.seed)
    names = [name for name, attack in attacks.ATTACKS.items() if not attack.extra_only]
    order = [names[int(i)] for i in rng.permutation(len(names))]
    picks = rng.choice(len(originals), arguments.queries, replace=False)
    folder.mkdir(parents=True, exist_ok=True)
    for number, pick in enumerate(picks):
        row, attack = originals[int(pick)], order[number % len(order)]
        raw = (arguments.data / row["file"]).read_bytes()
        path = folder / f"{number:03d}-{attack}.jpg"
        path.write_bytes(attacks.apply(attack, row["id"], raw, arguments.seed, split.context))
        yield Query(path, attack, attacks.ATTACKS[attack].group, Path(row["file"]).name)


def _search(environment: dict[str, str], queries: list[Query]) -> list[Outcome]:
    words = ["--scope", "all", "--threshold", str(THRESHOLD)]
    answers = _manage(environment, "search_copies", *[str(query.path) for query in queries], *words)
    print(f"  searched: {answers[0]['searched']}")
    return [_outcome(query, answer) for query, answer in zip(queries, answers, strict=True)]


def _outcome(query: Query, answer: dict[str, Any]) -> Outcome:
    if "error" in answer:
        raise SystemExit(f"{query.path}: {answer['error']}")
    right = [row for row in answer["candidates"] if row["title"] == query.expected and row["registered"]]
    wrong = any(row["score"] >= THRESHOLD and row not in right for row in answer["candidates"])
    rank, score = (right[0]["rank"], right[0]["score"]) if right else (0, 0.0)
    return Outcome(query, rank, score, answer["took_ms"], wrong)


def _report(outcomes: list[Outcome]) -> None:
    print("\nattack | group | n | @1 | @5 | >= 85")
    for attack in sorted({outcome.query.attack for outcome in outcomes}):
        mine = [outcome for outcome in outcomes if outcome.query.attack == attack]
        print(f"{attack} | {mine[0].query.group} | {_figures(mine)}")
    print(f"all | | {_figures(outcomes)}")
    times = sorted(outcome.took_ms for outcome in outcomes)
    print(f"\nsearches: median {statistics.median(times):.0f} ms, slowest {times[-1]} ms")
    print(
        f"another picture at {THRESHOLD} or more: {sum(outcome.wrong_above for outcome in outcomes)} of {len(outcomes)}"
    )


def _figures(outcomes: list[Outcome]) -> str:
    first = sum(outcome.rank == 1 for outcome in outcomes)
    listed = sum(outcome.rank > 0 for outcome in outcomes)
    found = sum(outcome.rank > 0 and outcome.score >= THRESHOLD for outcome in outcomes)
    return f"{len(outcomes)} | {first} | {listed} | {found}"


if __name__ == "__main__":
    main()
