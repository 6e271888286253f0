"""Find copies: ask with a picture, watch the answer come, look at it, take its receipt away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from compliance.catalogues.feed import plain_url
from compliance.forms import SearchForm
from compliance.models import Candidate, RunState, Scope, SearchRun
from compliance.search.copy_score import SCORE_SAME_PIXELS, THRESHOLD, Verdict
from compliance.search.index import RECENT_DAYS
from compliance.search.limits import Change, describe_limits, measured_alarms, measured_changes, measured_thresholds
from compliance.search.texts import verdict_text
from compliance.services.clearance import earlier_candidates, registered_at
from compliance.services.edit_words import edit_words
from compliance.services.rates import search_failures
from compliance.services.receipts import receipt_of
from compliance.services.search import (
    THRESHOLD_DEFAULT,
    THRESHOLD_MAX,
    THRESHOLD_MIN,
    THRESHOLD_NEW_LAUNCH,
    Question,
    failure_of,
    retry_search,
    searched_counts,
    start_search,
)
from compliance.views.search_drawing import Drawing, agreement_map, draw
from ledger.accounts.numbers import new_number, parse_number
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.forms import read_upload
from ledger.imaging.errors import ImagingError
from ledger.models import ImageState, Job, JobState, Original
from ledger.services.blobs import read_blob
from ledger.services.evidence import evidence_zip
from ledger.views.common import explain_trouble, find_or_404, needs, seller_of, send_file

RECENT_RUNS = 8
SAME_PIXELS_MILLI = round(SCORE_SAME_PIXELS * 1000)
PICKS = 12
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)
GALLERY_JOBS = ("pictures.analyse", "gallery.update")


# Asking ----------------------------------------------------------------------------------------------------------


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
@explain_trouble
def search(request: HttpRequest) -> HttpResponse:
    """The form with what it will look through, and the latest searches. POST asks and leads to the answer."""
    original = _asked_original(request)
    if request.method != "POST":
        return _form_page(request, SearchForm(initial=_initial(request)), original)
    if Permission.QUERY not in request.desk.rights():  # type: ignore[attr-defined]
        raise PermissionDenied
    form = SearchForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            run = _start(request, form.cleaned_data, original)
        except ImagingError as error:
            text = error_text(error.code)
            form.add_error("picture", f"{text.title} {text.advice} ({error.code})")
        else:
            return redirect("compliance:search_result", number=run.number)
    return _form_page(request, form, original, status=400)


def _asked_original(request: HttpRequest) -> Original | None:
    """The original named in the request; the page then belongs to its seller, as an opened object's page does."""
    asked = request.POST.get("original", "") if request.method == "POST" else request.GET.get("original", "")
    if not asked:
        return None
    rows = Original.objects.visible_to(request.user).select_related("image", "seller")
    found: Original | None = rows.filter(number=parse_number(asked)).first() if parse_number(asked) else None
    if found is None:
        raise Http404
    request.desk.turn_to(found.seller)  # type: ignore[attr-defined]
    return found


def _initial(request: HttpRequest) -> dict[str, Any]:
    """A link may fill the form in: ?threshold=92&scope=registered&category=shoes."""
    asked = {name: request.GET[name] for name in ("threshold", "scope", "category", "url") if name in request.GET}
    form = SearchForm(asked | {"original": "preset"})
    form.is_valid()
    return {name: value for name, value in form.cleaned_data.items() if name in asked} | {"url": asked.get("url", "")}


def _start(request: HttpRequest, values: dict[str, Any], original: Original | None) -> SearchRun:
    picture, url = values["picture"], values["url"]
    return start_search(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller_of(request),
        question=Question(values["scope"], values["threshold"], values["category"]),
        upload=read_upload(picture) if picture is not None else None,
        original=original if picture is None and not url else None,
        url=url if picture is None else "",
        request_id=values["request_id"],
    )


def _form_page(request: HttpRequest, form: SearchForm, original: Original | None, status: int = 200) -> HttpResponse:
    seller = seller_of(request)
    runs = (
        SearchRun.objects.visible_to(request.user)
        .of(seller)
        .select_related("image", "job", "statement")
        .order_by("-pk")
    )
    ready = Original.objects.visible_to(request.user).of(seller).filter(image__state=ImageState.READY)
    picks = list(ready.select_related("image").order_by("-pk")[:PICKS])
    if original is not None and original not in picks:
        picks = [original, *picks[: PICKS - 1]]
    jobs = Job.objects.visible_to(request.user).of(seller).filter(state__in=UNFINISHED, kind__in=GALLERY_JOBS)
    context = {
        "form": form,
        "request_id": new_number(),
        "original": original,
        "picks": picks,
        "scopes": _scopes(form),
        "searched": _readable(searched_counts(seller)),
        "is_growing": jobs.exists(),
        "runs": [describe_run(run) for run in runs[:RECENT_RUNS]],
        "thresholds": {
            "low": THRESHOLD_MIN,
            "high": THRESHOLD_MAX,
            "default": THRESHOLD_DEFAULT,
            "new_launch": THRESHOLD_NEW_LAUNCH,
        },
    }
    return render(request, "compliance/search.html", context, status=status)


def _scopes(form: SearchForm) -> list[dict[str, Any]]:
    since = timezone.now() - timedelta(days=RECENT_DAYS)
    notes = {
        Scope.ALL: _("Your originals and all imported listings."),
        Scope.RECENT: _("Listed, or first seen, since %(date)s.") % {"date": since.strftime("%Y-%m-%d")},
        Scope.REGISTERED: _("Only what you registered yourself."),
    }
    chosen = form["scope"].value() or Scope.ALL
    names = {Scope.ALL: _("Everything"), Scope.RECENT: _("Last 90 days"), Scope.REGISTERED: _("Registered originals")}
    return [{"value": s.value, "name": names[s], "note": notes[s], "chosen": s.value == chosen} for s in Scope]


def _readable(searched: dict[str, Any]) -> dict[str, Any]:
    """The counts of a search with their time as a time."""
    newest = searched.get("newest_import")
    return searched | {"newest_import": datetime.fromisoformat(newest) if newest else None}


def describe_run(run: SearchRun) -> dict[str, Any]:
    """A search as a line of a list: its chip and the word on it."""
    failure = failure_of(run)
    if failure:
        chip, word = "failed", _("No answer")
    elif run.state != RunState.DONE:
        chip, word = "running", _("Searching")
    elif run.statement is not None and run.statement.outcome == "passed":
        chip, word = "passed", _("Nothing at %(threshold)d or more") % {"threshold": run.threshold}
    else:
        chip, word = "needs-you", _(verdict_text(run.verdict))
    name = run.image.file_name if run.image else run.source_url
    return {"run": run, "chip": chip, "word": word, "name": name}


# The answer ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A candidate as the page shows it; url leads to where the picture is, empty when the feed gave none."""

    row: Candidate
    name: str
    words: str
    meaning: str
    edits: list[str]
    evidence: Drawing | None
    is_swept: bool
    is_earlier: bool  # it showed the picture before it was registered, or while it is not
    is_match: bool
    is_original: bool
    url: str
    listed_at: datetime | None
    first_seen: datetime | None
    delisted_at: datetime | None


@needs(Permission.VIEW)
@require_safe
def search_result(request: HttpRequest, number: str) -> HttpResponse:
    """The answer with one candidate beside the query; while it is not there, what the page's script asks for again."""
    rows = SearchRun.objects.select_related("image__original", "job", "statement", "seller", "actor")
    run: SearchRun = find_or_404(request, rows, number)
    context: dict[str, Any] = {"run": run, "line": describe_run(run), "limits": _in_words(describe_limits())}
    failure = failure_of(run)
    if failure:
        context |= {"state": "failed", "error": error_text(failure)}
    elif run.state != RunState.DONE:
        context["state"] = "waiting"
    else:
        context |= {"state": "done"} | _answer(request, run)
    template = "compliance/search_result.html"
    return render(request, f"{template}#body" if request.headers.get("HX-Request") else template, context)


def _answer(request: HttpRequest, run: SearchRun) -> dict[str, Any]:
    rows = list(run.candidates.select_related("image", "original", "listing_image__listing"))
    earlier = earlier_candidates(run, rows)
    shown = [_show(row, run.threshold, is_earlier=row.rank in earlier) for row in rows]
    asked = request.GET.get("pick", "")
    picked = next((one for one in shown if str(one.row.rank) == asked), shown[0] if shown else None)
    matches = [one for one in shown if one.is_match]
    return {
        "picked": picked,
        "matches": matches,
        "below": [one for one in shown if not one.is_match],
        "title": _title(run, len(matches)),
        "searched": _readable(run.searched),
        "is_registered": registered_at(run, rows) is not None,
    }


def _title(run: SearchRun, matches: int) -> str:
    if not matches:
        return _("Nothing found at %(threshold)d or more") % {"threshold": run.threshold}
    words = ngettext(
        "%(count)d picture at %(threshold)d or more", "%(count)d pictures at %(threshold)d or more", matches
    )
    return words % {"count": matches, "threshold": run.threshold}


def _show(row: Candidate, threshold: int, *, is_earlier: bool) -> Shown:
    facts = row.facts
    is_original = facts["kind"] == "original"
    is_swept = row.image.state == ImageState.ERASED
    if is_original:
        url = reverse("ledger:original", args=[row.original.number]) if row.original else ""
    else:
        url = plain_url(facts.get("url", ""))
    return Shown(
        row=row,
        name=facts["title"] if is_original else facts["ref"],
        words=_(verdict_text(row.verdict)),
        meaning=_meaning(row, threshold),
        edits=edit_words(row.evidence.get("edits", {})),
        evidence=None if is_swept else draw(row),
        is_swept=is_swept,
        is_earlier=is_earlier,
        is_match=row.score_milli >= threshold * 1000,
        is_original=is_original,
        url=url,
        listed_at=_moment(facts.get("listed_at")),
        first_seen=_moment(facts.get("first_seen")),
        delisted_at=_moment(facts.get("delisted_at")),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _meaning(row: Candidate, threshold: int) -> str:
    """What a score says, no more than was measured."""
    if row.verdict == Verdict.IDENTICAL_FILE:
        return _("The file is the same, byte for byte.")
    if row.score_milli == SAME_PIXELS_MILLI:
        return _("Every pixel is the same; only the file was written anew.")
    if row.verdict == Verdict.SAME_SCENE:
        return _("The same thing is seen, but the pixels are another photograph's. That is no copy.")
    if row.score < threshold:
        return _("Below your threshold: a changed copy, or a picture that only resembles it. Compare by eye.")
    if row.score < THRESHOLD:
        return _("Above your threshold, but below 85, from where on answers proved reliable. Compare by eye.")
    return _("From 85 on, 99.9 % of the best answers were copies when measured.")


@needs(Permission.QUERY)
@require_POST
def search_again(request: HttpRequest, number: str) -> HttpResponse:
    """Have a search that failed answered after all."""
    run: SearchRun = find_or_404(request, SearchRun.objects.select_related("job", "seller"), number)
    retry_search(actor=request.user, run=run)  # type: ignore[arg-type]
    return redirect("compliance:search_result", number=run.number)


@needs(Permission.VIEW)
@require_safe
@explain_trouble
def search_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """The signed receipt as a PDF."""
    run = _answered(request, number)
    certificate = receipt_of(actor=request.user, run=run)  # type: ignore[arg-type]
    return send_file(read_blob(certificate.blob), name=f"originmark-search-{run.number}.pdf", mime="application/pdf")


@needs(Permission.VIEW)
@require_safe
@explain_trouble
def search_bundle(request: HttpRequest, number: str) -> HttpResponse:
    """Entry, proof, checkpoint and receipt as a ZIP that anybody verifies offline."""
    run = _answered(request, number)
    certificate = receipt_of(actor=request.user, run=run)  # type: ignore[arg-type]
    content = evidence_zip(actor=request.user, certificate=certificate)  # type: ignore[arg-type]
    return send_file(content, name=f"originmark-search-{run.number}.zip", mime="application/zip")


def _answered(request: HttpRequest, number: str) -> SearchRun:
    rows = SearchRun.objects.select_related("image__blob", "statement__entry", "statement__seller", "seller")
    run: SearchRun = find_or_404(request, rows, number)
    if run.statement is None:
        raise Http404
    return run


@needs(Permission.VIEW)
@require_safe
def search_agreement(request: HttpRequest, number: str, rank: int) -> HttpResponse:
    """Where the pixels of query and candidate agree, as a small picture to lay over the candidate."""
    run: SearchRun = find_or_404(request, SearchRun.objects.select_related("seller"), number)
    row = run.candidates.filter(rank=rank).first()
    content = agreement_map(row.evidence) if row else None
    if content is None:
        raise Http404
    return send_file(content, name=f"agreement-{run.number}-{rank}.png", mime="image/png", inline=True)


@needs(Permission.VIEW)
@require_safe
def search_method(request: HttpRequest) -> HttpResponse:
    """What this engine finds and misses, as measured; and how many of the seller's own searches got no answer, by cause."""
    alarms = [{"alarm": alarm, "text": _(alarm.text)} for alarm in measured_alarms()]
    failures = search_failures(seller_of(request), timezone.now())
    context = {
        "changes": _in_words(measured_changes()),
        "alarms": alarms,
        "failed": failures.failed,
        "causes": [{"text": error_text(code), "count": count} for code, count in failures.causes],
        **measured_thresholds(),
    }
    return render(request, "compliance/search_method.html", context)


def _in_words(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes with their texts in the reader's language (a template would double the percent signs)."""
    return [{"change": change, "text": _(change.text), "reach": _(change.reach_text)} for change in changes]
