"""Which repairs can help a checked pair, and in which order they are made: what a page offers as buttons.

A repair is offered only where the report does not already show that it must fail.
"""

from collections.abc import Mapping

from compliance.checks.base import Finding
from compliance.checks.check import PairReport
from compliance.packs.fix_table import FIXES, SPECS, Fix

# Places are those of the hidden image as it came, so marks go first; then shape, colour, and last how it is written.
ORDER = (
    Fix.FROM_ORIGINAL,
    Fix.PAD,
    Fix.RESIZE,
    Fix.BACKGROUND,
    Fix.CONVERT,
    Fix.REENCODE,
    Fix.RECOMPRESS,
    Fix.STRIP,
)
# An original that lies in the picture turned or mirrored is found by the check and not followed by the repair.
NOT_FOLLOWED = ("turned", "mirrored")
WHITE_RULE = "H24"  # shares its code with the background's colour; no offset turns white paper into the photo


def helpful_fixes(report: PairReport, *, has_original: bool) -> Mapping[int, Fix]:
    """The repair that can help, by the number of the finding (from 1) that it answers."""
    found = {}
    for number, finding in enumerate(report.findings, start=1):
        fix = FIXES.get(finding.code)
        if fix is not None and _can_help(fix, finding, report, has_original=has_original):
            found[number] = fix
    return found


def _can_help(fix: Fix, finding: Finding, report: PairReport, *, has_original: bool) -> bool:
    if SPECS[fix].needs_regions and finding.bbox is None:
        return False
    if fix is Fix.FROM_ORIGINAL:
        return has_original and _is_followed(report)
    if fix in {Fix.PAD, Fix.BACKGROUND}:
        is_white = any(each.rule == WHITE_RULE for each in report.findings)
        return report.background_deviation is not None and not is_white
    codes = {FIXES.get(each.code) for each in report.findings}
    if fix is Fix.RESIZE:
        return Fix.PAD not in codes  # another ratio: resizing would stretch the product
    if fix is Fix.RECOMPRESS:
        # A file that is written like its main image must not be written otherwise: that would be another finding.
        return Fix.REENCODE in codes and report.main.format != "PNG"
    if fix is Fix.STRIP:
        return report.hidden.format != "WEBP" or Fix.CONVERT in codes
    return True


def _is_followed(report: PairReport) -> bool:
    original = report.original
    return original is not None and not original.reason and not any(word in original.path for word in NOT_FOLLOWED)
