"""All rules of this version in one place; what is not in this list is not looked at."""

from compliance.checks import (
    background,
    barcodes,
    border,
    composition,
    compression,
    container,
    light,
    overlay,
    pairing,
    provenance,
    quality,
    residue,
    text,
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
        *text.RULES,
        *barcodes.RULES,
        *border.RULES,
        *provenance.RULES,
        *quality.RULES,
        *residue.RULES,
    )
)

# Requirements on a hidden image that no rule answers yet. Reports carry them, so that "no finding" is never read as
# "nothing there".
NOT_LOOKED_AT = ("H23",)
