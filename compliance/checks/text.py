"""Rules about marks: no text, price, logo, watermark, arrow or sticker in the hidden image.

Text that the main image carries and the hidden image does not was removed, as it should be: only the hidden image is
looked at. What is in both may be print on the product; then the seller is asked.
"""

from compliance.checks.base import Answer, Finding, Rule
from compliance.checks.marks import Kind, Mark, marks_of
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop

# What the detail of a finding says of the words, so that a person finds the place; long ones are cut.
WORDS_SHOWN = 60


def _answer(rule: Rule, pair: Pair, profile: Profile, kinds: dict[Kind, str]) -> Answer:
    """One finding for each mark of these kinds, with the code of its kind."""
    allowed = profile.integer("marks_max")
    marks = [mark for mark in marks_of(pair.hidden) if mark.kind in kinds]
    findings = tuple(_finding(rule, mark, allowed, kinds[mark.kind]) for mark in marks)
    return Answer(len(marks), allowed, "marks", findings if len(marks) > allowed else ())


def _finding(rule: Rule, mark: Mark, allowed: int, code: str) -> Finding:
    facts = [mark.words[:WORDS_SHOWN]] if mark.words else []
    if mark.opacity is not None and mark.kind is Kind.WATERMARK:
        facts.append(f"opacity {mark.opacity:.0%}")
    return rule.finding(mark.level, 1, allowed, "marks", code=code, bbox=mark.box, detail=", ".join(facts))


def check_text(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Lines of text that are no price, watermark, or part of a logo or sticker."""
    return _answer(rule, pair, profile, {Kind.TEXT: "ERR_IMG_HID_TEXT"})


def check_price(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Lines that read as an amount with a currency."""
    return _answer(rule, pair, profile, {Kind.PRICE: "ERR_IMG_HID_PRICE"})


def check_logo(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Names with an emblem, and faint lettering."""
    return _answer(rule, pair, profile, {Kind.LOGO: "ERR_IMG_HID_LOGO", Kind.WATERMARK: "ERR_IMG_HID_WATERMARK"})


def check_graphic(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Flat, hard-edged shapes, with the words on them."""
    return _answer(rule, pair, profile, {Kind.GRAPHIC: "ERR_IMG_HID_GRAPHIC"})


RULES = (
    Rule(
        id="H12",
        family="text",
        title=gettext_noop("No text"),
        requires=gettext_noop("The hidden image carries no text that was laid over the photo."),
        measured_as=gettext_noop(
            "Lines of text found by PP-OCRv6 at 960 px. An error where the detector is sure (0.93) and the text stands "
            "on the plain background or, in a scene, is of one flat colour; a question where it may be print on the "
            "product. Cyrillic, Arabic and Thai are found, not read."
        ),
        codes=("ERR_IMG_HID_TEXT",),
        limits=("marks_max",),
        check=check_text,
    ),
    Rule(
        id="H14",
        family="text",
        title=gettext_noop("No logo or watermark"),
        requires=gettext_noop("The hidden image carries no logo, watermark or brand caption, however faint."),
        measured_as=gettext_noop(
            "Text beside a flat shape, or text of less than 65 % opacity; the opacity is stored, and none is allowed. "
            "Lettering of less than 50 % that cannot be read is a question from 0.65 of the detector's certainty."
        ),
        codes=("ERR_IMG_HID_LOGO", "ERR_IMG_HID_WATERMARK"),
        limits=("marks_max",),
        check=check_logo,
    ),
    Rule(
        id="H16",
        family="text",
        title=gettext_noop("No price tag"),
        requires=gettext_noop("The hidden image carries no price."),
        measured_as=gettext_noop("A line of text that reads as an amount with a currency."),
        codes=("ERR_IMG_HID_PRICE",),
        limits=("marks_max",),
        check=check_price,
    ),
    Rule(
        id="H17",
        family="graphics",
        title=gettext_noop("No arrow or sticker"),
        requires=gettext_noop("The hidden image carries no arrow, sticker or other drawn shape."),
        measured_as=gettext_noop(
            "Shapes of one colour with a hard edge all round: an error below 1.3 levels of deviation inside, a question "
            "below 2, since a part of the product may look like that."
        ),
        codes=("ERR_IMG_HID_GRAPHIC",),
        limits=("marks_max",),
        check=check_graphic,
    ),
)
