"""docs/operate/asvs.md names every requirement of levels 1 and 2, and what it names exists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/operate/asvs.md").read_text()
ROW = re.compile(r"^\| V(\d+)\.(\d+)\.(\d+) \| ([123]) \| (.+?) \| (yes|partly|no|site|n/a) \| (.*) \|$", re.M)
# How many requirements ASVS 5.0.0 has in each section, by chapter; V10 and V17 do not apply as a whole.
SECTIONS = {
    1: [2, 10, 12, 3, 3], 2: [3, 3, 5, 2], 3: [1, 3, 5, 8, 8, 1, 5], 4: [5, 5, 2, 4], 5: [1, 6, 3, 3],
    6: [3, 12, 8, 6, 8, 4, 2, 4], 7: [3, 4, 2, 5, 3, 2], 8: [4, 4, 3, 2], 9: [3, 4], 11: [4, 5, 5, 4, 2, 2, 2],
    12: [5, 2, 5], 13: [4, 6, 4, 7], 14: [2, 8, 3], 15: [5, 5, 7, 4], 16: [1, 5, 4, 3, 4],
}  # fmt: skip
LEVELS = {"1": 65, "2": 152, "3": 80}  # of the chapters above


def rows() -> list[tuple[str, ...]]:
    return [match.groups() for match in ROW.finditer(PAGE)]


def known_tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }


def test_every_requirement_of_these_chapters_has_one_row():
    listed = [tuple(int(part) for part in row[:3]) for row in rows()]
    wanted = [
        (chapter, section, number)
        for chapter, sizes in SECTIONS.items()
        for section, size in enumerate(sizes, 1)
        for number in range(1, size + 1)
    ]
    assert Counter(listed) == Counter(wanted)


def test_levels_are_those_of_the_standard():
    counts = Counter(row[3] for row in rows())
    assert {level: counts[level] for level in LEVELS} == LEVELS


def test_every_test_named_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 120
    assert sorted(named - known_tests()) == []


def test_what_is_met_or_up_to_the_site_says_where():
    assert [row[:3] for row in rows() if row[5] in ("yes", "site", "partly") and not row[6].strip()] == []


def test_at_least_sixty_of_level_three_are_proven_or_judged():
    assert len([row for row in rows() if row[3] == "3" and row[5] != "n/a"]) >= 60
