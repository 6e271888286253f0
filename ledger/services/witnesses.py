"""Outsiders who watch the log: whom the operator chose, and getting their cosignatures. Nothing ever waits for them.

A witness that does not answer is left alone for longer and longer. One that has seen more than the log holds, or another
tree of the same size, is a sign of a second history: that is kept as an error until somebody looks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.accounts.models import User
from ledger.anchors import witness as client
from ledger.anchors.errors import FetchError
from ledger.anchors.witness import WitnessAddress, WitnessConflictError
from ledger.models import Checkpoint, Cosignature, Job, Witness
from ledger.services.authorities import require_site_right
from ledger.services.jobs import enqueue_job
from ledger.services.log import cosigned_note, latest_checkpoint
from ledger.services.spans import hashes_of
from ledger.tlog import policy
from ledger.tlog.errors import TlogError
from ledger.tlog.merkle import consistency_proof
from ledger.tlog.note import (
    Note,
    VerifierKey,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    signature_line,
    verify_note,
)
from ledger.tlog.witnessing import Request, format_request

COSIGN_JOB = "witnesses.cosign"
REST_S, MAX_REST_S = 15, 3600
GROUP = "witnesses"
AHEAD = "witness_ahead"

Ask = Callable[[WitnessAddress, bytes], bytes]
Now = Callable[[], datetime]


class WitnessSettingError(Exception):
    """A witness that cannot be added; the message says why."""

    code = "witness_setting"


def add_witness(*, name: str, vkey: str, url: str, allows_local: bool = False, actor: User | None = None) -> Witness:
    """Have a witness asked from now on; actor None is the operator of the machine. Raises WitnessSettingError."""
    require_site_right(actor)
    try:
        key = parse_vkey(vkey)
        policy.format_policy(policy.Policy((), (policy.Witness(name, key, url),)))
        client.check_address(WitnessAddress(url, allows_local))
    except (TlogError, FetchError) as error:
        raise WitnessSettingError(str(error) or error.code) from error
    try:
        with transaction.atomic():
            return Witness.objects.create(name=name, vkey=vkey, url=url, allows_local=allows_local)
    except IntegrityError as error:
        raise WitnessSettingError(f"there is a witness called {name} already") from error


def pause_witness(*, name: str, paused: bool, actor: User | None = None) -> None:
    """Ask a witness no longer, or again at once; while paused it is in no policy and counts for no quorum."""
    require_site_right(actor)
    if not Witness.objects.filter(name=name).update(is_enabled=not paused, rest_until=None):
        raise WitnessSettingError(f"there is no witness called {name}")


def remove_witness(*, name: str, actor: User | None = None) -> None:
    """Take a witness off the list; what it cosigned stays."""
    require_site_right(actor)
    if not Witness.objects.filter(name=name).delete()[0]:
        raise WitnessSettingError(f"there is no witness called {name}")


def cosign_if_due() -> Job | None:
    """Have a worker ask witnesses when the newest checkpoint lacks somebody's cosignature; a chore."""
    newest = latest_checkpoint()
    if newest is None or not _waiting(newest, timezone.now()):
        return None
    return enqueue_job(kind=COSIGN_JOB, args={}, seller=None, actor=None, dedupe_key="cosign")


def _waiting(checkpoint: Checkpoint, now: datetime) -> list[Witness]:
    rows = Witness.objects.filter(is_enabled=True).exclude(cosignatures__checkpoint=checkpoint)
    return [row for row in rows if row.rest_until is None or row.rest_until <= now]


def cosign(*, ask: Ask = client.add_checkpoint, now: Now = timezone.now) -> int:
    """Ask every witness that is due about the newest checkpoint; return how many cosigned. Never raises for a refusal."""
    newest = latest_checkpoint()
    if newest is None:
        return 0
    return sum(_ask(row, newest, ask, now) for row in _waiting(newest, now()))


def _ask(row: Witness, checkpoint: Checkpoint, ask: Ask, now: Now) -> bool:
    try:
        answer = _answer(row, checkpoint, ask)
        lines = _cosignatures(parse_vkey(row.vkey), checkpoint, answer)
    except WitnessConflictError as error:
        _note_failure(row, AHEAD, f"it cosigned {error.size} entries, the log has signed {checkpoint.size}", now())
        return False
    except (FetchError, TlogError) as error:
        _note_failure(row, error.code, str(error), now())
        return False
    with transaction.atomic():
        for line in lines:
            Cosignature.objects.get_or_create(
                checkpoint=checkpoint,
                name=line.name,
                key_id=line.key_id.hex(),
                defaults={"witness": row, "line": line.text},
            )
        row.seen_size, row.failures, row.rest_until = checkpoint.size, 0, None
        row.last_error, row.last_error_detail, row.last_cosigned_at = "", "", now()
        row.save()
    return True


def _answer(row: Witness, checkpoint: Checkpoint, ask: Ask) -> bytes:
    """What the witness says; told that it knows another size, start from that one, once."""
    address = WitnessAddress(row.url, row.allows_local)
    try:
        return ask(address, _body(min(row.seen_size, checkpoint.size), checkpoint))
    except WitnessConflictError as conflict:
        if conflict.size > checkpoint.size or conflict.size == row.seen_size:
            raise
        return ask(address, _body(conflict.size, checkpoint))


def _body(old_size: int, checkpoint: Checkpoint) -> bytes:
    proof = consistency_proof(old_size, checkpoint.size, hashes_of(checkpoint.first))
    return format_request(Request(old_size, tuple(proof), cosigned_note(checkpoint)))


class _Line:
    """A verified signature line as it is kept."""

    def __init__(self, key: VerifierKey, signature: bytes) -> None:
        self.name = key.name
        self.key_id = key.key_id
        self.text = signature_line(key, signature).decode()


def _cosignatures(key: VerifierKey, checkpoint: Checkpoint, answer: bytes) -> list[_Line]:
    """The lines under the witness's known key, verified; lines under other keys are ignored, as the protocol asks."""
    text = parse_note(checkpoint.note.encode()).text
    note = Note(text, parse_signature_lines(answer))
    verify_note(note, [key])
    return [_Line(key, s.signature) for s in note.signatures if (s.name, s.key_id) == (key.name, key.key_id)]


def _note_failure(row: Witness, code: str, detail: str, now: datetime) -> None:
    row.failures += 1
    rest = min(MAX_REST_S, REST_S * 2 ** min(row.failures - 1, 20)) * random.uniform(0.75, 1.0)  # noqa: S311 - not secret
    row.rest_until = now + timedelta(seconds=rest)
    row.last_error, row.last_error_detail = code, detail[:300]
    row.save(update_fields=["failures", "rest_until", "last_error", "last_error_detail"])


def cosigners_of(checkpoint: Checkpoint) -> frozenset[int]:
    """Primary keys of the witnesses whose cosignature of this checkpoint is kept."""
    rows = Cosignature.objects.filter(checkpoint=checkpoint, witness__isnull=False)
    return frozenset(rows.values_list("witness_id", flat=True))


def policy_with_witnesses(logs: policy.Policy) -> policy.Policy:
    """The policy with the witnesses the operator chose, and their quorum as a group; asking for it is the reader's choice.

    `quorum` stays none, so that evidence from before a witness was chosen does not turn open afterwards.
    """
    rows = Witness.objects.filter(is_enabled=True)
    witnesses = tuple(policy.Witness(row.name, parse_vkey(row.vkey), row.url) for row in rows)
    needed = min(settings.WITNESS_QUORUM, len(witnesses))
    groups = (policy.Group(GROUP, needed, tuple(w.name for w in witnesses)),) if needed else ()
    return policy.Policy(logs.logs, witnesses, groups)


def quorum_met(checkpoint: Checkpoint) -> bool:
    """Whether as many witnesses as the operator asks for cosigned this checkpoint, each signature checked again."""
    if settings.WITNESS_QUORUM < 1:
        return False
    note = parse_note(cosigned_note(checkpoint))
    return sum(_has_signed(note, row) for row in Witness.objects.filter(is_enabled=True)) >= settings.WITNESS_QUORUM


def _has_signed(note: Note, row: Witness) -> bool:
    try:
        return bool(verify_note(note, [parse_vkey(row.vkey)]))
    except TlogError:
        return False
