"""Rule about the registered original: the hidden image shows nothing that was added to it.

What kind of mark it is, other rules say; this one makes sure that no mark passes because nobody could name it.
"""

from compliance.checks.base import Answer, Level, Rule
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile
from compliance.checks.threeway import NO_ORIGINAL, three_way
from compliance.checks.words import gettext_noop


def check_residues(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Every mark with its opacity; none is allowed, however faint."""
    allowed = profile.number("residue_opacity_max")
    found = three_way(pair)
    if found.reason == NO_ORIGINAL:
        return Answer(None, allowed, "opacity", note=found.reason)
    if not found.is_made:
        # Half a product exchanged looks like promotion that was taken off: without the comparison nobody can tell.
        return Answer(None, allowed, "opacity", unknown=found.reason)
    findings = tuple(
        rule.finding(Level.ERROR, residue.opacity, allowed, "opacity", bbox=residue.box, detail=residue.kind)
        for residue in found.residues
        if residue.opacity > allowed
    )
    measured = max((residue.opacity for residue in found.residues), default=0.0)
    return Answer(measured, allowed, "opacity", findings)


RULES = (
    Rule(
        id="T01",
        family="original",
        title=gettext_noop("Nothing added to the original"),
        requires=gettext_noop("The hidden image shows nothing that the registered original does not show."),
        measured_as=gettext_noop(
            "The original is laid over the hidden image, graded and compressed like it; marks that stand out of the noise "
            "of this very picture are residues. Their opacity is the least that any colour needs to make that difference."
        ),
        codes=("ERR_IMG_HID_RESIDUE",),
        limits=("residue_opacity_max",),
        check=check_residues,
    ),
)
