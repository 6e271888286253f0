"""The API of the checks: search for copies, check a pair or a picture, read the answers. See docs/guide/api.md."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from compliance.forms import CheckForm, QualityForm, SearchForm
from compliance.models import CheckRun, QualityRun, RunState, SearchRun
from compliance.services.checks import PairRefusedError, start_check
from compliance.services.quality import QualityRefusedError, RequestReusedError, check_picture
from compliance.services.search import Question, failure_of, start_search
from ledger.accounts.models import Scope
from ledger.forms import read_upload
from ledger.imaging.errors import ImagingError
from ledger.models import Job, Original
from ledger.views.api_common import ApiError, api, find_in, form_problem, person_of, request_id_of, token_of

ACCEPTED = 202


def _job_url(job: Job | None) -> str | None:
    return reverse("ledger:api_job", args=[job.public_id]) if job else None


# Searching -------------------------------------------------------------------------------------------------------


@api({"POST": Scope.SEARCH})
def searches(request: HttpRequest) -> HttpResponse:
    """Ask with a picture, an address or an original's number; the answer is made by a job."""
    form = SearchForm(request.POST, request.FILES)
    if not form.is_valid():
        raise form_problem(form.errors)
    values = form.cleaned_data
    original = None
    if not values["picture"] and not values["url"]:
        original = find_in(Original.objects.select_related("image", "seller"), request, values["original"])
    try:
        run = start_search(
            actor=person_of(request),
            seller=token_of(request).seller,
            question=Question(values["scope"], values["threshold"], values["category"]),
            upload=read_upload(values["picture"]) if values["picture"] else None,
            original=original,
            url="" if values["picture"] else values["url"],
            request_id=request_id_of(request),
        )
    except ImagingError as error:
        raise ApiError(error.code, 422, error.detail) from error
    return JsonResponse(_search(run), status=ACCEPTED)


@api({"GET": Scope.SEARCH})
def search(request: HttpRequest, number: str) -> HttpResponse:
    """A search with its candidates once it is done."""
    return JsonResponse(_search(find_in(SearchRun.objects.select_related("job"), request, number)))


def _search(run: SearchRun) -> dict[str, Any]:
    is_done = run.state == RunState.DONE
    candidates = run.candidates.select_related("original").order_by("rank") if is_done else []
    return {
        "number": run.number,
        "state": run.state,
        "error_code": "" if is_done else failure_of(run),
        "scope": run.scope,
        "threshold": run.threshold,
        "verdict": run.verdict,
        "candidates": [
            {
                "rank": row.rank,
                "score": row.score,
                "verdict": row.verdict,
                "original": row.original.number if row.original else None,
                "facts": row.facts,
            }
            for row in candidates
        ],
        "url": reverse("compliance:api_search", args=[run.number]),
        "job": _job_url(run.job),
    }


# Checking --------------------------------------------------------------------------------------------------------


@api({"POST": Scope.CHECK})
def checks(request: HttpRequest) -> HttpResponse:
    """Check a pair: fields main and hidden are files, profile names the rules."""
    form = CheckForm(request.POST, request.FILES)
    if not form.is_valid():
        raise form_problem(form.errors)
    values = form.cleaned_data
    missing = [side for side in ("main", "hidden") if values[side] is None]
    if missing:
        raise ApiError("no_file", 400, ", ".join(missing))
    try:
        run = start_check(
            actor=person_of(request),
            seller=token_of(request).seller,
            main=read_upload(values["main"]),
            hidden=read_upload(values["hidden"]),
            category=values["category"],
            profile_id=values["profile"],
            sku=values["sku"],
            request_id=request_id_of(request),
        )
    except PairRefusedError as error:
        raise ApiError(error.code, 422, str(error)) from error
    return JsonResponse(_check(run), status=ACCEPTED)


@api({"GET": Scope.CHECK})
def check(request: HttpRequest, number: str) -> HttpResponse:
    """A check with its report once it is done; the report's form is docs/spec/check-report.md."""
    return JsonResponse(_check(find_in(CheckRun.objects.select_related("job"), request, number)))


def _check(run: CheckRun) -> dict[str, Any]:
    return {
        "number": run.number,
        "state": run.state,
        "error_code": run.error_code or (run.job.error_code if run.job else ""),
        "verdict": run.verdict,
        "report": run.report if run.state == RunState.DONE else None,
        "url": reverse("compliance:api_check", args=[run.number]),
        "job": _job_url(run.job),
    }


# Single pictures -------------------------------------------------------------------------------------------------


@api({"POST": Scope.CHECK})
def qualities(request: HttpRequest) -> HttpResponse:
    """Check one picture: field picture is the file. It is answered at once and not kept; the answer is."""
    form = QualityForm(request.POST, MultiValueDict({"pictures": request.FILES.getlist("picture")[:1]}))
    if not form.is_valid():
        if not request.FILES.get("picture"):
            raise ApiError("no_file", 400, "picture")
        raise form_problem(form.errors)
    values = form.cleaned_data
    try:
        run = check_picture(
            actor=person_of(request),
            seller=token_of(request).seller,
            upload=read_upload(values["pictures"][0]),
            profile_id=values["profile"],
            category=values["category"],
            without_hidden=values["without_hidden"],
            request_id=request_id_of(request),
        )
    except QualityRefusedError as error:
        raise ApiError(error.code, 422) from error
    except RequestReusedError as error:
        raise ApiError(error.code, 409) from error
    return JsonResponse(_quality(run))


@api({"GET": Scope.CHECK})
def quality(request: HttpRequest, number: str) -> HttpResponse:
    """A recorded check; the report's form is docs/spec/quality-report.md."""
    return JsonResponse(_quality(find_in(QualityRun.objects.select_related("seller"), request, number)))


def _quality(run: QualityRun) -> dict[str, Any]:
    return {
        "number": run.number,
        "verdict": run.verdict,
        "sha256": bytes(run.sha256).hex(),
        "report": run.report,
        "url": reverse("compliance:api_quality", args=[run.number]),
    }
