"""Captures: take one (a file, or this server's own look), see what it proves and what not, take it away."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from compliance.forms import ENVIRONMENT_LABELS, CaptureForm, FetchForm
from compliance.models import Capture, Listing, Observer, RunState
from compliance.services.captures import (
    CaptureError,
    Seen,
    add_capture,
    capture_bundle,
    capture_file,
    capture_name,
    capture_preview,
    free_number,
    start_fetch,
)
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.models import Original
from ledger.services.evidence_sets import MAX_FILE_BYTES
from ledger.services.log import latest_checkpoint
from ledger.services.originals import Upload
from ledger.views.clocks import bracket_context
from ledger.views.common import (
    Page,
    explain_trouble,
    find_or_404,
    needs,
    seller_of,
    send_file,
    text_parameter,
)

RELATED = ("seller", "statement__entry", "statement__seller", "statement__erasure", "blob", "record", "captured_by")


@needs(Permission.MANAGE_CASES)
@require_safe
def captures(request: HttpRequest) -> HttpResponse:
    """Newest first; ?observer= and ?q= narrow it."""
    observer, words = text_parameter(request, "observer"), text_parameter(request, "q")
    rows = Capture.objects.visible_to(request.user).of(seller_of(request)).select_related("statement", "job")
    if observer in Observer.values:
        rows = rows.filter(observer=observer)
    if words:
        rows = rows.filter(Q(url__icontains=words) | Q(product_id__icontains=words) | Q(shop__icontains=words))
    chips = [{"label": _("Everything"), "url": _chip(request, ""), "active": observer not in Observer.values}]
    chips += [
        {"label": label, "url": _chip(request, value), "active": observer == value} for value, label in Observer.choices
    ]
    context = {"page": Page(rows, request), "chips": chips, "words": words, "is_filtered": bool(observer or words)}
    return render(request, "compliance/capture_list.html", context)


def _chip(request: HttpRequest, observer: str) -> str:
    query = request.GET.copy()
    for name in ("before", "after", "observer"):
        query.pop(name, None)
    if observer:
        query["observer"] = observer
    return f"{request.path}?{query.urlencode()}"


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def capture_new(request: HttpRequest) -> HttpResponse:
    """Two forms: an address for this server, or a file. ?listing=…, ?original=…, ?url=… fill in what is known."""
    source = request.POST if request.method == "POST" else request.GET
    listing, original = _listing(request, source), _original(request, source)
    url = text_parameter(request, "url") or (listing.url if listing else "")
    known = {
        "url": url,
        "product_id": listing.product_id if listing else "",
        "shop": listing.shop_name if listing else "",
    }
    by_server = request.method == "POST" and request.POST.get("by") == "server"
    by_hand = request.method == "POST" and not by_server
    fetch_form = FetchForm(request.POST if by_server else None, initial=known, prefix="fetch")
    form = CaptureForm(
        request.POST if by_hand else None,
        request.FILES if by_hand else None,
        initial=known | {"captured_at": timezone.now().replace(microsecond=0)},
    )
    asked = fetch_form if by_server else form
    if request.method == "POST" and asked.is_valid():
        links = {"listing": listing, "original": original, "number": _number(request)}
        try:
            made = _fetch(request, fetch_form, links) if by_server else _upload(request, form, links)
        except CaptureError as error:
            asked.add_error(_field(error.code), f"{error_text(error.code).title} {error_text(error.code).advice}")
        else:
            return redirect("compliance:capture", number=made.number)
    context = {
        "form": form,
        "fetch_form": fetch_form,
        "number": _number(request),
        "listing": listing,
        "original": original,
        "mib": MAX_FILE_BYTES // 2**20,
    }
    return render(request, "compliance/capture_form.html", context, status=400 if asked.errors else 200)


def _field(code: str) -> str | None:
    fields = {"capture.future": "captured_at", "empty_file": "file", "evidence_file_too_large": "file"}
    return "url" if code == "capture.url" or code.startswith("fetch.") else fields.get(code)


def _number(request: HttpRequest) -> str:
    """The number that the form carries, so that sending it twice makes one capture; nobody else's."""
    return free_number(seller_of(request), parse_number(request.POST.get("number", "")) or "")


def _listing(request: HttpRequest, source: Any) -> Listing | None:
    text = source.get("listing", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        return None
    return Listing.objects.visible_to(request.user).of(seller_of(request)).filter(pk=int(text)).first()


def _original(request: HttpRequest, source: Any) -> Original | None:
    number = parse_number(source.get("original", ""))
    rows = Original.objects.visible_to(request.user).of(seller_of(request)).select_related("image")
    return rows.filter(number=number).first() if number else None


def _fetch(request: HttpRequest, form: FetchForm, links: dict[str, Any]) -> Capture:
    values = form.cleaned_data
    return start_fetch(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller_of(request),
        url=values["url"].strip(),
        notes=values["notes"],
        **links,
    )


def _upload(request: HttpRequest, form: CaptureForm, links: dict[str, Any]) -> Capture:
    values = form.cleaned_data
    file = values["file"]
    names = ("kind", "captured_at", "observer", "observer_name", "product_id", "shop", "notes")
    seen = Seen(url=values["url"].strip(), environment=form.environment(), **{name: values[name] for name in names})
    upload = Upload(file.name or "", file.read(MAX_FILE_BYTES + 1))
    return add_capture(actor=request.user, seller=seller_of(request), seen=seen, upload=upload, **links)  # type: ignore[arg-type]


def _find(request: HttpRequest, number: str) -> Capture:
    found: Capture = find_or_404(request, Capture.objects.select_related(*RELATED, "job", "listing"), number)
    return found


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def capture(request: HttpRequest, number: str) -> HttpResponse:
    """What was seen, by whom, when; its time bracket; and what it does not prove."""
    found = _find(request, number)
    trouble = error_text(found.error_code) if found.state == RunState.FAILED else None
    context: dict[str, Any] = {
        "capture": found,
        "environment": [
            (label, found.environment[name]) for name, label in ENVIRONMENT_LABELS.items() if name in found.environment
        ],
        "missing": [label for name, label in ENVIRONMENT_LABELS.items() if name not in found.environment],
        "again_url": f"{reverse('compliance:capture_new')}?{urlencode({'url': found.url})}",
        "trouble": trouble,
        "trouble_text": f"{trouble.title} {trouble.advice}" if trouble else "",
        "original": Original.objects.of(found.seller).filter(pk=found.original_id).select_related("image").first(),
    }
    if found.preview_code:
        context["no_preview"] = error_text(found.preview_code)
    if found.statement is not None:
        newest = latest_checkpoint()
        sealed = bool(newest and newest.tree_size > found.statement.entry_id)
        context |= bracket_context(found.statement, is_sealed=sealed)
    return render(request, "compliance/capture_detail.html", context)


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def capture_download(request: HttpRequest, number: str) -> HttpResponse:
    """The exact bytes as an attachment in a sandbox: nobody looked inside, and the browser must not either."""
    found = _find(request, number)
    try:
        content = capture_file(actor=request.user, capture=found)  # type: ignore[arg-type]
    except CaptureError as error:
        raise Http404 from error
    return send_file(content, name=capture_name(found), mime="application/octet-stream")


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def capture_picture(request: HttpRequest, number: str) -> HttpResponse:
    """The preview of a screenshot: encoded anew by us."""
    found = _find(request, number)
    content = capture_preview(found)
    if content is None:
        raise Http404
    return send_file(content, name=f"{found.number}.webp", mime="image/webp", inline=True)


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def capture_evidence(request: HttpRequest, number: str) -> HttpResponse:
    """The ZIP that the offline verifier reads."""
    found = _find(request, number)
    try:
        content = capture_bundle(actor=request.user, capture=found)  # type: ignore[arg-type]
    except CaptureError as error:
        messages.error(request, f"{error_text(error.code).title} {error_text(error.code).advice}")
        return redirect(reverse("compliance:capture", args=[found.number]))
    return send_file(content, name=f"capture-{found.number}.zip", mime="application/zip")
