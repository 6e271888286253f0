"""The key directory: log signing key, storage key, document signer, and the signer's last signed head.

It lives outside the data directory (ORIGINMARK_KEYS) so that a data backup never holds a key, and so that a restored
old database meets a signer that remembers a newer head and refuses to sign.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from ledger.services.files import make_directories, write_durably

LOG_KEY = "log-ed25519.pem"
STORAGE_KEY = "storage.key"
SIGNER_STATE = "signer-state.json"
DOCUMENT_KEY = "document-signer.key.pem"
DOCUMENT_CERTIFICATE = "document-signer.crt.pem"


class KeyMissingError(Exception):
    """A key file that should exist does not: wrong ORIGINMARK_KEYS, or the first run has not happened."""

    code = "key_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not in the key directory (ORIGINMARK_KEYS); start once with: manage.py up")


@dataclass(frozen=True, slots=True)
class SignerState:
    """The largest head of one log that this signer ever signed."""

    tree_size: int
    root_hash: bytes


def _path(name: str) -> Path:
    return Path(settings.KEYS_DIR) / name


def _read(name: str) -> bytes:
    try:
        return _path(name).read_bytes()
    except FileNotFoundError:
        raise KeyMissingError(name) from None


def create_missing_keys() -> list[str]:
    """Make whatever the key directory lacks; return the names made. Existing files are never touched."""
    make_directories(Path(settings.KEYS_DIR))
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    wanted = {LOG_KEY: pem, STORAGE_KEY: secrets.token_hex(32).encode() + b"\n"}
    made = [name for name in wanted if not _path(name).exists()]
    for name in made:
        write_durably(_path(name), wanted[name])
    return made


def log_key() -> Ed25519PrivateKey:
    """The key that signs checkpoints."""
    key = serialization.load_pem_private_key(_read(LOG_KEY), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyMissingError(LOG_KEY)
    return key


def storage_key() -> bytes:
    """The 32 bytes that wrap every object's own key."""
    return _cached_storage_key(str(_path(STORAGE_KEY)))


@lru_cache(maxsize=4)
def _cached_storage_key(path: str) -> bytes:
    try:
        return bytes.fromhex(Path(path).read_text().strip())
    except FileNotFoundError:
        raise KeyMissingError(STORAGE_KEY) from None


def document_signer() -> tuple[bytes, bytes] | None:
    """(private key PEM, certificate PEM) of the PDF signer, or None before the first run."""
    if not _path(DOCUMENT_CERTIFICATE).exists():
        return None
    return _read(DOCUMENT_KEY), _read(DOCUMENT_CERTIFICATE)


def save_document_signer(key_pem: bytes, certificate_pem: bytes) -> None:
    write_durably(_path(DOCUMENT_KEY), key_pem)
    write_durably(_path(DOCUMENT_CERTIFICATE), certificate_pem)


@contextmanager
def signer_lock() -> Iterator[None]:
    """One signer at a time on this machine, whatever the process."""
    make_directories(Path(settings.KEYS_DIR))
    with _path("signer.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _signer_states() -> dict[str, dict[str, Any]]:
    try:
        states: dict[str, dict[str, Any]] = json.loads(_path(SIGNER_STATE).read_bytes())
    except FileNotFoundError:
        return {}
    return states


def read_signer_state(origin: str) -> SignerState | None:
    """What this signer remembers of the log of that name; every log has a name of its own for ever."""
    state = _signer_states().get(origin)
    if state is None:
        return None
    return SignerState(tree_size=state["tree_size"], root_hash=bytes.fromhex(state["root_hash"]))


def write_signer_state(origin: str, state: SignerState) -> None:
    """Durable before the signature leaves: a crash after this line costs a signature, never a fork."""
    row = {"root_hash": state.root_hash.hex(), "tree_size": state.tree_size}
    write_durably(_path(SIGNER_STATE), json.dumps(_signer_states() | {origin: row}, sort_keys=True).encode())
