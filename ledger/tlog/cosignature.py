"""What a cosignature signs (C2SP tlog-cosignature): a checkpoint, seen at a time by somebody with a name.

A witness uses it to say "the largest tree I saw and checked"; the log itself uses the ML-DSA form beside its Ed25519
signature. Each signature is 8 bytes of time, seconds since 1970, and then what the algorithm wrote.
"""

from dataclasses import dataclass, field

from ledger.tlog import b64, ed25519, mldsa
from ledger.tlog.errors import Base64Error, SignatureInvalid

TIME_BYTES = 8
MAX_TIME = 2**63 - 1
_LABEL = b"subtree/v1\n\0"


def ed25519_message(text: bytes, time_s: int) -> bytes:
    """The bytes an Ed25519 cosignature (0x04) signs: two lines, then the whole text of the note."""
    return b"cosignature/v1\ntime %d\n" % time_s + text


def mldsa_message(name: str, text: bytes, time_s: int) -> bytes:
    """The bytes an ML-DSA-44 cosignature (0x06) signs: name, time, origin, size and root; no extension lines.

    Raises SignatureInvalid when the text is no checkpoint, since then no such signature can fit it.
    """
    lines = text.decode("utf-8").split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), b64.decode(lines[2])
    except (IndexError, ValueError, Base64Error) as error:
        raise SignatureInvalid("an ML-DSA cosignature belongs under a checkpoint") from error
    if len(root) != 32 or not 0 <= size <= MAX_TIME or not lines[1].isdecimal():
        raise SignatureInvalid("an ML-DSA cosignature belongs under a checkpoint")
    start = (0).to_bytes(8, "big")
    return (
        _LABEL
        + _prefixed(name)
        + time_s.to_bytes(8, "big")
        + _prefixed(origin)
        + start
        + size.to_bytes(8, "big")
        + root
    )


def _prefixed(name: str) -> bytes:
    data = name.encode("utf-8")
    if not 1 <= len(data) <= 255:
        raise SignatureInvalid("a name under an ML-DSA cosignature has 1 to 255 bytes", actual=len(data))
    return bytes([len(data)]) + data


def split_time(signature: bytes) -> tuple[int, bytes]:
    """The time, seconds since 1970, and the signature behind it."""
    time_s = int.from_bytes(signature[:TIME_BYTES], "big")
    if time_s > MAX_TIME:
        raise SignatureInvalid("the time of a cosignature is out of range", expected=MAX_TIME, actual=time_s)
    return time_s, signature[TIME_BYTES:]


@dataclass(frozen=True, slots=True)
class Ed25519Cosigner:
    """Signs notes as of one moment with the key made from a 32-byte seed."""

    name: str
    seed: bytes = field(repr=False)
    time_s: int

    def sign(self, message: bytes) -> bytes:
        signature = ed25519.sign(self.seed, ed25519_message(message, self.time_s))
        return self.time_s.to_bytes(TIME_BYTES, "big") + signature


@dataclass(frozen=True, slots=True)
class MlDsaCosigner:
    """Signs checkpoints as of one moment with the key made from a 32-byte seed."""

    name: str
    seed: bytes = field(repr=False)
    time_s: int

    def sign(self, message: bytes) -> bytes:
        signature = mldsa.sign(self.seed, mldsa_message(self.name, message, self.time_s))
        return self.time_s.to_bytes(TIME_BYTES, "big") + signature
