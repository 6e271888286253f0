"""Measures the hidden-image check: precision and recall of each rule on labelled pairs, time per stage, SSIM's speed.

Run from the repository: python -m tests.bench.checks [FOLDER]. The labelled pairs are not part of the project; without
them only the speed is measured. One core: start it on a quiet machine.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from compliance.checks.base import Level
from compliance.checks.check import PairReport, check_pair
from compliance.checks.pair import fit
from compliance.checks.profile import load_profile
from compliance.checks.ssim import grey, mean_ssim, ssim_map

DEFAULT_FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "hidden-image"
PROFILE = load_profile("aliexpress-seed-2024")

# Rule (and level) against the labels that should make it speak. A wrong ratio implies a wrong size.
QUESTIONS: tuple[tuple[str, tuple[str, ...], tuple[Level, ...], frozenset[str]], ...] = (
    ("H03", (), (Level.ERROR,), frozenset({"SIZE", "RATIO"})),
    ("H04", (), (Level.ERROR,), frozenset({"RATIO"})),
    ("H05", (), (Level.ERROR,), frozenset()),
    ("H06", (), (Level.ERROR,), frozenset()),
    ("H07", (), (Level.CONFIRM,), frozenset({"MISMATCH", "SUBJECT"})),
    ("H10", (), (Level.ERROR,), frozenset({"BG"})),
    ("H10", (), (Level.ERROR, Level.WARNING), frozenset({"BG"})),
    ("H10", (), (Level.ERROR,), frozenset({"BG", "LIGHT"})),
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


def read_pairs(folder: Path) -> list[tuple[dict[str, object], PairReport]]:
    rows = json.loads((folder / "labels.json").read_text("utf-8"))
    return [(row, check_files(folder / row["main"], folder / row["hidden"])) for row in rows]


def check_files(main: Path, hidden: Path) -> PairReport:
    return check_pair(
        main.read_bytes(), hidden.read_bytes(), main_name=main.name, hidden_name=hidden.name, profile=PROFILE
    )


def print_rules(pairs: list[tuple[dict[str, object], PairReport]]) -> None:
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


def print_verdicts(pairs: list[tuple[dict[str, object], PairReport]]) -> None:
    for title, is_clean in (("without labels", True), ("with labels", False)):
        verdicts = [report.verdict.value for row, report in pairs if (not row["labels"]) == is_clean]
        counts = {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
        print(f"verdicts of {len(verdicts)} pairs {title}: {counts}")


def print_stages(pairs: list[tuple[dict[str, object], PairReport]]) -> None:
    print("milliseconds per stage, median and largest of all pairs")
    for stage in pairs[0][1].timings_ms:
        times = [report.timings_ms[stage] for _, report in pairs]
        print(f"  {stage:8} {statistics.median(times):8.2f} {max(times):8.2f}")


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


def main(arguments: list[str]) -> int:
    cv2.setNumThreads(1)
    folder = Path(arguments[0]) if arguments else DEFAULT_FOLDER
    if (folder / "labels.json").exists():
        pairs = read_pairs(folder)
        print_rules(pairs)
        print_verdicts(pairs)
        print_stages(pairs)
    else:
        print("no labelled pairs here: rules are not measured")
    print_ssim()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
