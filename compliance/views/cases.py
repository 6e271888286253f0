"""Cases: the board, a new case, one case with its gate, and its steps. Owners and IP managers only."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from compliance.case_forms import SECTIONS, MoveForm, NewCaseForm, section_form
from compliance.cases import steps
from compliance.cases.errors import CaseError
from compliance.cases.platforms import OTHER, platform_of, targets_for
from compliance.cases.target import load_targets
from compliance.models import Candidate, Case, CaseKind, CaseStatus, WatchMatch
from compliance.services.case_deadlines import deadline_words, zone_of_seller
from compliance.services.case_words import STATUS_CHIPS
from compliance.services.cases import ListingFacts, edit_case, facts_of_candidate, facts_of_match, move_case, open_case
from compliance.views.case_page import back, case_page, find_case, refusals_said, say
from ledger.accounts.models import Seller
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.models import ImageFile, Original
from ledger.views.common import Page, explain_trouble, key_parameter, needs, seller_of, text_parameter

COLUMN_ROWS = 20
COLUMNS = (
    ("preparing", (steps.DRAFT, steps.GAP, steps.READY)),
    ("waiting", (steps.SUBMITTED, steps.CLARIFICATION, steps.COURT)),
    ("decided", (steps.ACCEPTED, steps.REMOVED, steps.COUNTERED, steps.REJECTED)),
    ("over", (steps.WITHDRAWN, steps.CLOSED)),
)


@needs(Permission.MANAGE_CASES)
@require_safe
def case_list(request: HttpRequest) -> HttpResponse:
    """The board by state; with a filter or a word a list."""
    seller = seller_of(request)
    rows = Case.objects.visible_to(request.user).of(seller)
    status, word = text_parameter(request, "status"), text_parameter(request, "q")
    counts = {row["status"]: row["n"] for row in rows.order_by().values("status").annotate(n=Count("pk"))}
    context: dict[str, Any] = {
        "total": sum(counts.values()),
        "word": word,
        "status": status if status in CaseStatus.values else "",
        "chips": _chips(counts, status),
    }
    if context["status"] or word:
        if context["status"]:
            rows = rows.filter(status=status)
        if word:
            number = parse_number(word)
            known = Q(title__icontains=word) | Q(portal_ref__icontains=word) | Q(notice_ref__icontains=word)
            rows = rows.filter(known | Q(number=number) if number else known)
        page = Page(_with_next(rows), request)
        context |= {"page": page, "lines": [_line(case) for case in page]}
    else:
        context["columns"] = [_column(rows, name, states, counts) for name, states in COLUMNS]
    return render(request, "compliance/case_list.html", context)


def _with_next(rows: Any) -> Any:
    return rows.prefetch_related("deadlines", "works__original__image").annotate(listings=Count("infringements"))


def _chips(counts: dict[str, int], status: str) -> list[dict[str, Any]]:
    url = reverse("compliance:case_list")
    chips = [{"label": _("All"), "url": url, "active": not status, "count": sum(counts.values())}]
    return chips + [
        {"label": label, "url": f"{url}?status={value}", "active": value == status, "count": counts[value]}
        for value, label in CaseStatus.choices
        if counts.get(value)
    ]


def _column(rows: Any, name: str, states: tuple[str, ...], counts: dict[str, int]) -> dict[str, Any]:
    names = {
        "preparing": _("Preparing"),
        "waiting": _("With them"),
        "decided": _("Decided"),
        "over": _("Over"),
    }
    shown = list(_with_next(rows.filter(status__in=states)).order_by("-pk")[:COLUMN_ROWS])
    total = sum(counts.get(state, 0) for state in states)
    return {"name": names[name], "lines": [_line(case) for case in shown], "total": total, "more": total - len(shown)}


def _line(case: Case) -> dict[str, Any]:
    """A case in a list: its picture, and what is due next."""
    language = get_language() or "en"
    due = [row for row in case.deadlines.all() if row.done_at is None] if case.is_open else []
    first = min(due, key=lambda row: row.due_at, default=None)
    work = next(iter(case.works.all()), None)
    target = load_targets().get(case.target)
    return {
        "case": case,
        "chip": STATUS_CHIPS[case.status],
        "target": target.name.in_language(language) if target else case.target,
        "image_id": work.original.image_id if work and work.original.image.has_thumbnails else None,
        "due": first,
        "due_words": deadline_words(first, language) if first else "",
        "due_state": "" if first is None else "failed" if first.due_at < timezone.now() else "needs-you",
    }


# A new case -----------------------------------------------------------------------------------------------------


@needs(Permission.MANAGE_CASES)
@require_http_methods(["GET", "HEAD", "POST"])
@explain_trouble
def case_new(request: HttpRequest) -> HttpResponse:
    """Open a case: by hand, from a search's candidate (?candidate=), an original (?original=) or a match (?match=)."""
    seller = seller_of(request)
    candidate, match = _candidate(request), _match(request)
    source = candidate or match
    if source is not None:
        request.desk.turn_to(source.seller)  # type: ignore[attr-defined]
        seller = source.seller
    facts = facts_of_candidate(candidate) if candidate else facts_of_match(match) if match else None
    kind = _kind(request, candidate)
    platform = platform_of(facts.url) if facts else text_parameter(request, "platform") or OTHER
    targets = _targets(platform, kind)
    zone = zone_of_seller(seller)
    if request.method != "POST":
        form = NewCaseForm(initial=_initial(request, kind, targets, facts), targets=targets, zone=zone)
        return _new_page(request, form, _theirs(candidate, match), facts)
    form = NewCaseForm(request.POST, targets=list(load_targets().values()), zone=zone)
    if form.is_valid():
        originals, unknown = _originals(request, seller, form.cleaned_data["originals"])
        if unknown:
            text = error_text("case.unknown_original")
            form.add_error("originals", f"{text.title} {unknown} (case.unknown_original)")
        else:
            try:
                made = _open(request, seller, form.cleaned_data, originals, facts)
            except CaseError as error:
                form.add_error(None, f"{error_text(error.code).title} ({error.code})")
            else:
                return back(request, made, said=_("Opened. The gate says what is still missing."))
    return _new_page(request, form, _theirs(candidate, match), facts, status=400)


def _kind(request: HttpRequest, candidate: Candidate | None) -> str:
    """Asked for; else a defence where the found picture is registered by us, a complaint where it is a listing's."""
    asked = request.POST.get("kind", "") if request.method == "POST" else text_parameter(request, "kind")
    if asked in CaseKind.values:
        return asked
    return CaseKind.DEFENCE if candidate is not None and candidate.original_id else CaseKind.COMPLAINT


def _targets(platform: str, kind: str) -> list[Any]:
    """Those that take the kind first; all of them, so that a changed kind finds its target on a page without scripts."""
    fitting = targets_for(platform, kind)
    return [*fitting, *(target for target in load_targets().values() if target not in fitting)]


def _candidate(request: HttpRequest) -> Candidate | None:
    """A candidate named in the request, of a seller this person belongs to."""
    if request.method == "POST":
        text = request.POST.get("candidate", "")
        key = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
    else:
        key, text = key_parameter(request, "candidate"), request.GET.get("candidate", "")
    if not text:
        return None
    rows = Candidate.objects.visible_to(request.user).select_related(
        "seller", "run__image__original", "original__image", "listing_image__listing", "image"
    )
    found: Candidate | None = rows.filter(pk=key).first() if key is not None else None
    if found is None:
        raise Http404
    return found


def _match(request: HttpRequest) -> WatchMatch | None:
    """A match of the watch named in the request, of a seller this person belongs to."""
    text = request.POST.get("match", "") if request.method == "POST" else text_parameter(request, "match")
    if not text:
        return None
    rows = WatchMatch.objects.visible_to(request.user).select_related(
        "seller", "original__image", "listing_image__listing", "listing_image__image"
    )
    found: WatchMatch | None = rows.filter(number=parse_number(text) or "").first()
    if found is None:
        raise Http404
    return found


def _theirs(candidate: Candidate | None, match: WatchMatch | None) -> ImageFile | None:
    """The picture that is held against ours: a listing's, or the query where the candidate is an original of ours."""
    if candidate is not None:
        return candidate.run.image if candidate.original_id else candidate.image
    return match.listing_image.image if match else None


def _initial(request: HttpRequest, kind: str, targets: list[Any], facts: ListingFacts | None) -> dict[str, Any]:
    asked = text_parameter(request, "original")
    named = facts.original.number if facts and facts.original else asked if parse_number(asked) else ""
    target = text_parameter(request, "target")
    return {
        "kind": kind,
        "target": target if target in load_targets() else targets[0].id,
        "originals": named,
        "addresses": facts.url if facts else text_parameter(request, "url"),
        "candidate": text_parameter(request, "candidate"),
        "match": text_parameter(request, "match"),
        "notice_ref": text_parameter(request, "notice")[:120],
        "notice_received_at": timezone.now() if kind == CaseKind.DEFENCE else None,
    }


def _originals(request: HttpRequest, seller: Seller, numbers: list[str]) -> tuple[list[Original], str]:
    """The originals, and the first number that stands for none."""
    rows = Original.objects.visible_to(request.user).of(seller).filter(number__in=numbers)
    found = {row.number: row for row in rows.select_related("image")}
    unknown = next((number for number in numbers if number not in found), "")
    return [found[number] for number in dict.fromkeys(numbers) if number in found], unknown


def _open(
    request: HttpRequest, seller: Seller, values: dict[str, Any], originals: list[Original], facts: ListingFacts | None
) -> Case:
    listings = [facts] if facts and (facts.url or facts.listing_ref) else []
    known = {each.url for each in listings}
    listings += [ListingFacts(url=url) for url in values["addresses"] if url not in known]
    answers = {name: values[name] for name in ("notice_ref", "notice_received_at") if values[name]}
    return open_case(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller,
        kind=values["kind"],
        target=values["target"],
        works=originals,
        infringements=listings,
        values=answers if values["kind"] in (CaseKind.DEFENCE, CaseKind.COUNTER_NOTICE) else {},
    )


def _new_page(
    request: HttpRequest, form: NewCaseForm, theirs: ImageFile | None, facts: ListingFacts | None, status: int = 200
) -> HttpResponse:
    ours = facts.original if facts else None
    kind = str(form["kind"].value() or "")
    context = {
        "form": form,
        "theirs": theirs,
        "has_unknown_work": facts is not None and ours is None,
        "ours": ours,
        "is_answer": kind in (CaseKind.DEFENCE, CaseKind.COUNTER_NOTICE),
        "zone_name": seller_of(request).time_zone,
    }
    return render(request, "compliance/case_form.html", context, status=status)


# One case -------------------------------------------------------------------------------------------------------


@needs(Permission.MANAGE_CASES)
@require_safe
def case_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One case: the gate with what to do next, and everything it is made of."""
    return case_page(request, find_case(request, number))


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_edit(request: HttpRequest, number: str, section: str) -> HttpResponse:
    """Save one section of the form."""
    case = find_case(request, number)
    if section not in SECTIONS:
        raise Http404
    form = section_form(section, case, zone_of_seller(case.seller), request.POST)
    if not form.is_valid():
        return case_page(request, case, bound={section: form}, status=400)
    values = dict(form.cleaned_data)
    record = values.get("right")
    if record is not None:
        known = {"registration_no": record.registration_number, "registration_authority": record.authority}
        known |= {"right_title": record.title}
        values |= {name: values[name] or text for name, text in known.items()}
    edit_case(actor=request.user, case=case, values=values)  # type: ignore[arg-type]
    return back(request, case, anchor="gate", said=_("Saved."))


@needs(Permission.MANAGE_CASES)
@require_POST
def case_move(request: HttpRequest, number: str) -> HttpResponse:
    """Take the case one step further, or say what keeps it."""
    case = find_case(request, number)
    form = MoveForm(request.POST, zone=zone_of_seller(case.seller))
    if not form.is_valid():
        messages.error(request, _("A field of this step was not understood."))
        return redirect("compliance:case_detail", number=case.number)
    try:
        move_case(actor=request.user, case=case, **form.cleaned_data)  # type: ignore[arg-type]
    except CaseError as error:
        say(request, error)
    return redirect("compliance:case_detail", number=case.number)
