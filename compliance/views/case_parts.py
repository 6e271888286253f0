"""The parts of a case: our pictures, their listings, files, statements, costs. Each action leads back to the case."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from compliance.case_forms import AttachmentForm, CostsForm, ListingForm, WorkFilesForm, WorkForm
from compliance.cases.errors import CaseError
from compliance.models import Case
from compliance.services.case_deadlines import zone_of_seller
from compliance.services.case_parts import (
    add_listing,
    add_work,
    attach_file,
    attached_bytes,
    edit_listing,
    remove_file,
    remove_listing,
    remove_work,
    tick_statements,
    withdraw_statements,
)
from compliance.services.case_words import STATEMENT_WORDS
from compliance.services.cases import ListingFacts, note_costs
from compliance.views.case_page import back, case_page, child_or_404, find_case, refusals_said
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.models import Original
from ledger.services.evidence_sets import MAX_FILE_BYTES
from ledger.services.originals import Upload
from ledger.views.common import explain_trouble, needs, send_file


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_works(request: HttpRequest, number: str) -> HttpResponse:
    """Add an original by its proof number."""
    case = find_case(request, number)
    form = WorkForm(request.POST, auto_id="id_work_%s")
    if form.is_valid():
        rows = Original.objects.visible_to(request.user).of(case.seller)
        original = rows.filter(number=form.cleaned_data["number"]).first()
        if original is not None:
            add_work(actor=request.user, case=case, original=original)  # type: ignore[arg-type]
            return back(request, case, "works", _("Added, and on hold until the case is closed."))
        form.add_error("number", f"{error_text('case.unknown_original').title} (case.unknown_original)")
    return case_page(request, case, bound={"work_form": form}, status=400)


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_work(request: HttpRequest, number: str, key: int) -> HttpResponse:
    """Take an original out, or add files of evidence sets that show how it was made."""
    case = find_case(request, number)
    work = child_or_404(case.works.select_related("original", "case__seller", "seller", "hold"), pk=key)
    if request.POST.get("do") == "remove":
        remove_work(actor=request.user, work=work)  # type: ignore[arg-type]
        return back(request, case, "works", _("Taken out."))
    form = WorkFilesForm(request.POST, seller=case.seller)
    if form.is_valid():
        add_work(actor=request.user, case=case, original=work.original, files=list(form.cleaned_data["chosen"]))  # type: ignore[arg-type]
    return back(request, case, "works")


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_listings(request: HttpRequest, number: str) -> HttpResponse:
    """Add a listing that uses a picture of ours."""
    case = find_case(request, number)
    form = _listing_form(request, case)
    if not form.is_valid():
        return case_page(request, case, bound={"listing_form": form}, status=400)
    values = form.cleaned_data
    work = case.works.select_related("original").filter(pk=values.pop("work") or 0).first()
    add_listing(
        actor=request.user,  # type: ignore[arg-type]
        case=case,
        facts=ListingFacts(**values, original=work.original if work else None),
    )
    return back(request, case, "listings", _("Added."))


def _listing_form(request: HttpRequest, case: Case) -> ListingForm:
    works = list(case.works.select_related("original__image"))
    zone = zone_of_seller(case.seller)
    return ListingForm(request.POST, case=case, works=works, zone=zone, auto_id="id_listing_%s")


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_listing(request: HttpRequest, number: str, key: int) -> HttpResponse:
    """Take a listing out, or change what is known of it."""
    case = find_case(request, number)
    listing = child_or_404(case.infringements.select_related("case__seller", "seller"), pk=key)
    if request.POST.get("do") == "remove":
        remove_listing(actor=request.user, listing=listing)  # type: ignore[arg-type]
        return back(request, case, "listings", _("Taken out."))
    form = _listing_form(request, case)
    if not form.is_valid():
        return case_page(request, case, bound={"listing_form": form}, status=400)
    values: dict[str, Any] = dict(form.cleaned_data)
    values["work"] = case.works.filter(pk=values["work"] or 0).first()
    edit_listing(actor=request.user, listing=listing, values=values)  # type: ignore[arg-type]
    return back(request, case, "listings", _("Saved."))


@needs(Permission.MANAGE_CASES)
@require_POST
@explain_trouble
@refusals_said
def case_files(request: HttpRequest, number: str) -> HttpResponse:
    """Attach a file: stored encrypted, never opened."""
    case = find_case(request, number)
    form = AttachmentForm(request.POST, request.FILES, auto_id="id_file_%s")
    if not form.is_valid():
        return case_page(request, case, bound={"attachment_form": form}, status=400)
    file = form.cleaned_data["file"]
    upload = Upload(file.name or "", file.read(MAX_FILE_BYTES + 1))
    try:
        attach_file(
            actor=request.user,  # type: ignore[arg-type]
            case=case,
            upload=upload,
            role=form.cleaned_data["role"],
            expires_on=form.cleaned_data["expires_on"],
        )
    except CaseError as error:
        text = error_text(error.code)
        form.add_error("file", f"{text.title} {text.advice} ({error.code})")
        return case_page(request, case, bound={"attachment_form": form}, status=400)
    return back(request, case, "files", _("Attached. It is stored encrypted and never opened."))


@needs(Permission.MANAGE_CASES)
@require_safe
@explain_trouble
def case_file(request: HttpRequest, number: str, key: int) -> HttpResponse:
    """The exact bytes of an attached file, to save."""
    case = find_case(request, number)
    row = child_or_404(case.attachments.select_related("blob", "seller"), pk=key)
    return send_file(attached_bytes(actor=request.user, attachment=row), name=row.file_name, mime=row.mime)  # type: ignore[arg-type]


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_file_remove(request: HttpRequest, number: str, key: int) -> HttpResponse:
    """Take a file out and destroy it."""
    case = find_case(request, number)
    row = child_or_404(case.attachments.select_related("blob", "case__seller", "seller"), pk=key)
    remove_file(actor=request.user, attachment=row)  # type: ignore[arg-type]
    return back(request, case, "files", _("Destroyed."))


@needs(Permission.MANAGE_CASES)
@require_POST
@refusals_said
def case_statements(request: HttpRequest, number: str) -> HttpResponse:
    """Tick statements under one's name, or take all ticks back."""
    case = find_case(request, number)
    if request.POST.get("do") == "withdraw":
        withdraw_statements(actor=request.user, case=case)  # type: ignore[arg-type]
        return back(request, case, "statements", _("Taken back."))
    which = [word for word in request.POST.getlist("which") if word in STATEMENT_WORDS]
    tick_statements(actor=request.user, case=case, which=which, name=request.POST.get("name", "")[:200])  # type: ignore[arg-type]
    return back(request, case, "gate", _("Stored with your name and the time."))


@needs(Permission.MANAGE_CASES)
@require_POST
def case_costs(request: HttpRequest, number: str) -> HttpResponse:
    """Note what the case has cost."""
    case = find_case(request, number)
    form = CostsForm(request.POST, auto_id="id_costs_%s")
    if not form.is_valid():
        return case_page(request, case, bound={"costs_form": form}, status=400)
    note_costs(actor=request.user, case=case, **form.cleaned_data)  # type: ignore[arg-type]
    return back(request, case, "outcome", _("Saved."))
