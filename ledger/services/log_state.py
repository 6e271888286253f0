"""Is this the log that was signed? An older copy of the database meets a signer that remembers more.

Appending to such a copy would make a second history beside the one that others hold proofs of. So the first append is
refused, before anything is written, until the operator says what happened; the word begins a new epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from ledger.models import LogHead
from ledger.services import keys

# Log names (with their key directory) whose head was seen to hold all that was signed: it only grows from there.
_current: set[tuple[str, str]] = set()


class LogBehindError(Exception):
    """The database holds fewer entries than were signed: an older copy was restored. Nothing is appended."""

    code = "log_behind"


class NoEpochError(Exception):
    """The operator's word was given, but nothing in this version can begin a new epoch."""

    code = "log_epoch_missing"


@dataclass(frozen=True, slots=True)
class Behind:
    """How many entries there are, and how many were signed, with the root that was signed."""

    size: int
    signed_size: int
    signed_root: bytes


# Begins a new epoch from (what is behind, the operator's reason) and enters both in the log.
EpochBeginner = Callable[[Behind, str], None]
_beginners: list[EpochBeginner] = []


def begins_epochs(function: EpochBeginner) -> EpochBeginner:
    """Register what begins an epoch once the operator has spoken; the newest one counts."""
    _beginners.append(function)
    return function


def find_behind(origin: str, size: int) -> Behind | None:
    """What a log of that many entries lacks, by the signer's memory; None when it lacks nothing."""
    signed = keys.read_signer_state(origin)
    if signed is None or size >= signed.tree_size:
        return None
    return Behind(size, signed.tree_size, signed.root_hash)


def require_current(head: LogHead) -> None:
    """Raise LogBehindError for the head of an older copy; costs a file read, once per process and log."""
    name = (str(settings.KEYS_DIR), head.origin)
    if name in _current:
        return
    behind = find_behind(head.origin, head.size)
    if behind is not None:
        raise LogBehindError(
            f"the database has {behind.size} entries but {behind.signed_size} were signed: an old copy was restored"
        )
    _current.add(name)


def accept_older_head(head: LogHead, *, reason: str) -> None:
    """Take the operator's word that what is missing is lost. ValueError without a reason, NoEpochError."""
    behind = find_behind(head.origin, head.size)
    if behind is None:
        return
    if not reason.strip():
        raise ValueError("say what happened")
    if not _beginners:
        raise NoEpochError
    _beginners[-1](behind, reason.strip())
