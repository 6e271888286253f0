"""One named error per way to be wrong.

Every class has a stable `code`; translated messages are chosen from it at the edge. `expected` and `actual` carry the
two values that disagree where there are two.
"""

from typing import ClassVar


class TlogError(Exception):
    """Something in or about the log is wrong; `code` says what."""

    code: ClassVar[str] = "tlog"

    def __init__(self, message: str, *, expected: object = None, actual: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.actual = actual


# Canonical JSON


class JsonError(TlogError):
    code = "json"


class JsonSyntax(JsonError):
    """Not JSON in UTF-8."""

    code = "json.syntax"


class JsonDuplicateKey(JsonError):
    code = "json.duplicate_key"


class JsonNumber(JsonError):
    """A fraction, an exponent, NaN, or an integer of 2^53 and beyond."""

    code = "json.number"


class JsonKey(JsonError):
    """An object key that is not ASCII text."""

    code = "json.key"


class JsonType(JsonError):
    """A type outside text, integer, boolean, list and object."""

    code = "json.type"


class JsonText(JsonError):
    """Text that has no UTF-8 form (a lone surrogate)."""

    code = "json.text"


class JsonNotCanonical(JsonError):
    """The same value has another, canonical spelling."""

    code = "json.not_canonical"


class JsonTooLarge(JsonError):
    code = "json.too_large"


class JsonTooDeep(JsonError):
    code = "json.too_deep"


# Entries, claims and the parameter file


class TimeError(TlogError):
    """Not a UTC time as text with milliseconds and Z."""

    code = "time"


class EntryError(TlogError):
    code = "entry"


class EntryFields(EntryError):
    """A field is missing or unknown."""

    code = "entry.fields"


class EntryField(EntryError):
    """One field has a value that is not allowed."""

    code = "entry.field"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class EntryTooLarge(EntryError):
    code = "entry.too_large"


class ClaimError(TlogError):
    """A claim or identity document breaks its definition at `field`."""

    code = "claim.field"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class ClaimKind(TlogError):
    """No such kind of claim."""

    code = "claim.kind"


class ClaimTooLarge(TlogError):
    code = "claim.too_large"


class ParametersError(TlogError):
    """The parameter file of the log breaks its definition."""

    code = "parameters"


class AuditOrder(TlogError):
    """An entry is well-formed but does not belong where it is stored: its number, log, link or time disagrees."""

    code = "audit.order"


# The tree and its proofs


class FrontierError(TlogError):
    """Stored frontier bytes do not fit the tree size."""

    code = "frontier"


class TileError(TlogError):
    """No such tile, or stored hashes are missing."""

    code = "tile"


class ProofError(TlogError):
    code = "proof"


class ProofSyntax(ProofError):
    code = "proof.syntax"


class ProofRange(ProofError):
    """Index and tree size (or the two tree sizes) cannot go together."""

    code = "proof.range"


class ProofLength(ProofError):
    """More or fewer hashes than the tree has levels to climb."""

    code = "proof.length"


class ProofRoot(ProofError):
    """The hashes lead to another root."""

    code = "proof.root"


class ProofOldRoot(ProofError):
    """The hashes of a consistency proof do not rebuild the old root."""

    code = "proof.old_root"


# Signed text


class Base64Error(TlogError):
    """Not base64, or not its one canonical spelling."""

    code = "base64"


class NoteError(TlogError):
    code = "note"


class NoteSyntax(NoteError):
    code = "note.syntax"


class NoteTooLarge(NoteError):
    code = "note.too_large"


class KeySyntax(NoteError):
    """Not a key in vkey form, or its parts contradict each other."""

    code = "key.syntax"


class KeyAlgorithm(NoteError):
    """A signature algorithm that is not known here."""

    code = "key.algorithm"


class SignatureInvalid(NoteError):
    """A signature under a known key does not fit the text."""

    code = "signature.invalid"


class SignatureMissing(NoteError):
    """No signature under any of the known keys."""

    code = "signature.missing"


class SignatureRepeated(NoteError):
    """Two signatures under one known key."""

    code = "signature.repeated"


class SignatureUncheckable(NoteError):
    """This machine lacks the means to check the signature: neither right nor wrong."""

    code = "signature.uncheckable"


class SigningUnavailable(NoteError):
    """This machine lacks the means to sign."""

    code = "signature.unavailable"


class CheckpointError(TlogError):
    code = "checkpoint.syntax"


class WitnessRequest(TlogError):
    """Not the body of an add-checkpoint request."""

    code = "witness.request"


class PolicyError(TlogError):
    code = "policy.syntax"


# Evidence bundles


class BundleError(TlogError):
    code = "bundle"


class BundleStructure(BundleError):
    """Not a plain ZIP from its first byte to its last."""

    code = "bundle.structure"


class BundleEncrypted(BundleError):
    code = "bundle.encrypted"


class BundleName(BundleError):
    """A file name outside the allowed form, or too many of them."""

    code = "bundle.name"


class BundleDuplicate(BundleError):
    """Two files of one name, capitals not counting."""

    code = "bundle.duplicate"


class BundleOverlap(BundleError):
    """Two files share bytes of the archive, or bytes belong to no file."""

    code = "bundle.overlap"


class BundleTooMany(BundleError):
    code = "bundle.too_many"


class BundleTooLarge(BundleError):
    code = "bundle.too_large"


class BundleRatio(BundleError):
    """A file that grows beyond belief when unpacked."""

    code = "bundle.ratio"


class BundleCorrupt(BundleError):
    """A file whose bytes do not fit the archive's own length or CRC."""

    code = "bundle.corrupt"


class BundleNested(BundleError):
    """An archive inside the archive."""

    code = "bundle.nested"


class SumsSyntax(BundleError):
    """SHA256SUMS is not in the form this format prescribes."""

    code = "sums.syntax"


class ManifestSyntax(BundleError):
    """The manifest of a packet is not in the form this format prescribes."""

    code = "manifest.syntax"


# Outside clocks (RFC 3161)


class TimestampError(TlogError):
    code = "timestamp"


class TimestampSyntax(TimestampError):
    """Not an RFC 3161 response or token: HTML, cut off, other ASN.1."""

    code = "timestamp.syntax"


class TimestampRejected(TimestampError):
    """The authority answered with another PKIStatus than granted (0) or granted with changes (1)."""

    code = "timestamp.rejected"


class TimestampContent(TimestampError):
    """The token does not hold exactly one signed TSTInfo of version 1."""

    code = "timestamp.content"


class TimestampImprint(TimestampError):
    """The token is about other bytes."""

    code = "timestamp.imprint"


class TimestampAlgorithm(TimestampError):
    """A digest or signature algorithm that is no longer safe (SHA-1, MD5)."""

    code = "timestamp.algorithm"


class TimestampNonce(TimestampError):
    """The answer belongs to another request: a replay, or a broken authority."""

    code = "timestamp.nonce"


class TimestampPolicy(TimestampError):
    """Issued under another policy than the one agreed on."""

    code = "timestamp.policy"


class TimestampCertificateMissing(TimestampError):
    """The signer's certificate is neither in the token nor beside it."""

    code = "timestamp.certificate_missing"


class TimestampUsage(TimestampError):
    """The signer's certificate is not for time stamping only (RFC 3161 section 2.3)."""

    code = "timestamp.usage"


class TimestampCertificateId(TimestampError):
    """The signed ESSCertID names no certificate, or another one (RFC 5816)."""

    code = "timestamp.certificate_id"


class TimestampSignature(TimestampError):
    code = "timestamp.signature"


class TimestampChain(TimestampError):
    """A certificate of the chain was not issued by the next, or may not issue."""

    code = "timestamp.chain"


class TimestampExpired(TimestampError):
    """A certificate of the chain was not valid at the time the token states."""

    code = "timestamp.expired"


class TimestampRevoked(TimestampError):
    """A certificate of the chain was revoked in a way that takes this token's worth."""

    code = "timestamp.revoked"


class TimestampUntrusted(TimestampError):
    """The chain ends at nobody among the trust anchors given: neither right nor wrong."""

    code = "timestamp.untrusted"


class TimestampUncheckable(TimestampError):
    """This machine lacks the means to check the token: neither right nor wrong."""

    code = "timestamp.uncheckable"


class TimestampCheckpoint(TimestampError):
    """The stamped note is about another tree head than the checkpoint."""

    code = "timestamp.checkpoint"


class TimestampLink(TimestampError):
    """The log does not connect the token with the entry as it should."""

    code = "timestamp.link"


class TimestampMissing(TimestampError):
    """A file that belongs to a token is not there: neither right nor wrong."""

    code = "timestamp.missing"
