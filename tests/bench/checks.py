"""Measures the hidden-image check: each rule and the verdicts on labelled pairs, false alarms and missed marks on made
ones, CPU per stage, and SSIM's speed.

Run from the repository: python -m tests.bench.checks [--pairs FOLDER] [--triples FOLDER] [--photos FOLDER] [--large FOLDER]
[--count N] [--seed N] [--residues-only]. The folders hold labels.json beside the files they name, or photos; they are not part of the project, and
what is missing is not measured. One core: start it on a quiet machine.
"""

import io
import json
import statistics
import sys
import time
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from compliance.checks.base import Level
from compliance.checks.check import PairReport, check_pair
from compliance.checks.frame import lay_over
from compliance.checks.opening import open_pair
from compliance.checks.pair import fit
from compliance.checks.profile import load_profile
from compliance.checks.settle import CONTENT_RULES, RESIDUE_RULE
from compliance.checks.ssim import grey, mean_ssim, ssim_map
from compliance.checks.threeway import ThreeWay, intersection_share, three_way
from ledger.imaging.decode import decode_picture
from ledger.imaging.threads import use_one_thread
from tests.bench.hidden_pairs import KINDS, PATHS, Made, Mark, draw_mark, make_case, make_cases, photo_files

try:
    from skimage.metrics import structural_similarity  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    structural_similarity = None

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
PROFILE = load_profile("aliexpress-seed-2024")

NAMING = {RESIDUE_RULE, *CONTENT_RULES}

# Rule (and level) against the labels that should make it speak. A wrong ratio implies a wrong size.
QUESTIONS: tuple[tuple[str, tuple[str, ...], tuple[Level, ...], frozenset[str]], ...] = (
    ("H03", (), (Level.ERROR,), frozenset({"SIZE", "RATIO"})),
    ("H04", (), (Level.ERROR,), frozenset({"RATIO"})),
    ("H05", (), (Level.ERROR,), frozenset()),
    ("H06", (), (Level.ERROR,), frozenset()),
    ("H07", (), (Level.ERROR,), frozenset({"MISMATCH", "SUBJECT"})),
    ("H08", (), (Level.ERROR,), frozenset({"MISMATCH"})),
    ("H09", (), (Level.ERROR,), frozenset({"SUBJECT"})),
    ("H10", (), (Level.ERROR,), frozenset({"BG"})),
    ("H10", (), (Level.ERROR, Level.WARNING), frozenset({"BG"})),
    ("H10", (), (Level.ERROR,), frozenset({"BG", "LIGHT"})),
    ("H11", (), (Level.ERROR,), frozenset({"LIGHT"})),
    ("H18", (), (Level.ERROR,), frozenset({"GHOST"})),
    ("H19", (), (Level.WARNING,), frozenset({"INPAINT"})),
    ("H20", (), (Level.ERROR,), frozenset({"JPEG"})),
    ("H21", ("ERR_IMG_HID_META",), (Level.ERROR,), frozenset({"META"})),
    ("H21", ("ERR_IMG_HID_GPS",), (Level.ERROR,), frozenset({"GPS"})),
    ("H24", (), (Level.ERROR,), frozenset({"BG"})),
    ("Q01", (), (Level.WARNING,), frozenset()),
)


def wilson(hits: int, total: int) -> str:
    """Share with its 95 % interval (Wilson score), or a dash without cases."""
    if not total:
        return "-"
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5 / (1 + z * z / total)
    return f"{hits}/{total} = {share:.3f} [{max(0, middle - half):.3f}, {min(1, middle + half):.3f}]"


Labelled = list[tuple[dict[str, object], PairReport]]


def read_pairs(folder: Path, *, is_three_way: bool = False) -> Labelled:
    rows = json.loads((folder / "labels.json").read_text("utf-8"))
    return [(row, check_row(folder, row, is_three_way)) for row in rows]


def check_row(folder: Path, row: dict[str, str], is_three_way: bool) -> PairReport:
    original = (folder / row["original"]).read_bytes() if is_three_way else None
    files = (folder / row["main"]).read_bytes(), (folder / row["hidden"]).read_bytes()
    return check_bytes(*files, original)


def check_bytes(
    main: bytes, hidden: bytes, original: bytes | None = None, clock: Callable[[], float] = time.perf_counter
) -> PairReport:
    return check_pair(
        main, hidden, main_name="main", hidden_name="hidden", profile=PROFILE, original=original, clock=clock
    )


def print_rules(pairs: Labelled) -> None:
    print(f"{len(pairs)} labelled pairs; share with 95 % Wilson interval")
    for rule, codes, levels, wanted in QUESTIONS:
        spoke, right, should = 0, 0, 0
        for row, report in pairs:
            has_label = bool(wanted & set(row["labels"]))  # type: ignore[call-overload]
            found = any(
                item.rule == rule and item.level in levels and (not codes or item.code in codes)
                for item in report.findings
            )
            spoke, right, should = spoke + found, right + (found and has_label), should + has_label
        name = f"{rule} {'|'.join(level.value for level in levels)} {' '.join(codes)}".strip()
        print(f"  {name} for {'|'.join(sorted(wanted)) or 'no label'}")
        print(f"      precision {wilson(right, spoke)}   recall {wilson(right, should)}")


def print_verdicts(title: str, pairs: Labelled, is_clean: Callable[[dict[str, object]], bool]) -> None:
    for name, wanted in (("compliant", True), ("violating", False)):
        verdicts = Counter(report.verdict.value for row, report in pairs if is_clean(row) == wanted)
        total = sum(verdicts.values())
        wrong = verdicts["FAILED" if wanted else "PASSED"]
        print(f"{title}, {name}: {dict(verdicts)}, wrongly {'failed' if wanted else 'passed'} {wilson(wrong, total)}")


def print_stages(reports: Sequence[PairReport]) -> None:
    for stage in reports[0].timings_ms:
        times = [report.timings_ms[stage] for report in reports]
        print(f"    {stage:10} median {statistics.median(times):8.2f} ms  largest {max(times):8.2f}")


# Labelled triples and made pairs ----------------------------------------------------------------------------------


def touches(report: PairReport, boxes: Sequence[Sequence[int]]) -> bool:
    """Whether a residue, or a mark that another rule has named instead, lies on any of the boxes."""
    return any(
        min(found.bbox[2], box[2]) > max(found.bbox[0], box[0])
        and min(found.bbox[3], box[3]) > max(found.bbox[1], box[1])
        for found in report.findings
        if found.rule in NAMING and found.level is Level.ERROR and found.bbox
        for box in boxes
    )


def print_triples(folder: Path) -> None:
    triples = read_pairs(folder, is_three_way=True)
    print(f"{len(triples)} labelled triples")
    print_verdicts("  two-way", read_pairs(folder), lambda row: row["residue"] == "none")
    print_verdicts("  three-way", triples, lambda row: row["residue"] == "none")
    by_path: dict[object, list[bool]] = defaultdict(list)
    for row, report in triples:
        if row["residue"] != "none":
            by_path[row["path"]].append(touches(report, row["bbox"]))  # type: ignore[arg-type]
    for path, hits in by_path.items():
        print(f"    residues found, {path}: {wilson(sum(hits), len(hits))}")


def print_false_alarms(photos: Sequence[Path], count: int, seed: int) -> None:
    """Pairs without a fault, two-way and three-way: whatever is said about them is wrong."""
    two_way, three_way, rules = Counter[str](), Counter[str](), Counter[str]()
    for case in make_cases(photos, count, seed=seed):
        alone, compared = check_bytes(case.main, case.hidden), check_bytes(case.main, case.hidden, case.original)
        two_way[alone.verdict.value] += 1
        three_way[compared.verdict.value] += 1
        rules.update({finding.rule for finding in compared.findings if finding.level is Level.ERROR})
        rules.update({f"{finding.rule} two-way" for finding in alone.findings if finding.level is Level.ERROR})
    print(f"{count} compliant pairs made of {len(photos)} photos")
    for name, verdicts in (("two-way", two_way), ("three-way", three_way)):
        print(f"  {name}: {dict(verdicts)}, wrongly failed {wilson(verdicts['FAILED'], count)}")
    print(f"  wrong errors by rule: {dict(rules)}")


def print_recall(photos: Sequence[Path], count: int, seed: int) -> None:
    """Marks left in the hidden image, by opacity, size, kind and way: found where they are?"""
    every = [
        Mark(kind, opacity, size) for kind in KINDS for opacity in (1.0, 0.5, 0.3, 0.2, 0.1) for size in (8, 12, 20, 40)
    ]
    marks = [every[number] for number in np.random.default_rng(5).permutation(len(every))]
    groups: dict[str, list[bool]] = defaultdict(list)
    for case in make_cases(photos, count, seed=seed, marks=marks):
        hit, mark = touches(check_bytes(case.main, case.hidden, case.original), case.boxes), case.marks[0]
        names = [f"opacity {mark.opacity}", f"size {mark.size_px} px", mark.kind, f"way {case.path}"]
        for name in [*names, "opacity >= 0.2" if mark.opacity >= 0.2 else "opacity 0.1 all"]:
            groups[name].append(hit)
    print(f"{count} hidden images with one mark each: residues found")
    for name, hits in sorted(groups.items()):
        print(f"  {name:26} {wilson(sum(hits), len(hits))}")


def print_residues(photos: Sequence[Path], count: int, seed: int) -> None:
    """The comparison with the original alone, without the other rules: false residues, and marks that were found."""

    def compared(case: Made) -> ThreeWay:
        pair = open_pair(
            case.main, case.hidden, main_name="", hidden_name="", long_side_px=1000, original=case.original
        )
        return three_way(pair)

    wrong = Counter(case.path for case in make_cases(photos, count, seed=seed) if compared(case).residues)
    print(f"{count} compliant pairs: a residue found in {wilson(wrong.total(), count)} {dict(wrong)}")
    marks = [Mark(kind, opacity, size) for kind in KINDS for opacity in (0.2, 0.1) for size in (8, 12, 20, 40)]
    found: dict[float, list[bool]] = defaultdict(list)
    for case in make_cases(photos, count, seed=seed + 1, marks=marks):
        boxes = [residue.box for residue in compared(case).residues]
        hit = any(intersection_share(box, mark) > 0 for box in boxes for mark in case.boxes)
        found[case.marks[0].opacity].append(hit)
    for opacity, hits in sorted(found.items()):
        print(f"  marks of opacity {opacity}: {wilson(sum(hits), len(hits))}")


def ghosts(photos: Sequence[Path], count: int, rest: float, seed: int) -> Iterator[bool]:
    """Whether H18 speaks on pairs whose hidden image keeps that share of an opaque overlay."""
    for number in range(count):
        random = np.random.default_rng([seed, number])
        photo = Image.open(photos[int(random.integers(len(photos)))]).convert("RGB")
        clean = make_case("", photo, random, "same", (), (600, 1000))
        made = with_rest(clean, rest, int(random.integers(24, 90)), number)
        yield any(finding.rule == "H18" for finding in check_bytes(*made).findings)


def with_rest(case: Made, rest: float, size_px: int, number: int) -> tuple[bytes, bytes]:
    """Main and hidden image as JPEG: an overlay, and what is left of it."""
    base = Image.open(io.BytesIO(case.original)).convert("RGB")
    kind = KINDS[number % len(KINDS)]
    files = []
    for opacity in (1.0, rest):
        drawn, _, _ = draw_mark(base, Mark(kind, opacity, size_px), np.random.default_rng([14, number]))
        out = io.BytesIO()
        drawn.save(out, "JPEG", quality=90)
        files.append(out.getvalue())
    return files[0], files[1]


def print_ghosts(photos: Sequence[Path], count: int, seed: int) -> None:
    print(f"ghosts (H18, two-way) on {count} pairs each")
    for rest in (0.0, 0.08, 0.15, 0.3):
        print(f"  rest {rest:4.0%}: spoke on {wilson(sum(ghosts(photos, count, rest, seed)), count)}")


def print_cpu(photos: Sequence[Path]) -> None:
    """CPU per stage at two sizes, with the original given, and the comparison alone."""
    for side in (1000, 2000):
        reports, laid = [], []
        for number, path in enumerate(photos[:6]):
            random = np.random.default_rng([15, number])
            photo = Image.open(path).convert("RGB")
            case = make_case("", photo, random, PATHS[0], (), (side, side))
            reports.append(check_bytes(case.main, case.hidden, case.original, clock=time.process_time))
            hidden = open_pair(case.main, case.hidden, main_name="", hidden_name="", long_side_px=1000).hidden
            pixels = decode_picture(case.original).pixels
            laid.append(best_ms(partial(lay_over, pixels, hidden.detail), 3))
        print(f"  {side} px, {len(reports)} pairs, same size as the original")
        print(f"    original laid over the hidden image: median {statistics.median(laid):.1f} ms CPU")
        print_stages(reports)


def shifted_sums(values: np.ndarray) -> np.ndarray:
    """7 x 7 window means by 49 shifted additions: the plain numpy form."""
    height, width = values.shape[0] - 6, values.shape[1] - 6
    total = np.zeros((height, width))
    for down in range(7):
        for right in range(7):
            total += values[down : down + height, right : right + width]
    return total / 49


def plain_ssim(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_a, mean_b = shifted_sums(a), shifted_sums(b)
    unbiased = 49 / 48
    variance_a = (shifted_sums(a * a) - mean_a**2) * unbiased
    variance_b = (shifted_sums(b * b) - mean_b**2) * unbiased
    covariance = (shifted_sums(a * b) - mean_a * mean_b) * unbiased
    alike = (2 * mean_a * mean_b + 6.5025) * (2 * covariance + 58.5225)
    return float((alike / ((mean_a**2 + mean_b**2 + 6.5025) * (variance_a + variance_b + 58.5225))).mean())


def best_ms(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        since = time.process_time()
        work()
        times.append(time.process_time() - since)
    return min(times) * 1000


def print_ssim() -> None:
    """From two decoded 2000 px pictures to one number at 1000 px: ours against Pillow plus plain numpy."""
    random = np.random.default_rng(1)
    cells = random.integers(0, 256, (250, 250, 3), dtype=np.uint8)
    main = Image.fromarray(cells).resize((2000, 2000), Image.Resampling.BICUBIC)
    first = np.asarray(main)
    second = np.clip(first + random.normal(0, 6, first.shape), 0, 255).astype(np.uint8)
    hidden = Image.fromarray(second)

    def ours() -> float:
        return mean_ssim(ssim_map(*(grey(fit(pixels, (1000, 1000))) for pixels in (first, second))))

    def plain() -> float:
        size = (1000, 1000)
        return plain_ssim(
            *(np.asarray(image.resize(size, Image.Resampling.BOX).convert("L")) for image in (main, hidden))
        )

    fast, slow = best_ms(ours, 9), best_ms(plain, 3)
    print(
        f"SSIM at 1000 px of a 2000 px pair: ours {ours():.5f} in {fast:.1f} ms CPU, plain {plain():.5f} in {slow:.1f} ms"
    )
    print(f"  difference {abs(ours() - plain()):.5f}, time ratio {slow / fast:.1f}")
    if structural_similarity is None:
        print("  scikit-image is not installed: not compared with it")
        return
    greys = [grey(fit(pixels, (1000, 1000))) for pixels in (first, second)]
    theirs = float(structural_similarity(*greys, win_size=7, data_range=255))
    time_ours, time_theirs = (
        best_ms(lambda: mean_ssim(ssim_map(*greys)), 9),
        best_ms(lambda: structural_similarity(*greys, win_size=7, data_range=255), 3),
    )
    print(
        f"  scikit-image {theirs:.5f}, difference {abs(ours() - theirs):.5f}, time ratio {time_theirs / time_ours:.1f}"
    )


def main(arguments: list[str]) -> int:
    use_one_thread()
    parser = ArgumentParser(prog="python -m tests.bench.checks")
    parser.add_argument("--pairs", type=Path, default=DATA / "hidden-image")
    parser.add_argument("--triples", type=Path, default=DATA / "hidden-image-threeway")
    parser.add_argument("--photos", type=Path, default=DATA / "copies" / "images")
    parser.add_argument("--large", type=Path, default=DATA / "photos-large")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=11, help="of the made pairs; a new one makes pairs not seen before")
    parser.add_argument("--residues-only", action="store_true", help="the comparison with the original, nothing else")
    options = parser.parse_args(arguments)
    if options.residues_only:
        print_residues(photo_files(options.photos), options.count, options.seed)
        return 0
    if (options.pairs / "labels.json").exists():
        pairs = read_pairs(options.pairs)
        print_rules(pairs)
        print_verdicts("two-way", pairs, lambda row: not row["labels"])
    if (options.triples / "labels.json").exists():
        print_triples(options.triples)
    if options.photos.is_dir() and options.count:
        photos = photo_files(options.photos)
        print_false_alarms(photos, options.count, options.seed)
        print_recall(photos, options.count, options.seed + 1)
        print_ghosts(photos, options.count // 4, options.seed + 2)
    if options.large.is_dir():
        print("milliseconds of CPU per stage")
        print_cpu(photo_files(options.large))
    print_ssim()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
