"""Rule about compression: both files of a pair were saved the same way, so that they lose the same detail."""

from compliance.checks.base import Answer, Level, Rule
from compliance.checks.pair import Pair, Side
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop


def check_compression(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Format, sampling, then the largest difference between two quantisation steps; lossless files have none."""
    allowed = profile.integer("jpeg_step_difference_max")
    main, hidden = pair.main, pair.hidden
    if main.format != hidden.format or (main.jpeg is None) != (hidden.jpeg is None):
        finding = rule.finding(Level.ERROR, hidden.format, main.format, "format", detail="other_format")
        return Answer(hidden.format, main.format, "format", (finding,))
    if main.jpeg is None or hidden.jpeg is None:
        return Answer(0, allowed, "steps")
    if main.jpeg.sampling != hidden.jpeg.sampling:
        measured, wanted = _sampling(hidden), _sampling(main)
        finding = rule.finding(Level.ERROR, measured, wanted, "sampling", detail="other_sampling")
        return Answer(measured, wanted, "sampling", (finding,))
    measured_steps = hidden.jpeg.table_difference(main.jpeg)
    if measured_steps <= allowed:
        return Answer(measured_steps, allowed, "steps")
    finding = rule.finding(Level.ERROR, measured_steps, allowed, "steps", detail="other_tables")
    return Answer(measured_steps, allowed, "steps", (finding,))


def _sampling(side: Side) -> str:
    return side.jpeg.sampling_name if side.jpeg else ""


RULES = (
    Rule(
        id="H20",
        family="compression",
        title=gettext_noop("Same compression"),
        requires=gettext_noop("Both files have the same format and, as JPEG, the same quality settings."),
        measured_as=gettext_noop(
            "Format, sampling of the colours and quantisation tables, read from the bytes of both files; the largest "
            "difference between two steps."
        ),
        codes=("ERR_IMG_HID_JPEG",),
        limits=("jpeg_step_difference_max",),
        check=check_compression,
    ),
)
