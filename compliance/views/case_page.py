"""The page of one case, built the same for looking at it and for saying what was wrong with a form that was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language

from compliance.case_forms import (
    SECTIONS,
    AttachmentForm,
    CostsForm,
    DeadlineForm,
    DeadlineMoveForm,
    ListingForm,
    MoveForm,
    WorkForm,
    section_form,
)
from compliance.cases import steps
from compliance.cases.deadlines import load_rules
from compliance.cases.errors import CaseError, NotReadyError
from compliance.cases.gate import Gate
from compliance.cases.target import Target
from compliance.models import Case, CaseDeadline, CaseEvent, CaseWork, Infringement
from compliance.services.case_deadlines import deadline_words, zone_of_seller
from compliance.services.case_files import gate_of
from compliance.services.case_words import (
    ATTACHMENT_WORDS,
    EVENT_WORDS,
    POSITION_WORDS,
    STATEMENT_WORDS,
    STATUS_CHIPS,
    STEP_WORDS,
    item_label,
    item_row,
)
from compliance.services.cases import CHANGEABLE
from compliance.templatetags.checks import STATUSES
from ledger.error_texts import error_text
from ledger.models import EvidenceFile
from ledger.views.common import find_or_404

# Files of evidence sets offered at once; a set that is longer is reached by its own page.
FILES_OFFERED = 100
FORMS_SHOWN = 20  # listings beyond are taken out and added anew


def find_case(request: HttpRequest, number: str) -> Case:
    """The case of that number; 404 for others', 403 without the right to see cases."""
    found: Case = find_or_404(
        request, Case.objects.select_related("seller", "right", "created_by", "submitted_by"), number
    )
    return found


def child_or_404(rows: Any, **lookup: Any) -> Any:
    """A part of a case that was found before."""
    found = rows.filter(**lookup).first()
    if found is None:
        raise Http404
    return found


def case_page(
    request: HttpRequest, case: Case, *, bound: Mapping[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """bound: forms that were sent, by their names in the context, in place of empty ones."""
    zone = zone_of_seller(case.seller)
    gate = gate_of(case)
    works = list(case.works.select_related("original__image").prefetch_related("files"))
    changeable = case.status in CHANGEABLE
    context: dict[str, Any] = {
        "case": case,
        "chip": STATUS_CHIPS[case.status],
        "target": target_words(gate.target),
        "gate": gate_words(gate),
        "letter_languages": list(case.languages) or [gate.target.languages[0]],
        "can_change": changeable,
        "works": works,
        "evidence_files": EvidenceFile.objects.visible_to(request.user)
        .of(case.seller)
        .filter(is_erased=False)
        .exclude(evidence_set__statement=None)
        .select_related("evidence_set")
        .order_by("-pk")[:FILES_OFFERED]
        if works and changeable
        else [],
        "listings": _listings(case, gate.target, works if changeable else None, zone),
        "attachments": [
            {"row": row, "role": ATTACHMENT_WORDS.get(row.role, row.role), "expired": _is_over(row.expires_on)}
            for row in case.attachments.all()
        ],
        "statements": _statements(case, gate),
        "deadlines": [deadline_row(row, zone) for row in case.deadlines.select_related("moved_by")],
        "events": [_event(row) for row in case.events.select_related("actor").order_by("-pk")],
        "moves": [
            {
                "to": to,
                "label": STEP_WORDS[to],
                "needs_note": to in steps.NOTED,
                "is_first": place == 0,
                "form": MoveForm(initial={"to": to}, zone=zone, auto_id=f"id_move_{to}_%s"),
            }
            for place, to in enumerate(_offered(case))
        ],
        "sections": [
            {
                "name": name,
                "form": (bound or {}).get(name) or section_form(name, case, zone),
                "is_open": name in (bound or {}),
            }
            for name in SECTIONS
            if name != "notice" or case.kind in ("defence", "counter_notice")
        ],
        "listing_form": ListingForm(case=case, works=works, zone=zone, auto_id="id_listing_%s"),
        "work_form": WorkForm(auto_id="id_work_%s"),
        "attachment_form": AttachmentForm(auto_id="id_file_%s"),
        "deadline_form": DeadlineForm(case=case, zone=zone, auto_id="id_deadline_%s"),
        "costs_form": CostsForm(
            initial={"costs": case.costs, "currency": case.costs_currency or "CNY"}, auto_id="id_costs_%s"
        ),
        "zone_name": case.seller.time_zone,
        **{name: form for name, form in (bound or {}).items() if name not in SECTIONS},
    }
    return render(request, "compliance/case_detail.html", context, status=status)


def _offered(case: Case) -> list[str]:
    """Steps a person takes; between gap and ready the gate moves the case by itself."""
    return [to for to in steps.STEPS[case.status] if to not in (steps.GAP, steps.READY)]


def _is_over(day: Any) -> bool:
    return day is not None and day < timezone.localdate()


def target_words(target: Target) -> dict[str, Any]:
    """A target in the reader's language."""
    language = get_language() or "en"
    return {
        "id": target.id,
        "name": target.name.in_language(language),
        "portal": target.portal,
        "notes": [words.in_language(language) for words in target.notes],
        "source": target.source.text.in_language(language),
        "status": STATUSES[target.source.status],
        "last_checked": target.source.last_checked,
        "languages": ", ".join(target.languages),
    }


def gate_words(gate: Gate) -> dict[str, Any]:
    met, required = gate.score
    return {
        "met": met,
        "required": required,
        "is_open": gate.is_open,
        "next": item_row(gate.next_item) if gate.next_item else None,
        "missing": [item_row(item) for item in gate.missing],
        "advice": [item_row(item) for item in gate.advice],
        "held": [item_row(item) for item in gate.items if item.is_met],
    }


def _listings(case: Case, target: Target, works: list[CaseWork] | None, zone: tzinfo) -> list[dict[str, Any]]:
    """works: to choose from, None where nothing is changed any more. The first FORMS_SHOWN bring their forms along."""
    rows = list(case.infringements.select_related("work__original__image"))
    language = get_language() or "en"
    names = {name: words.in_language(language) for name, words in target.reasons.items()}
    return [
        {
            "row": row,
            "reason": names.get(row.reason, row.reason),
            "position": POSITION_WORDS.get(row.position, ""),
            "form": _listing_form(case, row, works, zone) if works is not None and place < FORMS_SHOWN else None,
        }
        for place, row in enumerate(rows)
    ]


def _listing_form(case: Case, row: Infringement, works: list[CaseWork], zone: tzinfo) -> ListingForm:
    initial = {name: getattr(row, name) for name in ListingForm.base_fields} | {"work": str(row.work_id or "")}
    return ListingForm(initial=initial, case=case, works=works, zone=zone, auto_id=f"id_listing_{row.pk}_%s")


def _statements(case: Case, gate: Gate) -> list[dict[str, Any]]:
    ticked = {row.which: row for row in case.statements.select_related("ticked_by")}
    return [
        {"which": rule.which, "words": STATEMENT_WORDS[rule.which], "tick": ticked.get(rule.which)}
        for rule in gate.target.statements
        if case.kind in rule.kinds
    ]


def deadline_row(row: CaseDeadline, zone: tzinfo) -> dict[str, Any]:
    """A deadline as pages show it, with its form for another moment."""
    rule = load_rules().get(row.rule)
    now = timezone.now()
    state = "passed" if row.done_at else "failed" if row.due_at < now else "needs-you"
    return {
        "row": row,
        "words": deadline_words(row, get_language() or "en"),
        "local": row.due_at.astimezone(zone),
        "source": rule.source.in_language(get_language() or "en") if rule else "",
        "status": STATUSES[rule.status] if rule else "",
        "state": state,
        "form": DeadlineMoveForm(initial={"due_at": row.due_at}, zone=zone, auto_id=f"id_{row.number}_%s"),
    }


def _event(row: CaseEvent) -> dict[str, Any]:
    """One line of the story. What was moved is named by the words of states, files by those of roles."""
    words = dict(Case._meta.get_field("status").choices or [])
    parts = {"moved": words, "file_added": ATTACHMENT_WORDS, "file_removed": ATTACHMENT_WORDS}.get(row.what, {})
    before, after = (str(parts.get(text, text)) for text in (row.before, row.after))
    if row.what == "ticked":
        after = str(item_label(f"statement.{row.after}"))
    rule = load_rules().get(row.note)
    note = rule.words.in_language(get_language() or "en") if rule else row.note
    change = f"{before} → {after}" if before and after else before or after
    return {
        "title": EVENT_WORDS.get(row.what, row.what),
        "text": " · ".join(part for part in (change, note) if part),
        "at": row.at,
        "by": row.actor or "",
        "state": STATUS_CHIPS.get(row.after, "") if row.what == "moved" else "",
    }


def say(request: HttpRequest, error: CaseError) -> None:
    """A refusal as a message: what is wrong, what to do, its code, and the items it is about."""
    text = error_text(error.code)
    names = ", ".join(str(item_label(item)) for item in error.items)
    detail = f" {names}." if names else f" {error.detail}" if error.detail and error.detail != error.code else ""
    messages.error(
        request, f"{text.title}{detail if isinstance(error, NotReadyError) else ''} {text.advice} ({error.code})"
    )


def refusals_said(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A refused action leads back to the case and says why; nothing of it was done."""

    @wraps(view)
    def wrapped(request: HttpRequest, number: str, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, number, **kwargs)
        except CaseError as error:
            say(request, error)
            return redirect("compliance:case_detail", number=number)

    return wrapped


def back(request: HttpRequest, case: Case, anchor: str = "", said: str = "") -> HttpResponse:
    """To the case's page, to the part where something was done."""
    if said:
        messages.success(request, said)
    response = redirect("compliance:case_detail", number=case.number)
    if anchor:
        response["Location"] += f"#{anchor}"
    return response
