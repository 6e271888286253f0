"""ML-DSA-44 (FIPS 204) from the `cryptography` package where it knows it.

Ed25519 protects today; ML-DSA protects what was signed today from quantum computers of later decades. OpenSSL before
3.5 has no ML-DSA: there the answer is "cannot be checked", and the Ed25519 signature beside it decides.
"""

from ledger.tlog.errors import SignatureInvalid, SignatureUncheckable, SigningUnavailable

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

    HAS_MLDSA = True
except ImportError:
    HAS_MLDSA = False

PUBLIC_BYTES = 1312
SIGNATURE_BYTES = 2420


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Show that the key signed the message, or raise SignatureInvalid; SignatureUncheckable when no tool can tell."""
    if not HAS_MLDSA:
        raise SignatureUncheckable("no tool here checks ML-DSA-44 (the cryptography package 48 or newer does)")
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature as error:
        raise SignatureInvalid("the signature does not fit the text") from error
    except UnsupportedAlgorithm as error:
        raise SignatureUncheckable("this build of the cryptography package has no ML-DSA") from error


def sign(seed: bytes, message: bytes) -> bytes:
    """The 2,420-byte signature under the private key made from a 32-byte seed."""
    return _private_key(seed).sign(message)


def public_key(seed: bytes) -> bytes:
    """The 1,312-byte public key that belongs to a 32-byte seed."""
    return _private_key(seed).public_key().public_bytes_raw()


def _private_key(seed: bytes) -> "MLDSA44PrivateKey":
    if not HAS_MLDSA:
        raise SigningUnavailable("signing needs a cryptography package with ML-DSA")
    return MLDSA44PrivateKey.from_seed_bytes(seed)
