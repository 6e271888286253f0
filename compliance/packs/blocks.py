"""Which pixels two JPEGs of one form must share: all that lie in block groups where the pictures were equal."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compliance.packs.jpeg import JpegForm

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares 0..1 of the frame: promotion = pixels it changes; touched = whole block groups with such a pixel.

    differing_px: pixels outside touched groups whose decoded values differ between the two files; 0 by construction.
    """

    promotion: float
    touched: float
    differing_px: int

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "promotion_share": round(self.promotion, 4),
            "touched_share": round(self.touched, 4),
            "differing_px": self.differing_px,
        }


def touched_groups(changed: Mask, form: JpegForm) -> Mask:
    """bool (height, width): the block groups that hold a changed pixel, grown by what smooth upsampling adds."""
    across, down = form.group
    height, width = changed.shape
    padded = np.pad(changed, ((0, -height % down), (0, -width % across)))
    rows, columns = padded.shape[0] // down, padded.shape[1] // across
    groups = padded.reshape(rows, down, columns, across).any(axis=(1, 3))
    grown = np.repeat(np.repeat(groups, down, axis=0), across, axis=1)[:height, :width]
    if not form.bleed_px:
        return np.asarray(grown)
    reach = 2 * form.bleed_px + 1
    return np.asarray(cv2.dilate(grown.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0)


def measure_agreement(main: Pixels, hidden: Pixels, changed: Mask, form: JpegForm) -> Agreement:
    """Compare the two decoded files of a pack, uint8 (height, width, 3), outside the groups that the promotion touches."""
    touched = touched_groups(changed, form)
    differs = (main != hidden).any(axis=2)
    return Agreement(float(changed.mean()), float(touched.mean()), int((differs & ~touched).sum()))
