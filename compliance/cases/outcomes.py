"""What became of submitted cases: rates with their number and interval, time to decision, and the good-faith guard.

A rate without its n says nothing, so none is given without. Wilson intervals of 95 % stay honest for few cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import median

from compliance.cases.case_file import COMPLAINT
from compliance.cases.steps import ACCEPTED, REMOVED

Z_95 = 1.959963984540054
GUARD_WINDOW = timedelta(days=90)
SUCCESS_MIN, COUNTERED_MAX = 0.90, 0.05
FEW = 10  # below so many a single answer decides, so nobody is alarmed on the first page
FINE, NEAR, BROKEN, EMPTY = "fine", "near", "broken", "empty"


@dataclass(frozen=True, slots=True)
class Filed:
    """One case that was submitted. outcome: its last decided state, empty while there is none."""

    kind: str
    target: str
    submitted_at: datetime
    decided_at: datetime | None
    outcome: str
    was_countered: bool
    had_earlier_proof: bool | None
    reasons: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()

    @property
    def is_success(self) -> bool:
        return self.outcome in (ACCEPTED, REMOVED)


@dataclass(frozen=True, slots=True)
class Rate:
    """k of n, with the ends of the interval; share and ends from 0 to 1, None without cases."""

    k: int
    n: int

    @property
    def share(self) -> float | None:
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.k, self.n) if self.n else None


@dataclass(frozen=True, slots=True)
class Times:
    """Hours from submission to the first decision."""

    n: int
    median_h: float
    longest_h: float


@dataclass(frozen=True, slots=True)
class Guard:
    """Complaints of the last GUARD_WINDOW against the good-faith bounds. near: one more bad answer would break one."""

    success: Rate
    countered: Rate
    success_state: str
    countered_state: str

    @property
    def state(self) -> str:
        states = (self.success_state, self.countered_state)
        return next((state for state in (BROKEN, NEAR, FINE) if state in states), EMPTY)

    @property
    def is_pressing(self) -> bool:
        """Worth a line on the first page."""
        return self.success.n >= FEW and self.state in (BROKEN, NEAR)


def wilson(k: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of k successes in n; ValueError unless 0 <= k <= n and n > 0."""
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"{k} of {n}")
    share, square = k / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def acceptance(cases: Iterable[Filed]) -> Rate:
    """Of the decided ones, how many were accepted or had the listing removed."""
    decided = [case for case in cases if case.outcome]
    return Rate(sum(case.is_success for case in decided), len(decided))


def acceptance_by(cases: Sequence[Filed], keys: Callable[[Filed], Iterable[str]]) -> dict[str, Rate]:
    """The rate for each key that occurs, most cases first; a case counts under each of its keys."""
    groups: dict[str, list[Filed]] = {}
    for case in cases:
        for key in set(keys(case)):
            groups.setdefault(key, []).append(case)
    rates = {key: acceptance(group) for key, group in groups.items()}
    return dict(sorted(((key, rate) for key, rate in rates.items() if rate.n), key=lambda row: (-row[1].n, row[0])))


def decision_times(cases: Iterable[Filed]) -> Times | None:
    """How long the first decision took, None without any."""
    hours = [
        (case.decided_at - case.submitted_at).total_seconds() / 3600
        for case in cases
        if case.decided_at is not None and case.decided_at >= case.submitted_at
    ]
    return Times(len(hours), median(hours), max(hours)) if hours else None


def judge_good_faith(cases: Iterable[Filed], now: datetime) -> Guard:
    """Where the seller's own complaints stand. Counted by submission, so that old cases leave the window."""
    recent = [
        case for case in cases if case.kind == COMPLAINT and case.outcome and case.submitted_at >= now - GUARD_WINDOW
    ]
    success = acceptance(recent)
    countered = Rate(sum(case.was_countered for case in recent), len(recent))
    return Guard(
        success,
        countered,
        _bound(
            success.n,
            success.k / success.n < SUCCESS_MIN if success.n else False,
            success.k / (success.n + 1) < SUCCESS_MIN,
        ),
        _bound(
            countered.n,
            countered.k / countered.n > COUNTERED_MAX if countered.n else False,
            (countered.k + 1) / (countered.n + 1) > COUNTERED_MAX,
        ),
    )


def _bound(n: int, is_broken: bool, would_break: bool) -> str:
    if not n:
        return EMPTY
    return BROKEN if is_broken else NEAR if would_break else FINE
