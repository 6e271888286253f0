"""A check's findings as rows of its page: words, the repair that can help, the question and who answered it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from compliance.checks.profile import Limit
from compliance.packs.fix_table import Fix
from compliance.services.check_sheet import CheckSheet, FindingLine

FIX_LABELS = {
    Fix.STRIP: _("Strip metadata"),
    Fix.REENCODE: _("Save like the main image"),
    Fix.RESIZE: _("Resize to the main image"),
    Fix.PAD: _("Extend the background"),
    Fix.CONVERT: _("Convert the format"),
    Fix.RECOMPRESS: _("Make the file smaller"),
    Fix.BACKGROUND: _("Move the background's colour"),
    Fix.FROM_ORIGINAL: _("Replace the place from your original"),
}
# What happens to the pixels, said before anybody presses the button.
FIX_HINTS = {
    Fix.STRIP: _("No pixel changes."),
    Fix.REENCODE: _("Saved once more, with the main image's format and tables."),
    Fix.RESIZE: _(
        "The ratio is the same; a smaller picture is taken anew from your registered original, if there is one."
    ),
    Fix.PAD: _("The plain background grows; the product stays as it is."),
    Fix.CONVERT: _("To the main image's format."),
    Fix.RECOMPRESS: _("Saved with the main image's own compression."),
    Fix.BACKGROUND: _("Only the plain background changes."),
    Fix.FROM_ORIGINAL: _("Pasted from the photo that you registered. Nothing is painted over or invented."),
}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding; fix is the name of the repair or empty, limit where the allowed value comes from."""

    line: FindingLine
    fix: str
    fix_label: str
    fix_hint: str
    limit: Limit | None
    answered_by: str
    answered_at: Any


def finding_rows(sheet: CheckSheet, fixes: Mapping[int, Fix], answers: Sequence[Mapping[str, Any]]) -> list[FindingRow]:
    """The rows in the order of their numbers."""
    limits = {rule.rule: rule.limits[0] for rule in sheet.rules if rule.limits}
    said = {each["finding"]: each for each in answers}
    return [
        _row(line, fixes.get(line.number), limits.get(line.rule), said.get(line.number, {})) for line in sheet.findings
    ]


def _row(line: FindingLine, fix: Fix | None, limit: Limit | None, said: Mapping[str, Any]) -> FindingRow:
    return FindingRow(
        line=line,
        fix=fix.value if fix else "",
        fix_label=str(FIX_LABELS[fix]) if fix else "",
        fix_hint=str(FIX_HINTS[fix]) if fix else "",
        limit=limit,
        answered_by=str(said.get("by", "")),
        answered_at=parse_datetime(str(said["at"])) if said else None,
    )


def step_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a repair did, in words; kept says that no pixel changed, original that the whole picture is the original's."""
    return [
        {
            "label": str(FIX_LABELS[Fix(step["fix"])]),
            "kept": step.get("pixels_kept") is True,
            "original": step.get("from_original") is True,
            "change": step.get("largest_change"),
        }
        for step in report.get("steps", [])
    ]


def failure_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a repair left undone, with its code."""
    return [{**failure, "label": str(FIX_LABELS[Fix(failure["fix"])])} for failure in report.get("failures", [])]
