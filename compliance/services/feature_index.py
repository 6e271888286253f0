"""The features of a seller's gallery: what a search nominates from, and the segments that keep starts short.

Segments are a cache under the data directory. A crash leaves an unfinished folder that no row names; a damaged one is
read from the blobs instead; deleting all of them costs time and changes no answer.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from compliance.indexes.feature_follow import LOAD_IMAGES, FeatureChange, SealedSegment, SellerFeatures
from compliance.models import Gallery, GalleryItem, IndexSegment
from compliance.search.codebook import shipped_codebook
from compliance.search.errors import BadSegmentError
from compliance.search.segments import Segment
from ledger.accounts.models import Seller
from ledger.imaging.feature_blob import VERSION as FEATURES_VERSION
from ledger.imaging.feature_blob import Reference
from ledger.imaging.features import Features
from ledger.models import ImageFile
from ledger.services.files import make_directories, sync_directory, sync_file
from ledger.services.jobs import enqueue_job
from ledger.services.pictures import reference_of

SEAL_JOB = "gallery.seal"
# Fewer pictures than that are read from their blobs by every process at its first search: about 15 ms each, most of it
# for finding the nearest of 4,096 lists to 350 descriptors.
SEAL_FROM = 50
SEAL_AT_ONCE = 1000  # pictures in one go: 10 MB of codes, a quarter of a minute of work between searches
# A new segment is joined with the one before it until that one is larger by this factor or both are more than what a
# worker should have in memory (500 MB): about log2(n / 1000) segments stay, and one more for every 50,000 pictures.
JOIN_BELOW = 2
JOIN_UPTO = 50_000
STALE_S = 3600.0  # folders that no row names are kept that long for processes which have just read their row
ROWS = 2000
SAVING = "saving-"


class GalleryFeatures:
    """One seller's rows, segments and blobs as a follower wants them."""

    def __init__(self, seller_id: int) -> None:
        self.seller_id = seller_id

    def current_generation(self) -> int:
        """How often the gallery changed; one cheap query."""
        return Gallery.objects.filter(pk=self.seller_id).values_list("generation", flat=True).first() or 0

    def forgotten_generation(self) -> int:
        """Up to which change deleted rows may be gone."""
        return Gallery.objects.filter(pk=self.seller_id).values_list("forgotten", flat=True).first() or 0

    def segments(self) -> Sequence[SealedSegment]:
        """Segments of the present version of features."""
        rows = IndexSegment.objects.filter(seller=self.seller_id, features_version=FEATURES_VERSION)
        return [SealedSegment(row.pk, row.generation, index_folder(self.seller_id) / row.folder) for row in rows]

    def deleted_ids(self) -> Iterable[int]:
        """Gallery items that were taken out."""
        return GalleryItem.objects.filter(seller=self.seller_id, deleted=True).values_list("pk", flat=True)

    def changes_since(self, generation: int) -> Iterator[FeatureChange]:
        """Rows changed after a generation, a portion at a time; features are read only where they are asked for."""
        changed = GalleryItem.objects.filter(seller=self.seller_id, generation__gt=generation).order_by("pk")
        last = 0
        while rows := list(changed.filter(pk__gt=last).select_related("image__blob")[:ROWS]):
            for row in rows:
                yield FeatureChange(row.pk, not row.deleted, partial(_features, row.image))
            last = rows[-1].pk


def _features(image: ImageFile) -> Features | None:
    reference = reference_of(image)
    return reference.features if reference else None


# This process's copies; each asks for the generation before every search.
features = SellerFeatures(GalleryFeatures)


def reference_reader(seller: Seller) -> Callable[[int], Reference | None]:
    """Features and portrait of a gallery item of this seller; None for one that is gone."""

    def read(item_id: int) -> Reference | None:
        items = GalleryItem.objects.of(seller).filter(pk=item_id, deleted=False).select_related("image__blob")
        item = items.first()
        return reference_of(item.image) if item else None

    return read


def index_folder(seller_id: int) -> Path:
    return Path(settings.DATA_DIR) / "index" / str(seller_id)


# Sealing ---------------------------------------------------------------------------------------------------------


def sweep_segments() -> int:
    """Have a worker seal where enough pictures wait; called from time to time by the supervisor."""
    enqueued = 0
    for gallery in Gallery.objects.select_related("seller"):
        if is_seal_due(gallery.seller):
            with transaction.atomic():
                enqueue_job(kind=SEAL_JOB, args={}, seller=gallery.seller, actor=None, dedupe_key="seal")
            enqueued += 1
    return enqueued


def is_seal_due(seller: Seller) -> bool:
    """Whether enough pictures wait for a segment."""
    segments = IndexSegment.objects.of(seller).filter(features_version=FEATURES_VERSION)
    generation = segments.aggregate(newest=Max("generation"))["newest"] or 0
    return _unsealed(seller, generation)[SEAL_FROM - 1 : SEAL_FROM].exists()


def _unsealed(seller: Seller, generation: int) -> QuerySet[GalleryItem]:
    rows = GalleryItem.objects.of(seller).filter(generation__gt=generation, deleted=False)
    return rows.filter(image__features_version=FEATURES_VERSION).order_by("generation", "pk")


def seal_segments(*, seller: Seller, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Write the pictures that no segment holds into a new one, joined with small ones before it; return how many.

    One at a time for a seller: whoever is second finds its number taken and fails whole, losing a folder.
    """
    folder = index_folder(seller.pk)
    make_directories(folder)
    with _segments_lock(seller.pk):
        return _seal(seller, folder, progress)


@contextmanager
def _segments_lock(seller_id: int) -> Iterator[None]:
    """Sealing joins old segments into new ones: an erasure must not rewrite them meanwhile."""
    path = index_folder(seller_id).with_suffix(".lock")
    make_directories(path.parent)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _seal(seller: Seller, folder: Path, progress: Callable[[int, int], None]) -> int:
    _sweep_folders(seller, folder)
    known = list(IndexSegment.objects.of(seller).filter(features_version=FEATURES_VERSION))
    upto, rows = _portion(seller, known[-1].generation if known else 0)
    fresh = _not_in(folder, known, rows)
    if not fresh:
        IndexSegment.objects.filter(pk__in=[row.pk for row in known[-1:]]).update(generation=upto)
        return 0
    replaced, segment = _join(folder, known, _built(fresh, progress))
    name = _save(folder, segment)
    with transaction.atomic():
        IndexSegment.objects.create(
            seller=seller,
            number=(known[-1].number if known else 0) + 1,
            generation=upto,
            pictures=len(segment),
            features_version=FEATURES_VERSION,
            folder=name,
        )
        IndexSegment.objects.filter(pk__in=[row.pk for row in replaced]).delete()
    return len(fresh)


def _portion(seller: Seller, generation: int) -> tuple[int, list[GalleryItem]]:
    """The last generation of the next portion, which ends where a generation ends; and its pictures."""
    newest = GalleryFeatures(seller.pk).current_generation()
    rows = _unsealed(seller, generation).filter(generation__lte=newest)
    edge = rows.values_list("generation", flat=True)[SEAL_AT_ONCE - 1 : SEAL_AT_ONCE].first()
    upto = newest if edge is None else edge
    return upto, list(rows.filter(generation__lte=upto).select_related("image__blob"))


def _not_in(folder: Path, known: Sequence[IndexSegment], rows: Sequence[GalleryItem]) -> list[GalleryItem]:
    """Rows that no segment holds: one whose category was changed has a new generation and is there already."""
    held: set[int] = set()
    for row in known:
        held.update(Segment.open(folder / row.folder).image_ids.tolist())
    return [row for row in rows if row.pk not in held]


def _built(rows: Sequence[GalleryItem], progress: Callable[[int, int], None]) -> Segment:
    segment = Segment(shipped_codebook())
    for start in range(0, len(rows), LOAD_IMAGES):
        portion = rows[start : start + LOAD_IMAGES]
        pairs = ((row.pk, _features(row.image)) for row in portion)
        readable = {item_id: found for item_id, found in pairs if found is not None}
        if readable:
            segment.append(list(readable), list(readable.values()))
        progress(start + len(portion), len(rows))
    return segment


def _join(folder: Path, known: Sequence[IndexSegment], segment: Segment) -> tuple[list[IndexSegment], Segment]:
    """The newest segments that are not much larger, and one that holds their pictures and the new ones."""
    replaced: list[IndexSegment] = []
    for row in reversed(known):
        if row.pictures >= JOIN_BELOW * len(segment) or row.pictures + len(segment) > JOIN_UPTO:
            break
        earlier = Segment.open(folder / row.folder, mapped=False)
        earlier.absorb(segment)
        segment = earlier
        replaced.append(row)
    return replaced, segment


def _save(folder: Path, segment: Segment) -> str:
    """Write a segment into a folder that gets its name only once it is whole and durable."""
    name = secrets.token_hex(8)
    temporary = folder / (SAVING + name)
    make_directories(temporary)
    segment.save(temporary)
    for path in temporary.iterdir():
        sync_file(path)
    sync_directory(temporary)
    temporary.rename(folder / name)
    sync_directory(folder)
    return name


def purge_segments(seller_id: int) -> int:
    """Write segments that hold pictures taken out of the gallery anew without them; return how many. Safe to repeat.

    Folders that no row names go at once: a process that was about to open one reads the blobs instead.
    """
    folder = index_folder(seller_id)
    if not folder.exists():
        return 0
    purged = 0
    with _segments_lock(seller_id):
        gone = set(GalleryFeatures(seller_id).deleted_ids())
        for row in IndexSegment.objects.filter(seller=seller_id).select_related("seller"):
            purged += _purge(folder, row, gone)
        _sweep_folders(Seller.objects.get(pk=seller_id), folder, stale_s=0)
    return purged


def _purge(folder: Path, row: IndexSegment, gone: set[int]) -> bool:
    try:
        segment = Segment.open(folder / row.folder)
    except BadSegmentError:  # also of an earlier version: nobody reads it, so the row can wait for the next seal
        row.delete()
        return True
    if gone.isdisjoint(segment.image_ids.tolist()):
        return False
    rest = segment.without(gone)
    name = _save(folder, rest)
    with transaction.atomic():
        row.delete()  # processes notice another key, not another folder
        row.pk, row.folder, row.pictures = None, name, len(rest)
        row.save(force_insert=True)
    return True


def _sweep_folders(seller: Seller, folder: Path, stale_s: float = STALE_S) -> None:
    """Remove what crashes and joins left, except what a process that has just read its row may be opening."""
    named = set(IndexSegment.objects.of(seller).values_list("folder", flat=True))
    for path in folder.iterdir():
        if path.name not in named and time.time() - path.stat().st_mtime >= stale_s:
            shutil.rmtree(path, ignore_errors=True)
