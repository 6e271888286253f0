"""Appending to the log and signing its head. The only code that writes entries, tree nodes and checkpoints.

An append runs inside the caller's transaction together with the rows it is about: either both are committed or
neither. The head row is locked first, so entries of all processes form one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import Checkpoint, Cosignature, Entry, LogHead, PastEpoch, Statement
from ledger.services import keys, log_rows
from ledger.services.identity import system_identity
from ledger.services.key_registry import KeyState, LogKey, active_signers, log_keys
from ledger.services.log_state import find_behind, note_growth, require_current
from ledger.services.spans import hashes_of, node_offset, span_of
from ledger.tlog import checkpoint as heads
from ledger.tlog import claims, entry, merkle, note, policy, proof

CLOCK_ANOMALY = "clock.anomaly"
CLOCK_TOLERANCE_MS = 2000  # a backward jump beyond this is recorded as an anomaly


class LogNotReadyError(Exception):
    """The log has not been created yet: the first run makes it."""

    code = "log_not_ready"


class LogForkError(Exception):
    """The database disagrees with what this signer signed before: nothing is signed until somebody looks."""

    code = "log_fork"


class EntryUnsignedError(Exception):
    """The entry is in a log that was ended before it was signed; it stands once more in the log after it."""

    code = "entry_unsigned"


@dataclass(frozen=True, slots=True)
class Draft:
    """What to append: the claim and identity documents and how lists will show them."""

    kind: str
    claim: Mapping[str, Any]
    identity: Mapping[str, Any]
    request_id: str
    label: str = ""
    outcome: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one writer appends: on whose behalf, by whom, and its drafts in order."""

    seller: Seller | None
    actor: User | None
    drafts: Sequence[Draft]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def as_datetime(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def log_head() -> LogHead:
    """The log's parameters and length, unlocked."""
    head = LogHead.objects.first()
    if head is None:
        raise LogNotReadyError("the log has not been created; start once with: manage.py up")
    return head


def append_statements(
    *,
    seller: Seller | None,
    actor: User | None,
    drafts: Sequence[Draft],
    head: LogHead | None = None,
    clock: Callable[[], int] = now_ms,
) -> list[Statement]:
    """Append one entry per draft and return their statements, in order.

    Must be called inside transaction.atomic(); the receipt counts only after that transaction is committed. Request
    ids must be new for the seller: look after the head is locked, i.e. call lock_head() first and pass the head.
    """
    (statements,) = append_batches(head or lock_head(), [Batch(seller, actor, drafts)], clock=clock)
    return statements


def append_batches(
    head: LogHead, batches: Sequence[Batch], *, clock: Callable[[], int] = now_ms
) -> list[list[Statement]]:
    """Append what several writers have to say, in order, with one statement per table; their statements by batch."""
    anomaly = Batch(None, None, _clock_anomaly(head, clock()))
    entries, rows, nodes = _build(head, [anomaly, *batches], clock())
    log_rows.insert_log_rows(entries, nodes)
    statements = log_rows.insert_statements(rows)
    log_rows.write_head(head)
    note_growth(head)
    for statement, row in zip(statements, entries, strict=True):
        statement.entry = log_rows.entry_of(row)
    rest = iter(statements[len(anomaly.drafts) :])
    return [list(islice(rest, len(batch.drafts))) for batch in batches]


def lock_head() -> LogHead:
    """Lock the head until the transaction ends (SQLite's write lock is already held by then).

    LogBehindError for the head of an older copy of the log.
    """
    head = log_rows.locked_head()
    if head is None:
        raise LogNotReadyError("the log has not been created; start once with: manage.py up")
    require_current(head)
    return head


def _clock_anomaly(head: LogHead, now: int) -> list[Draft]:
    """Our clock went back: say so in the log, since entries keep the later time until it catches up."""
    if now >= head.last_ms - CLOCK_TOLERANCE_MS:
        return []
    claim = {
        "kind": CLOCK_ANOMALY,
        "v": 1,
        "before": entry.format_utc_ms(head.last_ms),
        "after": entry.format_utc_ms(now),
        "step_ms": now - head.last_ms,
    }
    return [Draft(CLOCK_ANOMALY, claim, system_identity(), f"clock-{head.size}")]


def _build(
    head: LogHead, batches: Sequence[Batch], now: int
) -> tuple[list[log_rows.Row], list[dict[str, Any]], list[log_rows.Row]]:
    """Rows of entries, statements and tree nodes for these drafts; moves the head over them."""
    frontier = merkle.Frontier.from_bytes(head.size, bytes(head.frontier))
    head.last_ms = max(now, head.last_ms)
    stamp, logged_at, prev = entry.format_utc_ms(head.last_ms), as_datetime(head.last_ms), bytes(head.prev)
    entries: list[log_rows.Row] = []
    statements: list[dict[str, Any]] = []
    nodes: list[log_rows.Row] = []
    for batch, draft in ((writer, draft) for writer in batches for draft in writer.drafts):
        claims.validate_claim(draft.kind, draft.claim)
        claim, identity = entry.canonical_json(draft.claim), entry.canonical_json(draft.identity)
        seq = frontier.size
        body = entry.format_entry(
            entry.Entry(
                claim=entry.claim_digest(claim),
                kind=draft.kind,
                log=head.origin,
                prev=prev,
                seq=seq,
                ts=stamp,
                who=entry.identity_digest(identity),
            )
        )
        prev = merkle.leaf_hash(body)
        entries.append((head.first + seq, body, prev))
        row = _statement(seq, batch, draft, logged_at)
        statements.append(row | {"entry_id": head.first + seq, "claim": claim, "identity": identity})
        nodes += node_rows(head, frontier.append(prev))
    head.size, head.prev, head.frontier = frontier.size, prev, frontier.to_bytes()
    return entries, statements, nodes


def node_rows(head: LogHead, nodes: Iterable[merkle.TileNode]) -> list[log_rows.Row]:
    """Tree nodes of the present log as they are stored."""
    return [(n.tile_level, node_offset(n.tile_level, head.first) + n.index, n.hash) for n in nodes]


def _statement(seq: int, batch: Batch, draft: Draft, logged_at: datetime) -> dict[str, Any]:
    """The columns of a statement beside its two documents."""
    return {
        "seq": seq,
        "number": draft.number or new_number(),
        "seller_id": batch.seller.pk if batch.seller else None,
        "actor_id": batch.actor.pk if batch.actor else None,
        "kind": draft.kind,
        "request_id": draft.request_id,
        "logged_at": logged_at,
        "label": draft.label[:255],
        "outcome": draft.outcome,
    }


# Checkpoints ----------------------------------------------------------------------------------------------------


def latest_checkpoint() -> Checkpoint | None:
    """The newest one; right after an epoch began, until the new log is signed, still the last of the log before."""
    return Checkpoint.objects.order_by("-tree_size").first()


def seal() -> Checkpoint | None:
    """Sign the present head; None while the log is empty. The same head is never signed twice.

    The signer's own state is durable before the signature exists, so a crash between the two costs a signature only.
    """
    with keys.signer_lock():
        head, newest = log_head(), latest_checkpoint()
        require_extension(head, newest)
        if head.size == 0 or (newest is not None and newest.tree_size == head.end):
            return newest
        return _sign(head, heads.Checkpoint(head.origin, head.size, _root_of(head)))


def _sign(head: LogHead, tree_head: heads.Checkpoint) -> Checkpoint:
    """The checkpoint, with the second signature beside it: 3 kB that neither paper nor a stamped note needs to carry.

    The signer remembers the note too: an epoch names it when the database that held it is lost.
    """
    text = heads.format_checkpoint(tree_head)
    first, second = active_signers(tree_head.origin, now_ms() // 1000)
    signed = note.sign_note(text, [first])
    keys.write_signer_state(
        head.origin, keys.SignerState(tree_head.size, tree_head.root, signed.decode(), _after(head))
    )
    line = note.signature_line(second.key, second.sign(text)) if second else b""
    with transaction.atomic():
        checkpoint = Checkpoint.objects.create(
            tree_size=head.first + tree_head.size,
            root_hash=tree_head.root,
            note=signed.decode(),
            signed_at=timezone.now(),
        )
        if second:
            Cosignature.objects.create(
                checkpoint=checkpoint, name=second.key.name, key_id=second.key.key_id.hex(), line=line.decode()
            )
    return checkpoint


def _after(head: LogHead) -> str:
    """The name of the log before this one; empty for the first."""
    known = keys.read_signer_state(head.origin)
    if known is not None:
        return known.after
    return PastEpoch.objects.order_by("-number").values_list("origin", flat=True).first() or ""


def cosignature_lines(checkpoint: Checkpoint) -> bytes:
    """Every further signature line under a checkpoint: the log's second one, and those of witnesses."""
    lines = Cosignature.objects.filter(checkpoint=checkpoint).order_by("pk").values_list("line", flat=True)
    return "".join(lines[: note.MAX_SIGNATURES - 1]).encode()


def cosigned_note(checkpoint: Checkpoint) -> bytes:
    """The checkpoint with all its signatures, as strangers get it."""
    return checkpoint.note.encode() + cosignature_lines(checkpoint)


def require_extension(head: LogHead, newest: Checkpoint | None) -> None:
    """Raise LogForkError unless the database still holds everything this signer signed."""
    signed = keys.read_signer_state(head.origin)
    if signed is None:
        if newest is not None and newest.tree_size > head.first:
            raise LogForkError("the signer's state is missing although checkpoints exist; restore the key directory")
        return
    behind = find_behind(head.origin, head.size)
    if behind is not None:
        raise LogForkError(str(behind))
    if newest is not None and (newest.tree_size, bytes(newest.root_hash)) == (head.end, signed.root_hash):
        return  # nothing new to sign, and what was signed is what is stored
    if merkle.root_from_tiles(signed.tree_size, hashes_of(head.first)) != signed.root_hash:
        raise LogForkError(f"the first {signed.tree_size} entries are not those that were signed")


def _root_of(head: LogHead) -> bytes:
    """The root by the stored hashes, which proofs are made of, and by the head's own frontier: they must be one."""
    root = merkle.root_from_tiles(head.size, hashes_of(head.first))
    if root != merkle.Frontier.from_bytes(head.size, bytes(head.frontier)).root():
        raise LogForkError(f"the head of {head.size} entries disagrees with the entries that are stored")
    return root


def seal_if_due() -> Checkpoint | None:
    """Sign when there is something new and the last checkpoint is old enough; called by the supervisor."""
    head, newest = LogHead.objects.first(), latest_checkpoint()
    if head is None or head.end == (newest.tree_size if newest else 0):
        return None
    age = timezone.now() - newest.signed_at if newest else None
    return seal() if age is None or age.total_seconds() >= settings.CHECKPOINT_INTERVAL_S else None


def seal_now(*, actor: User, seller: Seller) -> Checkpoint | None:
    """Sign at a person's request."""
    require_permission(actor, seller, Permission.SEAL)
    return seal()


def proof_of(row: Entry, checkpoint: Checkpoint) -> proof.Proof:
    """The entry's inclusion proof under a checkpoint of its own log."""
    seq = row.seq - checkpoint.first
    path = merkle.inclusion_proof(seq, checkpoint.size, hashes_of(checkpoint.first))
    return proof.Proof(seq, tuple(path), checkpoint.note.encode())


def covering_checkpoint(row: Entry) -> Checkpoint:
    """The newest checkpoint of the entry's log; one is signed first when the entry is newer than the last."""
    newest = latest_checkpoint()
    if newest is not None and newest.first <= row.seq < newest.tree_size:
        return newest
    span = span_of(row.seq, log_head())
    if span.past is None:
        newest = seal()
    else:
        kept = Checkpoint.objects.filter(tree_size__gt=row.seq, tree_size__lte=span.end)
        newest = kept.order_by("-tree_size").first()
        if newest is None:
            raise EntryUnsignedError(f"entry {span.seq(row.seq)} of {span.origin} is under no checkpoint that is held")
    assert newest is not None  # noqa: S101 - the entry exists, so the log is not empty
    return newest


def log_signer() -> note.Ed25519Signer:
    origin = log_head().origin
    return note.Ed25519Signer(origin, keys.log_key(origin).private_bytes_raw())


def site_keys(origins: Sequence[str] = ()) -> list[LogKey]:
    """Every key of every log of this site (or of these), those of the present log first."""
    if not origins:
        origins = [log_head().origin, *PastEpoch.objects.order_by("-number").values_list("origin", flat=True)]
    rows = [row for origin in origins for row in log_keys(origin)]
    if len({row.key.public for row in rows}) < len(rows):  # an older copy of the key directory lacks a later log's
        raise keys.KeyMissingError(f"the key of the log {origins[0]}")
    return rows


def own_policy() -> policy.Policy:
    """The policy of this site: the keys of its logs, revoked ones left out. What outsiders compare before they trust it."""
    known = site_keys()
    return policy.Policy(logs=tuple(policy.PolicyLog(row.key) for row in known if row.state is not KeyState.REVOKED))


def full_policy() -> policy.Policy:
    """The same with revoked keys: for saying why a signature no longer counts, never for trusting one."""
    return policy.Policy(logs=tuple(policy.PolicyLog(row.key) for row in site_keys()))
