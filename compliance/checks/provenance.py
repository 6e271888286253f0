"""Rule H22: neither file may say that it was generated. Markers in metadata only (generators.py), never pixels."""

from compliance.checks.base import Answer, Level, Rule
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop


def check_generated(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Markers in either file: the hidden image is derived from the main image, so one marked file says it of both."""
    allowed = profile.integer("generator_marks_max")
    sides = (("main", pair.main.generator_marks), ("hidden", pair.hidden.generator_marks))
    findings = tuple(
        rule.finding(Level.WARNING, len(marks), allowed, "markers", detail=f"{name}: {', '.join(marks)}")
        for name, marks in sides
        if len(marks) > allowed
    )
    return Answer(max(len(marks) for _, marks in sides), allowed, "markers", findings, note="stripped_passes")


RULES = (
    Rule(
        id="H22",
        family="provenance",
        title=gettext_noop("No marker of generated pictures"),
        requires=gettext_noop("Neither file says that it was generated or altered by AI."),
        measured_as=gettext_noop(
            "Markers in metadata: IPTC digital source type (also inside C2PA), the AIGC label, and what generators "
            "write into EXIF, XMP and PNG texts. Pixels are not judged: a generated picture without metadata passes."
        ),
        codes=("WARN_IMG_AI_MARKED",),
        limits=("generator_marks_max",),
        check=check_generated,
    ),
)
