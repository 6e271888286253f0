"""What views share: the seller at hand, the object somebody may see, pages of a list, files sent safely."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.dateparse import parse_date

from ledger.accounts.access import P, View
from ledger.accounts.access import needs as needs
from ledger.accounts.access import seller_of as seller_of
from ledger.accounts.models import Seller
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import require_staff
from ledger.accounts.sign_ins import address_of
from ledger.error_texts import error_text
from ledger.services.access_log import record_access
from ledger.services.blobs import BlobUnreadableError
from ledger.services.evidence import ErasedError
from ledger.services.keys import KeyMissingError
from ledger.services.log import LogForkError, LogNotReadyError
from ledger.services.log_state import LogBehindError
from ledger.services.storage import FULL, StorageError

PAGE_SIZE = 50
MAX_KEY = 2**63 - 1  # what a key column holds
MAX_KEY_DIGITS = 19


def find_or_404(request: HttpRequest, queryset: Any, number: str) -> Any:
    """The object of that number among those visible to the person; 404 for others', 403 without the needed right.

    The rest of the page then belongs to the object's seller.
    """
    parsed = parse_number(number)
    found = queryset.visible_to(request.user).filter(number=parsed).first() if parsed else None
    if found is None:
        raise Http404
    desk = request.desk  # type: ignore[attr-defined]
    if request.needed_permission not in desk.rights(found.seller):  # type: ignore[attr-defined]
        raise PermissionDenied
    desk.turn_to(found.seller)
    return found


def staff_only(view: View[P]) -> View[P]:
    """Let a view run only for site staff, whatever sellers the person belongs to."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        require_staff(request.user)  # type: ignore[arg-type]
        return view(request, *args, **kwargs)

    return guarded


def text_parameter(request: HttpRequest, name: str) -> str:
    """What the query string says, as text a database can compare: PostgreSQL refuses NUL characters."""
    return request.GET.get(name, "").replace("\0", "").strip()


def key_parameter(request: HttpRequest, name: str) -> int | None:
    """A key of a list, or None for anything that cannot be one."""
    text = request.GET.get(name, "")
    key = int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_KEY_DIGITS else None
    return key if key is not None and key <= MAX_KEY else None


TROUBLE = (
    ErasedError,
    LogBehindError,
    BlobUnreadableError,
    KeyMissingError,
    LogForkError,
    LogNotReadyError,
    StorageError,
)


def explain_trouble(view: View[P]) -> View[P]:
    """Named trouble with stored files, keys or the log becomes a page that says so, not a broken one."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except TROUBLE as error:
            status = 410 if isinstance(error, ErasedError) else 507 if error.code == FULL else 503
            text = error_text(error.code)
            if request.accepts("application/json") and not request.accepts("text/html"):
                refusal = {
                    "file": "",
                    "status": "rejected",
                    "code": text.code,
                    "message": f"{text.title} {text.advice}",
                }
                return JsonResponse({"results": [refusal]}, status=status)
            return render(request, "ledger/trouble.html", {"text": text}, status=status)

    return wrapped


class Page:
    """One page of a list by keyset: newest first, `before` the last key seen, so that deep pages cost the same.

    key is "pk" or the name of a foreign key.
    """

    def __init__(self, queryset: models.QuerySet[Any], request: HttpRequest, key: str = "pk") -> None:
        before, after = key_parameter(request, "before"), key_parameter(request, "after")
        self.is_first = before is None and after is None
        if after is not None and before is None:
            rows = list(queryset.filter(**{f"{key}__gt": after}).order_by(key)[: PAGE_SIZE + 1])
            self.rows, self.has_newer, self.has_older = rows[:PAGE_SIZE][::-1], len(rows) > PAGE_SIZE, True
        else:
            older = queryset if before is None else queryset.filter(**{f"{key}__lt": before})
            rows = list(older.order_by(f"-{key}")[: PAGE_SIZE + 1])
            self.rows, self.has_newer, self.has_older = rows[:PAGE_SIZE], before is not None, len(rows) > PAGE_SIZE
        self.newer_url = self._url(request, "after", self.rows[0], key) if self.has_newer and self.rows else ""
        self.older_url = self._url(request, "before", self.rows[-1], key) if self.has_older and self.rows else ""

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @staticmethod
    def _url(request: HttpRequest, name: str, row: models.Model, key: str) -> str:
        query = request.GET.copy()
        for known in ("before", "after"):
            query.pop(known, None)
        query[name] = str(row.pk if key == "pk" else getattr(row, f"{key}_id"))
        return f"{request.path}?{query.urlencode()}"


def note_access(request: HttpRequest, seller: Seller, kind: str, number: str) -> None:
    """Write into the seller's access log that the person took something away; before the bytes are sent."""
    actor: Any = request.user
    record_access(actor=actor, seller=seller, kind=kind, number=number, address=address_of(request))


# What a spreadsheet would run as a formula, the full-width forms included.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def plain_cell(text: str) -> str:
    """The text so that no spreadsheet runs it."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def day_parameter(request: HttpRequest, name: str) -> datetime | None:
    """Midnight UTC of a date in the query string, None for anything else."""
    try:
        day = parse_date(text_parameter(request, name))
    except ValueError:
        return None
    return datetime.combine(day, time(), UTC) if day and day < date.max else None


def send_csv(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> StreamingHttpResponse:
    """Rows as CSV: UTF-8 with a mark for spreadsheets, everything quoted, no cell runs as a formula."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)

    def lines() -> Iterator[str]:
        yield "\ufeff" + writer.writerow(columns)
        for row in rows:
            yield writer.writerow([plain_cell(cell) for cell in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


class _Echo:
    """A file whose write gives the line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def send_file(content: bytes, *, name: str, mime: str, inline: bool = False) -> HttpResponse:
    """A stored file: never sniffed, never run, never kept by proxies; the name in ASCII and in full (RFC 6266)."""
    response = HttpResponse(content, content_type=mime)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name) or "file"
    kind = "inline" if inline else "attachment"
    response["Content-Disposition"] = f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
