"""Catalogues: importing a feed of listings and their pictures, in batches that may be interrupted and run again.

Each batch seals its new pictures, writes its rows and enqueues their analysis in one transaction, so what was reported
is durable. The same file again changes nothing; a later file of the same catalogue updates facts and adds pictures.
A column that is missing leaves what is known, an empty cell empties it. Nothing is ever taken from a path outside the
folder that was named, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from compliance.models import Catalogue, Listing, ListingImage
from compliance.services.feed import Facts, Feed, FeedRow
from compliance.services.gallery import refresh_gallery
from compliance.services.outdated import enqueue_comparison, watched_products
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.errors import ImagingError
from ledger.imaging.scan import FileScan, scan_picture
from ledger.models import Blob, ImageFile
from ledger.services.blobs import seal_files
from ledger.services.bulk import update_columns
from ledger.services.files import read_capped
from ledger.services.jobs import enqueue_job
from ledger.services.originals import BATCH_BYTES, BATCH_FILES, Upload, image_row

IMPORTED, UPDATED, UNCHANGED, REJECTED = "imported", "updated", "unchanged", "rejected"
LONGEST_NAME = 200
# Facts that a search filters by: when one changes, every process has to read the row again.
FILTERED = frozenset({"category", "shop_country", "listed_at", "delisted_at"})

ReadPicture = Callable[[str], bytes]


class PictureUnavailableError(Exception):
    """The picture a row names cannot be read; `code` is stable."""

    code = "feed.picture_not_found"


class PictureNotFoundError(PictureUnavailableError):
    """There is no such file in the folder."""

    code = "feed.picture_not_found"


class PictureOutsideError(PictureUnavailableError):
    """The name leads out of the folder."""

    code = "feed.picture_outside"


class PictureIsAddressError(PictureUnavailableError):
    """The cell holds a web address; pictures are read from the folder only."""

    code = "feed.picture_is_address"


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of one row of a feed; code says why it was rejected, or what was left out of it."""

    row: int
    product_id: str
    status: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class _Picture:
    row: FeedRow
    content: bytes
    scan: FileScan
    sha256: bytes


def folder_reader(folder: Path) -> ReadPicture:
    """A reader of the pictures in one folder; names are relative to it and may not lead out of it, links included."""
    root = folder.resolve()

    def read(name: str) -> bytes:
        if name.lower().startswith(("http://", "https://", "//")):
            raise PictureIsAddressError(name)
        try:
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                raise PictureOutsideError(name)
            if not path.is_file():
                raise PictureNotFoundError(name)
            return read_capped(path, settings.UPLOAD_MAX_BYTES)
        except (OSError, ValueError, RuntimeError) as error:  # a name no file system knows, or links in a circle
            raise PictureNotFoundError(name) from error

    return read


def find_or_create_catalogue(*, actor: User | None, seller: Seller, name: str) -> Catalogue:
    """The seller's catalogue of that name."""
    require_permission(actor, seller, Permission.IMPORT_CATALOGUE)
    catalogue: Catalogue
    catalogue, _created = Catalogue.objects.get_or_create(
        seller=seller, name=name[:LONGEST_NAME], defaults={"imported_by": actor}
    )
    return catalogue


def import_rows(
    *, actor: User | None, catalogue: Catalogue, feed: Feed, read_picture: ReadPicture
) -> Iterator[RowOutcome]:
    """Import a feed; outcomes come in the order of the rows, each after its batch is committed.

    Stopping half-way keeps what was reported. Rejected rows stop no other.
    """
    require_permission(actor, catalogue.seller, Permission.IMPORT_CATALOGUE)
    return _import(actor, catalogue, feed, read_picture)


def _import(actor: User | None, catalogue: Catalogue, feed: Feed, read_picture: ReadPicture) -> Iterator[RowOutcome]:
    changed: set[str] = set()  # product ids whose facts this import changed: all their rows say so
    watched, brought, renewed = watched_products(catalogue), dict[str, list[bytes]](), set[str]()
    for batch in _batches(feed.rows, read_picture):
        pictures = [one for one in batch if isinstance(one, _Picture)]
        done = _import_batch(actor, catalogue, feed.fields, pictures, changed) if pictures else {}
        for one in pictures:
            if (product := one.row.product_id) in watched:
                brought.setdefault(product, []).append(one.sha256)
                renewed |= {product} if done[one.row.number].status == IMPORTED else set()
        yield from (done[one.row.number] if isinstance(one, _Picture) else one for one in batch)
    fresh = {product: digests for product, digests in brought.items() if product in renewed}
    enqueue_comparison(actor=actor, catalogue=catalogue, pictures=fresh)


def _batches(rows: Sequence[FeedRow], read_picture: ReadPicture) -> Iterator[list[_Picture | RowOutcome]]:
    """Rows with their pictures read and scanned, or with the reason why not, a bounded portion at a time."""
    batch: list[_Picture | RowOutcome] = []
    size = 0
    for row in rows:
        read = _read(row, read_picture)
        batch.append(read)
        size += len(read.content) if isinstance(read, _Picture) else 0
        if len(batch) == BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(row: FeedRow, read_picture: ReadPicture) -> _Picture | RowOutcome:
    if row.problem:
        return RowOutcome(row.number, row.product_id, REJECTED, row.problem)
    try:
        content = read_picture(row.image)
        scan = scan_picture(content, file_name=row.image)
    except (PictureUnavailableError, ImagingError) as error:
        return RowOutcome(row.number, row.product_id, REJECTED, error.code)
    return _Picture(row, content, scan, hashlib.sha256(content).digest())


def _import_batch(
    actor: User | None, catalogue: Catalogue, columns: frozenset[str], pictures: Sequence[_Picture], changed: set[str]
) -> dict[int, RowOutcome]:
    """Outcomes by row number, committed."""
    seller, now = catalogue.seller, timezone.now()
    fresh = _fresh(catalogue, pictures)
    blobs = seal_files(seller=seller, contents=[picture.content for picture in fresh])
    with transaction.atomic():
        # One import of a catalogue at a time; another may have been first while we wrote.
        Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        unsealed = {id(picture) for picture in _fresh(catalogue, fresh)}
        sealed = [(picture, blob) for picture, blob in zip(fresh, blobs, strict=True) if id(picture) in unsealed]
        listings = _save_listings(catalogue, columns, pictures, now, changed)
        _save_pictures(actor, seller, listings, sealed)
        Catalogue.objects.filter(pk=catalogue.pk).update(
            updated_at=now,
            listing_count=F("listing_count") + sum(listing.first_seen == now for listing in listings.values()),
            picture_count=F("picture_count") + len(sealed),
        )
    new_rows = {picture.row.number for picture, _blob in sealed}
    return {picture.row.number: _outcome(picture.row, new_rows, changed) for picture in pictures}


def _outcome(row: FeedRow, new_rows: set[int], changed: set[str]) -> RowOutcome:
    status = IMPORTED if row.number in new_rows else UPDATED if row.product_id in changed else UNCHANGED
    return RowOutcome(row.number, row.product_id, status, row.remark)


def _fresh(catalogue: Catalogue, pictures: Sequence[_Picture]) -> list[_Picture]:
    """The pictures their listings do not have yet; of equal ones within the batch the first."""
    product_ids = {picture.row.product_id for picture in pictures}
    rows = ListingImage.objects.filter(listing__catalogue=catalogue, listing__product_id__in=product_ids)
    seen = {(product_id, bytes(sha256)) for product_id, sha256 in rows.values_list("listing__product_id", "sha256")}
    fresh = []
    for picture in pictures:
        mark = (picture.row.product_id, picture.sha256)
        if mark not in seen:
            fresh.append(picture)
            seen.add(mark)
    return fresh


def _save_listings(
    catalogue: Catalogue, columns: frozenset[str], pictures: Sequence[_Picture], now: datetime, changed: set[str]
) -> dict[str, Listing]:
    """The batch's listings by product id, created or brought up to date."""
    facts = {picture.row.product_id: picture.row.facts for picture in pictures}
    rows = Listing.objects.select_for_update().filter(catalogue=catalogue, product_id__in=facts)
    listings: dict[str, Listing] = {listing.product_id: listing for listing in rows}
    changes = {product_id: _apply(listing, facts[product_id], columns) for product_id, listing in listings.items()}
    update_columns([listings[product_id] for product_id, names in changes.items() if names], sorted(columns))
    changed |= {product_id for product_id, names in changes.items() if names}
    Listing.objects.filter(pk__in=[listing.pk for listing in listings.values()]).update(last_seen=now)
    refiltered = [listings[product_id].pk for product_id, names in changes.items() if names & FILTERED]
    missing = [
        Listing(seller=catalogue.seller, catalogue=catalogue, product_id=product_id, first_seen=now, last_seen=now)
        for product_id in facts
        if product_id not in listings
    ]
    for listing in missing:
        _apply(listing, facts[listing.product_id], columns)
    listings |= {listing.product_id: listing for listing in Listing.objects.bulk_create(missing)}
    if refiltered:
        images = ListingImage.objects.filter(listing__in=refiltered).values_list("image_id", flat=True)
        refresh_gallery(seller=catalogue.seller, image_ids=images)
    return listings


def _apply(listing: Listing, facts: Facts, columns: frozenset[str]) -> set[str]:
    """Put the facts the feed has columns for into the row; return the names of those that changed."""
    changes = {name for name in columns if getattr(listing, name) != getattr(facts, name)}
    for name in changes:
        setattr(listing, name, getattr(facts, name))
    return changes


def _save_pictures(
    actor: User | None, seller: Seller, listings: dict[str, Listing], sealed: Sequence[tuple[_Picture, Blob]]
) -> None:
    if not sealed:
        return
    Blob.objects.bulk_create([blob for _picture, blob in sealed])
    images = ImageFile.objects.bulk_create(
        image_row(seller, blob, Upload(Path(picture.row.image).name, picture.content), picture.scan, picture.sha256)
        for picture, blob in sealed
    )
    ListingImage.objects.bulk_create(
        ListingImage(seller=seller, listing=listings[picture.row.product_id], image=image, sha256=picture.sha256)
        for (picture, _blob), image in zip(sealed, images, strict=True)
    )
    enqueue_job(kind="pictures.analyse", args={"image_ids": [image.pk for image in images]}, seller=seller, actor=actor)
