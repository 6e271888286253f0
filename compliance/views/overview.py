"""The first page, the box that finds anything, and the button that loads sample data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from compliance.cases.outcomes import BROKEN
from compliance.models import CheckRun, SearchRun
from compliance.services import find as finding
from compliance.services import overview as facts
from compliance.services.case_deadlines import deadline_words, pressing_deadlines
from compliance.services.case_outcomes import Outcomes, count_outcomes
from compliance.services.overview import CHECK, KINDS, QUERY, REGISTERED, SHOWN, Activity, Tasks
from compliance.services.sample import start_sample
from compliance.services.standing import standings_of
from compliance.services.triage import waiting_matches
from compliance.standing.judge import WARNING
from compliance.views.case_outcomes import chart_of
from compliance.views.codes import code_rows
from ledger.accounts.middleware import SESSION_KEY
from ledger.accounts.models import Role, Seller
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import RegisterForm
from ledger.models import JobState, Original, Statement
from ledger.views.common import needs, seller_of, text_parameter
from ledger.views.history import OUTDATED
from ledger.views.jobs import KIND_NAMES

HISTORY_ROWS = 10
MAX_QUERY = 200
SERIES = {
    REGISTERED: (gettext_lazy("Registrations"), "text"),
    QUERY: (gettext_lazy("Queries"), "running"),
    CHECK: (gettext_lazy("Hidden-image checks"), "needs-you"),
}


@needs(Permission.VIEW)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What needs you, four numbers, a chart, the newest entries; for a new seller three steps and a place to drop."""
    seller, now = seller_of(request), timezone.now()
    activity = facts.count_activity(seller, now)
    sees_cases = Permission.MANAGE_CASES in request.desk.rights()  # type: ignore[attr-defined]
    outcomes = count_outcomes(seller, now) if sees_cases else None
    context: dict[str, Any] = {
        "is_new": activity.is_empty,
        "form": RegisterForm(seller=seller),
        "tasks": [
            *_machine_tasks(request),
            *(_case_tasks(seller, now, outcomes) if outcomes else ()),
            *_watch_tasks(request),
            *_store_tasks(seller, now),
            *_task_rows(facts.find_tasks(seller, now)),
        ],
    }
    if not activity.is_empty:
        context |= {
            "stats": _stats(activity),
            "chart": _chart(activity),
            "rows": facts.recent_entries(seller, HISTORY_ROWS),
        }
    if outcomes is not None and outcomes.cases and not activity.is_empty:
        context["outcomes_chart"] = chart_of(outcomes.months)
    return render(request, "compliance/overview.html", context)


def _machine_tasks(request: HttpRequest) -> Iterator[dict[str, Any]]:
    """Trouble of the log, and a second factor that is still missing."""
    if trouble := facts.find_log_trouble(timezone.now()):
        text = error_text(trouble)
        yield {
            "state": "failed",
            "title": text.title,
            "detail": text.advice,
            "code": trouble,
            "url": reverse("ledger:log"),
            "action": _("Open the ledger"),
        }
    role = request.desk.current.role  # type: ignore[attr-defined]
    if role == Role.OWNER and not is_mfa_enabled(request.user):
        yield {
            "state": "needs-you",
            "title": _("Your account has no second step yet."),
            "detail": _("A stolen password would be enough to act in your name."),
            "url": reverse("mfa_index"),
            "action": _("Set one up"),
        }


def _case_tasks(seller: Seller, now: datetime, outcomes: Outcomes) -> Iterator[dict[str, Any]]:
    """What is due within a week or over, and complaints that put the good-faith status at risk."""
    due = list(pressing_deadlines(seller, now)[: SHOWN + 1])
    for row in due[:SHOWN]:
        yield {
            "state": "failed" if row.due_at < now else "needs-you",
            "title": f"{deadline_words(row, get_language() or 'en')} · {row.case}",
            "detail": _("Was due") if row.due_at < now else _("Due"),
            "at": row.due_at,
            "url": reverse("compliance:case_detail", args=[row.case.number]) + "#deadlines",
            "action": _("Open the case"),
        }
    if len(due) > SHOWN:
        yield _more(_("More deadlines are near."), reverse("compliance:case_deadlines"))
    guard = outcomes.guard
    if guard.is_pressing:
        yield {
            "state": "failed" if guard.state == BROKEN else "needs-you",
            "title": _("Your good-faith rates are at risk"),
            "detail": _("%(ok)d of %(all)d complaints accepted, %(countered)d countered, in the last 90 days")
            % {"ok": guard.success.k, "all": guard.success.n, "countered": guard.countered.k},
            "url": reverse("compliance:case_outcomes"),
            "action": _("See the outcomes"),
        }


def _watch_tasks(request: HttpRequest) -> Iterator[dict[str, Any]]:
    """How many matches of the watch wait for a decision, for those who may decide."""
    if Permission.TRIAGE not in request.desk.rights():  # type: ignore[attr-defined]
        return
    waiting = waiting_matches(seller_of(request)).count()
    if waiting:
        words = ngettext("%(count)d copy found in listings", "%(count)d copies found in listings", waiting)
        yield {
            "state": "needs-you",
            "title": words % {"count": waiting},
            "detail": _("Say of each whether it is one: one key per match, or a whole shop at once."),
            "url": reverse("compliance:watch"),
            "action": _("Decide"),
        }


def _store_tasks(seller: Seller, now: datetime) -> Iterator[dict[str, Any]]:
    """A store that is one failure from a penalty or under one, or has few submissions left today."""
    for each in standings_of(seller=seller, now=now):
        strikes, quota, name = each.strikes, each.quota, {"store": each.store.name}
        if strikes.penalty is not None:
            title, state = _("%(store)s: listings are down and publishing is frozen") % name, "failed"
            detail = _("Frozen through %(day)s.") % {"day": f"{strikes.penalty.last_frozen_day:%Y-%m-%d}"}
        elif strikes.state == WARNING:
            title, state = _("%(store)s: one more failure leads to a penalty") % name, "needs-you"
            detail = _("%(count)s of %(limit)s failures") % {"count": strikes.count, "limit": strikes.limit}
        elif each.is_low:
            title, state = _("%(store)s: few submissions left today") % name, "needs-you"
            detail = _("%(left)s of %(limit)s submissions left today") % {"left": quota.left, "limit": quota.limit}
        else:
            continue
        yield {
            "state": state,
            "title": title,
            "detail": detail,
            "url": reverse("compliance:standing"),
            "action": _("Strikes and quota"),
        }


def _task_rows(tasks: Tasks) -> Iterator[dict[str, Any]]:
    """Each task with the one click that settles it; a last line where there are more of a sort."""
    for job in tasks.jobs[:SHOWN]:
        text = error_text(job.error_code)
        yield {
            "state": "needs-you" if job.state == JobState.DEAD else "failed",
            "title": KIND_NAMES.get(job.kind, job.kind),
            "detail": f"{text.title} {text.advice}",
            "code": text.code,
            "url": reverse("ledger:job", args=[job.public_id]),
            "action": _("See the job"),
            "again": reverse("ledger:job_again", args=[job.public_id]) if job.state == JobState.DEAD else "",
        }
    if len(tasks.jobs) > SHOWN:
        yield _more(_("More jobs need you."), reverse("ledger:jobs") + "?state=stuck")
    for row in tasks.matches[:SHOWN]:
        yield _run_task(
            row, row.search_run.image_id, "compliance:search_result", _("Copies found"), _("See the matches")
        )
    if len(tasks.matches) > SHOWN:
        yield _more(_("More searches found copies."), _history(QUERY, "needs-you"))
    for row in tasks.failed_checks[:SHOWN]:
        image_id = row.check_run.hidden_image_id
        yield _run_task(row, image_id, "compliance:check", _("Hidden image not passed"), _("See the findings"))
    if len(tasks.failed_checks) > SHOWN:
        yield _more(_("More hidden-image checks failed."), _history(CHECK, "failed"))
    for run in tasks.outdated[:SHOWN]:
        yield {
            "state": "needs-you",
            "title": _("The main image of %(sku)s changed after its check") % {"sku": run.sku},
            "detail": _("A catalogue brought another picture. Check the hidden image against the new one."),
            "at": run.statement.outdated_at if run.statement else None,
            "image_id": run.main_image_id,
            "url": reverse("compliance:check", args=[run.number]),
            "action": _("See the check"),
        }
    if len(tasks.outdated) > SHOWN:
        yield _more(_("More checks are outdated."), _history(CHECK, OUTDATED))
    for image in tasks.unopened[:SHOWN]:
        text = error_text(image.error_code)
        yield {
            "state": "unknown",
            "title": image.file_name,
            "detail": f"{text.title} {text.advice}",
            "code": text.code,
            "url": reverse("ledger:original", args=[image.original.number]),
            "action": _("Open"),
        }
    if len(tasks.unopened) > SHOWN:
        yield _more(_("More pictures cannot be opened."), reverse("ledger:originals") + "?state=undecodable")
    for right in tasks.rights[:SHOWN]:
        yield {
            "state": "needs-you",
            "title": right.title,
            "detail": _("Valid until %(date)s: renew it, or record the renewal.") % {"date": f"{right.valid_until}"},
            "url": reverse("ledger:right", args=[right.number]),
            "action": _("Open"),
        }
    if len(tasks.rights) > SHOWN:
        yield _more(_("More rights end soon."), reverse("ledger:rights"))


def _run_task(row: Statement, image_id: int | None, view: str, title: str, action: str) -> dict[str, Any]:
    return {
        "state": "failed" if row.outcome == "failed" else "needs-you",
        "title": title,
        "detail": row.label,
        "at": row.logged_at,
        "image_id": image_id,
        "url": reverse(view, args=[row.number]),
        "action": action,
    }


def _more(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "url": url, "action": _("See all")}


def _history(kind: str, outcome: str) -> str:
    return f"{reverse('ledger:history')}?kind={kind}&outcome={outcome}"


def _stats(activity: Activity) -> list[dict[str, Any]]:
    """Four numbers; each says how it moves and leads to what it counts."""
    before, week = activity.weeks[-2].counts, activity.weeks[-1].counts
    urls = {
        REGISTERED: reverse("ledger:originals"),
        QUERY: f"{reverse('ledger:history')}?kind={QUERY}",
        CHECK: f"{reverse('ledger:history')}?kind={CHECK}",
    }
    labels = {REGISTERED: _("Originals"), QUERY: _("Queries"), CHECK: _("Hidden-image checks")}
    rows = [
        {
            "label": labels[kind],
            "value": activity.totals[kind],
            "trend": _("+%(number)d this week") % {"number": week[kind]} if week[kind] else _("none this week"),
            "url": urls[kind],
        }
        for kind in KINDS
    ]
    entries = {
        "label": _("Entries this week"),
        "value": sum(week.values()),
        "trend": _("%(number)d last week") % {"number": sum(before.values())},
        "url": reverse("ledger:history"),
    }
    return [*rows, entries]


def _chart(activity: Activity) -> dict[str, Any]:
    return {
        "kind": "bars",
        "series": [{"label": label, "tone": tone} for label, tone in SERIES.values()],
        "rows": [
            {"label": f"{week.starts:%m-%d}", "values": [week.counts[kind] for kind in KINDS]}
            for week in activity.weeks
        ],
    }


@needs(Permission.VIEW)
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """A proof number leads straight to its thing; everything else to a page of what matches."""
    text = text_parameter(request, "q")[:MAX_QUERY]
    exact = finding.find_by_number(request.user, text)  # type: ignore[arg-type]
    if exact is not None:
        return redirect(_url_of(exact))
    found = finding.find_everywhere(request.user, text)  # type: ignore[arg-type]
    several = len(request.desk.memberships) > 1  # type: ignore[attr-defined]
    context = {"find_q": text, "found": found, "several_sellers": several, "limit": finding.LIMIT}
    context["codes"] = code_rows(found.codes)
    return render(request, "compliance/find.html", context)


def _url_of(found: Original | SearchRun | CheckRun) -> str:
    if isinstance(found, Original):
        return reverse("ledger:original", args=[found.number])
    view = "compliance:search_result" if isinstance(found, SearchRun) else "compliance:check"
    return reverse(view, args=[found.number])


@needs(Permission.MANAGE_TEAM)
@require_POST
def sample(request: HttpRequest) -> HttpResponse:
    """Make a seller of sample data for this person and turn to it; a second time it is the same one."""
    started = start_sample(actor=request.user)  # type: ignore[arg-type]
    request.session[SESSION_KEY] = started.seller.pk
    messages.success(
        request,
        _("You now look at “%(seller)s”, a seller of its own. Your own data is untouched; switch back at the top.")
        % {"seller": started.seller.name},
    )
    return redirect("ledger:job", public_id=started.job.public_id)
