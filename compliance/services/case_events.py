"""The story of a case: one row for each thing that happened, written once. The words are in the views."""

from __future__ import annotations

from compliance.models import Case, CaseEvent
from ledger.accounts.models import User

OPENED, EDITED, MOVED = "opened", "edited", "moved"
WORK_ADDED, WORK_REMOVED = "work_added", "work_removed"
LISTING_ADDED, LISTING_EDITED, LISTING_REMOVED = "listing_added", "listing_edited", "listing_removed"
FILE_ADDED, FILE_REMOVED = "file_added", "file_removed"
TICKED, UNTICKED = "ticked", "unticked"
DEADLINE_ADDED, DEADLINE_MOVED, DEADLINE_DONE, REMINDED = (
    "deadline_added",
    "deadline_moved",
    "deadline_done",
    "reminded",
)
MAIL_READ = "mail_read"
COSTS = "costs"
PACKET_BUILT = "packet_built"
WORDS = (
    *(OPENED, EDITED, MOVED, WORK_ADDED, WORK_REMOVED, LISTING_ADDED, LISTING_EDITED, LISTING_REMOVED),
    *(FILE_ADDED, FILE_REMOVED, TICKED, UNTICKED, DEADLINE_ADDED, DEADLINE_MOVED, DEADLINE_DONE, REMINDED),
    *(MAIL_READ, COSTS, PACKET_BUILT),
)


def record(
    case: Case, what: str, *, actor: User | None, before: str = "", after: str = "", note: str = ""
) -> CaseEvent:
    """Write one event; actor None is the machine itself."""
    return CaseEvent.objects.create(
        seller_id=case.seller_id,
        case=case,
        what=what,
        actor=actor,
        before=before[:60],
        after=after[:60],
        note=note[:500],
    )
