"""Replacing and revoking the keys that sign the log, each with its entry, safe to run again after a crash.

A new key becomes the signer only after its entry is committed and, unless the old key is lost or no longer trusted,
covered by a last checkpoint of the old key: so the old key itself vouches for the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from ledger.models import LogHead, Statement
from ledger.services import keys
from ledger.services.files import sync_directory
from ledger.services.identity import system_identity
from ledger.services.key_registry import KeyState, LogKey, log_keys, note_present_keys, set_state
from ledger.services.log import Draft, append_statements, lock_head, log_head, now_ms, seal, site_keys
from ledger.tlog.claims import parse_claim, validate_claim
from ledger.tlog.cosignature import MlDsaCosigner
from ledger.tlog.entry import format_utc_ms
from ledger.tlog.note import ED25519, CosignatureSigner, Ed25519Signer, VerifierKey, format_vkey, parse_vkey

ED25519_NAME, MLDSA_NAME = "ed25519", "mldsa"
FILES = {ED25519_NAME: keys.LOG_KEY, MLDSA_NAME: keys.LOG_MLDSA_KEY}
ROTATED = "key.rotated"
UNTRUSTED = ("compromised", "lost")


class KeyUnknownError(Exception):
    """No key of this log has that id."""

    code = "key_unknown"


class KeyInUseError(Exception):
    """The key still signs: replace it first."""

    code = "key_in_use"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Which key took the place of which."""

    old: VerifierKey
    new: VerifierKey
    seq: int


def make_keys() -> tuple[list[str], list[str]]:
    """Make missing keys and encrypt plain files; return the names made and the names encrypted."""
    made = keys.create_missing_keys()
    encrypted = keys.encrypt_files()
    if LogHead.objects.exists():
        note_present_keys(log_head().origin, format_utc_ms(now_ms()))
    return made, encrypted


def rotate_key(*, algorithm: str, reason: str) -> Rotation:
    """Replace the log's Ed25519 or ML-DSA key by a fresh one and log it; called again after a crash, it finishes.

    Order: the new key durable beside the old; the entry committed; a last checkpoint of the old key (unless reason says
    it is not to be trusted); the files changed places; the first checkpoint of the new key.
    """
    origin = log_head().origin
    name = keys.key_file(origin, FILES[algorithm])
    waiting = f"{name}.next"
    active = [row.key for row in log_keys(origin) if _is(row, algorithm) and row.state is KeyState.ACTIVE]
    if not active:
        raise KeyUnknownError(f"the log has no {algorithm} key yet; make one with: manage.py new_key")
    if not _path(waiting).exists():
        keys.write_secret(waiting, keys.new_log_key() if algorithm == ED25519_NAME else keys.new_mldsa_key())
    new = _public(origin, algorithm, keys.read_secret(waiting))
    old = next((key for key in active if key != new), None)
    if old is None:  # cut short after everything but the last step
        statement = Statement.objects.get(kind=ROTATED, request_id=_request_id(new))
        claim: Any = parse_claim(ROTATED, bytes(statement.claim))
        old = parse_vkey(claim["old"])
    else:
        claim = {"kind": ROTATED, "v": 1, "old": format_vkey(old), "new": format_vkey(new), "reason": reason}
        statement = _append_once(ROTATED, claim, _request_id(new))
        if reason not in UNTRUSTED:
            seal()
    _change_places(name, old, new)
    seal()
    return Rotation(old, new, statement.seq)


def _change_places(name: str, old: VerifierKey, new: VerifierKey) -> None:
    """Let the waiting key sign from now on; at every moment a crash leaves a directory that this can be run on again."""
    now = format_utc_ms(now_ms())
    waiting = f"{name}.next"
    with keys.signer_lock():  # nobody signs meanwhile
        set_state(new, KeyState.ACTIVE, now)
        keys.write_secret(name, keys.read_secret(waiting))
        set_state(old, KeyState.RETIRED, now)
        _path(waiting).unlink()
        sync_directory(Path(settings.KEYS_DIR))


def _path(name: str) -> Path:
    return Path(settings.KEYS_DIR) / name


def _request_id(new: VerifierKey) -> str:
    return f"key-{new.fingerprint}"


def _public(origin: str, algorithm: str, content: bytes) -> VerifierKey:
    if algorithm == ED25519_NAME:
        return Ed25519Signer(origin, keys.parse_log_key(content).private_bytes_raw()).key
    return CosignatureSigner(MlDsaCosigner(origin, bytes.fromhex(content.decode().strip()), 0)).key


def _is(row: LogKey, algorithm: str) -> bool:
    return (row.key.algorithm == ED25519) == (algorithm == ED25519_NAME)


def revoke_key(*, key_id: str, reason: str) -> LogKey:
    """Say in the log that signatures of a key no longer count from now on, and drop it from the site's policy.

    A key that still signs is refused: replace it first. key_id is 8 hex digits as pages show them, or the SHA-256 of
    the public key.
    """
    found = [row for row in site_keys() if key_id in (row.key.key_id.hex(), row.key.fingerprint)]
    if len(found) != 1:
        raise KeyUnknownError(f"the log {log_head().origin} has no key {key_id}")
    (row,) = found
    if row.state is KeyState.ACTIVE:
        raise KeyInUseError(f"the key {key_id} still signs; replace it first: manage.py rotate_key")
    now = format_utc_ms(now_ms())
    claim = {"kind": "key.revoked", "v": 1, "key": format_vkey(row.key), "since": now, "reason": reason}
    _append_once("key.revoked", claim, _request_id(row.key))
    set_state(row.key, KeyState.REVOKED, now)
    seal()
    return LogKey(row.key, KeyState.REVOKED, now)


def _append_once(kind: str, claim: dict[str, object], request_id: str) -> Statement:
    """The entry of a key's change; a repetition after a crash finds the first."""
    validate_claim(kind, claim)
    with transaction.atomic():
        head = lock_head()
        # No seller: the unique constraint does not hold such rows apart, the locked head does.
        earlier = Statement.objects.filter(seller=None, kind=kind, request_id=request_id).first()
        if earlier is not None:
            return earlier
        draft = Draft(kind, claim, system_identity(), request_id, label=kind)
        return append_statements(seller=None, actor=None, drafts=[draft], head=head)[0]
