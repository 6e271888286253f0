"""Originals: register, list, look at one, take its evidence away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.accounts.permissions import Permission
from ledger.categories import load_categories
from ledger.error_texts import error_text
from ledger.forms import DerivativeForm, OriginalForm, RegisterForm, is_zip, read_upload
from ledger.models import AccessKind, ImageFile, ImageState, Original
from ledger.services import room
from ledger.services.archives import enqueue_zip
from ledger.services.blobs import read_blob
from ledger.services.evidence import certificate_of, entry_zip, evidence_zip
from ledger.services.handouts import FILE, record_handout
from ledger.services.job_context import JobError
from ledger.services.log import latest_checkpoint
from ledger.services.originals import (
    REGISTERED,
    REJECTED,
    Registration,
    Upload,
    register_originals,
    rename_original,
)
from ledger.services.pictures import thumbnail
from ledger.services.rights import current_rights
from ledger.services.sources import declare_new, declare_source
from ledger.views.clocks import bracket_context
from ledger.views.common import (
    Page,
    explain_trouble,
    find_or_404,
    needs,
    note_access,
    seller_of,
    send_file,
    text_parameter,
)
from ledger.views.erasure_words import describe_handouts

# A page of them; the rest is in the orders they came from.
MOST_DERIVATIVES = 30


@needs(Permission.REGISTER)
@explain_trouble
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """Drop pictures or a ZIP. Answers JSON to the page's script, a list of outcomes to a plain form."""
    seller = seller_of(request)
    if request.method != "POST":
        return render(request, "ledger/register.html", {"form": RegisterForm(seller=seller)})
    form = RegisterForm(request.POST, request.FILES, seller=seller)
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    if not form.is_valid():
        if wants_json:
            return JsonResponse({"results": [_refusal("", code) for code in form.codes()]}, status=400)
        return render(request, "ledger/register.html", {"form": form}, status=400)
    results = _register(request, form)
    status = 507 if results and all(line["code"] in room.CODES for line in results) else 200
    if wants_json:
        return JsonResponse({"results": results}, status=status)
    context = {"form": RegisterForm(seller=seller), "results": results}
    return render(request, "ledger/register.html", context, status=status)


def _register(request: HttpRequest, form: RegisterForm) -> list[dict[str, Any]]:
    """Pictures are registered now, archives by a job; one line per file, in the order they were sent."""
    values = form.cleaned_data
    lines: dict[int, dict[str, Any]] = {}
    pictures: dict[int, Upload] = {}
    for number, file in enumerate(values["files"]):
        if is_zip(file):
            lines[number] = _register_zip(request, file, values)
        else:
            request_id = f"{values['request_id']}-{number}" if values["request_id"] else ""
            pictures[number] = read_upload(file, request_id)
    answers = register_originals(
        actor=request.user,  # type: ignore[arg-type]
        seller=seller_of(request),
        uploads=list(pictures.values()),
        category=values["category"],
        store=values["store"],
    )
    if values["source"]:
        declare_new(actor=request.user, seller=seller_of(request), answers=answers, source=values["source"])  # type: ignore[arg-type]
    lines |= {number: _line(answer) for number, answer in zip(pictures, answers, strict=True)}
    return [lines[number] for number in sorted(lines)]


def _register_zip(request: HttpRequest, file: UploadedFile[Any], values: dict[str, Any]) -> dict[str, Any]:
    name, store = file.name or "", values["store"]
    try:
        job = enqueue_zip(
            actor=request.user,  # type: ignore[arg-type]
            seller=seller_of(request),
            name=name,
            content=file.read(),
            category=values["category"],
            store_id=store.pk if store else None,
            request_id=values["request_id"],
            source=values["source"],
        )
    except JobError as error:
        return _refusal(name, error.code)
    return {
        "file": name,
        "status": REGISTERED,
        "code": "",
        "message": _("The archive is stored; its pictures are being registered."),
        "url": reverse("ledger:job", args=[job.public_id]),
        "seq": None,
        "leaf_hash": None,
    }


def _line(answer: Registration) -> dict[str, Any]:
    """One file's outcome, as JSON and as a row of the page."""
    if answer.status == REJECTED or answer.original is None:
        return _refusal(answer.file_name, answer.code)
    statement = answer.original.statement
    return {
        "file": answer.file_name,
        "status": answer.status,
        "code": "",
        "message": _("Entry %(seq)d") % {"seq": statement.seq},  # the row's chip says what became of the file
        "url": reverse("ledger:original", args=[answer.original.number]),
        "seq": statement.seq,
        "leaf_hash": bytes(statement.entry.leaf_hash).hex(),
    }


def _refusal(name: str, code: str) -> dict[str, Any]:
    text = error_text(code)
    message = f"{text.title} {text.advice}"
    return {
        "file": name,
        "status": REJECTED,
        "code": code,
        "message": message,
        "url": "",
        "seq": None,
        "leaf_hash": None,
    }


@needs(Permission.VIEW)
@require_safe
def original_list(request: HttpRequest) -> HttpResponse:
    """The seller's originals, newest first, as a grid or a table."""
    seller = seller_of(request)
    originals = Original.objects.visible_to(request.user).of(seller).select_related("image")
    filters = {name: text_parameter(request, name) for name in ("category", "state", "q")}
    if filters["category"]:
        originals = originals.filter(category=filters["category"])
    if filters["state"] in ImageState.values:
        # The picture's seller is the original's; said twice, the index on it can be used.
        originals = originals.filter(image__seller=seller, image__state=filters["state"])
    if filters["q"]:
        originals = originals.filter(search_text__icontains=filters["q"])
    page = Page(originals, request)
    layout = "table" if request.GET.get("layout") == "table" else "grid"
    context = {"page": page, "filters": filters, "layout": layout, "categories": load_categories()}
    context["is_filtered"] = any(filters.values())
    return render(request, "ledger/original_list.html", context)


@needs(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def original(request: HttpRequest, number: str) -> HttpResponse:
    """One original: the picture, its facts, its story, and what can be taken away."""
    related = ("image__blob", "statement__entry", "seller", "registered_by", "store")
    found: Original = find_or_404(request, Original.with_erased.select_related(*related), number)
    if found.erased_at is not None:
        return _erased_page(request, found)
    rights = request.desk.rights(found.seller)  # type: ignore[attr-defined]
    form = OriginalForm(
        request.POST or None, initial={"title": found.title, "category": found.category, "source": found.source}
    )
    if request.method == "POST":
        if Permission.REGISTER not in rights:
            raise PermissionDenied
        if form.is_valid():
            source = form.cleaned_data.pop("source")
            rename_original(actor=request.user, original=found, **form.cleaned_data)  # type: ignore[arg-type]
            declare_source(actor=request.user, seller=found.seller, originals=[found], source=source)  # type: ignore[arg-type]
            messages.success(request, _("Saved."))
            return redirect("ledger:original", number=found.number)
    newest = latest_checkpoint()
    context = {
        "original": found,
        "image": found.image,
        "form": form,
        "fingerprints": found.image.fingerprints.order_by("algorithm"),
        "metadata": _metadata_rows(found.image),
        "private": _private_rows(found.image) if Permission.VIEW_PRIVATE_METADATA in rights else [],
        "events": _story(found),
        "derivatives": found.derivatives.select_related("image", "statement").order_by("-pk")[:MOST_DERIVATIVES],
        **bracket_context(found.statement, is_sealed=bool(newest and newest.tree_size > found.statement.entry_id)),
        "declarations": found.source_declarations.select_related("actor"),
        "rights": current_rights(found.rights.all()).order_by("-pk"),
        "derivative_form": DerivativeForm(),
        "holds": found.holds.filter(released_at=None).order_by("pk"),
    }
    return render(request, "ledger/original_detail.html", context, status=400 if form.errors else 200)


def _erased_page(request: HttpRequest, found: Original) -> HttpResponse:
    """What is left of an erased original: its entry, and when and why it was erased."""
    erasure = found.erasures.order_by("-pk").first()
    context = {"original": found, "erasure": erasure, "handouts": describe_handouts(erasure) if erasure else []}
    return render(request, "ledger/original_erased.html", context, status=200 if request.method != "POST" else 410)


def _metadata_rows(image: ImageFile) -> list[tuple[str, Any]]:
    """What the file says about itself, only what it says."""
    said = image.metadata
    rows = [
        (_("Camera"), " ".join(filter(None, [said.get("camera_make"), said.get("camera_model")]))),
        (_("Lens"), said.get("lens_model")),
        (_("Capture time, as the camera says"), said.get("captured_at")),
        (_("Software"), said.get("software")),
        (_("Colour profile"), said.get("icc_name")),
        (_("JPEG quality, estimated"), said.get("jpeg_quality")),
        (_("Content credentials (C2PA)"), _("present") if said.get("has_c2pa") else ""),
        (_("Digital source type (IPTC)"), said.get("digital_source_type")),
    ]
    return [(label, value) for label, value in rows if value]


def _private_rows(image: ImageFile) -> list[tuple[str, Any]]:
    """What the file says that certificates and previews never show."""
    said = image.private_metadata
    place = f"{said['latitude']:.5f}, {said['longitude']:.5f}" if said.get("latitude") is not None else ""
    rows = [
        (_("Place (latitude, longitude)"), place),
        (_("Height above sea level"), f"{said['altitude_m']:.0f} m" if said.get("altitude_m") is not None else ""),
        (_("Time from the satellites"), said.get("gps_time")),
        (_("Serial number of the camera"), said.get("body_serial")),
        (_("Serial number of the lens"), said.get("lens_serial")),
        (_("Owner, as the camera says"), said.get("owner")),
        (_("Photographer, as the file says"), said.get("artist")),
    ]
    return [(label, value) for label, value in rows if value]


def _story(found: Original) -> list[dict[str, Any]]:
    image = found.image
    events = [
        {
            "title": _("Registered: bytes sealed, entry written"),
            "at": found.registered_at,
            "state": "passed",
            "by": str(found.registered_by) if found.registered_by else _("command line"),
        }
    ]
    if image.state == ImageState.SEALED:
        events.append({"title": _("Analysis waiting"), "at": None, "state": "waiting"})
    elif image.state == ImageState.READY:
        events.append({"title": _("Analysed: fingerprints and previews made"), "at": None, "state": "passed"})
    else:
        text = error_text(image.error_code)
        detail = f"{text.title} {text.advice}"
        events.append({"title": _("Cannot be opened as a picture"), "at": None, "state": "unknown", "text": detail})
    for certificate in found.statement.certificates.order_by("created_at"):
        events.append({"title": _("Certificate issued"), "at": certificate.created_at, "state": "passed"})
    return events


@needs(Permission.VIEW)
@require_safe
def picture(request: HttpRequest, image_id: int, size: int) -> HttpResponse:
    """A preview (WebP, no metadata) of any stored picture that the person may see."""
    image = ImageFile.objects.visible_to(request.user).select_related("blob").filter(pk=image_id).first()
    content = thumbnail(image, size) if image is not None else None
    if content is None:
        raise Http404
    response = send_file(content, name=f"{image_id}-{size}.webp", mime="image/webp", inline=True)
    response["Cache-Control"] = "private, max-age=86400"
    return response


@needs(Permission.DOWNLOAD_ORIGINAL)
@explain_trouble
@require_safe
def original_file(request: HttpRequest, number: str) -> HttpResponse:
    """The exact bytes that were registered."""
    rows = Original.objects.select_related("image__blob", "seller", "statement")
    found: Original = find_or_404(request, rows, number)
    record_handout(found.statement, FILE)
    note_access(request, found.seller, AccessKind.ORIGINAL, found.number)
    return send_file(read_blob(found.image.blob), name=found.image.file_name, mime=found.image.mime)


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def original_certificate(request: HttpRequest, number: str) -> HttpResponse:
    """The signed PDF."""
    found = _with_evidence(request, number)
    certificate = certificate_of(actor=request.user, original=found)  # type: ignore[arg-type]
    return send_file(read_blob(certificate.blob), name=f"originmark-{found.number}.pdf", mime="application/pdf")


@needs(Permission.VIEW)
@explain_trouble
@require_safe
def original_bundle(request: HttpRequest, number: str) -> HttpResponse:
    """The ZIP of core bundle and certificate; with ?original=1 also the exact bytes."""
    found = _with_evidence(request, number)
    if found.erased_at is not None:
        content = entry_zip(actor=request.user, statement=found.statement)  # type: ignore[arg-type]
        return send_file(content, name=f"originmark-{found.number}.zip", mime="application/zip")
    certificate = certificate_of(actor=request.user, original=found)  # type: ignore[arg-type]
    with_original = request.GET.get("original") == "1"
    content = evidence_zip(
        actor=request.user,  # type: ignore[arg-type]
        certificate=certificate,
        with_original=with_original,
    )
    if with_original:
        note_access(request, found.seller, AccessKind.BUNDLE_WITH_FILES, found.number)
    return send_file(content, name=f"originmark-{found.number}.zip", mime="application/zip")


def _with_evidence(request: HttpRequest, number: str) -> Original:
    rows = Original.with_erased.select_related("image__blob", "statement__entry", "statement__seller", "seller")
    found: Original = find_or_404(request, rows, number)
    return found
