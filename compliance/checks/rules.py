"""All rules of this version in one place; what is not in this list is not looked at."""

from compliance.checks import (
    background,
    composition,
    compression,
    container,
    light,
    overlay,
    pairing,
    quality,
    residue,
)
from compliance.checks.base import Registry

RULES = Registry(
    (
        *container.RULES,
        *pairing.RULES,
        *composition.RULES,
        *background.RULES,
        *light.RULES,
        *overlay.RULES,
        *compression.RULES,
        *quality.RULES,
        *residue.RULES,
    )
)

# Requirements on a hidden image that no rule answers yet. Reports carry them, so that "no finding" is never read as
# "nothing there".
NOT_LOOKED_AT = (
    "H12",
    "H13",
    "H14",
    "H15",
    "H16",
    "H17",
    "H22",
    "H23",
)
