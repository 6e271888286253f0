"""What the verdicts are called, as English message ids. Translation happens where they are shown."""

from __future__ import annotations

from compliance.search.copy_score import Verdict


def gettext_noop(message: str) -> str:
    """Marks a message id for extraction; this package knows nothing of translation."""
    return message


VERDICT_TEXTS: dict[str, str] = {
    Verdict.IDENTICAL_FILE: gettext_noop("Identical file"),
    Verdict.SAME_PICTURE: gettext_noop("Same picture, saved again"),
    Verdict.EDITED_COPY: gettext_noop("Edited copy"),
    Verdict.CONTAINED: gettext_noop("Copy inside another picture"),
    Verdict.SAME_SCENE: gettext_noop("Same product photographed again, not a copy"),
    Verdict.NO_MATCH: gettext_noop("No match"),
}


def verdict_text(code: str) -> str:
    """The message id of a recorded verdict; a code that no version knows stands for itself."""
    return VERDICT_TEXTS.get(code, code)
