"""Packets of a case: what would go in, the ticks, the build; then parts, files and portal fields to take away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from compliance.cases.target import find_target
from compliance.forms import PacketForm
from compliance.models import Case, CasePacket
from compliance.packets.errors import PacketError
from compliance.packets.wording import LANGUAGES
from compliance.services.case_files import gate_of
from compliance.services.case_words import item_label, item_row
from compliance.services.packet_exhibits import NOT_TICKED, PRIVATE, UNREADABLE, Ticks
from compliance.services.packets import (
    GateClosedError,
    build_packet,
    draft_letter,
    fields_of,
    packet_file,
    packet_part,
    packet_proof,
    upload_problems,
)
from ledger.accounts.permissions import Permission
from ledger.error_texts import error_text
from ledger.pdf.errors import PdfError
from ledger.services.log import latest_checkpoint
from ledger.views.clocks import bracket_context
from ledger.views.common import explain_trouble, find_or_404, needs, send_file

WHY = {
    NOT_TICKED: gettext_lazy("not ticked"),
    PRIVATE: gettext_lazy("holds a place, a serial number or a name; not ticked"),
    UNREADABLE: gettext_lazy("cannot be looked into, so a place in it cannot be ruled out; not ticked"),
}
REFUSED = {
    "wrong_type": gettext_lazy("the portal does not take this type by itself"),
    "too_large": gettext_lazy("larger than the portal takes"),
}
RELATED = ("seller", "case", "statement__entry", "statement__erasure", "statement__seller", "built_by")


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def case_packets(request: HttpRequest, number: str) -> HttpResponse:
    """The packets of a case, and the form that builds one once nothing required is missing."""
    case: Case = find_or_404(request, Case.objects.select_related("seller"), number)
    target = find_target(case.target)
    form = PacketForm(
        request.POST if request.method == "POST" else None,
        languages=target.languages,
        initial={"languages": _languages(case)},
    )
    trouble: Any = None
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        ticks = Ticks(values["originals"], values["private"], values["identity"])
        try:
            made = build_packet(
                actor=request.user,  # type: ignore[arg-type]
                case=case,
                ticks=ticks,
                languages=values["languages"],
            )
        except (GateClosedError, PacketError, PdfError) as error:
            text = error_text(error.code)
            detail = getattr(error, "detail", "") or str(error)
            trouble = {"text": f"{text.title} {text.advice}", "code": error.code, "detail": detail}
        else:
            messages.success(request, _("The packet is built and recorded."))
            return redirect("compliance:packet", number=made.number)
    context = {
        "case": case,
        "target": target.name.in_language(request.LANGUAGE_CODE),
        "missing": [item_row(item) for item in gate_of(case).missing],
        "form": form,
        "trouble": trouble,
        "packets": CasePacket.objects.of(case.seller).filter(case=case).select_related("statement").order_by("-pk"),
        "languages": [code for code in LANGUAGES if code in target.languages],
    }
    return render(request, "compliance/case_packets.html", context, status=400 if trouble or form.errors else 200)


def _languages(case: Case) -> list[str]:
    return list(case.languages) or [find_target(case.target).languages[0]]


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def case_draft(request: HttpRequest, number: str, language: str) -> HttpResponse:
    """The letter as a draft, marked on every page."""
    case: Case = find_or_404(request, Case.objects.select_related("seller"), number)
    if language not in LANGUAGES:
        raise Http404
    content = draft_letter(actor=request.user, case=case, language=language)  # type: ignore[arg-type]
    return send_file(content, name=f"DRAFT-{case.number}-{language}.pdf", mime="application/pdf")


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def packet(request: HttpRequest, number: str) -> HttpResponse:
    """One packet: its parts, its files, the portal's fields, its time, and how to check it."""
    found = _find(request, number)
    newest = latest_checkpoint()
    problems = upload_problems(found)
    target = find_target(found.target)
    context = {
        "packet": found,
        "target": target,
        "target_name": target.name.in_language(request.LANGUAGE_CODE),
        "is_erased": found.statement.erasure_id is not None,
        "parts": found.parts.order_by("number"),
        "files": [
            {"name": row[0], "mime": row[2], "size": row[3], "sha256": row[4], "part": row[5]}
            | {"problem": REFUSED.get(problems.get(row[0], ""), "")}
            for row in found.files
        ],
        "left_out": [(name, WHY.get(why, why)) for name, why in found.left_out],
        "fields": [{"field": field, "name": field.label or item_label(field.fact)} for field in fields_of(found.case)],
        **bracket_context(found.statement, is_sealed=bool(newest and newest.tree_size > found.statement.entry_id)),
    }
    return render(request, "compliance/packet_detail.html", context)


def _find(request: HttpRequest, number: str) -> CasePacket:
    found: CasePacket = find_or_404(request, CasePacket.objects.select_related(*RELATED), number)
    return found


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def packet_zip(request: HttpRequest, number: str, part: int) -> HttpResponse:
    """One part, the same bytes every time."""
    found = _find(request, number)
    row = found.parts.select_related("blob", "seller", "packet__statement").filter(number=part).first()
    if row is None:
        raise Http404
    content = packet_part(actor=request.user, part=row)  # type: ignore[arg-type]
    return send_file(content, name=f"{found.target}-{found.number}-part-{part}.zip", mime="application/zip")


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def packet_item(request: HttpRequest, number: str, name: str) -> HttpResponse:
    """One file of a packet, always as an attachment."""
    file = packet_file(actor=request.user, packet=_find(request, number), name=name)  # type: ignore[arg-type]
    if file is None:
        raise Http404
    mime = file.mime if file.mime == "application/pdf" else "application/octet-stream"
    return send_file(file.data, name=file.name, mime=mime)


@needs(Permission.MANAGE_CASES)
@explain_trouble
@require_safe
def packet_evidence(request: HttpRequest, number: str) -> HttpResponse:
    """The newest proof of the packet's entry."""
    found = _find(request, number)
    content = packet_proof(actor=request.user, packet=found)  # type: ignore[arg-type]
    return send_file(content, name=f"proof-{found.number}.zip", mime="application/zip")
