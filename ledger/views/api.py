"""The API of the ledger: register a file, list and read originals, take their evidence, watch a job. See docs/guide/api.md."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from ledger.accounts.models import Scope
from ledger.accounts.permissions import Permission, require_permission
from ledger.forms import ApiFileForm, read_upload
from ledger.models import AccessKind, ImageState, Job, Original
from ledger.services import room
from ledger.services.blobs import read_blob
from ledger.services.evidence import certificate_of, evidence_zip
from ledger.services.handouts import FILE, record_handout
from ledger.services.originals import REGISTERED, REJECTED, REQUEST_ID_REUSED, register_originals
from ledger.views.api_common import (
    ApiError,
    api,
    find_in,
    form_problem,
    note_api_access,
    person_of,
    request_id_of,
    token_of,
)
from ledger.views.common import Page, send_file, text_parameter

READ = {"GET": Scope.READ}
RELATED = ("image__blob", "statement__entry", "statement__seller", "seller")


def describe_original(original: Original) -> dict[str, Any]:
    """One original as JSON; times are UTC, digests hexadecimal."""
    return {
        "number": original.number,
        "file_name": original.image.file_name,
        "title": original.title,
        "category": original.category,
        "sha256": bytes(original.sha256).hex(),
        "size_bytes": original.image.size_bytes,
        "mime": original.image.mime,
        "state": original.image.state,
        "error_code": original.image.error_code if original.image.state == ImageState.UNDECODABLE else "",
        "entry": original.statement.seq,
        "leaf_hash": bytes(original.statement.entry.leaf_hash).hex(),
        "registered_at": original.registered_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "url": reverse("ledger:api_original", args=[original.number]),
    }


@api({"GET": Scope.READ, "POST": Scope.REGISTER})
def originals(request: HttpRequest) -> HttpResponse:
    """GET lists, newest first, fifty a page; POST registers one file and answers with the receipt."""
    if request.method == "POST":
        return _register(request)
    rows = Original.objects.of(token_of(request).seller).select_related("image", "statement__entry")
    if wanted := text_parameter(request, "q"):
        rows = rows.filter(search_text__icontains=wanted)
    page = Page(rows, request)
    return JsonResponse({"originals": [describe_original(row) for row in page], "next": page.older_url or None})


def _register(request: HttpRequest) -> HttpResponse:
    form = ApiFileForm(request.POST, request.FILES)
    if not form.is_valid():
        raise ApiError("no_file") if "file" in form.errors else form_problem(form.errors)
    values = form.cleaned_data
    (answer,) = register_originals(
        actor=person_of(request),
        seller=token_of(request).seller,
        uploads=[read_upload(values["file"], request_id_of(request))],
        category=values["category"],
    )
    if answer.status == REJECTED or answer.original is None:
        raise ApiError(answer.code, _status(answer.code), answer.detail)
    body = {"status": answer.status, "original": describe_original(answer.original)}
    return JsonResponse(body, status=201 if answer.status == REGISTERED else 200)


def _status(code: str) -> int:
    if code in room.CODES:
        return 507
    return 409 if code == REQUEST_ID_REUSED else 422


def _find(request: HttpRequest, number: str) -> Original:
    found: Original = find_in(Original.objects.select_related(*RELATED), request, number)
    return found


@api(READ)
def original(request: HttpRequest, number: str) -> HttpResponse:
    """One original."""
    return JsonResponse(describe_original(_find(request, number)))


@api(READ)
def original_file(request: HttpRequest, number: str) -> HttpResponse:
    """The exact bytes; the person behind the token needs the right to them."""
    found = _find(request, number)
    require_permission(person_of(request), found.seller, Permission.DOWNLOAD_ORIGINAL)
    record_handout(found.statement, FILE)
    note_api_access(request, AccessKind.ORIGINAL, found.number)
    return send_file(read_blob(found.image.blob), name=found.image.file_name, mime=found.image.mime)


@api(READ)
def original_certificate(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF."""
    found = _find(request, number)
    certificate = certificate_of(actor=person_of(request), original=found)
    return send_file(read_blob(certificate.blob), name=f"originmark-{found.number}.pdf", mime="application/pdf")


@api(READ)
def original_bundle(request: HttpRequest, number: str) -> HttpResponse:
    """The evidence ZIP; with ?original=1 also the exact bytes."""
    found = _find(request, number)
    certificate = certificate_of(actor=person_of(request), original=found)
    with_original = request.GET.get("original") == "1"
    content = evidence_zip(actor=person_of(request), certificate=certificate, with_original=with_original)
    if with_original:
        note_api_access(request, AccessKind.BUNDLE_WITH_FILES, found.number)
    return send_file(content, name=f"originmark-{found.number}.zip", mime="application/zip")


@api(READ)
def job(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """How far a job is."""
    found = Job.objects.of(token_of(request).seller).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return JsonResponse(
        {
            "id": str(found.public_id),
            "kind": found.kind,
            "state": found.state,
            "done": found.progress_done,
            "total": found.progress_total,
            "error_code": found.error_code,
        }
    )
