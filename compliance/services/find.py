"""One box that finds anything of a person's sellers: a proof number, the beginning of a SHA-256, a product, a file name,
and the error codes of marketplaces.

Reads only, and only rows of sellers the person belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from compliance.models import CheckRun, CheckVerdict, Listing, SearchRun
from compliance.services.code_search import CodeExplanation, find_codes
from ledger.accounts.models import User
from ledger.accounts.numbers import parse_number
from ledger.models import Original

LIMIT = 20  # of each sort
MIN_DIGEST_DIGITS = 8
MIN_TEXT = 2  # characters; one would match nearly everything
_DIGEST = re.compile(r"([0-9a-f]{8,64})(?:…[0-9a-f]*|\.\.\.[0-9a-f]*)?")
SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What matched, newest first; a list one longer than LIMIT has more."""

    by_digest: Sequence[Original] = ()
    by_name: Sequence[Original] = ()
    listings: Sequence[Listing] = ()
    codes: Sequence[CodeExplanation] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.by_digest or self.by_name or self.listings or self.codes)


def find_by_number(user: User, text: str) -> Original | SearchRun | CheckRun | None:
    """The thing with that proof number, typed in groups or not, with look-alike letters or not.

    A later entry about a check leads to its check.
    """
    number = parse_number(text)
    if number is None:
        return None
    for model in (Original, SearchRun, CheckRun):
        rows: Any = model.objects
        found: Original | SearchRun | CheckRun | None = rows.visible_to(user).filter(number=number).first()
        if found is not None:
            return found
    later = CheckVerdict.objects.visible_to(user).filter(statement__number=number).select_related("run").first()
    return later.run if later else None


def find_everywhere(user: User, text: str) -> Found:
    """Originals by digest and by name, listings by product or title, and error codes; text as typed."""
    digest = _digest_start(text)
    named = len(text) >= MIN_TEXT
    return Found(
        by_digest=_by_digest(user, digest) if digest else (),
        by_name=_by_name(user, text) if named else (),
        listings=_listings(user, text) if named else (),
        codes=find_codes(text),
    )


def _digest_start(text: str) -> str:
    """The leading hex digits of what may be a SHA-256, also as pages shorten it (first 8 … last 8)."""
    match = _DIGEST.fullmatch(text.strip().lower().removeprefix("sha256:"))
    return match[1] if match else ""


def _by_digest(user: User, start: str) -> list[Original]:
    lowest, highest = bytes.fromhex(start.ljust(SHA256_DIGITS, "0")), bytes.fromhex(start.ljust(SHA256_DIGITS, "f"))
    rows = Original.objects.visible_to(user).filter(sha256__gte=lowest, sha256__lte=highest)
    return list(rows.select_related("image", "seller").order_by("-pk")[: LIMIT + 1])


def _by_name(user: User, text: str) -> list[Original]:
    rows = Original.objects.visible_to(user).filter(search_text__icontains=text)
    return list(rows.select_related("image", "seller").order_by("-pk")[: LIMIT + 1])


def _listings(user: User, text: str) -> list[Listing]:
    rows = Listing.objects.visible_to(user).filter(Q(product_id__icontains=text) | Q(title__icontains=text))
    rows = rows.select_related("catalogue", "seller").prefetch_related("images__image")
    return list(rows.order_by("-pk")[: LIMIT + 1])
