"""Background jobs of a seller: what runs, what gave up, and starting it again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.models import Job, JobState
from ledger.services.jobs import REQUEUABLE, JobStateError, cancel_job, requeue_job
from ledger.views.common import Page, needs, seller_of

# State of a job -> state of a status chip.
CHIPS = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.DONE: "passed",
    JobState.FAILED: "failed",
    JobState.DEAD: "needs-you",
    JobState.CANCELLED: "unknown",
}
SAMPLE = "sample.load"
KIND_NAMES = {
    "pictures.analyse": gettext_lazy("Analyse pictures"),
    "certificates.archive": gettext_lazy("Time-stamp certificates"),
    "pictures.features": gettext_lazy("Make features of pictures"),
    "originals.register_zip": gettext_lazy("Register the pictures of an archive"),
    "anchors.stamp": gettext_lazy("Ask for outside time"),
    "gallery.update": gettext_lazy("Add pictures to the search"),
    "gallery.seal": gettext_lazy("Save the search index"),
    "search.run": gettext_lazy("Find copies"),
    "checks.run": gettext_lazy("Hidden-image check"),
    "checks.batch": gettext_lazy("Check many pairs"),
    "checks.skus": gettext_lazy("Check the SKUs of a collage"),
    "checks.outdated": gettext_lazy("Compare checked main images with a catalogue"),
    "repairs.run": gettext_lazy("Repair a hidden image"),
    "packs.make": gettext_lazy("Make packs"),
    "catalogues.import": gettext_lazy("Import listings"),
    "catalogues.fetch": gettext_lazy("Fetch pictures of listings"),
    "catalogues.sweep": gettext_lazy("Sweep listings that are long gone"),
    "watch.run": gettext_lazy("Compare new pictures with the other side"),
    "watch.webhook": gettext_lazy("Send an alert to the webhook"),
    "watch.digest": gettext_lazy("Send new matches by e-mail"),
    "erasure.clean": gettext_lazy("Overwrite what was erased"),
    SAMPLE: gettext_lazy("Draw sample data"),
}


@needs(Permission.VIEW)
@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    """Newest first; those that gave up can be started again."""
    jobs = Job.objects.visible_to(request.user).of(seller_of(request))
    state = request.GET.get("state", "")
    if state == "stuck":
        jobs = jobs.filter(state__in=[JobState.DEAD, JobState.FAILED])
    page = Page(jobs, request)
    chips = [
        {"label": _("All jobs"), "url": request.path, "active": state != "stuck"},
        {"label": _("Needs you"), "url": f"{request.path}?state=stuck", "active": state == "stuck"},
    ]
    return render(
        request, "ledger/job_list.html", {"page": page, "rows": [describe(job) for job in page], "chips": chips}
    )


@needs(Permission.VIEW)
@require_safe
def job(request: HttpRequest, public_id: Any) -> HttpResponse:
    """One job, live; the page's script asks for the progress part alone."""
    found = _find(request, public_id)
    template = "ledger/job_detail.html#progress" if request.headers.get("HX-Request") else "ledger/job_detail.html"
    return render(request, template, {"row": describe(found), "job": found})


@needs(Permission.REQUEUE_JOB)
@require_POST
def job_again(request: HttpRequest, public_id: Any) -> HttpResponse:
    """Start a job that gave up again."""
    found = _find(request, public_id)
    try:
        requeue_job(actor=request.user, job=found)  # type: ignore[arg-type]
        messages.success(request, _("Started again."))
    except JobStateError:
        messages.warning(request, _("This job is not one that can be started again."))
    return redirect("ledger:job", public_id=found.public_id)


@needs(Permission.REQUEUE_JOB)
@require_POST
def job_cancel(request: HttpRequest, public_id: Any) -> HttpResponse:
    """Stop a job; what it has done stays."""
    found = _find(request, public_id)
    try:
        cancel_job(actor=request.user, job=found)  # type: ignore[arg-type]
        messages.success(request, _("Stopped. What was done stays."))
    except JobStateError:
        messages.warning(request, _("This job has already ended."))
    return redirect("ledger:job", public_id=found.public_id)


def _find(request: HttpRequest, public_id: Any) -> Job:
    """Another seller's job is 404, like one of the machine; without the needed right 403."""
    rows = Job.objects.visible_to(request.user).select_related("seller", "actor")
    found: Job | None = rows.filter(public_id=public_id).first()
    if found is None or found.seller is None:
        raise Http404
    desk = request.desk  # type: ignore[attr-defined]
    if request.needed_permission not in desk.rights(found.seller):  # type: ignore[attr-defined]
        raise PermissionDenied
    desk.turn_to(found.seller)
    return found


def describe(job: Job) -> dict[str, Any]:
    """A job as components/progress.html and the list show it."""
    finished = job.state not in (JobState.QUEUED, JobState.RUNNING)
    text = error_text(job.error_code) if job.error_code and finished else None
    return {
        "job": job,
        "chip": CHIPS[JobState(job.state)],
        "name": KIND_NAMES.get(job.kind, job.kind),
        "finished": finished,
        "error": text,
        "can_restart": job.state in REQUEUABLE,
        "after_url": settings.LOGIN_REDIRECT_URL if job.kind == SAMPLE and job.state == JobState.DONE else "",
        "failures": [row | {"text": error_text(row["code"])} for row in job.result.get("failures", [])],
        "counts": job.result.get("counts", {}),
    }
