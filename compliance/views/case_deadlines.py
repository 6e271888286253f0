"""Deadlines: what is due, the calendar feed, another day with a reason, and a pasted e-mail that proposes one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from compliance.calendars.business_days import CALENDARS, load_calendar
from compliance.case_forms import DeadlineForm, DeadlineMoveForm, MailForm
from compliance.models import Case, CaseDeadline
from compliance.services.case_deadlines import (
    add_own_deadline,
    add_rule_deadline,
    finish_deadline,
    move_deadline,
    open_deadlines,
    zone_of_seller,
)
from compliance.services.case_feed import feed_of, make_feed, read_feed, revoke_feed
from compliance.services.case_mail import Proposal, propose
from compliance.services.case_words import MAIL_EVENT_WORDS, STATUS_CHIPS
from compliance.views.case_page import back, case_page, child_or_404, deadline_row, find_case, refusals_said
from ledger.accounts.permissions import Permission
from ledger.views.common import needs, seller_of, send_file

SHOWN = 200
FRESH_FEED = "case_feed_token"


@needs(Permission.MANAGE_CASES)
@require_safe
def deadline_list(request: HttpRequest) -> HttpResponse:
    """Everything that is due, the earliest first, and the calendar feed."""
    seller = seller_of(request)
    zone = zone_of_seller(seller)
    token = request.session.pop(FRESH_FEED, "")
    address = reverse("compliance:case_calendar", args=[token]) if token else ""
    context = {
        "rows": [deadline_row(row, zone) for row in open_deadlines(seller)[:SHOWN]],
        "shown": SHOWN,
        "zone_name": seller.time_zone,
        "feed": feed_of(request.user, seller),  # type: ignore[arg-type]
        "feed_address": (settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}") + address
        if address
        else "",
        "calendars": [_calendar(name) for name in CALENDARS if name != "WEEKENDS"],
    }
    return render(request, "compliance/deadline_list.html", context)


def _calendar(name: str) -> dict[str, Any]:
    known = load_calendar(name)
    is_chinese = (get_language() or "").startswith("zh")
    return {"name": name, "source": known.source_zh if is_chinese else known.source, "until": known.known_until}


@needs(Permission.MANAGE_CASES)
@require_POST
def case_feed(request: HttpRequest) -> HttpResponse:
    """Make a new feed address, or revoke the one there is."""
    seller = seller_of(request)
    if request.POST.get("do") == "revoke":
        revoke_feed(actor=request.user, seller=seller)  # type: ignore[arg-type]
        messages.success(request, _("The address no longer works."))
    else:
        request.session[FRESH_FEED] = make_feed(actor=request.user, seller=seller)  # type: ignore[arg-type]
    return redirect("compliance:case_deadlines")


@login_not_required
@require_safe
def case_calendar(request: HttpRequest, token: str) -> HttpResponse:
    """The feed itself, for calendar programs: the address is the key."""
    content = read_feed(token)
    if content is None:
        raise Http404
    return send_file(content, name="deadlines.ics", mime="text/calendar; charset=utf-8")


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_deadline_add(request: HttpRequest, number: str) -> HttpResponse:
    """Add a deadline by a rule, or one of one's own."""
    case = find_case(request, number)
    form = DeadlineForm(request.POST, case=case, zone=zone_of_seller(case.seller), auto_id="id_deadline_%s")
    if not form.is_valid():
        return case_page(request, case, bound={"deadline_form": form}, status=400)
    values = form.cleaned_data
    if values["rule"]:
        add_rule_deadline(actor=request.user, case=case, rule=values["rule"], start=values["start"])  # type: ignore[arg-type]
    else:
        add_own_deadline(actor=request.user, case=case, label=values["label"], due_at=values["due_at"])  # type: ignore[arg-type]
    return back(request, case, "deadlines", _("Added."))


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_deadline(request: HttpRequest, number: str, deadline: str) -> HttpResponse:
    """Done, or another moment with a reason."""
    case = find_case(request, number)
    row: CaseDeadline = child_or_404(case.deadlines.select_related("case", "seller"), number=deadline)
    if request.POST.get("do") == "done":
        finish_deadline(actor=request.user, deadline=row)  # type: ignore[arg-type]
        return back(request, case, "deadlines", _("Done."))
    form = DeadlineMoveForm(request.POST, zone=zone_of_seller(case.seller))
    if not form.is_valid():
        messages.error(request, _("A deadline moves to a day and time, with a reason."))
        return back(request, case, "deadlines")
    move_deadline(actor=request.user, deadline=row, **form.cleaned_data)  # type: ignore[arg-type]
    return back(request, case, "deadlines", _("Moved."))


@needs(Permission.MANAGE_CASES)
@require_http_methods(["GET", "HEAD", "POST"])
def case_mail(request: HttpRequest) -> HttpResponse:
    """Paste a platform's e-mail: it is read here, kept nowhere, and changes nothing by itself."""
    form = MailForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        proposal = propose(actor=request.user, seller=seller_of(request), text=form.cleaned_data["text"])  # type: ignore[arg-type]
        context |= _proposal(request, proposal)
    return render(request, "compliance/case_mail.html", context, status=400 if form.errors else 200)


def _proposal(request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
    zone, language = zone_of_seller(seller_of(request)), get_language() or "en"
    facts = proposal.facts
    return {
        "facts": facts,
        "event": MAIL_EVENT_WORDS[facts.event],
        "at": proposal.at,
        "at_local": f"{proposal.at.astimezone(zone):%Y-%m-%dT%H:%M}",
        "has_date": facts.at is not None,
        "is_notice": proposal.is_notice,
        "reference": facts.references[0] if facts.references else "",
        "cases": [{"case": case, "can_move": may, "chip": _chip(case)} for case, may in proposal.cases],
        "targets": [{"id": target.id, "name": target.name.in_language(language)} for target in proposal.targets],
        "deadlines": [
            {
                "words": rule.words.in_language(language),
                "due": due,
                "local": due.at.astimezone(zone),
                "source": rule.source.in_language(language),
            }
            for rule, due in proposal.deadlines
        ],
        "zone_name": seller_of(request).time_zone,
    }


def _chip(case: Case) -> str:
    return STATUS_CHIPS[case.status]
