"""The states of a case and the steps between them."""

from __future__ import annotations

from compliance.cases.errors import ClosedError, NoteMissingError, StepError

DRAFT, GAP, READY, SUBMITTED, CLARIFICATION, ACCEPTED, REMOVED, COUNTERED, REJECTED, WITHDRAWN, COURT, CLOSED = (
    "draft",
    "gap",
    "ready",
    "submitted",
    "clarification",
    "accepted",
    "removed",
    "countered",
    "rejected",
    "withdrawn",
    "court",
    "closed",
)
STATES = (
    *(DRAFT, GAP, READY, SUBMITTED, CLARIFICATION, ACCEPTED, REMOVED, COUNTERED, REJECTED),
    *(WITHDRAWN, COURT, CLOSED),
)
PREPARING = frozenset({DRAFT, GAP, READY})  # still ours; the gate moves the case between gap and ready
DECIDED = frozenset({ACCEPTED, REMOVED, COUNTERED, REJECTED})

STEPS: dict[str, tuple[str, ...]] = {
    DRAFT: (GAP, READY, WITHDRAWN),
    GAP: (READY, WITHDRAWN),
    READY: (SUBMITTED, GAP, WITHDRAWN),
    SUBMITTED: (CLARIFICATION, ACCEPTED, REMOVED, COUNTERED, REJECTED, WITHDRAWN, COURT),
    CLARIFICATION: (SUBMITTED, ACCEPTED, REMOVED, COUNTERED, REJECTED, WITHDRAWN, COURT),
    ACCEPTED: (REMOVED, COUNTERED, COURT, CLOSED),
    REMOVED: (COUNTERED, COURT, CLOSED),
    COUNTERED: (ACCEPTED, REMOVED, REJECTED, WITHDRAWN, COURT, CLOSED),
    REJECTED: (SUBMITTED, COURT, CLOSED),
    WITHDRAWN: (CLOSED,),
    COURT: (ACCEPTED, REMOVED, REJECTED, WITHDRAWN, CLOSED),
    CLOSED: (),
}
NOTED = frozenset({REJECTED, WITHDRAWN, COUNTERED, CLARIFICATION})  # steps that need a word why


def require_step(before: str, after: str, note: str = "") -> None:
    """Raise ClosedError, StepError or NoteMissingError unless a case may go from one state to another."""
    if before == CLOSED:
        raise ClosedError
    if after not in STEPS.get(before, ()):
        raise StepError(f"{before} -> {after}")
    if after in NOTED and not note.strip():
        raise NoteMissingError(after)
