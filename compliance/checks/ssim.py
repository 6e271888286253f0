"""Structural similarity of two grey pictures: 7 x 7 uniform window, unbiased variances, border cropped.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
2004, with the window and the normalisation that common tools use as default. Five box filters replace the loop over
windows; tests compare it with that loop.
"""

import cv2
import numpy as np

from compliance.checks.pair import Floats, Pixels

WINDOW = 7
STEADY_MEAN = (0.01 * 255) ** 2
STEADY_VARIANCE = (0.03 * 255) ** 2


def grey(pixels: Pixels) -> Floats:
    """Luma (ITU-R BT.601) rounded to whole levels, as float32 (height, width)."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def ssim_map(first: Floats, second: Floats) -> Floats:
    """SSIM at every pixel, -1..1, float32 of the same shape; the outer 3 px see a mirrored border."""
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    # Variances do not change when both pictures are shifted; around zero, float32 squares keep their small digits.
    a, b = first - 128, second - 128
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    variances = (_window_mean(a * a + b * b) - mean_a * mean_a - mean_b * mean_b) * unbiased
    covariance = (_window_mean(a * b) - mean_a * mean_b) * unbiased
    mean_a += 128
    mean_b += 128
    alike = (2 * mean_a * mean_b + STEADY_MEAN) * (2 * covariance + STEADY_VARIANCE)
    energy = (mean_a * mean_a + mean_b * mean_b + STEADY_MEAN) * (variances + STEADY_VARIANCE)
    return np.asarray(alike / energy, dtype=np.float32)


def mean_ssim(similarity: Floats) -> float:
    """The one number of a map, over the windows that lie inside the picture; ValueError below 7 px."""
    if min(similarity.shape) < WINDOW:
        raise ValueError(f"a picture of {similarity.shape[1]} x {similarity.shape[0]} px holds no 7 x 7 window")
    margin = WINDOW // 2
    return float(similarity[margin:-margin, margin:-margin].mean(dtype=np.float64))


def _window_mean(values: Floats) -> Floats:
    return np.asarray(cv2.boxFilter(values, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT))
