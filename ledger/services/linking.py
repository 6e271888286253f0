"""Linking a file that somebody made elsewhere to the original it was made from: measured, then entered in the log."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import transaction

from ledger.accounts.models import User
from ledger.accounts.permissions import Permission, require_permission
from ledger.imaging.descent import DESCENT_TASK, METHOD
from ledger.imaging.errors import DecodeCrashed
from ledger.imaging.sandbox import TaskResult
from ledger.imaging.scan import scan_picture
from ledger.models import Derivative, DerivativeRole, ImageState, Original
from ledger.services.blobs import read_blob, seal_uploads, write_part
from ledger.services.derivatives import Descent, Link, link_derivatives
from ledger.services.evidence import entry_zip
from ledger.services.handouts import BUNDLE, record_handout
from ledger.services.log import lock_head
from ledger.services.originals import Upload, image_row
from ledger.services.pictures import THUMBNAILS, pixel_pool
from ledger.tlog.claim_documents import NamedVersion
from ledger.tlog.claims import GEOMETRIES


class UnrelatedError(Exception):
    """Nothing in the file shows that it was made from that original; nothing was kept."""

    code = "derivative_unrelated"


class SameFileError(Exception):
    """The file is the original itself, byte for byte."""

    code = "derivative_same_file"


def link_upload(
    *, actor: User | None, original: Original, upload: Upload, role: str = DerivativeRole.UPLOAD
) -> Derivative:
    """Measure how the file descends from the original, store it and enter the link in the log; again gives the first.

    Raises ImagingError for what is no picture, BlobUnreadableError, UnrelatedError, SameFileError.
    """
    seller = original.seller
    require_permission(actor, seller, Permission.CHECK)
    scan = scan_picture(upload.content, file_name=upload.file_name)
    digest = hashlib.sha256(upload.content).digest()
    if digest == bytes(original.sha256):
        raise SameFileError
    if (known := _known(original, digest)) is not None:
        return known
    answer = pixel_pool().run(DESCENT_TASK, [read_blob(original.image.blob), upload.content])
    descent, size = _read(answer)
    (blob,) = seal_uploads(seller=seller, contents=[upload.content])
    for part, preview in zip(THUMBNAILS.values(), answer.blobs, strict=True):
        write_part(blob, part, preview)
    with transaction.atomic():
        head = lock_head()
        original = Original.objects.select_related("statement__entry", "image", "seller").get(pk=original.pk)
        if (known := _known(original, digest)) is not None:
            return known  # somebody sent the same file at the same moment
        blob.save(force_insert=True)
        image = image_row(seller, blob, upload, scan, digest)
        image.state, image.has_thumbnails = ImageState.READY, True
        image.width, image.height = size
        image.save(force_insert=True)
        link = Link(original, image, role, descent, f"link-{original.number}-{digest.hex()[:32]}")
        (made,) = link_derivatives(actor=actor, seller=seller, links=[link], method=NamedVersion(*METHOD), head=head)
    return made


def _known(original: Original, digest: bytes) -> Derivative | None:
    rows = original.derivatives.filter(image__sha256=digest).select_related("statement", "image")
    found: Derivative | None = rows.first()
    return found


def _read(answer: TaskResult) -> tuple[Descent, tuple[int, int]]:
    """The child's answer, checked: it has looked at hostile bytes."""
    try:
        found: dict[str, Any] | None = answer.values["relation"]
        size = int(answer.values["width"]), int(answer.values["height"])
        if found is None:
            raise UnrelatedError
        matrix = tuple(float(value) for value in found["matrix"])
        residual, steps = float(found["residual_px"]), tuple(str(step)[:20] for step in found["steps"])
        if (
            len(matrix) != 9
            or found["geometry"] not in GEOMETRIES
            or residual < 0
            or len(answer.blobs) != len(THUMBNAILS)
        ):
            raise ValueError("relation")
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeCrashed("malformed answer") from error
    return Descent(str(found["geometry"]), matrix, residual, steps), size


def derivative_zip(*, actor: User | None, derivative: Derivative) -> bytes:
    """The proof of one link as a core bundle: entry, claim, proof and checkpoint."""
    content = entry_zip(actor=actor, statement=derivative.statement)
    record_handout(derivative.statement, BUNDLE)
    return content
