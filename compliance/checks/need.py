"""Rules H01 and H02: whether a main image of this category may go without a hidden image.

Mandatory categories always need one; home, garden, mother, baby and toys only when the main image carries promotion.
"""

from dataclasses import dataclass

from compliance.checks.barcodes import codes_of
from compliance.checks.base import Finding, Level, ListingRule
from compliance.checks.marks import marks_of
from compliance.checks.pair import Side
from compliance.checks.words import gettext_noop
from ledger.categories import UnknownCategory, category_by_slug

NEED_CODES = ("ERR_IMG_HID_MISSING", "ERR_IMG_HID_REQUIRED_PROMO")
MANDATORY, CONDITIONAL, NONE = "mandatory", "conditional", "none"


@dataclass(frozen=True, slots=True)
class HiddenNeed:
    """word: mandatory, conditional, none, or empty for an unknown category.

    findings: what is wrong with having no hidden image; empty when none is needed.
    """

    word: str
    findings: tuple[Finding, ...]


def check_need(main: Side, category: str) -> HiddenNeed:
    """What a listing in this category needs, when `main` is its main image and there is no hidden one."""
    try:
        word = category_by_slug(category).hidden
    except UnknownCategory:
        return HiddenNeed("", ())
    if word == MANDATORY:
        missing = Finding("H01", "ERR_IMG_HID_MISSING", Level.ERROR, None, 0, 1, "files", category)
        return HiddenNeed(word, (missing,))
    if word == CONDITIONAL:
        return HiddenNeed(word, _promotion(main))
    return HiddenNeed(word, ())


def _promotion(main: Side) -> tuple[Finding, ...]:
    """One finding for each mark or code: the surest promotion is an error, what may be print is a question."""
    levels = [(mark.level, mark.box, mark.kind.value) for mark in marks_of(main)]
    levels += [(Level.ERROR, main.from_detail(code.box), code.format) for code in codes_of(main)]
    return tuple(
        Finding("H02", "ERR_IMG_HID_REQUIRED_PROMO", level, box, 1, 0, "marks", kind) for level, box, kind in levels
    )


RULES = (
    ListingRule(
        id="H01",
        title=gettext_noop("Hidden image where it is mandatory"),
        requires=gettext_noop("In mandatory categories each product has a hidden image."),
        measured_as=gettext_noop("The category's entry in the list of categories."),
        codes=NEED_CODES[:1],
    ),
    ListingRule(
        id="H02",
        title=gettext_noop("Hidden image where the main image carries promotion"),
        requires=gettext_noop("In conditional categories a main image with promotion has a hidden image."),
        measured_as=gettext_noop("Text, prices, logos, shapes and codes that are found on the main image."),
        codes=NEED_CODES[1:],
    ),
)
