"""Analysing sealed pictures: metadata, fingerprints and thumbnails, all made by a limited child process.

Everything written here is derived and can be made again; running it twice changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from django.db import transaction

from ledger.imaging.analysis import ANALYSIS_VERSION
from ledger.imaging.errors import ImagingError
from ledger.imaging.sandbox import PixelPool
from ledger.models import Fingerprint, ImageFile, ImageState
from ledger.services.blobs import BlobUnreadableError, read_blob, read_part, write_part
from ledger.signals import pictures_analysed

ANALYSE = "ledger.imaging.analysis:analyse_task"
THUMBNAILS = {"s": "thumb-s", "l": "thumb-l"}  # long side 320 and 1024 pixels
_pool_lock = threading.Lock()
_pool: PixelPool | None = None


def pixel_pool() -> PixelPool:
    """This process's children that decode pictures; started at the first use."""
    global _pool  # noqa: PLW0603 - one pool a process
    with _pool_lock:
        if _pool is None:
            _pool = PixelPool(size=1)
        return _pool


def analyse_pictures(*, image_ids: Sequence[int], progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Analyse the pictures that are still only sealed; return how many could not be opened.

    News of them is sent after commit.
    """
    images = list(ImageFile.objects.filter(pk__in=image_ids, state=ImageState.SEALED).select_related("blob").order_by("pk"))
    fingerprints: list[Fingerprint] = []
    for done, (image, found) in enumerate(_analysed(images), start=1):
        fingerprints += found
        progress(done, len(images))
    _save(images, fingerprints)
    for seller_id in {image.seller_id for image in images}:
        ids = [image.pk for image in images if image.seller_id == seller_id]
        pictures_analysed.send(sender=ImageFile, seller_id=seller_id, image_ids=ids)
    return sum(image.state == ImageState.UNDECODABLE for image in images)


def _analysed(images):
    """Feed the child process one picture ahead, so that it never waits for our disk and cipher work."""
    raise NotImplementedError


def thumbnail(image: ImageFile, size: str) -> bytes | None:
    """The WebP thumbnail ('s' or 'l'), or None while there is none."""
    if not image.has_thumbnails:
        return None
    try:
        return read_part(image.blob, THUMBNAILS[size])
    except BlobUnreadableError:
        return None


def _save(images: Sequence[ImageFile], fingerprints: Sequence[Fingerprint]) -> None:
    with transaction.atomic():
        ImageFile.objects.bulk_update(images, SAVED_FIELDS)
        Fingerprint.objects.bulk_create(fingerprints, ignore_conflicts=True)
