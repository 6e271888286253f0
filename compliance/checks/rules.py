"""All rules of this version in one place; what is not in this list is not looked at."""

from compliance.checks import (
    background,
    barcodes,
    border,
    collage,
    composition,
    compression,
    container,
    light,
    need,
    overlay,
    pairing,
    provenance,
    quality,
    residue,
    text,
)
from compliance.checks.base import ListingRule, Registry

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

# Asked by whoever knows the listing: its category, its SKUs, its other pictures.
LISTING_RULES: dict[str, ListingRule] = {rule.id: rule for rule in (*need.RULES, *collage.RULES)}

# Requirements on a hidden image that no rule of a pair alone can answer. Reports carry them, so that "no finding" is
# never read as "nothing there"; a check that knows its SKU asks H23 and leaves it out.
NOT_LOOKED_AT = ("H23",)
