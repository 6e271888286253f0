"""What a screenshot looks like: the size of a screen, and a status bar along the top."""

from typing import Any

import cv2
import numpy as np

from compliance.checks.pair import Pixels

# Screens in portrait, width x height in pixels: iPhone and iPad (Apple's device specifications), common Android
# displays, common monitors and laptops. Sizes in which cameras and marketplaces save photos (3:4 of a round number)
# are left out where they are no more common as a screen.
# fmt: off
SCREENS = frozenset({
    (640, 1136), (750, 1334), (828, 1792), (1080, 1920), (1125, 2436), (1170, 2532), (1179, 2556), (1206, 2622),
    (1242, 2208), (1242, 2688), (1284, 2778), (1290, 2796), (1320, 2868),
    (1488, 2266), (1620, 2160), (1640, 2360), (1668, 2224), (1668, 2388), (2048, 2732),
    (720, 1280), (720, 1520), (720, 1560), (720, 1600), (1080, 2160), (1080, 2220), (1080, 2246), (1080, 2280),
    (1080, 2310), (1080, 2312), (1080, 2316), (1080, 2340), (1080, 2376), (1080, 2388), (1080, 2400), (1080, 2408),
    (1080, 2412), (1080, 2448), (1200, 2640), (1200, 2670), (1220, 2712), (1240, 2772), (1256, 2760), (1260, 2800),
    (1264, 2780), (1344, 2992), (1440, 2560), (1440, 2880), (1440, 2960), (1440, 3040), (1440, 3088), (1440, 3120),
    (1440, 3200),
    (768, 1366), (900, 1440), (900, 1600), (1050, 1680), (1200, 1920), (1600, 2560), (1664, 2560), (1800, 2880),
    (1964, 3024), (2160, 3840), (2234, 3456),
})
# fmt: on
# A status bar takes this share of a phone's height; it is one colour but for its signs.
BAR_SHARES = (0.02, 0.03, 0.04, 0.05)
BAR_LEVELS, SIGN_LEVELS = 6, 60
BAR_COLOUR_SHARE = 0.82
# A clock of four digits is the least; a full bar has clock, carrier, network, strength, battery.
SIGNS_MIN, SIGNS_MAX = 4, 60
BAR_HEIGHT_MIN_PX = 12


def is_screen_size(width: int, height: int) -> bool:
    """Whether the picture has exactly the size of a known screen, upright or lying."""
    return (min(width, height), max(width, height)) in SCREENS


def has_status_bar(pixels: Pixels) -> bool:
    """Whether the top edge is a strip of one colour with small signs at its left and at its right."""
    grey: Any = cv2.cvtColor(pixels[: max(1, round(pixels.shape[0] * (BAR_SHARES[-1] + 0.01)))], cv2.COLOR_RGB2GRAY)
    heights = (round(pixels.shape[0] * share) for share in BAR_SHARES)
    return any(_is_bar(grey[:height]) for height in heights if height >= BAR_HEIGHT_MIN_PX)


def _is_bar(strip: Pixels) -> bool:
    ground = int(np.bincount(strip.ravel(), minlength=256).argmax())
    off = np.abs(strip.astype(np.int16) - ground)
    if float((off < BAR_LEVELS).mean()) < BAR_COLOUR_SHARE:
        return False
    count, _, stats, _ = cv2.connectedComponentsWithStats((off > SIGN_LEVELS).astype(np.uint8))
    signs = stats[1:count]
    # Signs lie inside the strip; what crosses its lower edge is a product that reaches up.
    inside = signs[(signs[:, 1] > 0) & (signs[:, 1] + signs[:, 3] < strip.shape[0])]
    if not SIGNS_MIN <= len(inside) <= SIGNS_MAX or len(inside) < len(signs):
        return False
    third = strip.shape[1] / 3
    middles = inside[:, 0] + inside[:, 2] / 2
    return bool((middles < third).any() and (middles > 2 * third).any())
