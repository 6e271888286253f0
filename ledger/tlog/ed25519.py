"""Ed25519 (RFC 8032) from whatever this machine has: the `cryptography` package, else the openssl command.

The only module here that starts a program or touches a file: openssl wants key, text and signature as files, which it
gets in a private directory for the length of one call. Without either tool the answer is "cannot be checked".
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from ledger.tlog.errors import SignatureInvalid, SignatureUncheckable, SigningUnavailable

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
# The DER header of an Ed25519 SubjectPublicKeyInfo (RFC 8410 section 4); the 32 bytes of the key follow it.
_SPKI_HEADER = bytes.fromhex("302a300506032b6570032100")
_OPENSSL_TIMEOUT_S = 20


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Show that the key signed the message, or raise SignatureInvalid; SignatureUncheckable when no tool can tell."""
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureInvalid("an Ed25519 signature has 64 bytes", expected=SIGNATURE_BYTES, actual=len(signature))
    if HAS_CRYPTOGRAPHY:
        _verify_with_cryptography(public, message, signature)
    else:
        _verify_with_openssl(public, message, signature)


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature under the private key made from a 32-byte seed. Needs `cryptography`."""
    return _private_key(seed).sign(message)


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key that belongs to a 32-byte seed. Needs `cryptography`."""
    return _private_key(seed).public_key().public_bytes_raw()


def _private_key(seed: bytes) -> "Ed25519PrivateKey":
    if not HAS_CRYPTOGRAPHY:
        raise SigningUnavailable("signing needs the cryptography package")
    return Ed25519PrivateKey.from_private_bytes(seed)


def _verify_with_cryptography(public: bytes, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature as error:
        raise SignatureInvalid("the signature does not fit the text") from error


def _verify_with_openssl(public: bytes, message: bytes, signature: bytes) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise SignatureUncheckable("neither the cryptography package nor the openssl command is installed")
    with tempfile.TemporaryDirectory(prefix="tlog-") as name:
        folder = Path(name)
        key, text, sig = folder / "key.der", folder / "text", folder / "sig"
        key.write_bytes(_SPKI_HEADER + public)
        text.write_bytes(message)
        sig.write_bytes(signature)
        command = [program, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
        command += ["-inkey", str(key), "-in", str(text), "-sigfile", str(sig)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_OPENSSL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SignatureUncheckable(f"openssl could not run: {error}") from error
    # openssl exits with 1 both for a wrong signature and for a key or option it does not know, so the words decide.
    if done.returncode == 0 and b"Verified Successfully" in done.stdout:
        return
    if b"Verification Failure" in done.stdout + done.stderr:
        raise SignatureInvalid("the signature does not fit the text")
    raise SignatureUncheckable("this openssl cannot check Ed25519 (version 3.0 or newer can)")
