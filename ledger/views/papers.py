"""Documents about a seller: the owner's page, and the page on which site staff reviews them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.accounts.access import needs_recent_login
from ledger.accounts.models import Seller
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.accounts.sign_ins import address_of
from ledger.error_texts import error_text
from ledger.forms import BankForm, PaperForm, ReviewForm
from ledger.models import PaperState, SellerPaper
from ledger.services.originals import Upload
from ledger.services.papers import (
    MAX_BYTES,
    PaperError,
    add_paper,
    papers_of,
    papers_to_review,
    read_paper,
    remove_paper,
    review_paper,
    tick_bank,
    tick_for_packets,
)
from ledger.views.common import (
    Page,
    explain_trouble,
    find_or_404,
    needs,
    seller_of,
    send_file,
    staff_only,
    text_parameter,
)

CHIPS = {PaperState.PENDING: "waiting", PaperState.APPROVED: "passed", PaperState.REFUSED: "failed"}


@never_cache
@needs(Permission.MANAGE_PAPERS)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def papers(request: HttpRequest) -> HttpResponse:
    """The seller's documents with their review, and the bank step; POST adds a document."""
    seller, actor = seller_of(request), _person(request)
    form = PaperForm(request.POST or None, request.FILES or None, seller=seller)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        file = values["document"]
        upload = Upload(file.name or "", file.read(MAX_BYTES + 1))
        try:
            add_paper(actor=actor, seller=seller, kind=values["kind"], upload=upload, person=values["person"])
        except PaperError as error:
            text = error_text(error.code)
            form.add_error("document", f"{text.title} {text.advice} ({error.code})")
        else:
            messages.success(request, _("Sealed. Site staff reviews it."))
            return redirect("ledger:papers")
    context = {
        "form": form,
        "lines": [{"paper": paper, "chip": CHIPS[PaperState(paper.state)]} for paper in papers_of(seller)],
        "ticks": seller.bank_ticks.order_by("-arrived_on", "-pk")[:10],
    }
    return render(request, "ledger/paper_list.html", context, status=400 if form.errors else 200)


def _person(request: HttpRequest) -> Any:
    return request.user


def _find(request: HttpRequest, number: str) -> SellerPaper:
    found: SellerPaper = find_or_404(request, SellerPaper.objects.select_related("seller", "blob"), number)
    if found.erased_at is not None:
        raise Http404
    return found


@needs(Permission.MANAGE_PAPERS)
@explain_trouble
@require_safe
def paper_file(request: HttpRequest, number: str) -> HttpResponse:
    return _send(request, _find(request, number))


def _send(request: HttpRequest, paper: SellerPaper) -> HttpResponse:
    content = read_paper(actor=_person(request), paper=paper, address=address_of(request))
    return send_file(content, name=paper.file_name, mime=paper.mime)


@needs(Permission.MANAGE_PAPERS)
@require_POST
def paper_tick(request: HttpRequest, number: str) -> HttpResponse:
    """Whether packets may carry it."""
    tick_for_packets(actor=_person(request), paper=_find(request, number), is_ticked=request.POST.get("tick") == "1")
    return redirect("ledger:papers")


@needs(Permission.MANAGE_PAPERS)
@needs_recent_login
@require_POST
def paper_remove(request: HttpRequest, number: str) -> HttpResponse:
    remove_paper(actor=_person(request), paper=_find(request, number))
    messages.success(request, _("Erased. Old copies in the database are being overwritten."))
    return redirect("ledger:papers")


# Site staff ------------------------------------------------------------------------------------------------------


@never_cache
@staff_only
@require_safe
def review_list(request: HttpRequest) -> HttpResponse:
    """Documents of all sellers; by default those that wait."""
    state = text_parameter(request, "state") or PaperState.PENDING
    page = Page(papers_to_review(actor=_person(request), state=state), request)
    context = {
        "page": page,
        "lines": [{"paper": paper, "chip": CHIPS[PaperState(paper.state)]} for paper in page],
        "state": state,
        "states": PaperState.choices,
        "bank_form": BankForm(),
    }
    return render(request, "ledger/paper_review.html", context)


def _find_for_review(request: HttpRequest, number: str) -> SellerPaper:
    rows = papers_to_review(actor=_person(request)).select_related("blob")
    found = rows.filter(number=parse_number(number) or "").first()
    if found is None:
        raise Http404
    return found


@staff_only
@explain_trouble
@require_safe
def review_file(request: HttpRequest, number: str) -> HttpResponse:
    """The document; the seller's access log says who of the staff looked."""
    return _send(request, _find_for_review(request, number))


@staff_only
@require_POST
def review(request: HttpRequest, number: str) -> HttpResponse:
    """Approve or refuse."""
    paper = _find_for_review(request, number)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose approve or refuse."))
        return redirect("ledger:review_list")
    values = form.cleaned_data
    try:
        review_paper(
            actor=_person(request), paper=paper, is_approved=values["answer"] == "approve", reason=values["reason"]
        )
    except PaperError as error:
        messages.error(request, f"{error_text(error.code).title} {error_text(error.code).advice} ({error.code})")
    else:
        messages.success(request, _("The seller sees your answer."))
    return redirect("ledger:review_list")


@staff_only
@require_POST
def review_bank(request: HttpRequest, slug: str) -> HttpResponse:
    """Tick the bank step of a seller."""
    seller = Seller.objects.filter(slug=slug).first()
    if seller is None:
        raise Http404
    form = BankForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the day on which the deposit arrived."))
        return redirect("ledger:review_list")
    try:
        tick_bank(actor=_person(request), seller=seller, arrived_on=form.cleaned_data["arrived_on"])
    except PaperError as error:
        messages.error(request, f"{error_text(error.code).title} {error_text(error.code).advice} ({error.code})")
    else:
        messages.success(request, _("Ticked."))
    return redirect("ledger:review_list")
