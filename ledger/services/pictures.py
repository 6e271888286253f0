"""Analysing sealed pictures: metadata, fingerprints and thumbnails, all made by a limited child process.

Everything written here is derived and can be made again; running it twice changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ledger.imaging.errors import DecodeCrashed, ImagingError
from ledger.imaging.feature_blob import VERSION as FEATURES_VERSION
from ledger.imaging.feature_blob import FeatureBlobError, Reference, parse_features
from ledger.imaging.results import Analysis, parse_analysis
from ledger.imaging.sandbox import PixelPool, TaskResult
from ledger.models import Fingerprint, ImageFile, ImageState, Job
from ledger.services.blobs import BlobUnreadableError, read_blob, read_part, write_part
from ledger.services.bulk import update_columns
from ledger.services.jobs import UNFINISHED, enqueue_job
from ledger.signals import features_extracted, pictures_analysed

ANALYSE_JOB = "pictures.analyse"
SWEEP_AFTER = timedelta(minutes=2)
ANALYSE = "ledger.imaging.analysis:analyse_task"
ANALYSIS_VERSION = 1
FEATURES_JOB = "pictures.features"
FEATURES = "ledger.imaging.analysis:features_task"
FEATURES_PART = "features"
THUMBNAILS = {320: "thumb-s", 1024: "thumb-l"}  # long side in pixels -> part of the blob
DERIVED_FIELDS = [
    "state",
    "error_code",
    "flags",
    "width",
    "height",
    "pixel_sha256",
    "metadata",
    "private_metadata",
    "analysis_version",
    "has_thumbnails",
    "features_version",
]
_pool_lock = threading.Lock()
_pool: PixelPool | None = None


def pixel_pool() -> PixelPool:
    """This process's child that decodes pictures; started at the first use."""
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = PixelPool(size=1)
        return _pool


def analyse_pictures(
    *, image_ids: Sequence[int], progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Analyse those pictures that are still only sealed; return how many could not be opened.

    News of them is sent after commit.
    """
    sealed = ImageFile.objects.filter(pk__in=image_ids, state=ImageState.SEALED)
    images = list(sealed.select_related("blob").order_by("pk"))
    fingerprints: list[Fingerprint] = []
    outcomes = pixel_pool().map(ANALYSE, ((_content(image), {}) for image in images))
    for done, (image, outcome) in enumerate(zip(images, outcomes, strict=True), start=1):
        if isinstance(outcome, DecodeCrashed):
            outcome = _once_more(image)
        fingerprints += _apply(image, outcome)
        progress(done, len(images))
    with transaction.atomic():
        # Locked, so that what was erased meanwhile stays so.
        sealed = ImageFile.objects.select_for_update().filter(pk__in=[image.pk for image in images])
        alive = set(sealed.exclude(state=ImageState.ERASED).values_list("pk", flat=True))
        images = [image for image in images if image.pk in alive]
        update_columns(images, DERIVED_FIELDS)
        kept = [row for row in fingerprints if row.image_id in alive]
        Fingerprint.objects.bulk_create(kept, ignore_conflicts=True)
    for seller_id in sorted({image.seller_id for image in images}):
        ids = [image.pk for image in images if image.seller_id == seller_id]
        pictures_analysed.send(sender=ImageFile, seller_id=seller_id, image_ids=ids)
    return sum(image.state == ImageState.UNDECODABLE for image in images)


def _content(image: ImageFile) -> list[bytes]:
    try:
        return [read_blob(image.blob)]
    except BlobUnreadableError as error:
        image.error_code = error.code  # the child will call nothing a damaged picture; the store is what is damaged
        return [b""]


def _once_more(image: ImageFile) -> TaskResult | ImagingError:
    """A child killed from outside looks like one that a picture brought down; only the second time is it the picture."""
    return pixel_pool().submit(ANALYSE, _content(image)).wait()


def _apply(image: ImageFile, outcome: TaskResult | ImagingError) -> list[Fingerprint]:
    """Put what the child answered into the row; return the fingerprints to save."""
    try:
        analysis = parse_analysis(outcome.values, outcome.blobs) if isinstance(outcome, TaskResult) else None
    except (ValueError, KeyError, TypeError):
        analysis = None
    if analysis is None:
        image.state = ImageState.UNDECODABLE
        found = outcome.code if isinstance(outcome, ImagingError) else "decode_crashed"
        image.error_code = image.error_code or found
        return []
    metadata = analysis.metadata.to_json()
    image.private_metadata = metadata.pop("private")
    image.metadata = metadata
    image.flags = list(dict.fromkeys([*image.flags, *analysis.flags]))
    image.width, image.height, image.pixel_sha256 = analysis.width, analysis.height, analysis.pixel_sha256
    image.state, image.error_code, image.analysis_version = ImageState.READY, "", ANALYSIS_VERSION
    image.has_thumbnails = _store_thumbnails(image, analysis)
    _store_features(image, analysis.features)
    return list(_fingerprint_rows(image, analysis))


def _store_thumbnails(image: ImageFile, analysis: Analysis) -> bool:
    for item in analysis.thumbnails:
        write_part(image.blob, THUMBNAILS[item.long_side], item.data)
    return bool(analysis.thumbnails)


def _store_features(image: ImageFile, features: bytes) -> None:
    write_part(image.blob, FEATURES_PART, features)
    image.features_version = FEATURES_VERSION


def _fingerprint_rows(image: ImageFile, analysis: Analysis) -> Iterator[Fingerprint]:
    for item in analysis.fingerprints:
        yield Fingerprint(
            image=image, algorithm=item.algorithm, version=item.version, value=item.value, quality=item.quality
        )


def thumbnail(image: ImageFile, long_side: int) -> bytes | None:
    """The WebP thumbnail of 320 or 1024 pixels, or None while there is none."""
    if not image.has_thumbnails:
        return None
    try:
        return read_part(image.blob, THUMBNAILS[long_side])
    except BlobUnreadableError:
        return None


def reference_of(image: ImageFile) -> Reference | None:
    """What searches compare with: features and portrait; None while there are none, or where the store lost them."""
    if image.features_version != FEATURES_VERSION:
        return None
    try:
        return parse_features(read_part(image.blob, FEATURES_PART))
    except (BlobUnreadableError, FeatureBlobError):
        return None


def without_features() -> QuerySet[ImageFile]:
    """Analysed pictures of originals and listings whose features are missing or of an earlier version."""
    tried = (FEATURES_VERSION, -FEATURES_VERSION)
    ready = ImageFile.objects.filter(state=ImageState.READY).exclude(features_version__in=tried)
    return ready.exclude(original=None, listing_image=None)


def extract_features(
    *, image_ids: Sequence[int], progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Make features of analysed pictures that have none of the present version; return how many were made.

    A picture whose file can no longer be read is marked with the negative version, and not tried again.
    """
    images = list(without_features().filter(pk__in=image_ids).select_related("blob").order_by("pk"))
    outcomes = pixel_pool().map(FEATURES, ((_content(image), {}) for image in images))
    made = []
    for done, (image, outcome) in enumerate(zip(images, outcomes, strict=True), start=1):
        if isinstance(outcome, TaskResult) and len(outcome.blobs) == 1:
            _store_features(image, outcome.blobs[0])
            made.append(image)
        else:
            image.features_version = -FEATURES_VERSION
        progress(done, len(images))
    with transaction.atomic():
        update_columns(images, ["features_version"])
    for seller_id in sorted({image.seller_id for image in made}):
        ids = [image.pk for image in made if image.seller_id == seller_id]
        features_extracted.send(sender=ImageFile, seller_id=seller_id, image_ids=ids)
    return len(made)


def sweep_features(*, limit: int = 200) -> int:
    """Have workers make the features that an earlier version of the product did not make, a portion at a time."""
    if Job.objects.filter(kind=FEATURES_JOB, state__in=UNFINISHED).exists():
        return 0
    waiting = list(without_features().select_related("seller").order_by("seller", "pk")[:limit])
    for seller, images in groupby(waiting, key=lambda image: image.seller):
        with transaction.atomic():
            args = {"image_ids": [image.pk for image in images]}
            enqueue_job(kind=FEATURES_JOB, args=args, seller=seller, actor=None, dedupe_key="sweep")
    return len(waiting)


def sweep_pictures(*, limit: int = 200) -> int:
    """Find sealed pictures that no unfinished job looks after, and enqueue them again.

    Covers a job that gave up and a crash between sealing and enqueueing; recent ones are left to their own job.
    """
    if Job.objects.filter(kind=ANALYSE_JOB, state__in=UNFINISHED).exists():
        return 0
    before = timezone.now() - SWEEP_AFTER
    waiting = ImageFile.objects.filter(state=ImageState.SEALED, created_at__lt=before)
    # Pictures of originals and listings only: a query or a pair is decoded by its own job.
    waiting = waiting.exclude(original=None, listing_image=None).select_related("seller").order_by("seller", "pk")
    for seller, images in groupby(waiting[:limit], key=lambda image: image.seller):
        with transaction.atomic():
            args = {"image_ids": [image.pk for image in images]}
            enqueue_job(kind=ANALYSE_JOB, args=args, seller=seller, actor=None, dedupe_key="sweep")
    return len(waiting[:limit])
