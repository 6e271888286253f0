"""Beginning a new epoch: a log that lost signed entries is ended for ever, and another one goes on after it.

The new log has a name and keys of its own; its first entry names the last signed checkpoint of the log before. What is
held of the old one stays where it is, under the checkpoints that were signed; entries that are held but under no signed
head that is held are entered once more, so that they can be proven too. Everything is one transaction: a crash leaves the
old state, or the new one, which `complete_epoch` finishes at the next start. Reasons: docs/adr/0061-epochs.md.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ledger.models import Checkpoint, Cosignature, Entry, LogHead, PastEpoch, Statement, TimestampToken, Witness
from ledger.services import keys, log_rows
from ledger.services.identity import system_identity
from ledger.services.key_registry import KeyState, is_noted, log_keys, note_present_keys, set_state
from ledger.services.log import (
    Draft,
    LogForkError,
    append_statements,
    as_datetime,
    latest_checkpoint,
    log_head,
    node_rows,
    now_ms,
    seal,
)
from ledger.services.log_state import Behind, find_behind
from ledger.services.spans import hashes_of
from ledger.tlog import checkpoint as heads
from ledger.tlog import entry, merkle, note
from ledger.tlog.checkpoint import parse_checkpoint

EPOCH = "epoch"
KEY_LOST = "key_lost"
ROWS_AT_ONCE = 2000
_logger = logging.getLogger(__name__)


class NotBehindError(Exception):
    """Nothing that was signed is missing: the log goes on as it is."""

    code = "log_not_behind"


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a beginning did: the new log, and what became of the entries of the one before."""

    number: int
    origin: str
    ended: PastEpoch
    lost: int
    again: int


def origin_host() -> str:
    """Part of a log's name: the public host, or a name that claims none."""
    return settings.PUBLIC_HOST or "originmark.local"


def new_origin() -> str:
    return f"{origin_host()}/{secrets.token_hex(4)}"


def what_is_missing(head: LogHead, reason: str = "") -> Behind:
    """What the log lacks, so that only a new epoch can go on; NotBehindError when it lacks nothing.

    A signer that lost its memory together with its keys can only be told by the operator: reason key_lost.
    """
    behind = find_behind(head.origin, head.size)
    newest = latest_checkpoint()
    has_signed = newest is not None and newest.tree_size > head.first
    if behind is None and has_signed and reason == KEY_LOST and keys.read_signer_state(head.origin) is None:
        behind = Behind(head.size, newest.size if newest else 0)
    if behind is None:
        raise NotBehindError("everything that was signed is in the database; the log goes on as it is")
    return behind


def begin_epoch(*, reason: str, remark: str = "", clock: Callable[[], int] = now_ms) -> Epoch:
    """End the log for good and begin the next one, by the operator's word; returns when it is signed.

    Raises NotBehindError, LogForkError for a database that is damaged rather than old, KeyMissingError.
    """
    what_is_missing(log_head(), reason)
    origin = new_origin()
    keys.create_epoch_keys(origin)  # durable before the log names them; a crash leaves a key that nobody names
    with transaction.atomic():
        head = log_rows.locked_head()
        assert head is not None  # noqa: S101 - log_head() found it
        behind = what_is_missing(head, reason)
        covered = _covered(head)
        ended = _end(head, behind, reason, remark, covered)
        head = _begin(head, origin, reason, ended, clock)
        again = _enter_again(head, ended[0])
        Witness.objects.update(seen_size=0, failures=0, rest_until=None)
    number = ended[-1].number + 1
    _logger.warning("epoch %d begun as %s: %s, %d signed entries are lost", number, origin, reason, behind.lost)
    complete_epoch()
    return Epoch(number, origin, ended[0], behind.lost, again)


def _covered(head: LogHead) -> int:
    """Size of the newest checkpoint that is held, which the entries have to agree with."""
    newest = latest_checkpoint()
    if newest is None or newest.tree_size <= head.first:
        return 0
    if newest.tree_size > head.end:
        raise LogForkError(f"a checkpoint of {newest.size} entries is held, but only {head.size} entries are")
    if merkle.root_from_tiles(newest.size, hashes_of(head.first)) != bytes(newest.root_hash):
        raise LogForkError(f"the first {newest.size} entries are not those that were signed")
    return newest.size


def _end(head: LogHead, behind: Behind, reason: str, remark: str, covered: int) -> list[PastEpoch]:
    """The rows that end this log and those that the database never knew, in order."""
    number = 1 + (PastEpoch.objects.order_by("-number").values_list("number", flat=True).first() or 0)
    now, lost = timezone.now(), behind.lost_logs
    # Entries to be repeated follow the entries that say which logs came before: one for each.
    again_at = head.end + 1 + len(lost)
    rows = [
        PastEpoch(
            number=number,
            origin=head.origin,
            parameters=bytes(head.parameters),
            first=head.first,
            size=head.size,
            signed_size=behind.signed_size,
            signed_note=_last_signed(head.origin, keys.read_signer_state(head.origin)),
            covered=covered,
            again_at=again_at,
            reason=reason,
            remark=remark[:500],
            ended_at=now,
        )
    ]
    for offset, log in enumerate(lost, start=1):
        rows.append(
            PastEpoch(
                number=number + offset,
                origin=log.origin,
                parameters=b"",
                first=head.end,
                size=0,
                signed_size=log.state.tree_size,
                signed_note=_last_signed(log.origin, log.state),
                covered=0,
                again_at=again_at,
                reason=reason,
                remark=remark[:500],
                ended_at=now,
            )
        )
    for row in rows:
        row.save(force_insert=True)
    return rows


def _last_signed(origin: str, state: keys.SignerState | None) -> str:
    """The last checkpoint of a log, byte for byte: remembered, else held, else signed once more, which gives the same."""
    if state is not None and state.note:
        return state.note
    newest = latest_checkpoint()
    if newest is not None and newest.origin == origin and (state is None or newest.size == state.tree_size):
        return newest.note
    if state is None:
        return ""
    text = heads.format_checkpoint(heads.Checkpoint(origin, state.tree_size, state.root_hash))
    return note.sign_note(text, [note.Ed25519Signer(origin, keys.log_key(origin).private_bytes_raw())]).decode()


def _begin(before: LogHead, origin: str, reason: str, ended: Sequence[PastEpoch], clock: Callable[[], int]) -> LogHead:
    """The new log with its first entry: the epoch claim about the log before; further ones about those before that."""
    key = note.Ed25519Signer(origin, keys.log_key(origin).private_bytes_raw()).key
    created = entry.format_utc_ms(clock())
    parameters = entry.format_parameters(entry.Parameters(origin=origin, created=created, key=key))
    head = LogHead(
        id=before.pk, origin=origin, parameters=parameters, first=before.end, prev=entry.genesis_prev(parameters)
    )
    head.save(force_update=True)
    drafts = [
        Draft(EPOCH, epoch_claim(row), system_identity(), f"epoch-{row.number + 1}", label=reason)
        for row in reversed(ended)
        if row.signed_note
    ]
    append_statements(seller=None, actor=None, drafts=drafts, head=head, clock=clock)
    return head


def epoch_claim(row: PastEpoch) -> dict[str, object]:
    """The claim that follows from an ended log."""
    said = parse_checkpoint(note.parse_note(row.signed_note.encode()).text)
    digest = sha256(row.signed_note.encode()).hexdigest()
    previous = {"origin": said.origin, "size": said.size, "root": said.root.hex(), "note_sha256": digest}
    return {"kind": EPOCH, "v": 1, "previous": previous, "reason": row.reason}


def _enter_again(head: LogHead, ended: PastEpoch) -> int:
    """Repeat the entries that no held checkpoint covers: same kind, same documents; what stands behind them moves along.

    The log's own clock cannot have signed when they were first entered, so they have the time of now.
    """
    start, stop = ended.first + ended.covered, ended.end
    if start == stop:
        return 0
    shift = head.end - start
    frontier = merkle.Frontier.from_bytes(head.size, bytes(head.frontier))
    prev, stamp = bytes(head.prev), entry.format_utc_ms(head.last_ms)
    for portion in _bodies(start, stop):
        rows: list[log_rows.Row] = []
        nodes: list[log_rows.Row] = []
        for body in portion:
            old = entry.parse_entry(body)
            again = entry.format_entry(
                entry.Entry(old.claim, old.kind, head.origin, prev, frontier.size, stamp, old.who)
            )
            prev = merkle.leaf_hash(again)
            rows.append((head.first + frontier.size, again, prev))
            nodes += node_rows(head, frontier.append(prev))
        log_rows.insert_log_rows(rows, nodes)
    head.size, head.prev, head.frontier = frontier.size, prev, frontier.to_bytes()
    log_rows.write_head(head)
    moved = {"entry": F("entry_id") + shift}
    TimestampToken.objects.filter(entry__gte=start, entry__lt=stop).update(**moved)
    moved |= {"seq": F("entry_id") + shift - head.first}
    Statement.objects.filter(entry__gte=start, entry__lt=stop).update(**moved, logged_at=as_datetime(head.last_ms))
    return stop - start


def _bodies(start: int, stop: int) -> Iterator[list[bytes]]:
    for low in range(start, stop, ROWS_AT_ONCE):
        rows = Entry.objects.filter(seq__gte=low, seq__lt=min(low + ROWS_AT_ONCE, stop)).order_by("seq")
        yield [bytes(body) for body in rows.values_list("body", flat=True)]


def complete_epoch() -> None:
    """What follows the commit, safe to run again: the new keys are noted, the log signed, the old key vouches and rests."""
    past = next((row for row in PastEpoch.objects.order_by("-number") if row.parameters), None)
    if past is None:
        return
    head, now = log_head(), entry.format_utc_ms(now_ms())
    note_present_keys(head.origin, now)
    if past.reason == KEY_LOST and not is_noted(past.origin):
        set_state(entry.parse_parameters(bytes(past.parameters)).key, KeyState.ACTIVE, now)
    active = [row.key for row in log_keys(past.origin) if row.state is KeyState.ACTIVE]
    if not active:
        return
    seal()
    if past.reason != KEY_LOST:
        _vouch(head, past)
    for key in active:
        set_state(key, KeyState.RETIRED, now)


def _vouch(head: LogHead, past: PastEpoch) -> None:
    """The old log's key signs the first checkpoint of the new one: the last thing it ever signs."""
    first = Checkpoint.objects.filter(tree_size__gt=head.first).order_by("tree_size").first()
    assert first is not None  # noqa: S101 - it was just signed
    text = note.parse_note(first.note.encode()).text
    signer = note.Ed25519Signer(past.origin, keys.log_key(past.origin).private_bytes_raw())
    Cosignature.objects.get_or_create(
        checkpoint=first,
        name=past.origin,
        key_id=signer.key.key_id.hex(),
        defaults={"line": note.signature_line(signer.key, signer.sign(text)).decode()},
    )
