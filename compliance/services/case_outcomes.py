"""Outcome statistics of a seller's cases, read from the rows as they were when each was submitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from compliance.cases.outcomes import (
    Filed,
    Guard,
    Rate,
    Times,
    acceptance,
    acceptance_by,
    decision_times,
    judge_good_faith,
)
from compliance.cases.steps import REJECTED, WITHDRAWN
from compliance.models import Case, Infringement
from compliance.services.case_deadlines import zone_of_seller
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission

MONTHS = 12
# Facts about who complains are in every case; what could make the difference is what was shown.
EVIDENCE = ("attachment.", "works.", "infringement.capture", "right.earlier_proof", "right.registration_no")


@dataclass(frozen=True, slots=True)
class Month:
    """Submissions of one month by what became of them."""

    starts: date
    accepted: int
    rejected: int
    other: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Everything the page of outcomes says; keys are ids of targets, reasons and gate items."""

    cases: int
    total: Rate
    by_target: dict[str, Rate]
    by_reason: dict[str, Rate]
    by_item: dict[str, Rate]
    with_proof: Rate
    without_proof: Rate
    times: Times | None
    times_by_target: dict[str, Times]
    guard: Guard
    months: tuple[Month, ...]


def outcomes_of(*, actor: User | None, seller: Seller, now: datetime) -> Outcomes:
    """Count what became of every submitted case."""
    require_permission(actor, seller, Permission.MANAGE_CASES)
    return count_outcomes(seller, now)


def count_outcomes(seller: Seller, now: datetime) -> Outcomes:
    """The same for whoever has checked the right; two queries, one without any case."""
    filed = filed_cases(seller)
    targets = {case.target for case in filed}
    times = {target: decision_times(case for case in filed if case.target == target) for target in targets}
    return Outcomes(
        cases=len(filed),
        total=acceptance(filed),
        by_target=acceptance_by(filed, lambda case: [case.target]),
        by_reason=acceptance_by(filed, lambda case: case.reasons),
        by_item=acceptance_by(filed, lambda case: [item for item in case.items if item.startswith(EVIDENCE)]),
        with_proof=acceptance(case for case in filed if case.had_earlier_proof),
        without_proof=acceptance(case for case in filed if case.had_earlier_proof is False),
        times=decision_times(filed),
        times_by_target={target: found for target, found in sorted(times.items()) if found},
        guard=judge_good_faith(filed, now),
        months=_months(filed, seller, now),
    )


def filed_cases(seller: Seller) -> list[Filed]:
    """Every case that was ever submitted."""
    rows = list(Case.objects.of(seller).exclude(submitted_at=None).order_by("pk"))
    reasons: dict[int, set[str]] = {}
    if not rows:
        return []
    named = Infringement.objects.of(seller).exclude(reason="").exclude(case__submitted_at=None)
    for case_id, reason in named.values_list("case_id", "reason"):
        reasons.setdefault(case_id, set()).add(reason)
    return [
        Filed(
            kind=row.kind,
            target=row.target,
            submitted_at=row.submitted_at,  # type: ignore[arg-type]  # the query leaves out those without
            decided_at=row.decided_at,
            outcome=row.outcome or (WITHDRAWN if row.status == WITHDRAWN else ""),
            was_countered=row.was_countered,
            had_earlier_proof=row.had_earlier_proof,
            reasons=frozenset(reasons.get(row.pk, ())),
            items=frozenset(row.items_at_submission),
        )
        for row in rows
    ]


def _months(filed: list[Filed], seller: Seller, now: datetime) -> tuple[Month, ...]:
    """The last MONTHS months where the seller is, oldest first."""
    zone = zone_of_seller(seller)
    this = now.astimezone(zone).date().replace(day=1)
    index = this.year * 12 + this.month - 1
    starts = [date(each // 12, each % 12 + 1, 1) for each in range(index - MONTHS + 1, index + 1)]
    counts = {start: [0, 0, 0] for start in starts}
    for case in filed:
        start = case.submitted_at.astimezone(zone).date().replace(day=1)
        if start in counts:
            counts[start][0 if case.is_success else 1 if case.outcome == REJECTED else 2] += 1
    return tuple(Month(start, *counts[start]) for start in starts)
