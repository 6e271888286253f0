"""How a derived file descends from its original: where each place of the original lies in it, and what is left over.

Both pictures are decoded in the limited child. Equal pixels need no geometry; otherwise features are matched as in the
search (geometry.py), and pixels laid over each other have to agree before anything is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.imaging.agreement import agree, between_centres
from ledger.imaging.decode import Picture, decode_picture
from ledger.imaging.features import QUERY, REFERENCE, Features, extract_grey, grey_frame, mirrored
from ledger.imaging.geometry import apply, locate
from ledger.imaging.thumbnail import make_thumbnails

DESCENT_TASK = "ledger.imaging.descent:descent_task"
METHOD = ("originmark.geometry", "1")
# Unrelated photos of one product agree by chance in up to 8 spots (tests/ledger/imaging/test_descent.py has pairs).
FEWEST_SPOTS = 12
LEAST_AGREEING = 0.5
# Mean difference in grey levels of re-encoded pixels at JPEG quality 30; another picture is beyond 20.
NEARLY_EQUAL = 4.0
HALF_PIXEL = 0.5
EVEN = 0.005  # scales of a resize to whole pixels differ in the fourth digit
SQUARE = 0.005
MILLIONTHS_LIMIT = 2**53 - 1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """matrix (9,) row by row, pixels of the original to pixels of the file, from the middle of the top left pixel."""

    geometry: str
    matrix: tuple[float, ...]
    residual_px: float
    steps: tuple[str, ...]


def find_descent(original: Picture, derived: Picture) -> Found | None:
    """How derived lies to original, or None where nothing shows that it was made from it."""
    if original.image.size == derived.image.size:
        difference = _mean_difference(original, derived)
        if difference < NEARLY_EQUAL:
            steps = () if difference == 0 else ("encoded",)
            return Found("identity", tuple(np.eye(3).ravel().tolist()), 0.0, steps)
    reference_frame, query_frame = grey_frame(original.pixels, REFERENCE), grey_frame(derived.pixels, QUERY)
    reference, query = extract_grey(reference_frame, REFERENCE), extract_grey(query_frame, QUERY)
    found = _best(query, reference, query_frame, reference_frame)
    if found is None:
        return None
    matrix, residual, is_mirrored = found
    to_reference = between_centres(_factors(reference, original))
    zoom = _factors(query, derived)
    full = np.linalg.inv(between_centres(zoom)) @ matrix @ to_reference
    full /= full[2, 2]
    if np.abs(full).max() * 1_000_000 > MILLIONTHS_LIMIT:
        return None
    steps = (*(("mirrored",) if is_mirrored else ()), *_steps(full, original, derived))
    return Found(_geometry(full), tuple(full.ravel().tolist()), residual / float(zoom.mean()), steps)


def _mean_difference(original: Picture, derived: Picture) -> float:
    a, b = np.asarray(original.image, np.int16), np.asarray(derived.image, np.int16)
    return float(np.abs(a - b).mean())


def _factors(features: Features, picture: Picture) -> Floats:
    return np.array([features.width / picture.width, features.height / picture.height])


def _best(
    query: Features, reference: Features, frame: NDArray[np.uint8], portrait: NDArray[np.uint8]
) -> tuple[Floats, float, bool] | None:
    """(matrix from the original's working frame to the file's, residual there, whether the file is a mirror image)."""
    for view, is_mirrored in ((query, False), (mirrored(query), True)):
        placement = locate(view, reference)
        if placement is None or placement.inliers < FEWEST_SPOTS:
            continue
        matrix = placement.matrix
        if is_mirrored:
            matrix = np.array([[-1.0, 0, query.width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        if agree(frame, portrait, matrix).agreeing >= LEAST_AGREEING:
            return matrix, placement.residual, is_mirrored
    return None


def _geometry(matrix: Floats) -> str:
    """The word of a derivative.linked claim."""
    if np.abs(matrix[2, :2]).max() > 1e-12:
        return "homography"
    linear = matrix[:2, :2]
    across, down = np.linalg.norm(linear[:, 0]), np.linalg.norm(linear[:, 1])
    lean = abs(float(linear[:, 0] @ linear[:, 1])) / (across * down)
    return "similarity" if abs(across / down - 1) < EVEN and lean < SQUARE else "affine"


def _steps(matrix: Floats, original: Picture, derived: Picture) -> list[str]:
    """What was done, as far as places tell."""
    corners = np.array([[0, 0], [original.width - 1, 0], [0, original.height - 1]], float)
    placed = apply(matrix, corners)
    across = placed[1] - placed[0]
    far = np.array([original.width - 1, original.height - 1], float)
    last = apply(matrix, far[None])[0]
    outside = np.vstack([placed, last])
    limit = np.array([derived.width - 1, derived.height - 1], float)
    slack = max(2.0, 0.005 * max(derived.width, derived.height))
    steps = []
    if abs(float(np.linalg.norm(across)) / max(1, original.width - 1) - 1) > EVEN:
        steps.append("scaled")
    if (outside < -slack).any() or (outside > limit + slack).any():
        steps.append("cropped")
    if abs(float(np.degrees(np.arctan2(across[1], abs(across[0]))))) > 1:
        steps.append("turned")
    return steps


def descent_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """The sandbox's entrance: original and derived file in; the relation (or null) and the file's previews out."""
    original, derived = decode_picture(blobs[0]), decode_picture(blobs[1])
    found = find_descent(original, derived)
    relation = None
    if found is not None:
        relation = {
            "geometry": found.geometry,
            "matrix": list(found.matrix),
            "residual_px": found.residual_px,
            "steps": list(found.steps),
        }
    previews = [thumbnail.data for thumbnail in make_thumbnails(derived.image)]
    return {"relation": relation, "width": derived.width, "height": derived.height}, previews
