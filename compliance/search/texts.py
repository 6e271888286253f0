"""What the kinds of match are called, as English message ids. Translation happens where they are shown."""

from __future__ import annotations

from compliance.search.score import MatchKind


def gettext_noop(message: str) -> str:
    """Marks a message id for extraction; this package knows nothing of translation."""
    return message


KIND_TEXTS = {
    MatchKind.IDENTICAL_FILE: gettext_noop("Identical file"),
    MatchKind.SAME_PIXELS: gettext_noop("Same picture, saved again without loss"),
    MatchKind.NEAR_COPY: gettext_noop("Probable copy"),
    MatchKind.CANDIDATE: gettext_noop("Resemblance below the threshold"),
    MatchKind.NONE: gettext_noop("No match"),
}
