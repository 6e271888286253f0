"""Outcomes: what share was accepted, with n and interval, how long it took, and the good-faith guard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from compliance.cases.outcomes import Guard, Rate, Times
from compliance.cases.target import load_targets
from compliance.services.case_outcomes import Month, outcomes_of
from compliance.services.case_words import item_label
from ledger.accounts.permissions import Permission
from ledger.views.common import needs, seller_of

SERIES = (
    (gettext_lazy("accepted or removed"), "passed"),
    (gettext_lazy("rejected"), "failed"),
    (gettext_lazy("open or other"), "waiting"),
)
GUARD_CHIPS = {"fine": "passed", "near": "needs-you", "broken": "failed", "empty": "waiting"}


@needs(Permission.MANAGE_CASES)
@require_safe
def case_outcomes(request: HttpRequest) -> HttpResponse:
    """The statistics of every submitted case."""
    found = outcomes_of(actor=request.user, seller=seller_of(request), now=timezone.now())  # type: ignore[arg-type]
    language = get_language() or "en"
    targets = {name: target.name.in_language(language) for name, target in load_targets().items()}
    reasons = {
        name: words.in_language(language)
        for target in load_targets().values()
        for name, words in target.reasons.items()
    }
    context = {
        "found": found,
        "total": rate_row(_("all"), found.total),
        "by_target": [rate_row(targets.get(name, name), rate) for name, rate in found.by_target.items()],
        "by_reason": [rate_row(reasons.get(name, name), rate) for name, rate in found.by_reason.items()],
        "by_item": [rate_row(item_label(name), rate) for name, rate in found.by_item.items()],
        "by_proof": [
            rate_row(_("our proof was older than their first use"), found.with_proof),
            rate_row(_("it was not"), found.without_proof),
        ],
        "times": [time_row(targets.get(name, name), times) for name, times in found.times_by_target.items()],
        "guard": guard_rows(found.guard),
        "chart": chart_of(found.months),
    }
    return render(request, "compliance/case_outcomes.html", context)


def rate_row(label: Any, rate: Rate) -> dict[str, Any]:
    """A rate in words: share, interval, and the same on a scale of 100 for the small bar."""
    low, high = rate.interval or (0.0, 0.0)
    share = rate.share
    return {
        "label": label,
        "k": rate.k,
        "n": rate.n,
        "share": f"{share:.0%}" if share is not None else "–",
        "interval": f"{low:.0%} – {high:.0%}" if rate.n else "–",
        "here": round((share or 0) * 100, 1),
        "low": round(low * 100, 1),
        "high": round(high * 100, 1),
    }


def time_row(label: str, times: Times) -> dict[str, Any]:
    return {"label": label, "n": times.n, "median": _span(times.median_h), "longest": _span(times.longest_h)}


def _span(hours: float) -> str:
    return _("%(hours).1f h") % {"hours": hours} if hours < 48 else _("%(days).1f days") % {"days": hours / 24}


def guard_rows(guard: Guard) -> list[dict[str, Any]]:
    """The two bounds of good faith, each with where we stand."""
    return [
        rate_row(_("Complaints accepted"), guard.success)
        | {"bound": _("at least 90 %"), "state": guard.success_state, "chip": GUARD_CHIPS[guard.success_state]},
        rate_row(_("Complaints that were countered"), guard.countered)
        | {"bound": _("at most 5 %"), "state": guard.countered_state, "chip": GUARD_CHIPS[guard.countered_state]},
    ]


def chart_of(months: tuple[Month, ...]) -> Mapping[str, Any]:
    """Submissions by month and what became of them, for components/chart.html."""
    return {
        "kind": "bars",
        "series": [{"label": label, "tone": tone} for label, tone in SERIES],
        "rows": [
            {"label": f"{month.starts:%Y-%m}", "values": [month.accepted, month.rejected, month.other]}
            for month in months
        ],
    }
