"""Is this the log that was signed? An older copy of the database meets a signer that remembers more.

Appending to such a copy would make a second history beside the one that others hold proofs of. So the first append is
refused, before anything is written, until the operator says what happened; the word begins a new epoch
(ledger/services/epochs.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings

from ledger.models import LogHead, PastEpoch
from ledger.services import keys

# The log (key directory, name) whose head this process saw to hold all that was signed, and its size then. It only
# grows from there, unless another copy takes the place of the database under the running process.
_current: dict[tuple[str, str], int] = {}


class LogBehindError(Exception):
    """The database holds fewer entries than were signed: an older copy was restored. Nothing is appended."""

    code = "log_behind"


@dataclass(frozen=True, slots=True)
class LostLog:
    """A log that was begun and signed, and of which this database knows nothing."""

    origin: str
    state: keys.SignerState


@dataclass(frozen=True, slots=True)
class Behind:
    """How many entries there are of the log that the database ends with, how many were signed, and the logs after it."""

    size: int
    signed_size: int
    lost_logs: tuple[LostLog, ...] = ()

    @property
    def lost(self) -> int:
        """How many signed entries are missing."""
        return max(0, self.signed_size - self.size) + sum(log.state.tree_size for log in self.lost_logs)

    def __str__(self) -> str:
        said = f"the database has {self.size} entries but {self.signed_size} were signed"
        if self.lost_logs:
            said = f"the database has {self.size} entries, and a log was begun after them that it does not know"
        return f"{said}: an old copy was restored"


def find_behind(origin: str, size: int, earlier: Collection[str] | None = None) -> Behind | None:
    """What a log of that many entries lacks, by the signer's memory; None when it lacks nothing.

    earlier: the names of the logs before it; those that the database holds when not given.
    """
    signed = keys.read_signer_state(origin)
    signed_size = signed.tree_size if signed else 0
    lost = _lost_logs(origin, earlier)
    if size >= signed_size and not lost:
        return None
    return Behind(size, signed_size, lost)


def _lost_logs(origin: str, earlier: Collection[str] | None) -> tuple[LostLog, ...]:
    """Logs that this signer signed after one of these, each behind the one that it followed."""
    unknown = {name: state for name, state in keys.epochs_signed().items() if name != origin}
    if not unknown:
        return ()
    known = {origin, *(PastEpoch.objects.values_list("origin", flat=True) if earlier is None else earlier)}
    found: list[LostLog] = []
    while following := sorted(name for name, state in unknown.items() if state.after in known and name not in known):
        known.update(following)
        found += [LostLog(name, unknown[name]) for name in following]
    return tuple(found)


def require_current(head: LogHead) -> None:
    """Raise LogBehindError for the head of an older copy; costs a file read, once per process and log."""
    name = (str(settings.KEYS_DIR), head.origin)
    if head.size >= _current.get(name, head.size + 1):
        return
    _current.clear()
    behind = find_behind(head.origin, head.size)
    if behind is not None:
        raise LogBehindError(str(behind))
    _current[name] = head.size


def note_growth(head: LogHead) -> None:
    """Remember that this process has seen the log that long; a copy of another length is looked at anew."""
    name = (str(settings.KEYS_DIR), head.origin)
    if name in _current:
        _current[name] = head.size
