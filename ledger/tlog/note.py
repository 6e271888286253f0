"""Signed notes (C2SP signed-note): a text, a blank line, one signature line per key.

Keys travel as vkey text, `name+id+base64(algorithm, public key)`. Private keys live with whoever signs, behind Signer.
Known algorithms: Ed25519 (0x01) and the cosignatures of C2SP tlog-cosignature with Ed25519 (0x04) and ML-DSA-44 (0x06).
Where a tool is missing for one of them, its signature is neither right nor wrong.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from ledger.tlog import b64, ed25519, mldsa
from ledger.tlog.cosignature import Ed25519Cosigner, MlDsaCosigner, ed25519_message, mldsa_message, split_time
from ledger.tlog.errors import (
    Base64Error,
    KeyAlgorithm,
    KeySyntax,
    NoteSyntax,
    NoteTooLarge,
    SignatureInvalid,
    SignatureMissing,
    SignatureRepeated,
    SignatureUncheckable,
)

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
ML_DSA_44_COSIGNATURE = 0x06

PUBLIC_BYTES = {ED25519: 32, ED25519_COSIGNATURE: 32, ML_DSA_44_COSIGNATURE: 1312}
# A cosignature starts with the witness's time as 8 bytes.
SIGNATURE_BYTES = {ED25519: 64, ED25519_COSIGNATURE: 8 + 64, ML_DSA_44_COSIGNATURE: 8 + 2420}

# The specification asks for at least 16 signatures; one post-quantum line is about 3.3 kB.
MAX_SIGNATURES = 32
MAX_NOTE_BYTES = 256 * 1024

_KEY_ID_HEX = re.compile("[0-9a-f]{8}")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under. The 4-byte id is a label, not a fingerprint: anyone can forge one."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.algorithm, self.public)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key in hex: what people compare."""
        return sha256(self.public).hexdigest()


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: 4 bytes of key id, then what the algorithm wrote."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A signed text, its final newline included, with its signatures in the order they stand."""

    text: bytes
    signatures: tuple[NoteSignature, ...]


class Signer(Protocol):
    """Whatever holds a private key."""

    @property
    def key(self) -> VerifierKey: ...

    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """A signer with its 32-byte seed in memory."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, ED25519, ed25519.public_key(self.seed))

    def sign(self, message: bytes) -> bytes:
        return ed25519.sign(self.seed, message)


@dataclass(frozen=True, slots=True)
class CosignatureSigner:
    """A cosigner, Ed25519 or ML-DSA-44, with the key that its signatures are checked with."""

    cosigner: Ed25519Cosigner | MlDsaCosigner

    @property
    def key(self) -> VerifierKey:
        name, seed = self.cosigner.name, self.cosigner.seed
        if isinstance(self.cosigner, MlDsaCosigner):
            return VerifierKey(name, ML_DSA_44_COSIGNATURE, mldsa.public_key(seed))
        return VerifierKey(name, ED25519_COSIGNATURE, ed25519.public_key(seed))

    def sign(self, message: bytes) -> bytes:
        return self.cosigner.sign(message)


# Keys


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256 over name, newline, algorithm byte and public key."""
    return sha256(name.encode("utf-8") + b"\n" + bytes([algorithm]) + public).digest()[:4]


def format_vkey(key: VerifierKey) -> str:
    """The key as `name+id+base64`, or KeySyntax."""
    _check_key(key)
    return f"{key.name}+{key.key_id.hex()}+{b64.encode(bytes([key.algorithm]) + key.public)}"


def parse_vkey(text: str) -> VerifierKey:
    """The key behind its text form, or KeySyntax / KeyAlgorithm."""
    parts = text.split("+", 2)  # base64 itself may hold a plus
    if len(parts) != 3 or not _KEY_ID_HEX.fullmatch(parts[1]):
        raise KeySyntax("a key is name+id+base64 with an id of 8 lower-case hex digits", actual=text[:200])
    try:
        material = b64.decode(parts[2])
    except Base64Error as error:
        raise KeySyntax(f"key material: {error.message}") from error
    if not material:
        raise KeySyntax("the key material is empty")
    key = VerifierKey(parts[0], material[0], material[1:])
    _check_key(key)
    if key.key_id.hex() != parts[1]:
        raise KeySyntax("the key id does not belong to this name and key", expected=key.key_id.hex(), actual=parts[1])
    return key


def _check_key(key: VerifierKey) -> None:
    if not is_key_name(key.name):
        raise KeySyntax("a key name is text without spaces, plus signs and control characters", actual=key.name)
    if key.algorithm not in PUBLIC_BYTES:
        raise KeyAlgorithm(f"unknown signature algorithm 0x{key.algorithm:02x}", actual=key.algorithm)
    if len(key.public) != PUBLIC_BYTES[key.algorithm]:
        raise KeySyntax("wrong public key length", expected=PUBLIC_BYTES[key.algorithm], actual=len(key.public))


def is_key_name(name: str) -> bool:
    """Whether a text may name a key: not empty, no Unicode space, no plus, no control character, valid UTF-8."""
    return bool(name) and not any(c == "+" or c.isspace() or c < " " or "\ud800" <= c <= "\udfff" for c in name)


# Notes


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """The text with one signature line per signer, as bytes. The text ends in a newline."""
    _check_text(text)
    if not signers:
        raise NoteSyntax("a note has at least one signature")
    lines = [signature_line(signer.key, signer.sign(text)) for signer in signers]
    note = text + b"\n" + b"".join(lines)
    parse_note(note)
    return note


def signature_line(key: VerifierKey, signature: bytes) -> bytes:
    """One line of a note, its newline included."""
    return f"\u2014 {key.name} {b64.encode(key.key_id + signature)}\n".encode()


def parse_note(data: bytes) -> Note:
    """The parts of a signed note, nothing verified yet; NoteSyntax, NoteTooLarge or Base64Error when malformed."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteTooLarge("the note is too large", expected=MAX_NOTE_BYTES, actual=len(data))
    split = data.rfind(b"\n\n")
    if split < 0:
        raise NoteSyntax("no blank line between text and signatures")
    text, block = data[: split + 1], data[split + 2 :]
    _check_text(text)
    return Note(text, parse_signature_lines(block))


def parse_signature_lines(block: bytes) -> tuple[NoteSignature, ...]:
    """The signatures behind 1 to 32 lines, each with its newline; NoteSyntax or Base64Error when malformed."""
    try:
        lines = block.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise NoteSyntax(f"not UTF-8: {error.reason}") from error
    if lines.pop() != "":
        raise NoteSyntax("the last line has no newline")
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise NoteSyntax(f"1 to {MAX_SIGNATURES} signature lines", actual=len(lines))
    return tuple(_parse_signature_line(line) for line in lines)


def _check_text(text: bytes) -> None:
    if not text.endswith(b"\n"):
        raise NoteSyntax("the text ends in a newline")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteSyntax(f"not UTF-8: {error.reason}") from error
    if _CONTROL.search(decoded):
        raise NoteSyntax("control characters (carriage returns too) are not allowed")


def _parse_signature_line(line: str) -> NoteSignature:
    dash, _, rest = line.partition(" ")
    name, space, encoded = rest.partition(" ")
    if dash != "\u2014" or not space or not is_key_name(name):
        raise NoteSyntax("a signature line is: em dash, space, key name, space, base64")
    blob = b64.decode(encoded)
    if len(blob) < 5:
        raise NoteSyntax("a signature has 4 bytes of key id and at least 1 more", actual=len(blob))
    return NoteSignature(name, blob[:4], blob[4:])


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Those of the given keys that signed this note, at least one, in the order of the lines.

    Signatures under other keys are ignored. Raises SignatureInvalid when a line under a given key does not verify,
    SignatureRepeated when one key has two lines, SignatureMissing when no given key signed, SignatureUncheckable when
    none verified and one could not be checked. Two given keys may share name and id: then the one that fits counts.
    """
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for key in keys:
        known.setdefault((key.name, key.key_id), []).append(key)
    verified: list[VerifierKey] = []
    uncheckable: SignatureUncheckable | None = None
    seen: set[tuple[str, bytes]] = set()
    for line in note.signatures:
        label = (line.name, line.key_id)
        if label not in known:
            continue
        if label in seen:
            raise SignatureRepeated(f"{line.name} signed twice under key id {line.key_id.hex()}")
        seen.add(label)
        try:
            verified.append(_fitting_key(known[label], note.text, line.signature))
        except SignatureUncheckable as error:
            uncheckable = error
    if verified:
        return tuple(verified)
    if uncheckable is not None:
        raise uncheckable
    names = sorted({f"{name}+{identity.hex()}" for name, identity in known})
    raise SignatureMissing(f"no signature by {', '.join(names) or 'any key'}", expected=names)


def _fitting_key(candidates: Sequence[VerifierKey], text: bytes, signature: bytes) -> VerifierKey:
    failure: SignatureInvalid | None = None
    for key in candidates:
        try:
            _verify_signature(key, text, signature)
        except SignatureInvalid as error:
            failure = error
        else:
            return key
    raise failure or SignatureInvalid("no key to check with")


def _verify_signature(key: VerifierKey, text: bytes, signature: bytes) -> None:
    if len(signature) != SIGNATURE_BYTES[key.algorithm]:
        raise SignatureInvalid(
            f"wrong signature length under {key.name}",
            expected=SIGNATURE_BYTES[key.algorithm],
            actual=len(signature),
        )
    try:
        if key.algorithm == ED25519:
            ed25519.verify(key.public, text, signature)
            return
        time_s, signature = split_time(signature)
        if key.algorithm == ED25519_COSIGNATURE:
            ed25519.verify(key.public, ed25519_message(text, time_s), signature)
        else:
            mldsa.verify(key.public, mldsa_message(key.name, text, time_s), signature)
    except SignatureInvalid as error:
        raise SignatureInvalid(f"the signature of {key.name}+{key.key_id.hex()} does not fit the text") from error
