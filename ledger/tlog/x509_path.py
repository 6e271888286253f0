"""From a certificate to a trust anchor, as it stood at one moment (the part of RFC 5280 that time stamps need).

Trust anchors come from outside and are trusted as they are. Name constraints are not understood: a chain that insists
on them is refused. Needs the `cryptography` package; without it nothing here can be asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ledger.tlog.errors import (
    TimestampChain,
    TimestampError,
    TimestampExpired,
    TimestampRevoked,
    TimestampSyntax,
    TimestampUncheckable,
    TimestampUntrusted,
)

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding

    HAS_CRYPTOGRAPHY = True
    _MORE: tuple[type[Exception], ...] = (
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        x509.ExtensionNotFound,
        InvalidSignature,
    )
except ImportError:
    HAS_CRYPTOGRAPHY = False
    _MORE = ()

# What cryptography raises for bytes that are not what they claim.
MALFORMED: tuple[type[Exception], ...] = (ValueError, TypeError, *_MORE)
MAX_DEPTH = 8
WEAK = frozenset({"md2", "md4", "md5", "sha1"})
# Extensions that are looked at, or that say nothing about whether the chain holds.
_UNDERSTOOD = frozenset(
    {
        "2.5.29.14",  # subject key identifier
        "2.5.29.15",  # key usage
        "2.5.29.17",  # subject alternative name
        "2.5.29.19",  # basic constraints
        "2.5.29.31",  # CRL distribution points
        "2.5.29.32",  # certificate policies
        "2.5.29.35",  # authority key identifier
        "2.5.29.37",  # extended key usage
        "1.3.6.1.5.5.7.1.1",  # authority information access
    }
)
# Reasons after which what was signed before stays good (RFC 3161 section 4).
_HARMLESS_REASONS = frozenset({"unspecified", "affiliationChanged", "superseded", "cessationOfOperation"})


@dataclass(frozen=True, slots=True)
class Path:
    """A chain from the signer to its last known certificate, all DER; anchored: the last one is a trust anchor given.

    revocation_known: a valid CRL was at hand for every certificate below the last.
    """

    certificates: tuple[bytes, ...]
    anchored: bool
    revocation_known: bool


def load_certificates(data: bytes) -> list[bytes]:
    """DER of every certificate in PEM text or in one DER file; TimestampSyntax when it holds none."""
    _require()
    try:
        if b"-----BEGIN" in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except MALFORMED as error:
        raise TimestampSyntax(f"not a certificate: {error}") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def pem_of(certificates: Sequence[bytes]) -> bytes:
    """These DER certificates as PEM text, in their order, each headed by its subject."""
    _require()
    loaded = [x509.load_der_x509_certificate(der) for der in certificates]
    return b"".join(each.public_bytes(Encoding.PEM) for each in loaded)


def subject_text(certificate: bytes) -> str:
    """The common name, else organization, else the whole subject of a DER certificate."""
    subject = _load(certificate).subject
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        for attribute in subject.get_attributes_for_oid(oid):
            return str(attribute.value)
    return subject.rfc4514_string()


def organization_of(certificate: bytes) -> str:
    found = _load(certificate).subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else ""


def validity_of(certificate: bytes) -> tuple[datetime, datetime]:
    """From when until when a DER certificate is valid, aware UTC."""
    loaded = _load(certificate)
    return loaded.not_valid_before_utc, loaded.not_valid_after_utc


def crl_urls(certificate: bytes) -> list[str]:
    """Where a certificate says its revocation list is (http only, as RFC 5280 wants it)."""
    try:
        points = _load(certificate).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except MALFORMED:
        return []
    names = [name for point in points for name in point.full_name or ()]
    urls = [str(name.value) for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in urls if url.startswith("http")]


def load_crls(data: bytes) -> list[bytes]:
    """DER of every revocation list in PEM text or one DER file; TimestampSyntax when it holds none."""
    _require()
    try:
        if b"-----BEGIN" not in data:
            return [x509.load_der_x509_crl(data).public_bytes(Encoding.DER)]
        marker = b"-----END X509 CRL-----"
        parts = [part + marker for part in data.split(marker)[:-1]]
        return [x509.load_pem_x509_crl(part).public_bytes(Encoding.DER) for part in parts]
    except MALFORMED as error:
        raise TimestampSyntax(f"not a revocation list: {error}") from error


def crl_pem(crls: Sequence[bytes]) -> bytes:
    return b"".join(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in crls)


def find_path(
    signer: bytes, others: Sequence[bytes], anchors: Sequence[bytes], *, at: datetime, crls: Sequence[bytes] = ()
) -> Path:
    """The chain of `signer` (DER) valid at that moment; others are unordered helpers, anchors whom one trusts.

    Without anchors it leads as far as the certificates at hand do. Raises TimestampUntrusted when it reaches none of
    the anchors given, else TimestampChain, TimestampExpired or TimestampRevoked.
    """
    _require()
    trusted = list(anchors)
    pool = [_load(der) for der in dict.fromkeys([*others, *trusted])]
    problems: list[TimestampError] = []
    whole = next(_paths([_load(signer)], pool, trusted, problems), None)
    if whole is None:
        if problems:
            raise problems[0]
        raise TimestampUntrusted("the chain reaches none of the trust anchors", expected=len(trusted))
    for certificate in whole[:-1] if trusted else whole:
        _check_validity(certificate, at)
    revocation_known = _check_revocation(whole, [x509.load_der_x509_crl(der) for der in crls], at)
    return Path(tuple(each.public_bytes(Encoding.DER) for each in whole), bool(trusted), revocation_known)


def _paths(
    chain: "list[x509.Certificate]",
    pool: "list[x509.Certificate]",
    trusted: list[bytes],
    problems: list[TimestampError],
) -> "Iterator[list[x509.Certificate]]":
    """Every way from the chain so far to an anchor; to wherever it ends when there are no anchors."""
    last = chain[-1]
    if trusted and last.public_bytes(Encoding.DER) in trusted:
        yield chain
        return
    issuers = (
        [each for each in pool if each.subject == last.issuer and each not in chain] if len(chain) < MAX_DEPTH else []
    )
    fits = [each for each in issuers if _issued(last, each, len(chain) - 1, problems)]
    for issuer in fits:
        yield from _paths([*chain, issuer], pool, trusted, problems)
    if not trusted and not fits and not issuers:
        yield chain


def _issued(child: "x509.Certificate", issuer: "x509.Certificate", below: int, problems: list[TimestampError]) -> bool:
    """Whether issuer signed child and may; below: how many authorities stand between issuer and the signer."""
    try:
        if child.signature_hash_algorithm is not None and child.signature_hash_algorithm.name in WEAK:
            raise TimestampChain(
                f"{child.subject.rfc4514_string()} is signed with {child.signature_hash_algorithm.name}"
            )
        child.verify_directly_issued_by(issuer)
        _check_authority(issuer, below)
    except MALFORMED as error:
        name = child.subject.rfc4514_string()
        problems.append(TimestampChain(f"{name} was not issued by the certificate named as its issuer: {error}"))
        return False
    except UnsupportedAlgorithm as error:
        problems.append(TimestampUncheckable(f"a certificate is signed in a way unknown here: {error}"))
        return False
    except TimestampError as error:
        problems.append(error)
        return False
    return True


def _check_authority(issuer: "x509.Certificate", below: int) -> None:
    name = issuer.subject.rfc4514_string()
    check_critical(issuer)
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise TimestampChain(f"{name} is no certificate authority") from None
    if not constraints.ca or (constraints.path_length is not None and below > constraints.path_length):
        raise TimestampChain(f"{name} may not issue this certificate")
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise TimestampChain(f"the key of {name} may not sign certificates")


def check_critical(certificate: "x509.Certificate") -> None:
    """TimestampChain for a critical extension that nothing here understands."""
    for extension in certificate.extensions:
        if extension.critical and extension.oid.dotted_string not in _UNDERSTOOD:
            raise TimestampChain(f"critical extension {extension.oid.dotted_string} is not understood")


def _check_validity(certificate: "x509.Certificate", at: datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= at <= end:
        name = certificate.subject.rfc4514_string()
        raise TimestampExpired(f"{name} is valid from {start} to {end}", expected=str(end), actual=str(at))


def _check_revocation(
    chain: "list[x509.Certificate]", crls: "list[x509.CertificateRevocationList]", at: datetime
) -> bool:
    """Refuse a chain with a certificate that was revoked; say whether a list was at hand for every one."""
    known = True
    for certificate, issuer in pairwise(chain):
        lists = [crl for crl in crls if crl.issuer == issuer.subject and _signed_list(crl, issuer)]
        known = known and bool(lists)
        for crl in lists:
            entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None and _spoils(entry, at):
                name = certificate.subject.rfc4514_string()
                raise TimestampRevoked(f"{name} was revoked on {entry.revocation_date_utc}")
    return known


def _signed_list(crl: "x509.CertificateRevocationList", issuer: "x509.Certificate") -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # other keys raise
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _spoils(entry: "x509.RevokedCertificate", at: datetime) -> bool:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except x509.ExtensionNotFound:
        return True
    return reason not in _HARMLESS_REASONS or entry.revocation_date_utc <= at


def _load(der: bytes) -> "x509.Certificate":
    _require()
    try:
        return x509.load_der_x509_certificate(der)
    except MALFORMED as error:
        raise TimestampSyntax(f"not a certificate: {error}") from error


def _require() -> None:
    if not HAS_CRYPTOGRAPHY:
        raise TimestampUncheckable("checking time stamps needs the cryptography package")
