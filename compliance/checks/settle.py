"""What the registered original says about other rules' findings: some it answers, some it names twice.

A question about a print that stands in the original as well is answered: the print belongs to the product. A mark that
another rule has named is not reported a second time as a mark of unknown kind.
"""

from collections.abc import Sequence
from dataclasses import replace

from compliance.checks.base import Finding, Level, RuleOutcome, Verdict, judge
from compliance.checks.pair import Pair
from compliance.checks.threeway import explained_by_original, intersection_share, three_way

RESIDUE_RULE = "T01"
# Where the hidden image shows what the original shows, no rest of a promotion can shine through.
GHOST_RULE = "H18"
# Rules about things that do not belong on a hidden image; what stands in the original as well was not put there.
CONTENT_RULES = frozenset({"H12", "H13", "H14", "H16", "H17"})
# A mark is named when a named one covers this much of it.
NAMED_SHARE = 0.5


def settle_outcomes(pair: Pair, outcomes: Sequence[RuleOutcome]) -> list[RuleOutcome]:
    """The outcomes without what the original explains; without a comparison they stay as they are."""
    if pair.original is None or not three_way(pair).is_made:
        return list(outcomes)
    settled = [_without_explained(pair, outcome) for outcome in outcomes]
    named = [finding for outcome in settled for finding in outcome.findings if _names(finding)]
    return [_without_named(outcome, named) if outcome.rule == RESIDUE_RULE else outcome for outcome in settled]


def _without_explained(pair: Pair, outcome: RuleOutcome) -> RuleOutcome:
    kept = tuple(
        finding
        for finding in outcome.findings
        if not (_can_be_explained(finding) and finding.bbox and explained_by_original(pair, finding.bbox))
    )
    if len(kept) == len(outcome.findings):
        return outcome
    # What is left is judged anew; a check that could not tell for another reason still cannot.
    is_unknown = outcome.verdict is Verdict.INDETERMINATE and not any(
        finding.level is Level.CONFIRM for finding in outcome.findings
    )
    verdict = judge(kept, is_unknown=is_unknown)
    return replace(outcome, findings=kept, verdict=verdict, reason=outcome.reason or "in_the_original")


def _can_be_explained(finding: Finding) -> bool:
    return finding.level is Level.CONFIRM or finding.rule in CONTENT_RULES or finding.rule == GHOST_RULE


def _names(finding: Finding) -> bool:
    return finding.rule in CONTENT_RULES and finding.level is Level.ERROR and finding.bbox is not None


def _without_named(outcome: RuleOutcome, named: Sequence[Finding]) -> RuleOutcome:
    """Each mark counts once, under the rule that names it, so that findings, table and receipt tell the same number.

    The pair fails by that rule; where nothing else is left, this one had nothing of its own to say.
    """
    kept = tuple(
        finding
        for finding in outcome.findings
        if not any(
            other.bbox and finding.bbox and intersection_share(finding.bbox, other.bbox) >= NAMED_SHARE
            for other in named
        )
    )
    if len(kept) == len(outcome.findings):
        return outcome
    if kept:
        return replace(outcome, findings=kept)
    return replace(outcome, findings=(), verdict=Verdict.PASSED, measured=None, reason="named_elsewhere")
