"""A signer whose own memory was restored together with the database is reminded by what somebody else kept.

A key directory from the same old backup remembers no more than the data: from inside such a copy looks complete, and
appending to it would make a second history. Whoever holds a later checkpoint (a witness, a mirror, a certificate's evidence)
can prove that there was more; the signature on it is the log's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.services import keys
from ledger.services.key_registry import log_keys
from ledger.services.verification import LIMITS
from ledger.tlog import note
from ledger.tlog.bundle import CHECKPOINT, read_bundle
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.errors import TlogError

ZIP_MAGIC = b"PK\x03\x04"


class SeenCheckpointError(Exception):
    """What was given is no checkpoint that this log signed; the signer's memory stays as it was."""

    code = "checkpoint_not_ours"


def remind_signer(origin: str, content: bytes) -> Checkpoint:
    """Let the signer remember a checkpoint of that log which it once signed, if it is larger than what it knows.

    content: a signed checkpoint, or an evidence ZIP, which holds one. Durable when this returns; raises SeenCheckpointError.
    """
    try:
        data = read_bundle(content, LIMITS).get(CHECKPOINT, b"") if content.startswith(ZIP_MAGIC) else content
        signed = note.parse_note(data)
        seen = parse_checkpoint(signed.text)
    except TlogError as error:
        raise SeenCheckpointError(f"not a signed checkpoint: {error.message}") from error
    if seen.origin != origin:
        raise SeenCheckpointError(f"it is of the log {seen.origin}, this one is {origin}")
    key = _signer_of(signed, [row.key for row in log_keys(origin)])
    with keys.signer_lock():
        known = keys.read_signer_state(origin)
        if known is None or seen.size > known.tree_size:
            line = next(each for each in signed.signatures if (each.name, each.key_id) == (key.name, key.key_id))
            text = signed.text + b"\n" + note.signature_line(key, line.signature)
            after = known.after if known else ""
            keys.write_signer_state(origin, keys.SignerState(seen.size, seen.root, text.decode(), after))
    return seen


def _signer_of(signed: note.Note, known: Iterable[note.VerifierKey]) -> note.VerifierKey:
    """The Ed25519 key of the log that signed; a cosignature of it says nothing about who wrote the log."""
    own = [key for key in known if key.algorithm == note.ED25519]
    try:
        return note.verify_note(signed, own)[0]
    except TlogError as error:
        raise SeenCheckpointError(f"this log's key did not sign it: {error.message}") from error
