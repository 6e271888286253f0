"""Where one picture lies in another: as a whole, as an upright cut of any size, or wherever local features agree.

Guesses are tried cheapest first; each is fitted on small copies and judged by how much of the texture agrees there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from compliance.checks.aligning import Matrix, agreement, grey_of, refine, resized
from compliance.checks.pair import Pixels
from ledger.imaging.agreement import between_centres
from ledger.imaging.features import QUERY, Features, extract, mirrored
from ledger.imaging.geometry import locate

# Share of textured windows that correlate above .9 from which a place is taken at all. Another photo of the same
# product stays below .3, a copy with large overlays above .7.
TAKEN = 0.6
# Above this there is no better one to look for. A repeating weave agrees to .85 with itself one repeat further.
SURE = 0.94
# Features that must agree before a place is believed; unrelated pictures reach 8 by chance.
FEWEST_FEATURES = 14
# The search for a cut: long side of the copies, the smallest correlation worth a second look, and the sizes of cut
# that are tried, from the whole picture to half of it in steps that the fit can bridge.
SEARCH_SIDE = 96
SEARCH_SCORE = 0.5
CUTS = tuple(0.97**step for step in range(24))
SIDES = (120, 320)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """matrix: float64 (3, 3), places of the target (x, y, 1) to places of the reference, with left and right of the
    reference exchanged first where is_mirrored. share: of the texture that agrees, 0..1."""

    matrix: Matrix
    is_mirrored: bool
    share: float


def find_place(reference: Pixels, target: Pixels) -> Place | None:
    """Where the target lies in the reference, both uint8 (height, width, 3); None when nowhere."""
    best = None
    greys = grey_of(reference), grey_of(target)
    for matrix, is_mirrored in _guesses(reference, target, *greys):
        sheet = np.ascontiguousarray(greys[0][:, ::-1]) if is_mirrored else greys[0]
        matrix = refine(sheet, greys[1], matrix, SIDES)
        share = agreement(sheet, greys[1], matrix)
        if share > (best.share if best else TAKEN):
            best = Place(matrix, is_mirrored, share)
        if best is not None and best.share > SURE:
            break
    return best


def _guesses(
    reference: Pixels, target: Pixels, reference_grey: Pixels, target_grey: Pixels
) -> Iterator[tuple[Matrix, bool]]:
    """Places to try, cheapest first: the whole picture, an upright cut of it, wherever local features agree."""
    yield _whole(reference_grey, target_grey), False
    cut = _search_cut(reference_grey, target_grey)
    if cut is not None:
        yield cut, False
    seen, known = extract(target, QUERY), extract(reference, QUERY)
    for is_mirrored in (False, True):
        placed = locate(seen, mirrored(known) if is_mirrored else known)
        if placed is not None and placed.inliers >= FEWEST_FEATURES:
            up, down = _enlarging(seen, target), np.linalg.inv(_enlarging(known, reference))
            yield np.linalg.inv(up @ placed.matrix @ down), is_mirrored


def _search_cut(reference: Pixels, target: Pixels) -> Matrix | None:
    """The best place of the target image as an upright cut of the reference, by correlation at every size of cut."""
    sheet = resized(reference, SEARCH_SIDE / max(reference.shape[:2]))
    tall, wide = sheet.shape
    shape = target.shape[1] / target.shape[0]
    largest = min(wide / shape, tall)
    grey = resized(target, SEARCH_SIDE / max(target.shape[:2]))
    best, found = SEARCH_SCORE, None
    for factor in CUTS:
        size = max(8, round(largest * factor * shape)), max(8, round(largest * factor))
        part = cv2.resize(grey, (min(size[0], wide), min(size[1], tall)), interpolation=cv2.INTER_AREA)
        scores = cv2.matchTemplate(sheet, part, cv2.TM_CCOEFF_NORMED)
        _, score, _, (left, top) = cv2.minMaxLoc(scores)
        if score > best:
            best, found = score, (left, top, part.shape[1], part.shape[0])
    if found is None:
        return None
    zoom = np.array([reference.shape[1] / wide, reference.shape[0] / tall])
    left, top, width, height = found
    corner = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    return np.asarray(
        between_centres(zoom) @ corner @ between_centres(np.array([width / target.shape[1], height / target.shape[0]]))
    )


def _whole(reference: Pixels, target: Pixels) -> Matrix:
    """The target image as the whole reference, resized."""
    return between_centres(np.array([reference.shape[1] / target.shape[1], reference.shape[0] / target.shape[0]]))


def _enlarging(features: Features, pixels: Pixels) -> Matrix:
    """Places of the frame in which features were taken to places of the picture itself."""
    return between_centres(np.array([pixels.shape[1] / features.width, pixels.shape[0] / features.height]))
