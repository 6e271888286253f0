"""The seller's own rates, with their numbers: how searches failed, and how hidden-image checks ended by category."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from compliance.cases.outcomes import Rate
from compliance.models import CheckRun, RunState, SearchRun
from compliance.services.search import ERASED
from ledger.accounts.models import Seller

PERIOD = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class SearchFailures:
    """Of so many searches so many failed; causes: (code, how many), most frequent first."""

    failed: Rate
    causes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CategoryRate:
    """Checks of a category (slug, or empty where none was given) that did not pass, of those with an answer."""

    category: str
    failed: Rate
    undecided: int


def search_failures(seller: Seller, now: datetime) -> SearchFailures:
    """Searches of the last 90 days; one whose picture was erased later did not fail."""
    rows = SearchRun.objects.of(seller).filter(created_at__gte=now - PERIOD).exclude(error_code=ERASED)
    counts: Counter[str] = Counter()
    for state, code, count in rows.order_by().values_list("state", "error_code").annotate(n=Count("pk")):
        if state != RunState.WAITING:
            counts[code if state == RunState.FAILED else ""] += count
    answered = counts.pop("", 0)
    return SearchFailures(Rate(counts.total(), counts.total() + answered), tuple(counts.most_common()))


def category_rates(seller: Seller, now: datetime) -> list[CategoryRate]:
    """Hidden-image checks of the last 90 days by category, most checks first."""
    rows = CheckRun.objects.of(seller).filter(created_at__gte=now - PERIOD, state=RunState.DONE)
    counted = (
        rows.order_by()
        .values("category")
        .annotate(
            n=Count("pk"),
            failed=Count("pk", filter=Q(verdict="FAILED")),
            undecided=Count("pk", filter=Q(verdict="INDETERMINATE")),
        )
    )
    found = [CategoryRate(row["category"], Rate(row["failed"], row["n"]), row["undecided"]) for row in counted]
    return sorted(found, key=lambda one: (-one.failed.n, one.category))
