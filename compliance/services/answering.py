"""Asking one seller's gallery with a decoded query: digests and fingerprints first, then local features. Or, of a picture
that was analysed before, whether that is worth while.

Also what is kept of an answer so that it can be shown later: how each picture lies in the query, the pairs of spots
that say so, where the pixels agree, and what was done to the picture.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compliance.search.compare import QueryPicture
from compliance.search.finder import Candidate, CopyQuery, Gallery, find_copies
from compliance.search.glance import Stored, may_be_copy, resembling
from compliance.search.index import EVERYTHING, Filter, Probe
from compliance.search.nominate import views_of
from compliance.search.query import (
    DHASH,
    PHASH,
    QUERY_FEATURES_TASK,
    QUERY_SPOTS_TASK,
    QueryFeatures,
    parse_features,
    parse_spots,
)
from compliance.services.feature_index import features as feature_indexes
from compliance.services.feature_index import reference_reader
from compliance.services.gallery import codes_of, indexes
from ledger.accounts.models import Seller
from ledger.imaging.agreement import AGREES, Agreement
from ledger.imaging.edits import Edits
from ledger.imaging.errors import DecodeCrashed
from ledger.models import ImageFile
from ledger.services.pictures import pixel_pool, reference_of

# Nothing, agrees, differs; opacity of each, so that the picture below stays to be seen.
MAP_COLOURS = [0, 0, 0, 20, 140, 70, 200, 30, 40]
MAP_OPACITY = bytes([0, 110, 150])
LINES = 60  # pairs of spots that are kept to be drawn; more would be one blur
PLACES = 4  # decimals of shares of a picture's side: a tenth of a pixel of a large photo


def query_features(data: bytes, *, thumbnails: bool) -> QueryFeatures:
    """What a picture can be asked with, decoded in the limited child. Raises ImagingError."""
    answer = pixel_pool().run(QUERY_FEATURES_TASK, [data], {"thumbnails": thumbnails})
    try:
        return parse_features(answer.values, answer.blobs)
    except (ValueError, KeyError, TypeError) as error:  # the child has looked at hostile bytes
        raise DecodeCrashed("malformed answer") from error


@dataclass(frozen=True, slots=True)
class OpenGallery:
    """What may answer of one seller's gallery, as it was when it was opened."""

    gallery: Gallery
    where: Filter
    allowed: NDArray[np.int64]


def open_gallery(seller: Seller, where: Filter) -> OpenGallery:
    """A seller's gallery, for any number of questions; every picture committed before this call can be found."""
    hashes = indexes.get(seller.pk)
    gallery = Gallery(hashes, feature_indexes.get(seller.pk), reference_reader(seller))
    return OpenGallery(gallery, where, hashes.matching(where))


def ask_gallery(*, seller: Seller, query: QueryFeatures, where: Filter, limit: int) -> list[Candidate]:
    """The best candidates of a seller's gallery; every picture committed before this call is looked through.

    What a candidate is called does not depend on the threshold somebody asked for: that only sets apart what is shown.
    """
    return ask_opened(open_gallery(seller, where), query=query, limit=limit)


def ask_opened(opened: OpenGallery, *, query: QueryFeatures, limit: int) -> list[Candidate]:
    """The best candidates of an opened gallery."""
    probe = Probe(query.query.sha256, query.query.pixel_sha256, query.query.views)
    asked = CopyQuery(probe, query.looks.coarse, query.looks.tint, partial(_query_picture, query))
    allowed = None if opened.where == EVERYTHING else opened.allowed
    return find_copies(opened.gallery, asked, opened.where, allowed, limit, is_thorough=True)


def glance(opened: OpenGallery, image: ImageFile) -> bool:
    """Whether an analysed picture can be a copy of one of an opened gallery: if so, or if too little is kept of it to
    tell, it is worth a search."""
    if not len(opened.allowed):
        return False
    stored = _stored(image)
    return stored is None or may_be_copy(opened.gallery, stored, opened.where, opened.allowed)


def may_be_copies(opened: OpenGallery, image: ImageFile) -> list[int] | None:
    """Which pictures of an opened gallery may be copies of an analysed one, as gallery items; None where what was kept of
    it is lost."""
    stored = _stored(image)
    return None if stored is None else resembling(opened.gallery, stored, opened.where, opened.allowed)


def _stored(image: ImageFile) -> Stored | None:
    reference = reference_of(image)
    if reference is None:
        return None
    codes = codes_of([image.pk]).get(image.pk, {})
    views = ((codes[PHASH], codes[DHASH]),) if codes.keys() >= {PHASH, DHASH} else ()
    return Stored(Probe(bytes(image.sha256), bytes(image.pixel_sha256 or b""), views), reference)


def _query_picture(query: QueryFeatures) -> QueryPicture:
    """The query's features, made in the limited child; it gets grey pixels, no file."""
    frame = query.looks.frame
    size = {"height": frame.shape[0], "width": frame.shape[1]}
    answer = pixel_pool().run(QUERY_SPOTS_TASK, [np.ascontiguousarray(frame).tobytes()], size)
    try:
        spots = parse_spots(answer.values, answer.blobs)
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeCrashed("malformed answer") from error
    return QueryPicture(frame, views_of(spots))


# What is kept of an answer ---------------------------------------------------------------------------------------


def evidence_of(candidate: Candidate) -> dict[str, Any]:
    """What shows why a candidate is one, as JSON values; nearly empty where digests alone decided.

    Places are shares 0..1 of width and height. place: the corners
    of the picture found, in the query, from its top left clockwise. lines: [x, y in the query, x, y in the picture
    found]. agreement: PNG in base64, in the frame of the picture found.
    """
    evidence: dict[str, Any] = {"inliers": candidate.inliers, "view": candidate.view}
    if candidate.edits is not None:
        evidence["edits"] = edits_json(candidate.edits)
        evidence["place"] = [list(corner) for corner in candidate.edits.place]
    if candidate.agreement is not None:
        evidence["agreement"] = base64.b64encode(agreement_png(candidate.agreement)).decode()
    if candidate.comparison is not None:
        lines = candidate.comparison.lines[:LINES].copy()
        if candidate.view == "mirrored":
            lines[:, 0] = 1 - lines[:, 0]
        evidence["lines"] = lines.round(PLACES).tolist()
    return evidence


def edits_json(edits: Edits) -> dict[str, Any]:
    """What was done, by name, with its measurements."""
    return {
        "names": list(edits.names),
        "turned": edits.turned,
        "stretched": edits.stretched,
        "kept": edits.kept,
        "kept_box": list(edits.kept_box),
        "fills": edits.fills,
        "brightness": edits.brightness,
        "contrast": edits.contrast,
        "added": [list(box) for box in edits.added],
    }


def agreement_png(agreement: Agreement) -> bytes:
    """Where the pixels agree, as a small PNG to be laid over the picture found: green agrees, red differs, transparent
    says nothing."""
    judged = agreement.inside & agreement.textured
    agrees = agreement.correlation > AGREES
    classes = np.where(judged, np.where(agrees, 1, 2), 0).astype(np.uint8)
    image = Image.fromarray(classes, "P")
    image.putpalette(MAP_COLOURS, "RGB")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True, transparency=MAP_OPACITY)
    return out.getvalue()
