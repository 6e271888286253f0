"""Checks that no longer hold: the main image of their SKU is another one now.

A check speaks of exact files, so another file for the same SKU outdates it, from a newer check or a pack. A marketplace
saves pictures anew, so those of a re-imported catalogue are compared by their pixels. Marking twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from compliance.checks.collage import is_same_shot
from compliance.checks.pair import Pixels
from compliance.models import BatchKind, Catalogue, CheckBatch, CheckRun, ListingImage, RunState
from compliance.services.sku_images import shot_of_image
from ledger.accounts.models import Seller, User
from ledger.imaging.errors import ImagingError
from ledger.models import ImageFile, Statement
from ledger.services.blobs import BlobUnreadableError
from ledger.services.jobs import enqueue_job

KIND = "checks.outdated"
CHECK, PACK, CATALOGUE = "check", "pack", "catalogue"


def outdate_checks(*, seller: Seller, sku: str, main: ImageFile, by: str, number: str) -> int:
    """Mark the finished checks of this SKU that speak of another main image; how many were marked.

    by and number say what brought the new one: a check, a pack or a catalogue.
    """
    if not sku:
        return 0
    others = [run for run in _valid_runs(seller, [sku]) if bytes(run.main_image.sha256) != bytes(main.sha256)]
    return _mark([run for run in others if run.number != number], by, number)


def outdate_sets(batch: CheckBatch) -> int:
    """Mark earlier checks of collages that share a SKU with this one and have another main image."""
    if batch.main_image is None:
        return 0
    skus = list(batch.items.values_list("sku", flat=True))
    rows = CheckBatch.objects.of(batch.seller).filter(kind=BatchKind.SKUS, state=RunState.DONE, pk__lt=batch.pk)
    rows = rows.filter(items__sku__in=skus, statement__outdated_at=None).exclude(
        main_image__sha256=batch.main_image.sha256
    )
    return _mark(list(rows.distinct()), CHECK, batch.number)


def _valid_runs(seller: Seller, skus: Sequence[str]) -> QuerySet[CheckRun]:
    rows = CheckRun.objects.of(seller).filter(sku__in=skus, state=RunState.DONE, statement__outdated_at=None)
    return rows.select_related("main_image__blob")


def _mark(rows: Sequence[CheckRun] | Sequence[CheckBatch], by: str, number: str) -> int:
    now = timezone.now()
    with transaction.atomic():
        for row in rows:
            row.stale = {"by": by, "number": number, "at": now.isoformat()}
            row.save(update_fields=["stale"])
        ids = [row.statement_id for row in rows if row.statement_id]
        return Statement.objects.filter(pk__in=ids, outdated_at=None).update(outdated_at=now)


# A catalogue that came again -----------------------------------------------------------------------------------------


def watched_products(catalogue: Catalogue) -> frozenset[str]:
    """Products that the catalogue knows already and that a check which still holds is about."""
    skus = set(_valid_runs_of(catalogue.seller))
    known = catalogue.listings.filter(product_id__in=skus).values_list("product_id", flat=True)
    return frozenset(known)


def _valid_runs_of(seller: Seller) -> Iterable[str]:
    rows = CheckRun.objects.of(seller).filter(state=RunState.DONE, statement__outdated_at=None)
    return rows.exclude(sku="").values_list("sku", flat=True).distinct()


def enqueue_comparison(*, actor: User | None, catalogue: Catalogue, pictures: Mapping[str, Sequence[bytes]]) -> None:
    """Have a worker compare the pictures that an import brought for watched products; digests by product id."""
    if pictures:
        named = {product: [digest.hex() for digest in digests] for product, digests in pictures.items()}
        args = {"catalogue_id": catalogue.pk, "pictures": named}
        enqueue_job(kind=KIND, args=args, seller=catalogue.seller, actor=actor)


def compare_import(*, catalogue_id: int, pictures: Mapping[str, Sequence[str]]) -> int:
    """Mark checks whose main image is none of the pictures that the import brought for their product."""
    catalogue = Catalogue.objects.select_related("seller").get(pk=catalogue_id)
    marked = 0
    for product, digests in pictures.items():
        runs = list(_valid_runs(catalogue.seller, [product]))
        rows = ListingImage.objects.filter(
            listing__catalogue=catalogue,
            listing__product_id=product,
            sha256__in=[bytes.fromhex(digest) for digest in digests],
        )
        shown = [shot for row in rows.select_related("image__blob") if (shot := _shot(row.image)) is not None]
        if runs and shown:
            gone = [run for run in runs if not _is_among(run.main_image, shown)]
            marked += _mark(gone, CATALOGUE, catalogue.number)
    return marked


def _is_among(main: ImageFile, shown: Sequence[Pixels]) -> bool:
    """Whether the picture is one of those; one that cannot be read is given the benefit of the doubt."""
    shot = _shot(main)
    return shot is None or any(is_same_shot(shot, other) for other in shown)


def _shot(image: ImageFile) -> Pixels | None:
    try:
        return shot_of_image(image)
    except (ImagingError, BlobUnreadableError):
        return None
