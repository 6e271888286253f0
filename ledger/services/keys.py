"""The key directory: log signing keys, storage key, document signer, and the signer's last signed head.

It lives outside the data directory (ORIGINMARK_KEYS) so that a data backup never holds a key, and so that a restored
old database meets a signer that remembers a newer head and refuses to sign. With a passphrase the files are encrypted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from ledger.services.files import make_directories, sync_directory, write_durably
from ledger.services.key_files import KeyFileError, is_encrypted, protect, reveal
from ledger.tlog.mldsa import HAS_MLDSA

LOG_KEY = "log-ed25519.pem"
LOG_MLDSA_KEY = "log-mldsa44.key"
STORAGE_KEY = "storage.key"
OLD_STORAGE_KEY = "storage-old.key"  # while a rotation runs: what is not wrapped anew yet opens with it
SIGNER_STATE = "signer-state.json"
DOCUMENT_KEY = "document-signer.key.pem"
DOCUMENT_CERTIFICATE = "document-signer.crt.pem"
SECRETS = (LOG_KEY, LOG_MLDSA_KEY, STORAGE_KEY, OLD_STORAGE_KEY, DOCUMENT_KEY)


class KeyMissingError(Exception):
    """A key file that should exist does not: wrong ORIGINMARK_KEYS, or the first run has not happened."""

    code = "key_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not in the key directory (ORIGINMARK_KEYS); start once with: manage.py up")


class KeyLockedError(KeyMissingError):
    """A key file is encrypted, and ORIGINMARK_KEY_PASSPHRASE is missing or another one."""

    code = "key_locked"

    def __init__(self, detail: str) -> None:
        Exception.__init__(self, detail)


@dataclass(frozen=True, slots=True)
class SignerState:
    """The largest head of one log that this signer ever signed.

    note is the signed text (empty where an earlier version signed it); after names the log that this one followed.
    """

    tree_size: int
    root_hash: bytes
    note: str = ""
    after: str = ""


def _path(name: str) -> Path:
    return Path(settings.KEYS_DIR) / name


def _read(name: str) -> bytes:
    try:
        return _path(name).read_bytes()
    except FileNotFoundError:
        raise KeyMissingError(name) from None


_revealed: dict[tuple[str, bytes], bytes] = {}  # opening a file costs a tenth of a second, on purpose


def read_secret(name: str) -> bytes:
    """The plain content of a key file; KeyMissingError, or KeyLockedError without the right passphrase."""
    stored = _read(name)
    if not is_encrypted(stored):
        return stored
    found = _revealed.get((name, stored))
    if found is None:
        try:
            found = _revealed[name, stored] = reveal(stored, settings.KEY_PASSPHRASE, name)
        except KeyFileError as error:
            raise KeyLockedError(str(error)) from error
    return found


def write_secret(name: str, content: bytes) -> None:
    """Write a key file durably, encrypted if there is a passphrase."""
    make_directories(Path(settings.KEYS_DIR))
    write_durably(_path(name), protect(content, settings.KEY_PASSPHRASE, name) if settings.KEY_PASSPHRASE else content)


def unprotected() -> list[str]:
    """Names of the key files that lie there unencrypted."""
    return [name for name in _secrets() if not is_encrypted(_path(name).read_bytes())]


def _secrets() -> list[str]:
    """Secret key files that there are, those of later epochs included."""
    folder = Path(settings.KEYS_DIR)
    own = [path.name for name in (LOG_KEY, LOG_MLDSA_KEY) for path in folder.glob(name.replace(".", "-*.", 1))]
    return [name for name in SECRETS if _path(name).exists()] + sorted(own)


def encrypt_files() -> list[str]:
    """Encrypt what is not; return the names. Each file is replaced in one step: a crash leaves the old or the new."""
    names = unprotected() if settings.KEY_PASSPHRASE else []
    for name in names:
        write_secret(name, _read(name))
    return names


def create_missing_keys() -> list[str]:
    """Make whatever the key directory lacks; return the names made. Existing files are never touched."""
    make_directories(Path(settings.KEYS_DIR))
    wanted = {LOG_KEY: new_log_key(), STORAGE_KEY: secrets.token_hex(32).encode() + b"\n"}
    if HAS_MLDSA:
        wanted[LOG_MLDSA_KEY] = new_mldsa_key()
    made = [name for name in wanted if not _path(name).exists()]
    for name in made:
        write_secret(name, wanted[name])
    return made


def new_log_key() -> bytes:
    """A fresh Ed25519 key as its file's plain content."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_mldsa_key() -> bytes:
    """A fresh ML-DSA-44 seed as its file's plain content."""
    return secrets.token_hex(32).encode() + b"\n"


def key_file(origin: str, name: str) -> str:
    """The file of a log's key. The first log's has the plain name, each later epoch has keys and files of its own."""
    stem, dot, suffix = name.partition(".")
    own = f"{stem}-{hashlib.sha256(origin.encode()).hexdigest()[:16]}{dot}{suffix}"
    return own if _path(own).exists() else name


def create_epoch_keys(origin: str) -> None:
    """Fresh keys for a log that is about to begin; durable before anything names them."""
    wanted = {LOG_KEY: new_log_key()} | ({LOG_MLDSA_KEY: new_mldsa_key()} if HAS_MLDSA else {})
    for name, content in wanted.items():
        stem, dot, suffix = name.partition(".")
        write_secret(f"{stem}-{hashlib.sha256(origin.encode()).hexdigest()[:16]}{dot}{suffix}", content)


def log_key(origin: str = "") -> Ed25519PrivateKey:
    """The key that signs checkpoints of that log; of the first one where none is named."""
    return parse_log_key(read_secret(key_file(origin, LOG_KEY)))


def parse_log_key(pem: bytes) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyMissingError(LOG_KEY)
    return key


def mldsa_seed(origin: str) -> bytes | None:
    """The 32-byte seed of a log's ML-DSA key; None where this machine cannot sign with one or has none yet."""
    name = key_file(origin, LOG_MLDSA_KEY)
    if not HAS_MLDSA or not _path(name).exists():
        return None
    return bytes.fromhex(read_secret(name).decode().strip())


def storage_key() -> bytes:
    """The 32 bytes that wrap every object's own key."""
    return bytes.fromhex(read_secret(STORAGE_KEY).decode().strip())


def old_storage_key() -> bytes | None:
    """The storage key before the rotation that is going on, or None."""
    if not _path(OLD_STORAGE_KEY).exists():
        return None
    return bytes.fromhex(read_secret(OLD_STORAGE_KEY).decode().strip())


def begin_storage_rotation() -> bool:
    """Put a new storage key in place, the present one beside it; False if a rotation is going on already.

    A crash between the two writes leaves the old key under both names: then nothing was wrapped anew, and the next call
    makes the new key.
    """
    old = old_storage_key()
    if old is not None and old != storage_key():
        return False
    write_secret(OLD_STORAGE_KEY, read_secret(STORAGE_KEY))
    write_secret(STORAGE_KEY, secrets.token_hex(32).encode() + b"\n")
    return True


def end_storage_rotation() -> None:
    """Forget the old storage key; only when nothing is wrapped with it any more."""
    _path(OLD_STORAGE_KEY).unlink()
    sync_directory(Path(settings.KEYS_DIR))


def document_signer() -> tuple[bytes, bytes] | None:
    """(private key PEM, certificate PEM) of the PDF signer, or None before the first run."""
    if not _path(DOCUMENT_CERTIFICATE).exists():
        return None
    return read_secret(DOCUMENT_KEY), _read(DOCUMENT_CERTIFICATE)


def save_document_signer(key_pem: bytes, certificate_pem: bytes) -> None:
    write_secret(DOCUMENT_KEY, key_pem)
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
    return _state(state)


def _state(row: dict[str, Any]) -> SignerState:
    return SignerState(row["tree_size"], bytes.fromhex(row["root_hash"]), row.get("note", ""), row.get("after", ""))


def epochs_signed() -> dict[str, SignerState]:
    """What this signer remembers of logs that followed another one, by name."""
    found = {origin: _state(row) for origin, row in _signer_states().items()}
    return {origin: state for origin, state in found.items() if state.after}


def write_signer_state(origin: str, state: SignerState) -> None:
    """Durable before the signature leaves: a crash after this line costs a signature, never a fork."""
    row = {"root_hash": state.root_hash.hex(), "tree_size": state.tree_size, "note": state.note, "after": state.after}
    write_durably(_path(SIGNER_STATE), json.dumps(_signer_states() | {origin: row}, sort_keys=True).encode())
