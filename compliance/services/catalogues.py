"""Catalogues: importing a feed of listings and their pictures, in batches that may be interrupted and run again.

Each batch seals its new pictures, writes its rows and enqueues their analysis in one transaction, so what was reported
is durable. The same file again changes nothing; a later file of the same catalogue updates facts and adds pictures.
A column that is missing leaves what is known, an empty cell empties it. Nothing is ever taken from a path outside the
folder that was named, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from compliance.catalogues.feed import Facts, Feed, FeedRow, plain_url
from compliance.models import Catalogue, ImportRun, Listing, ListingChange, ListingImage, RemotePicture
from compliance.services.gallery import refresh_gallery
from compliance.services.outdated import enqueue_comparison, watched_products
from compliance.services.watch import reopen_relisted
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

ADDRESSES = ("http://", "https://", "//")

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


@dataclass(frozen=True, slots=True)
class _Remote:
    """A picture that is fetched later; its row is written now."""

    row: FeedRow


_Read = _Picture | _Remote | RowOutcome
# Called inside the transaction of each batch: what it writes is there exactly if the batch is.
Record = Callable[[Sequence[RowOutcome]], None]


def _record_nothing(outcomes: Sequence[RowOutcome]) -> None:
    """For imports nobody keeps a record of but whoever reads the outcomes."""


def folder_reader(folder: Path) -> ReadPicture:
    """A reader of the pictures in one folder; names are relative to it and may not lead out of it, links included."""
    root = folder.resolve()

    def read(name: str) -> bytes:
        if name.lower().startswith(ADDRESSES):
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
    *,
    actor: User | None,
    catalogue: Catalogue,
    feed: Feed,
    read_picture: ReadPicture,
    record: Record = _record_nothing,
    run: ImportRun | None = None,
) -> Iterator[RowOutcome]:
    """Import a feed; outcomes come in the order of the rows, each after its batch is committed.

    Stopping half-way keeps what was reported. Rejected rows stop no other. With a run, pictures that are addresses are
    written down to be fetched later.
    """
    require_permission(actor, catalogue.seller, Permission.IMPORT_CATALOGUE)
    return _import(_Import(actor, catalogue, feed.fields, record, run), feed, read_picture)


@dataclass(frozen=True, slots=True)
class _Import:
    """What all batches of one import share. changed: product ids whose facts it changed: all their rows say so."""

    actor: User | None
    catalogue: Catalogue
    columns: frozenset[str]
    record: Record
    run: ImportRun | None
    changed: set[str] = field(default_factory=set)


def _import(this: _Import, feed: Feed, read_picture: ReadPicture) -> Iterator[RowOutcome]:
    actor, catalogue = this.actor, this.catalogue
    watched, brought, renewed = watched_products(catalogue), dict[str, list[bytes]](), set[str]()
    for batch in _batches(feed.rows, read_picture, later=this.run is not None):
        outcomes = _import_batch(this, batch)
        for one, outcome in zip(batch, outcomes, strict=True):
            if isinstance(one, _Picture) and (product := one.row.product_id) in watched:
                brought.setdefault(product, []).append(one.sha256)
                renewed |= {product} if outcome.status == IMPORTED else set()
        yield from outcomes
    fresh = {product: digests for product, digests in brought.items() if product in renewed}
    enqueue_comparison(actor=actor, catalogue=catalogue, pictures=fresh)


def _batches(rows: Sequence[FeedRow], read_picture: ReadPicture, *, later: bool) -> Iterator[list[_Read]]:
    """Rows with their pictures read and scanned, or with the reason why not, a bounded portion at a time."""
    batch: list[_Read] = []
    size = 0
    for row in rows:
        read = _read(row, read_picture, later=later)
        batch.append(read)
        size += len(read.content) if isinstance(read, _Picture) else 0
        if len(batch) == BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(row: FeedRow, read_picture: ReadPicture, *, later: bool) -> _Read:
    if row.problem:
        return RowOutcome(row.number, row.product_id, REJECTED, row.problem)
    if later and row.image.lower().startswith(ADDRESSES):
        return _Remote(row)
    try:
        content = read_picture(row.image)
        scan = scan_picture(content, file_name=row.image)
    except (PictureUnavailableError, ImagingError) as error:
        return RowOutcome(row.number, row.product_id, REJECTED, error.code)
    return _Picture(row, content, scan, hashlib.sha256(content).digest())


def _import_batch(this: _Import, batch: Sequence[_Read]) -> list[RowOutcome]:
    """The outcome of each row, committed."""
    catalogue, now = this.catalogue, timezone.now()
    seller = catalogue.seller
    pictures = [one for one in batch if isinstance(one, _Picture)]
    rows = [one.row for one in batch if not isinstance(one, RowOutcome)]
    fresh = _fresh(catalogue, pictures)
    blobs = seal_files(seller=seller, contents=[picture.content for picture in fresh])
    with transaction.atomic():
        # One import of a catalogue at a time; another may have been first while we wrote.
        Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        unsealed = {id(picture) for picture in _fresh(catalogue, fresh)}
        sealed = [(picture, blob) for picture, blob in zip(fresh, blobs, strict=True) if id(picture) in unsealed]
        listings = _save_listings(this, rows, now)
        _save_pictures(this.actor, seller, listings, sealed)
        remote = _save_addresses(this, listings, [one.row for one in batch if isinstance(one, _Remote)])
        Catalogue.objects.filter(pk=catalogue.pk).update(
            updated_at=now,
            listing_count=F("listing_count") + sum(listing.first_seen == now for listing in listings.values()),
            picture_count=F("picture_count") + len(sealed),
        )
        new_rows = {id(picture.row) for picture, _blob in sealed} | remote
        outcomes = [one if isinstance(one, RowOutcome) else _outcome(one.row, new_rows, this.changed) for one in batch]
        this.record(outcomes)
    return outcomes


def _outcome(row: FeedRow, new_rows: set[int], changed: set[str]) -> RowOutcome:
    status = IMPORTED if id(row) in new_rows else UPDATED if row.product_id in changed else UNCHANGED
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


def _save_listings(this: _Import, rows: Sequence[FeedRow], now: datetime) -> dict[str, Listing]:
    """The batch's listings by product id, created or brought up to date, with a line of history for each change."""
    catalogue = this.catalogue
    facts = {row.product_id: row.facts for row in rows}
    known = Listing.objects.select_for_update().filter(catalogue=catalogue, product_id__in=facts)
    listings: dict[str, Listing] = {listing.product_id: listing for listing in known}
    changes = {product_id: _update(listing, facts[product_id], this) for product_id, listing in listings.items()}
    touched = [listings[product_id] for product_id, before in changes.items() if before]
    update_columns(touched, sorted(this.columns | {"is_missing", "delisted_at"}))
    this.changed.update(product_id for product_id, before in changes.items() if before)
    Listing.objects.filter(pk__in=[listing.pk for listing in listings.values()]).update(last_seen=now)
    _keep_history({listings[product_id]: before for product_id, before in changes.items()}, now)
    refiltered = [listings[product_id].pk for product_id, before in changes.items() if before.keys() & FILTERED]
    missing = [
        Listing(seller=catalogue.seller, catalogue=catalogue, product_id=product_id, first_seen=now, last_seen=now)
        for product_id in facts
        if product_id not in listings
    ]
    for listing in missing:
        _apply(listing, facts[listing.product_id], this.columns)
    listings |= {listing.product_id: listing for listing in Listing.objects.bulk_create(missing)}
    if refiltered:
        images = ListingImage.objects.filter(listing__in=refiltered).values_list("image_id", flat=True)
        refresh_gallery(seller=catalogue.seller, image_ids=images)
    return listings


def _update(listing: Listing, facts: Facts, this: _Import) -> dict[str, Any]:
    """Bring one listing up to date; what its facts were before, by name, of those that changed.

    One that an earlier complete feed left out is back by being here, unless this feed says when it was delisted.
    """
    before = {name: getattr(listing, name) for name in this.columns | {"delisted_at"}}
    if listing.is_missing:
        listing.is_missing, listing.delisted_at = False, None
    _apply(listing, facts, this.columns)
    return {name: value for name, value in before.items() if getattr(listing, name) != value}


def _keep_history(changes: dict[Listing, dict[str, Any]], now: datetime) -> None:
    """One line per changed fact; listings that came back are put before whoever called them copies."""
    ListingChange.objects.bulk_create(
        ListingChange(
            seller_id=listing.seller_id,
            listing=listing,
            field=name,
            before=_said(value),
            after=_said(getattr(listing, name)),
            at=now,
        )
        for listing, before in changes.items()
        for name, value in before.items()
    )
    back = [one for one, before in changes.items() if before.get("delisted_at") and one.delisted_at is None]
    if back:
        reopen_relisted(seller=back[0].seller, listing_ids=[listing.pk for listing in back])


def _said(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value or "")


def delist_missing(*, catalogue: Catalogue, since: datetime) -> int:
    """Mark what a complete feed did not name as delisted; how many. since: when reading it began."""
    now = timezone.now()
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        rows = list(
            Listing.objects.select_for_update().filter(catalogue=catalogue, last_seen__lt=since, delisted_at=None)
        )
        ids = [listing.pk for listing in rows]
        Listing.objects.filter(pk__in=ids).update(delisted_at=now, is_missing=True)
        ListingChange.objects.bulk_create(
            ListingChange(seller=catalogue.seller, listing=listing, field="delisted_at", after=now.isoformat(), at=now)
            for listing in rows
        )
        images = ListingImage.objects.filter(listing__in=ids).values_list("image_id", flat=True)
        refresh_gallery(seller=catalogue.seller, image_ids=images)
    return len(rows)


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


def _save_addresses(this: _Import, listings: dict[str, Listing], rows: Sequence[FeedRow]) -> set[int]:
    """Write down pictures to be fetched; the rows (by id) whose address their listing did not have yet."""
    wanted: dict[tuple[int, str], FeedRow] = {}
    for row in rows:
        wanted.setdefault((listings[row.product_id].pk, plain_url(row.image) or row.image), row)
    known = RemotePicture.objects.filter(listing__in=[listings[row.product_id].pk for row in rows])
    for mark in known.values_list("listing_id", "url"):
        wanted.pop(mark, None)
    RemotePicture.objects.bulk_create(
        RemotePicture(seller=this.catalogue.seller, listing_id=listing, run=this.run, row=row.number, url=url)
        for (listing, url), row in wanted.items()
    )
    return {id(row) for row in wanted.values()}


def add_picture(*, listing: Listing, name: str, content: bytes) -> str:
    """Give a listing a picture that was fetched for it; the code of why not, or "". The same picture again adds none."""
    try:
        scan = scan_picture(content, file_name="")  # an address names no format a file could be held to
    except ImagingError as error:
        return error.code
    row = FeedRow(0, listing.product_id, name, Facts())
    picture = _Picture(row, content, scan, hashlib.sha256(content).digest())
    if not _fresh(listing.catalogue, [picture]):
        return ""
    (blob,) = seal_files(seller=listing.seller, contents=[content])
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=listing.catalogue_id)
        if _fresh(listing.catalogue, [picture]):
            _save_pictures(None, listing.seller, {listing.product_id: listing}, [(picture, blob)])
            Catalogue.objects.filter(pk=listing.catalogue_id).update(picture_count=F("picture_count") + 1)
    return ""
