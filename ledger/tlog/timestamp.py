"""Checking RFC 3161 time-stamp tokens (with RFC 5816): imprint, status, nonce, policy, usage, ESSCertID, signature, chain.

A token says: these bytes existed at genTime, by the clock of an authority. Trust anchors come from outside; without
any, a sound token still only says what somebody's clock showed. Needs asn1crypto and `cryptography`; without them the
answer is TimestampUncheckable. Network and clock are deliberately absent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from ledger.tlog import x509_path
from ledger.tlog.errors import (
    TimestampAlgorithm,
    TimestampCertificateId,
    TimestampCertificateMissing,
    TimestampContent,
    TimestampImprint,
    TimestampNonce,
    TimestampPolicy,
    TimestampRejected,
    TimestampSignature,
    TimestampSyntax,
    TimestampUncheckable,
    TimestampUsage,
)

try:
    import hashlib

    from asn1crypto import algos, cms, core, tsp
    from asn1crypto import x509 as asn1_x509
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

    class _Response(core.Sequence):  # type: ignore[misc]
        """RFC 3161 section 2.4.2: a rejection has no token; asn1crypto's own class insists on one."""

        _fields = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]

    _TIME_STAMPING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.8")
    HAS_TOOLS = True
except ImportError:
    HAS_TOOLS = False

MAX_RESPONSE_BYTES = 256 * 1024
GRANTED = frozenset({"granted", "granted_with_mods"})
IMPRINT_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
DEVELOPMENT_ORGANIZATION = "Originmark development - NOT TRUSTED"
# What asn1crypto raises for bytes that are not what they claim; x509_path adds what cryptography raises.
_MALFORMED: tuple[type[Exception], ...] = (
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    *x509_path.MALFORMED,
)
_STRONG: Mapping[str, str] = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512", "sha224": "SHA224"}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a checked token says. chain: DER from the signer upwards; anchored: its last is a trust anchor given."""

    gen_time: datetime
    authority: str
    policy: str
    serial: int
    nonce: int | None
    accuracy_ms: int
    chain: tuple[bytes, ...]
    anchored: bool
    revocation_known: bool

    @property
    def root_sha256(self) -> str:
        """Fingerprint of the last certificate of the chain: whom one has to trust."""
        return sha256(self.chain[-1]).hexdigest()

    @property
    def valid_until(self) -> datetime:
        """When the first certificate of the chain expires: by then a newer token has to cover this one."""
        return min(x509_path.validity_of(der)[1] for der in self.chain)

    @property
    def is_development(self) -> bool:
        """Whether the authority itself says that it is not to be trusted."""
        return any(x509_path.organization_of(der) == DEVELOPMENT_ORGANIZATION for der in self.chain)


def build_request(message: bytes, *, nonce: int, policy: str = "") -> bytes:
    """A DER TimeStampReq for the SHA-256 of these bytes, asking for the authority's certificates."""
    _require()
    fields: dict[str, Any] = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": sha256(message).digest()},
        "nonce": nonce,
        "cert_req": True,
    }
    if policy:
        fields["req_policy"] = policy
    return bytes(tsp.TimeStampReq(fields).dump())


def verify_timestamp(
    data: bytes,
    message: bytes,
    *,
    nonce: int | None = None,
    policy: str = "",
    anchors: Sequence[bytes] = (),
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
) -> Stamp:
    """What a token (a TimeStampResp, or the bare token) says about `message`, or a TimestampError naming the fault.

    nonce, policy: what was asked for; None and "" accept any. anchors: DER certificates trusted from outside, none
    for "under the authority it names". certificates: DER helpers beside those in the token, in any order.
    Source: RFC 3161 sections 2.2 and 2.4.2, RFC 5652 section 5.4, RFC 5816. Errors: docs/spec/timestamp.md.
    """
    _require()
    try:
        signed = _signed_data(data)
        info = _token_info(signed)
        _check_answer(info, message, nonce, policy)
        signer, embedded = _signer(signed, certificates)
        _check_usage(signer)
        _check_certificate_id(signed, signer)
        _check_signature(signed, signer)
        at = info["gen_time"].native
        path = x509_path.find_path(signer, [*embedded, *certificates], anchors, at=at, crls=crls)
        return Stamp(
            gen_time=at,
            authority=x509_path.subject_text(signer),
            policy=info["policy"].dotted,
            serial=info["serial_number"].native,
            nonce=info["nonce"].native,
            accuracy_ms=_accuracy_ms(info),
            chain=path.certificates,
            anchored=path.anchored,
            revocation_known=path.revocation_known,
        )
    except _MALFORMED as error:
        raise TimestampSyntax(f"not an RFC 3161 token: {type(error).__name__}: {error}"[:300]) from error


def embedded_certificates(data: bytes) -> list[bytes]:
    """DER of the certificates that a token carries, in its order."""
    _require()
    try:
        return _embedded(_signed_data(data))
    except _MALFORMED as error:
        raise TimestampSyntax(f"not an RFC 3161 token: {error}"[:300]) from error


def imprint_of(data: bytes) -> tuple[str, bytes]:
    """What a token is about: the name of a digest out of IMPRINT_ALGORITHMS and its value. Nothing else is checked."""
    _require()
    try:
        imprint = _token_info(_signed_data(data))["message_imprint"]
        algorithm = imprint["hash_algorithm"]["algorithm"].native
        value = bytes(imprint["hashed_message"].native)
    except _MALFORMED as error:
        raise TimestampSyntax(f"not an RFC 3161 token: {error}"[:300]) from error
    if algorithm not in IMPRINT_ALGORITHMS:
        raise TimestampAlgorithm(f"the imprint is made with {algorithm}", actual=algorithm)
    return algorithm, value


def _signed_data(data: bytes) -> Any:
    if len(data) > MAX_RESPONSE_BYTES:
        raise TimestampSyntax("the response is too large", expected=MAX_RESPONSE_BYTES, actual=len(data))
    content = _response_token(data)
    if content["content_type"].native != "signed_data":
        raise TimestampContent("the token is not signed data", actual=content["content_type"].native)
    return content["content"]


def _response_token(data: bytes) -> Any:
    try:
        bare = cms.ContentInfo.load(data, strict=True)
        if bare["content_type"].dotted == "1.2.840.113549.1.7.2":
            return bare
    except _MALFORMED:
        pass  # a response starts with a status, not with a content type
    response = _Response.load(data, strict=True)
    status = response["status"]
    if status["status"].native not in GRANTED:
        words = " ".join(status["status_string"].native or ())
        reasons = ", ".join(sorted(status["fail_info"].native or ()))
        raise TimestampRejected(
            f"the authority answered {status['status'].native}: {words} {reasons}".strip()[:300],
            actual=status["status"].native,
        )
    token = response["time_stamp_token"]
    if token.native is None:
        raise TimestampSyntax("granted, but without a token")
    return token


def _token_info(signed: Any) -> Any:
    encapsulated = signed["encap_content_info"]
    if encapsulated["content_type"].native != "tst_info" or len(signed["signer_infos"]) != 1:
        raise TimestampContent("the token does not hold one signed TSTInfo")
    info = encapsulated["content"].parsed
    if info["version"].native != "v1":
        raise TimestampContent("TSTInfo of another version", expected="v1", actual=info["version"].native)
    return info


def _check_answer(info: Any, message: bytes, nonce: int | None, policy: str) -> None:
    imprint = info["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    if algorithm not in IMPRINT_ALGORITHMS:
        raise TimestampAlgorithm(f"the imprint is made with {algorithm}", actual=algorithm)
    wanted, found = hashlib.new(algorithm, message).digest(), imprint["hashed_message"].native
    if wanted != found:
        raise TimestampImprint("the token is about other bytes", expected=wanted.hex(), actual=found.hex())
    if nonce is not None and info["nonce"].native != nonce:
        raise TimestampNonce("the token answers another request", expected=nonce, actual=info["nonce"].native)
    if policy and info["policy"].dotted != policy:
        raise TimestampPolicy("issued under another policy", expected=policy, actual=info["policy"].dotted)


def _embedded(signed: Any) -> list[bytes]:
    return [choice.chosen.dump() for choice in signed["certificates"] or () if choice.name == "certificate"]


def _signer(signed: Any, beside: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """The signer's certificate by the identifier in the token, and all certificates the token carries."""
    embedded = _embedded(signed)
    sid = signed["signer_infos"][0]["sid"]
    for der in [*embedded, *beside]:
        certificate = asn1_x509.Certificate.load(der)
        if sid.name == "issuer_and_serial_number":
            wanted = (sid.chosen["issuer"], sid.chosen["serial_number"].native)
            if (certificate.issuer, certificate.serial_number) == wanted:
                return der, embedded
        elif certificate.key_identifier == sid.chosen.native:
            return der, embedded
    raise TimestampCertificateMissing("the signer's certificate is not at hand")


def _check_usage(der: bytes) -> None:
    """RFC 3161 section 2.3: extendedKeyUsage is critical and says timeStamping, nothing else."""
    certificate = x509.load_der_x509_certificate(der)
    x509_path.check_critical(certificate)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise TimestampUsage("the certificate does not say that it is for time stamping") from None
    usages = list(extension.value)
    if not extension.critical or usages != [_TIME_STAMPING]:
        names = ", ".join(usage.dotted_string for usage in usages)
        raise TimestampUsage("the certificate is not for time stamping alone, marked critical", actual=names)


def _attribute(signed: Any, name: str) -> Any:
    """The one value of a signed attribute, or None."""
    found = [each for each in signed["signer_infos"][0]["signed_attrs"] if each["type"].native == name]
    if not found:
        return None
    if len(found) > 1 or len(found[0]["values"]) != 1:
        raise TimestampContent(f"the attribute {name} repeats")
    return found[0]["values"][0]


def _check_certificate_id(signed: Any, der: bytes) -> None:
    named = _attribute(signed, "signing_certificate_v2")
    digest: bytes
    if named is not None:
        first = named["certs"][0]
        algorithm = first["hash_algorithm"]["algorithm"].native
        if algorithm not in _STRONG:
            raise TimestampAlgorithm(f"the certificate is named by {algorithm}", actual=algorithm)
        digest = hashlib.new(algorithm, der).digest()
    else:
        named = _attribute(signed, "signing_certificate")
        if named is None:
            raise TimestampCertificateId("the token does not say which certificate signed it")
        first = named["certs"][0]
        digest = hashlib.sha1(der, usedforsecurity=False).digest()  # the identifier of RFC 3161; it proves nothing
    if first["cert_hash"].native != digest:
        raise TimestampCertificateId(
            "the token names another certificate", expected=digest.hex(), actual=first["cert_hash"].native.hex()
        )
    issuer = first["issuer_serial"]
    if issuer.native is not None:
        certificate = asn1_x509.Certificate.load(der)
        if issuer["serial_number"].native != certificate.serial_number:
            raise TimestampCertificateId("the token names a certificate of another serial number")


def _check_signature(signed: Any, der: bytes) -> None:
    """RFC 5652 section 5.4: the attributes hold the content's digest, the signature covers the attributes."""
    signer = signed["signer_infos"][0]
    algorithm = signer["digest_algorithm"]["algorithm"].native
    _require_strong(algorithm)
    content_type, digest = _attribute(signed, "content_type"), _attribute(signed, "message_digest")
    if content_type is None or content_type.native != "tst_info" or digest is None:
        raise TimestampContent("the signed attributes do not name the content")
    content = signed["encap_content_info"]["content"].contents
    if hashlib.new(algorithm, content).digest() != digest.native:
        raise TimestampSignature("the signed digest does not fit the content")
    message = signer["signed_attrs"].untag().dump()
    key = x509.load_der_x509_certificate(der).public_key()
    try:
        _verify(key, signer["signature_algorithm"], algorithm, signer["signature"].native, message)
    except InvalidSignature:
        raise TimestampSignature("the signature does not fit the token") from None
    except UnsupportedAlgorithm as error:
        raise TimestampUncheckable(f"signed in a way unknown here: {error}") from error


def _verify(key: Any, algorithm: "algos.SignedDigestAlgorithm", digest: str, signature: bytes, message: bytes) -> None:
    name = algorithm["algorithm"].native
    scheme = _scheme(algorithm)
    # rsaEncryption and the EdDSA names carry no digest of their own; then the token's digest algorithm counts.
    named = name.split("_")[0] if name.startswith(("sha", "md")) else digest
    _require_strong(named)
    strong = getattr(hashes, _STRONG[named])()
    if scheme == "rsassa_pkcs1v15" and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, message, padding.PKCS1v15(), strong)
    elif scheme == "rsassa_pss" and isinstance(key, rsa.RSAPublicKey):
        parameters = algorithm["parameters"]
        inner = parameters["hash_algorithm"]["algorithm"].native
        _require_strong(inner)
        strong = getattr(hashes, _STRONG[inner])()
        key.verify(signature, message, padding.PSS(padding.MGF1(strong), parameters["salt_length"].native), strong)
    elif scheme == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(strong))
    elif scheme in ("ed25519", "ed448") and isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, message)
    else:
        raise TimestampUncheckable(f"signed with {name}, which nothing here can check")


def _scheme(algorithm: Any) -> str:
    try:
        return str(algorithm.signature_algo)
    except ValueError as error:
        raise TimestampUncheckable(f"unknown signature algorithm: {error}") from error


def _require_strong(algorithm: str) -> None:
    if algorithm in x509_path.WEAK:
        raise TimestampAlgorithm(f"signed with {algorithm}", actual=algorithm)
    if algorithm not in _STRONG:
        raise TimestampUncheckable(f"digest {algorithm} is unknown here")


def _accuracy_ms(info: Any) -> int:
    accuracy = info["accuracy"].native
    if not accuracy:
        return 0
    parts = (accuracy.get("seconds") or 0) * 1000 + (accuracy.get("millis") or 0)
    return int(parts + ((accuracy.get("micros") or 0) + 999) // 1000)


def _require() -> None:
    if not HAS_TOOLS:
        raise TimestampUncheckable("checking time stamps needs the packages asn1crypto and cryptography")
