"""The public log: tiles for machines (C2SP tlog-tiles), and a page for people to look at any entry and take its proof.

Open to everybody, without names: an entry holds salted hashes. Claims that hold no salt (keys, anchors, erasures,
epochs, clock anomalies) are about the log itself and are shown. Nothing beyond the newest checkpoint is given away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from ledger.models import Checkpoint, Entry, LogHead, Statement
from ledger.services.log import cosigned_note, latest_checkpoint, log_head, proof_of
from ledger.services.tile_export import is_public, tile_bytes
from ledger.tlog.claims import SALTED_KINDS
from ledger.tlog.entry import Entry as Parsed
from ledger.tlog.entry import parse_entry
from ledger.tlog.errors import TileError
from ledger.tlog.proof import format_proof
from ledger.tlog.tiles import parse_path
from ledger.views.common import MAX_KEY, Page, explain_trouble, key_parameter
from ledger.views.log import TEXT

YEAR_S = 365 * 24 * 3600
BINARY = "application/octet-stream"
KINDS = {
    "image.registered": _("Picture registered"),
    "set.registered": _("Set of files registered"),
    "derivative.linked": _("Derived file linked"),
    "query.recorded": _("Search recorded"),
    "check.recorded": _("Check recorded"),
    "listing.captured": _("Page captured"),
    "packet.built": _("Packet built"),
    "packet.recorded": _("Packet recorded"),
    "anchor": _("Outside time"),
    "key.rotated": _("Key replaced"),
    "key.revoked": _("Key revoked"),
    "erasure": _("Erasure"),
    "clock.anomaly": _("Clock went back"),
    "epoch": _("New epoch"),
}


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry for the page."""

    seq: int
    kind: Any
    parsed: Parsed
    leaf_hash: bytes

    @classmethod
    def of(cls, row: Entry) -> EntryRow:
        parsed = parse_entry(bytes(row.body))
        return cls(row.seq, KINDS.get(parsed.kind, parsed.kind), parsed, bytes(row.leaf_hash))


def _public_entries(newest: Checkpoint | None) -> Any:
    return Entry.objects.filter(seq__lt=newest.tree_size if newest else 0)


@login_not_required
@explain_trouble
@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """Every entry under the newest checkpoint, newest first; ?entry=N goes to one."""
    wanted = key_parameter(request, "entry")
    newest = latest_checkpoint()
    if wanted is not None and newest and wanted < newest.tree_size:
        return redirect("ledger:entry", seq=wanted)
    page = Page(_public_entries(newest), request)
    context = {
        "head": log_head(),
        "newest": newest,
        "page": page,
        "rows": [EntryRow.of(row) for row in page],
        "not_found": request.GET.get("entry", "") if "entry" in request.GET else None,
    }
    return render(request, "ledger/explorer.html", context)


def _entry_or_404(seq: int) -> tuple[Entry, Checkpoint]:
    newest = latest_checkpoint()
    row = _public_entries(newest).filter(seq=seq).first() if seq <= MAX_KEY else None
    if row is None or newest is None:
        raise Http404
    return row, newest


@login_not_required
@explain_trouble
@require_safe
def entry(request: HttpRequest, seq: int) -> HttpResponse:
    """One entry: its bytes, its neighbours, what encloses it, and its proof under the newest checkpoint."""
    row, newest = _entry_or_404(seq)
    shown = EntryRow.of(row)
    neighbours = [EntryRow.of(found) for found in _public_entries(newest).filter(seq__in=[seq - 1, seq + 1])]
    anchors = Statement.objects.filter(kind="anchor", entry__lt=newest.tree_size)
    context = {
        "row": shown,
        "text": bytes(row.body).decode(),
        "claim": _readable_claim(shown),
        "before": next((found for found in neighbours if found.seq < seq), None),
        "after": next((found for found in neighbours if found.seq > seq), None),
        "anchor_before": anchors.filter(entry__lt=seq).order_by("-entry").first(),
        "anchor_after": anchors.filter(entry__gt=seq).order_by("entry").first(),
        "checkpoint": newest,
        "proof": proof_of(row, newest),
    }
    return render(request, "ledger/entry.html", context)


def _readable_claim(row: EntryRow) -> str:
    """The claim of an entry about the log itself; nothing of anybody's."""
    if row.parsed.kind in SALTED_KINDS:
        return ""
    statement = Statement.objects.filter(entry=row.seq).first()
    return bytes(statement.claim).decode() if statement else ""


@login_not_required
@explain_trouble
@require_safe
def entry_proof(request: HttpRequest, seq: int) -> HttpResponse:
    """The entry's proof as a file (C2SP tlog-proof)."""
    row, newest = _entry_or_404(seq)
    proof = replace(proof_of(row, newest), checkpoint=cosigned_note(newest))
    response = HttpResponse(format_proof(proof), content_type=TEXT)
    response["Content-Disposition"] = f'attachment; filename="entry-{seq}.tlog-proof"'
    return response


@login_not_required
@require_safe
@gzip_page
@cache_control(public=True, max_age=YEAR_S, immutable=True)
def tile(request: HttpRequest, path: str) -> HttpResponse:
    """A hash tile or entry bundle that the newest checkpoint covers; immutable, so it may be kept for ever."""
    newest = latest_checkpoint()
    try:
        wanted = parse_path(f"tile/{path}")
        if newest is None or not is_public(wanted, newest.tree_size):
            raise Http404
        return HttpResponse(tile_bytes(wanted), content_type=BINARY)
    except TileError as error:
        raise Http404 from error


@login_not_required
@require_safe
def parameters(request: HttpRequest) -> HttpResponse:
    """The parameter file whose SHA-256 the first entry continues."""
    head = LogHead.objects.first()
    if head is None:
        raise Http404
    return HttpResponse(bytes(head.parameters), content_type="application/json")
