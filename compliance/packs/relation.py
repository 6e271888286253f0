"""How a made file descends from its original: a matrix from pixel to pixel, and what it leaves unexplained.

Places count from the middle of the top left pixel. All relations made here are crops and scales along the axes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Relation:
    """x' = across * x + right, y' = down * y + lower, of pixel centres; residual_px: root mean square miss found.

    steps: what else was done, of scaled, cropped, graded, overlaid.
    """

    across: float
    right: float
    down: float
    lower: float
    residual_px: float = 0.0
    steps: tuple[str, ...] = ()

    @property
    def geometry(self) -> str:
        """The word of a derivative.linked claim: identity, similarity (one scale) or affine (two)."""
        is_whole = (self.across, self.right, self.down, self.lower) == (1.0, 0.0, 1.0, 0.0)
        # Scales of a resize to whole pixels differ in the fourth digit; a claim says similarity below half a percent.
        is_even = abs(self.across / self.down - 1) < 0.005
        return "identity" if is_whole else "similarity" if is_even else "affine"

    @property
    def matrix(self) -> Floats:
        """float64 (3, 3): homogeneous places of the original to places of the derivative."""
        return np.array([[self.across, 0, self.right], [0, self.down, self.lower], [0, 0, 1.0]])

    def box(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of the original that fills a frame of (width, height): (left, top, right, bottom), pixel edges."""
        left = (-0.5 - self.right) / self.across + 0.5
        top = (-0.5 - self.lower) / self.down + 0.5
        return left, top, left + size[0] / self.across, top + size[1] / self.down

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the matrix row by row."""
        return {
            "geometry": self.geometry,
            "matrix": [round(float(value), 6) for value in self.matrix.ravel()],
            "residual_px": round(self.residual_px, 3),
            "steps": list(self.steps),
        }


def relation_of_box(
    box: tuple[float, float, float, float], size: tuple[int, int], residual_px: float = 0.0, steps: tuple[str, ...] = ()
) -> Relation:
    """The relation that takes this part of the original to a whole frame of (width, height)."""
    left, top, right, bottom = box
    across, down = size[0] / (right - left), size[1] / (bottom - top)
    return Relation(across, (0.5 - left) * across - 0.5, down, (0.5 - top) * down - 0.5, residual_px, steps)
