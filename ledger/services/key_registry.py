"""Which public keys the log signs and signed with, in the key directory: what this site itself trusts.

Not in the database on purpose: whoever can write there could otherwise name a key of their own. Retired keys stay for
the checkpoints they signed; revoked ones stay too, so that an answer can say why a signature no longer counts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from django.conf import settings

from ledger.services import keys
from ledger.services.files import make_directories, write_durably
from ledger.tlog.cosignature import MlDsaCosigner
from ledger.tlog.note import CosignatureSigner, Ed25519Signer, VerifierKey, format_vkey, parse_vkey

REGISTRY = "log-keys.json"


class KeyState(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class LogKey:
    """One public key of the log; `since` is when its present state began, UTC text."""

    key: VerifierKey
    state: KeyState
    since: str


def active_signers(origin: str, time_s: int) -> tuple[Ed25519Signer, CosignatureSigner | None]:
    """Who signs checkpoints: the Ed25519 key, and the ML-DSA-44 key where there is one."""
    seed = keys.mldsa_seed(origin)
    second = None if seed is None else CosignatureSigner(MlDsaCosigner(origin, seed, time_s))
    return Ed25519Signer(origin, keys.log_key(origin).private_bytes_raw()), second


def _present_keys(origin: str) -> list[VerifierKey]:
    return [signer.key for signer in active_signers(origin, 0) if signer is not None]


def is_noted(origin: str) -> bool:
    """Whether any key of that log was written down."""
    return any(row.key.name == origin for row in _read())


def is_taken(public: bytes) -> bool:
    """Whether a key is known as some log's: each log has a key of its own, for ever."""
    return any(row.key.public == public for row in _read())


def log_keys(origin: str) -> list[LogKey]:
    """Every key that ever signed for this log: active ones first, Ed25519 before ML-DSA. Before any is noted: those that lie there."""
    found = [row for row in _read() if row.key.name == origin]
    if not found:
        found = [LogKey(key, KeyState.ACTIVE, "") for key in _present_keys(origin)]
    return sorted(found, key=lambda row: (row.state is not KeyState.ACTIVE, row.key.algorithm))


def note_present_keys(origin: str, now: str) -> None:
    """Write down the keys that lie in the directory and are not known yet, as active."""
    rows = _read()
    known = {row.key for row in rows}
    fresh = [key for key in _present_keys(origin) if key not in known]
    if fresh:
        _write([*rows, *(LogKey(key, KeyState.ACTIVE, now) for key in fresh)])


def set_state(key: VerifierKey, state: KeyState, now: str) -> None:
    """Change the state of a key, or note a new one."""
    rows = [row for row in _read() if row.key != key]
    _write([*rows, LogKey(key, state, now)])


def _path() -> Path:
    return Path(settings.KEYS_DIR) / REGISTRY


def _read() -> list[LogKey]:
    try:
        rows = json.loads(_path().read_bytes())["keys"]
    except FileNotFoundError:
        return []
    return [LogKey(parse_vkey(row["vkey"]), KeyState(row["state"]), row["since"]) for row in rows]


def _write(rows: Sequence[LogKey]) -> None:
    make_directories(Path(settings.KEYS_DIR))
    document = {"keys": [{"vkey": format_vkey(r.key), "state": r.state.value, "since": r.since} for r in rows]}
    write_durably(_path(), json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")
