"""What somebody chose on the page, or wrote into a CSV, as orders for the pack maker."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.db.models import QuerySet

from compliance.models import PromotionKind
from compliance.packs.batch import BatchRow, is_safe_sku, parse_batch
from compliance.packs.errors import BatchMalformed, OverlayAndMain
from compliance.services.packs import OrderRefusal, PackOrder, PackRefusedError
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Original
from ledger.services.originals import Upload

HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
MOST_SKU = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody ticked: proof numbers, one promotion for all of them, of which kind, and the category."""

    numbers: Sequence[str]
    promotion: Upload | None = None
    kind: str = PromotionKind.NONE
    category: str = ""


def chosen_orders(*, actor: User | None, seller: Seller, choice: Choice) -> list[PackOrder]:
    """One order per chosen original, in the order of the choice, named after its file.

    Raises PackRefusedError: for a number that is no original of this seller, and for one finished main image that is to
    serve several originals.
    """
    require_permission(actor, seller, Permission.CHECK)
    numbers, promotion, kind = choice.numbers, choice.promotion, choice.kind
    found = {original.number: original for original in _originals(seller).filter(number__in=numbers)}
    refusals = [OrderRefusal(number, "pack.original_unknown") for number in numbers if number not in found]
    if promotion is not None and kind == PromotionKind.MAIN and len(numbers) > 1:
        refusals.append(OrderRefusal("", "pack.main_for_several"))
    if refusals:
        raise PackRefusedError(refusals)
    originals = [found[number] for number in dict.fromkeys(numbers)]
    names = _names(originals)
    return [
        PackOrder(
            name, original, promotion, kind if promotion else PromotionKind.NONE, choice.category or original.category
        )
        for name, original in zip(names, originals, strict=True)
    ]


def batch_orders(
    *, actor: User | None, seller: Seller, batch: bytes, files: Mapping[str, Upload], category: str
) -> list[PackOrder]:
    """One order per row of a CSV. Its originals are proof numbers, SHA-256 digests or names of registered files; its
    overlays and main images are names of `files`. Raises PackRefusedError with every row that is wrong.
    """
    require_permission(actor, seller, Permission.CHECK)
    try:
        rows = parse_batch(batch)
    except BatchMalformed as error:
        raise PackRefusedError([OrderRefusal("", error.code, error.detail)]) from error
    originals = _find(seller, [row.original for row in rows])
    refusals: list[OrderRefusal] = []
    orders = []
    for row in rows:
        wrong = _wrong(row, originals, files)
        if wrong is not None:
            refusals.append(wrong)
            continue
        kind = PromotionKind.OVERLAY if row.overlay else PromotionKind.MAIN if row.main else PromotionKind.NONE
        promotion = files[row.overlay or row.main] if kind else None
        original = originals[row.original]
        orders.append(PackOrder(row.sku, original, promotion, kind, row.category or category or original.category))
    if refusals:
        raise PackRefusedError(refusals)
    return orders


def _wrong(row: BatchRow, originals: Mapping[str, Original], files: Mapping[str, Upload]) -> OrderRefusal | None:
    if row.overlay and row.main:
        return OrderRefusal(row.sku, OverlayAndMain.code)
    if row.original not in originals:
        return OrderRefusal(row.sku, "pack.original_unknown", row.original)
    name = row.overlay or row.main
    if name and name not in files:
        return OrderRefusal(row.sku, "pack.file_not_sent", name)
    return None


def _originals(seller: Seller) -> QuerySet[Original]:
    rows: QuerySet[Original] = Original.objects.of(seller).select_related("image")
    return rows


def _find(seller: Seller, wanted: Sequence[str]) -> dict[str, Original]:
    """Originals by what a row calls them; of several with one file name, the newest."""
    digests = {text: bytes.fromhex(text.lower()) for text in wanted if HEX_DIGEST.fullmatch(text.lower())}
    numbers = {text: number for text in wanted if (number := parse_number(text))}
    rows = _originals(seller)
    by_digest = {bytes(row.sha256): row for row in rows.filter(sha256__in=list(digests.values()))}
    by_number = {row.number: row for row in rows.filter(number__in=list(numbers.values()))}
    by_name = {row.image.file_name: row for row in rows.filter(image__file_name__in=wanted).order_by("pk")}
    found = {text: by_digest.get(digests.get(text, b"")) or by_number.get(numbers.get(text, "")) for text in wanted}
    return {text: row for text in wanted if (row := found[text] or by_name.get(text)) is not None}


def _names(originals: Sequence[Original]) -> list[str]:
    """Names that can be folders: the file's own where it has Latin letters, else the proof number; each once."""
    taken: set[str] = set()
    names = []
    for original in originals:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePath(original.image.file_name).stem).strip("-")[:MOST_SKU]
        name = stem if is_safe_sku(stem) and stem.casefold() not in taken else original.number
        taken.add(name.casefold())
        names.append(name)
    return names
