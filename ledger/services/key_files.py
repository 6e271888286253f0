"""Key files at rest: AES-256-GCM under a key that scrypt makes from the operator's passphrase (RFC 7914).

One line of text: a magic word, then base64 of salt (16 bytes), nonce (12), ciphertext with tag. The file's name is bound
to its content, so that swapping two files is noticed. scrypt with N = 2^15, r = 8, p = 1 takes about 0.1 s and 32 MiB.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"originmark-key-v1 "
_SALT, _NONCE = 16, 12


class KeyFileError(Exception):
    """The file cannot be opened: no passphrase, a wrong one, or damage."""


def is_encrypted(content: bytes) -> bool:
    return content.startswith(MAGIC)


def protect(content: bytes, passphrase: str, name: str) -> bytes:
    """The encrypted form of a key file's content."""
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, content, name.encode())
    return MAGIC + base64.b64encode(salt + nonce + sealed) + b"\n"


def reveal(content: bytes, passphrase: str, name: str) -> bytes:
    """The plain content behind the encrypted form, or KeyFileError."""
    if not passphrase:
        raise KeyFileError(f"{name} is encrypted; set ORIGINMARK_KEY_PASSPHRASE or ORIGINMARK_KEY_PASSPHRASE_FILE")
    try:
        data = base64.b64decode(content.removeprefix(MAGIC).strip(), validate=True)
        salt, nonce, sealed = data[:_SALT], data[_SALT : _SALT + _NONCE], data[_SALT + _NONCE :]
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed, name.encode())
    except (binascii.Error, ValueError, InvalidTag) as error:
        raise KeyFileError(f"{name} does not open with this passphrase, or is damaged") from error


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode("utf-8"))
