"""Pictures whose time is over, without anybody asking for an erasure: keys first, files next, rows last.

An erasure has an entry of its own and reaches everything that repeats what is erased; this is for pictures that no entry
was made for. Each step is safe to repeat, so a crash between two of them only leaves the rest for later.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import PROTECT, ForeignObjectRel

from ledger.models import Blob, Fingerprint, ImageFile, ImageState
from ledger.services.blobs import destroy_keys, remove_files


def discard_pictures(image_ids: Collection[int]) -> None:
    """Make pictures unreadable and blank what was computed from them, in the caller's transaction.

    Digest and name stay for what points at the row: records of searches name the file by them.
    """
    rows = ImageFile.objects.select_for_update().filter(pk__in=image_ids)
    blobs = list(rows.values_list("blob_id", flat=True))
    Fingerprint.objects.filter(image__in=image_ids).delete()
    ImageFile.objects.filter(pk__in=image_ids).update(
        state=ImageState.ERASED,
        error_code="",
        flags=[],
        pixel_sha256=None,
        metadata={},
        private_metadata={},
        has_thumbnails=False,
        features_version=0,
    )
    destroy_keys(blobs)


def remove_discarded(image_ids: Collection[int]) -> int:
    """Remove the files of discarded pictures; how many there were."""
    return remove_files(Blob.objects.filter(image__in=image_ids, wrapped_key=b""))


def forget_pictures(image_ids: Collection[int]) -> int:
    """Delete the rows of discarded pictures that nothing points at any more; how many."""
    with transaction.atomic():
        rows = ImageFile.objects.select_for_update().filter(pk__in=image_ids, state=ImageState.ERASED)
        free = set(rows.values_list("pk", flat=True)) - _pointed_at(image_ids)
        blobs = list(ImageFile.objects.filter(pk__in=free).values_list("blob_id", flat=True))
        ImageFile.objects.filter(pk__in=free).delete()
        Blob.objects.filter(pk__in=blobs, wrapped_key=b"").delete()
    return len(free)


def _pointed_at(image_ids: Collection[int]) -> set[int]:
    """Those that some row of any app holds on to."""
    held: set[int] = set()
    for relation in ImageFile._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel) and relation.on_delete is PROTECT:
            name = relation.field.name
            rows = relation.related_model._base_manager.filter(**{f"{name}__in": image_ids})
            held.update(rows.values_list(name, flat=True))
    return held
