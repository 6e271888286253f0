"""Rules about the picture itself, whatever it is used for."""

from compliance.checks.base import Answer, Level, Rule
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop


def check_resolution(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The shortest side of either picture. Small pictures are accepted everywhere, so this only warns."""
    allowed = profile.integer("side_min_px")
    sides = {name: min(side.width, side.height) for name, side in (("main", pair.main), ("hidden", pair.hidden))}
    findings = tuple(
        rule.finding(Level.WARNING, measured, allowed, "px", detail=name)
        for name, measured in sides.items()
        if measured < allowed
    )
    return Answer(min(sides.values()), allowed, "px", findings)


RULES = (
    Rule(
        id="Q01",
        family="quality",
        title=gettext_noop("Resolution"),
        requires=gettext_noop("Both pictures are at least 600 x 600 px."),
        measured_as=gettext_noop("The shortest side of either picture, upright."),
        codes=("ERR_IMG_LOW_RESOLUTION",),
        limits=("side_min_px",),
        check=check_resolution,
    ),
)
