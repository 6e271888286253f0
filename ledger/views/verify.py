"""The public pages: does this evidence hold? No account, no navigation, one answer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.accounts.numbers import parse_number
from ledger.error_texts import error_text
from ledger.models import Statement
from ledger.services.log import log_head
from ledger.services.spans import key_of
from ledger.services.verification import MAX_EVIDENCE_BYTES, Verification, verify_evidence, verify_own
from ledger.tlog.bundle import OFFLINE_PAGE, verify_text
from ledger.tlog.report import Check, Report, Verdict
from ledger.views.clocks import bracket_context
from ledger.views.common import explain_trouble, send_file

STATES = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.INDETERMINATE: "unknown"}
CHECK_NAMES = {
    "archive": _("The ZIP can be read"),
    "sums": _("The files are those the list names"),
    "log": _("The log describes itself"),
    "checkpoint": _("The checkpoint is well formed"),
    "cosignatures": _("The cosignatures are well formed"),
    "signature": _("The checkpoint is signed"),
    "witnesses": _("Witnesses signed too"),
    "proof": _("The proof is well formed"),
    "entry": _("The entry is well formed"),
    "inclusion": _("The entry is in the signed tree"),
    "claim": _("The claim is what the entry commits to"),
    "who": _("The identity is what the entry commits to"),
    "original": _("The picture is the registered file"),
    "packet": _("The packet's files are those of its recorded manifest"),
    "later": _("An outside clock saw the tree with this entry"),
    "earlier": _("The entry is younger than an outside clock's token"),
    "renewal": _("A younger token carries the old one on"),
}
WRONG_NAMES = {
    "archive": _("The ZIP cannot be read."),
    "sums": _("A file is not the one that the list names."),
    "log": _("The log's description does not fit."),
    "checkpoint": _("The checkpoint is not well formed."),
    "cosignatures": _("The cosignatures are not well formed."),
    "signature": _("The checkpoint's signature is wrong."),
    "witnesses": _("A witness's signature is wrong."),
    "proof": _("The proof is not well formed."),
    "entry": _("The entry was changed or is not well formed."),
    "inclusion": _("The entry is not in the signed tree."),
    "claim": _("The claim is not what the entry commits to."),
    "who": _("The identity is not what the entry commits to."),
    "original": _("The picture is not the registered file."),
    "packet": _("A file of the packet is not the recorded one."),
    "later": _("A time stamp over the tree does not hold."),
    "earlier": _("The entry does not continue the earlier time stamp."),
    "renewal": _("A renewal of the time stamp does not hold."),
}
ROLE_NAMES = {
    "original": _("original"),
    "query": _("query picture"),
    "main": _("main image"),
    "hidden": _("hidden image"),
    "image": _("checked picture"),
    "derivative": _("file made from it"),
    "raw": _("camera RAW"),
    "layered": _("layered source"),
    "outtake": _("outtake"),
    "contract": _("contract or release"),
    "screenshot": _("screenshot"),
    "html": _("saved page (HTML)"),
    "warc": _("web archive (WARC)"),
    "wacz": _("web archive (WACZ)"),
    "video": _("screen recording"),
    "record": _("record of the capture"),
    "manifest": _("manifest of the packet"),
}
KIND_NAMES = {
    "image.registered": _("Registration of an original picture"),
    "set.registered": _("Registration of an evidence set"),
    "erasure": _("Record of an erasure"),
    "query.recorded": _("Record of a search for copies"),
    "check.recorded": _("Record of a hidden-image check"),
    "skus.recorded": _("Record of a check of a collage and its SKUs"),
    "quality.recorded": _("Record of a quality check"),
    "derivative.linked": _("Record of a file made from an original"),
    "listing.captured": _("Record of a captured page"),
    "packet.recorded": _("Record of a complaint packet"),
}


@login_not_required
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Drop a ZIP or a PDF; the answer comes first, then why, then the raw values."""
    file = request.FILES.get("evidence")
    if request.method != "POST":
        return render(request, "ledger/verify.html", {"limit_mib": MAX_EVIDENCE_BYTES // 2**20})
    if file is None:
        context = {"limit_mib": MAX_EVIDENCE_BYTES // 2**20, "error": error_text("no_file")}
        return render(request, "ledger/verify.html", context, status=400)
    found = verify_evidence(file.read(MAX_EVIDENCE_BYTES + 1))
    context = {"limit_mib": MAX_EVIDENCE_BYTES // 2**20, "file_name": file.name, "found": found, **_answer(found)}
    return render(request, "ledger/verify.html", context)


def _answer(found: Verification) -> dict[str, Any]:
    """Verdict, headline and reason in words."""
    answer: dict[str, Any] = {"state": STATES[found.verdict], "why": error_text(found.code) if found.code else None}
    if found.report is not None:
        answer |= report_context(found.report)
        answer["erased_at"] = _erased_at(found)
    if found.verdict is Verdict.FAILED:
        answer["title"] = _("Does not hold")
    elif found.verdict is Verdict.INDETERMINATE:
        answer["title"] = _("Cannot tell")
    elif found.is_ours:
        answer["title"] = _("Holds")
        answer["text"] = _("Signed by this site's log and unchanged.")
    else:
        # Anybody can sign with a key of their own, so this is not shown as passed.
        answer["state"] = "unknown"
        answer["title"] = _("Holds under a key this site does not know")
        answer["text"] = _("The evidence agrees with itself. Compare the key below with one you trust.")
    return answer


def _erased_at(found: Verification) -> Any:
    """When this site's own copy of what the evidence is about was erased; the evidence holds all the same."""
    if not found.is_ours or found.report is None or found.report.entry is None:
        return None
    key = key_of(found.report.entry.log, found.report.entry.seq, log_head())
    row = Statement.objects.filter(entry=key).select_related("erasure").first()
    return row.erasure.created_at if row is not None and row.erasure is not None else None


def report_context(report: Report) -> dict[str, Any]:
    """A report's checks, entry and files for the page."""
    found = report.disagreement
    return {
        "report": report,
        "checks": [_check_row(check) for check in report.checks],
        "disagreement": found,
        "disagreement_text": _reason(found) if found else "",
        "kind": KIND_NAMES.get(report.entry.kind, report.entry.kind) if report.entry else "",
        "seller_name": _seller_name(report),
        "digests": [(ROLE_NAMES.get(digest.role, digest.role), digest) for digest in report.digests],
    }


def _reason(check: Check) -> Any:
    """The first thing that decided against the evidence, in words."""
    if check.verdict is Verdict.FAILED:
        return WRONG_NAMES.get(check.name, CHECK_NAMES.get(check.name, check.name))
    return _("Something that is needed is missing.")


def _check_row(check: Check) -> dict[str, Any]:
    return {"name": CHECK_NAMES.get(check.name, check.name), "state": STATES[check.verdict], "check": check}


def _seller_name(report: Report) -> str:
    """The name in a disclosed identity document, once it was checked against the entry."""
    who = report.who or {}
    seller = who.get("seller")
    return str(seller.get("name", "")) if isinstance(seller, dict) else ""


@login_not_required
@require_safe
def offline_page(request: HttpRequest) -> HttpResponse:
    """The checker that is one file: saved, it answers in any browser without a network (and without this site)."""
    return send_file(verify_text(OFFLINE_PAGE), name=OFFLINE_PAGE, mime="text/html; charset=utf-8")


@login_not_required
@explain_trouble
@require_safe
def certificate_public(request: HttpRequest, number: str) -> HttpResponse:
    """Where a certificate's QR code leads: the live answer for that proof number, without the picture."""
    parsed = parse_number(number)
    rows = Statement.objects.select_related("entry", "seller", "erasure").exclude(seller=None)
    statement = rows.filter(number=parsed).first() if parsed else None
    if statement is None:
        raise Http404
    report = verify_own(statement)
    context = {"statement": statement, "state": STATES[report.verdict], **report_context(report)}
    context |= bracket_context(statement, is_sealed=True)
    context["erased_at"] = statement.erasure.created_at if statement.erasure else None
    context["site"] = settings.PUBLIC_URL or request.get_host()
    response = render(request, "ledger/certificate_public.html", context)
    response["X-Robots-Tag"] = "noindex"
    return response
