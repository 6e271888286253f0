"""The public log: tiles for machines (C2SP tlog-tiles), and a page for people to look at any entry and take its proof.

The first log lies under log/ for ever, each later epoch under
log/epochs/<number>/, since files of one address never change. Open to everybody, without names: an entry holds salted hashes. Claims that hold no salt (keys, anchors, erasures,
epochs, clock anomalies) are about the log itself and are shown. Nothing beyond the newest checkpoint is given away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from ledger.models import Checkpoint, Entry, PastEpoch, Statement
from ledger.services.log import LogNotReadyError, cosigned_note, log_head, proof_of
from ledger.services.spans import spans
from ledger.services.tile_export import is_public, newest_of, tile_bytes
from ledger.tlog.claims import SALTED_KINDS
from ledger.tlog.entry import Entry as Parsed
from ledger.tlog.entry import parse_entry
from ledger.tlog.errors import TileError
from ledger.tlog.proof import format_proof
from ledger.tlog.tiles import parse_path
from ledger.views.common import MAX_KEY, Page, explain_trouble, key_parameter
from ledger.views.log import TEXT, epoch_rows

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
class Shown:
    """The log that a page is about: its epoch, its name, its newest checkpoint, and how it ended if it did."""

    number: int
    origin: str
    newest: Checkpoint | None
    parameters: bytes
    past: PastEpoch | None

    @property
    def first(self) -> int:
        return self.newest.first if self.newest else 0

    @property
    def entries(self) -> Any:
        """What the newest checkpoint covers."""
        return Entry.objects.filter(seq__gte=self.first, seq__lt=self.newest.tree_size if self.newest else 0)

    def url(self, name: str, *arguments: int) -> str:
        """Where the first log has been from the beginning it stays; a later one has addresses of its own."""
        if self.number == 1:
            return reverse(f"ledger:{name}", args=arguments)
        return reverse(f"ledger:epoch_{name}", args=(self.number, *arguments))


def _shown(number: int | None) -> Shown:
    """The log of that epoch, the present one for None; 404 for one that never was or of which nothing is held."""
    logs = spans(log_head())
    found = logs[-1] if number is None else next((log for log in logs if log.number == number), None)
    if found is None or not found.parameters:
        raise Http404
    return Shown(found.number, found.origin, newest_of(found), found.parameters, found.past)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry for the page."""

    seq: int
    kind: Any
    parsed: Parsed
    leaf_hash: bytes
    url: str

    @classmethod
    def of(cls, row: Entry, shown: Shown) -> EntryRow:
        parsed = parse_entry(bytes(row.body))
        kind = KINDS.get(parsed.kind, parsed.kind)
        return cls(parsed.seq, kind, parsed, bytes(row.leaf_hash), shown.url("entry", parsed.seq))


@login_not_required
@explain_trouble
@require_safe
def explorer(request: HttpRequest, epoch: int | None = None) -> HttpResponse:
    """Every entry under the newest checkpoint, newest first; ?entry=N goes to one."""
    wanted, shown = key_parameter(request, "entry"), _shown(epoch)
    if wanted is not None and shown.newest and wanted < shown.newest.size:
        return redirect(shown.url("entry", wanted))
    page = Page(shown.entries, request)
    context = {
        "shown": shown,
        "epochs": epoch_rows(spans(log_head())),
        "newest": shown.newest,
        "page": page,
        "rows": [EntryRow.of(row, shown) for row in page],
        "checkpoint_url": shown.url("checkpoint"),
        "not_found": request.GET.get("entry", "") if "entry" in request.GET else None,
    }
    return render(request, "ledger/explorer.html", context)


def _entry_or_404(shown: Shown, seq: int) -> tuple[Entry, Checkpoint]:
    row = shown.entries.filter(seq=shown.first + seq).first() if seq <= MAX_KEY // 2 else None
    if row is None or shown.newest is None:
        raise Http404
    return row, shown.newest


@login_not_required
@explain_trouble
@require_safe
def entry(request: HttpRequest, seq: int, epoch: int = 1) -> HttpResponse:
    """One entry: its bytes, its neighbours, what encloses it, and its proof under the newest checkpoint."""
    log = _shown(epoch)
    row, newest = _entry_or_404(log, seq)
    key, shown = row.seq, EntryRow.of(row, log)
    neighbours = [EntryRow.of(found, log) for found in log.entries.filter(seq__in=[key - 1, key + 1])]
    anchors = Statement.objects.filter(kind="anchor", entry__lt=newest.tree_size, entry__gte=log.first)
    before = anchors.filter(entry__lt=key).order_by("-entry").first()
    after = anchors.filter(entry__gt=key).order_by("entry").first()
    context = {
        "row": shown,
        "log": log,
        "text": bytes(row.body).decode(),
        "claim": _readable_claim(key, shown),
        "before": next((found for found in neighbours if found.seq < seq), None),
        "after": next((found for found in neighbours if found.seq > seq), None),
        "anchor_before": before,
        "anchor_before_url": log.url("entry", before.seq) if before else "",
        "anchor_after": after,
        "anchor_after_url": log.url("entry", after.seq) if after else "",
        "checkpoint": newest,
        "checkpoint_url": log.url("checkpoint"),
        "log_url": reverse("ledger:epoch_explorer", args=[log.number]) if log.past else reverse("ledger:explorer"),
        "proof_url": log.url("entry_proof", seq),
        "proof": proof_of(row, newest),
    }
    return render(request, "ledger/entry.html", context)


def _readable_claim(key: int, row: EntryRow) -> str:
    """The claim of an entry about the log itself; nothing of anybody's."""
    if row.parsed.kind in SALTED_KINDS:
        return ""
    statement = Statement.objects.filter(entry=key).first()
    return bytes(statement.claim).decode() if statement else ""


@login_not_required
@explain_trouble
@require_safe
def entry_proof(request: HttpRequest, seq: int, epoch: int = 1) -> HttpResponse:
    """The entry's proof as a file (C2SP tlog-proof)."""
    row, newest = _entry_or_404(_shown(epoch), seq)
    proof = replace(proof_of(row, newest), checkpoint=cosigned_note(newest))
    response = HttpResponse(format_proof(proof), content_type=TEXT)
    response["Content-Disposition"] = f'attachment; filename="entry-{seq}.tlog-proof"'
    return response


@login_not_required
@require_safe
@gzip_page
@cache_control(public=True, max_age=YEAR_S, immutable=True)
def tile(request: HttpRequest, path: str, epoch: int = 1) -> HttpResponse:
    """A hash tile or entry bundle that the newest checkpoint covers; immutable, so it may be kept for ever."""
    shown = _shown_or_404(epoch)
    try:
        wanted = parse_path(f"tile/{path}")
        if shown.newest is None or not is_public(wanted, shown.newest.size):
            raise Http404
        return HttpResponse(tile_bytes(wanted, shown.first), content_type=BINARY)
    except TileError as error:
        raise Http404 from error


def _shown_or_404(epoch: int) -> Shown:
    """For machines: before the log is made there is nothing either."""
    try:
        return _shown(epoch)
    except LogNotReadyError as error:
        raise Http404 from error


@login_not_required
@require_safe
@never_cache
def checkpoint(request: HttpRequest, epoch: int = 1) -> HttpResponse:
    """The newest signed checkpoint of a log, as text; of an ended one the last that is held."""
    newest = _shown_or_404(epoch).newest
    if newest is None:
        raise Http404
    return HttpResponse(cosigned_note(newest), content_type=TEXT)


@login_not_required
@require_safe
def last_signed(request: HttpRequest, epoch: int) -> HttpResponse:
    """The last checkpoint that was ever signed of an ended log, which the log after it names; its tree may be lost."""
    past = PastEpoch.objects.filter(number=epoch).first()
    if past is None or not past.signed_note:
        raise Http404
    return HttpResponse(past.signed_note, content_type=TEXT)


@login_not_required
@require_safe
def parameters(request: HttpRequest, epoch: int = 1) -> HttpResponse:
    """The parameter file whose SHA-256 the first entry continues."""
    return HttpResponse(_shown_or_404(epoch).parameters, content_type="application/json")
