"""PAdES B-B signatures by a local x509 key, so that a changed PDF says so in any reader.

The certificate is self-signed and is not an authority: a root kept on the same machine as its leaf would protect
nothing and give people two fingerprints to compare instead of one, and a certificate that may not issue others is safe
to import as trusted. Signing adds one invisible field and nothing else: metadata stay as rendered, so PDF/A and PDF/UA
claims hold; nonces and the file id are derived from the input, so signing the same bytes twice gives the same bytes.
Without an outside timestamp `signed_at` is only our word, which is why no validity is ever concluded from it.
"""

import hashlib
import io
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.generic import ArrayObject, ByteStringObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import InvisSigSettings, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ledger.pdf.errors import SigningFailedError

FIELD_NAME = "Originmark"
# RFC 9336: for signing documents and nothing else.
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
VALID_DAYS = 3650
MAX_P256_SIGNATURE_BYTES = 72
MAX_CONTAINER_BYTES = 1536  # of a signature with our certificate, whose name is the log's origin


class DocumentSigner(NamedTuple):
    """A private key (PKCS 8 PEM, not encrypted: the keys directory guards it) and its x509 certificate (PEM)."""

    key_pem: bytes
    cert_pem: bytes


def make_document_signer(common_name: str, *, now: datetime, valid_days: int = VALID_DAYS) -> DocumentSigner:
    """A new ECDSA P-256 key with its self-signed certificate, valid from `now`; the key is the system's randomness."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=valid_days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return DocumentSigner(private, certificate.public_bytes(Encoding.PEM))


def certificate_sha256(cert_pem: bytes) -> bytes:
    """The 32-byte fingerprint people compare: SHA-256 of the certificate's DER."""
    return hashlib.sha256(certificate_der(cert_pem)).digest()


def certificate_der(cert_pem: bytes) -> bytes:
    """The certificate's DER, or SigningFailedError."""
    try:
        _, _, der = pem.unarmor(cert_pem)
    except ValueError as error:
        raise SigningFailedError(f"not a PEM certificate: {error}") from error
    return bytes(der)


class Writer(IncrementalPdfFileWriter):  # type: ignore[misc]
    """pyHanko's writer without its clock and its random file id: the two hooks that would break repeatability."""

    @classmethod
    def _handle_id(cls, prev: PdfFileReader) -> ArrayObject:
        first = ByteStringObject(bytes(prev.trailer["/ID"][0].original_bytes))
        prev.stream.seek(0)
        second = ByteStringObject(hashlib.sha256(b"originmark/pdf-id\0" + prev.stream.read()).digest()[:16])
        return ArrayObject([first, second])

    def _update_meta(self) -> None:
        """Leave XMP and Info as rendered: they already name the document's own time."""


class _EcdsaSigner(Signer):  # type: ignore[misc]
    """ECDSA with nonces derived from key and message (RFC 6979)."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: asn1_x509.Certificate) -> None:
        super().__init__(signing_cert=certificate, cert_registry=SimpleCertificateStore(), embed_roots=True)
        self._key = key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        if dry_run:  # only the length counts: the longest P-256 signature, as real ones vary by a few bytes
            return bytes(MAX_P256_SIGNATURE_BYTES)
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


class _Session(PdfSigner):  # type: ignore[misc]
    """pyHanko's signing with a time that is an argument."""

    def __init__(self, *arguments: Any, signed_at: datetime, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._signed_at = signed_at

    def init_signing_session(self, pdf_out: BasePdfFileWriter, existing_fields_only: bool = False) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self._signed_at
        return session


def _load_signer(key_pem: bytes, cert_pem: bytes) -> _EcdsaSigner:
    try:
        key = load_pem_private_key(key_pem, password=None)
        certificate = x509.load_pem_x509_certificate(cert_pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningFailedError(f"unreadable key or certificate: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SigningFailedError("documents are signed with an ECDSA key")
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*spki) != certificate.public_key().public_bytes(*spki):
        raise SigningFailedError("the certificate belongs to another key")
    return _EcdsaSigner(key, asn1_x509.Certificate.load(certificate_der(cert_pem)))


def sign_pdf(
    pdf: bytes, *, key_pem: bytes, cert_pem: bytes, reason: str, signed_at: datetime, room_bytes: int = 0
) -> bytes:
    """The PDF with one PAdES B-B signature over all of it, or SigningFailedError; same arguments, same bytes.

    room_bytes: left in the signature's container for a time-stamp that may come later (ledger/pdf/archive.py).
    """
    signer = _load_signer(key_pem, cert_pem)
    metadata = PdfSignatureMetadata(
        field_name=FIELD_NAME,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        reason=reason,
        name=signer.signing_cert.subject.native.get("common_name"),
        tight_size_estimates=True,
    )
    field = SigFieldSpec(
        FIELD_NAME,
        # PDF/A wants the print flag, PDF/UA a box outside the page when the field is not tagged.
        invis_sig_settings=InvisSigSettings(set_print_flag=True, set_hidden_flag=False, box_out_of_bounds=True),
        readable_field_name="Digital signature of this document",
    )
    try:
        writer = Writer(io.BytesIO(pdf))
        out = io.BytesIO()
        session = _Session(metadata, signer=signer, new_field_spec=field, signed_at=signed_at)
        reserved = 2 * (MAX_CONTAINER_BYTES + room_bytes) if room_bytes else None  # hexadecimal digits
        session.sign_pdf(writer, output=out, bytes_reserved=reserved)
        return out.getvalue()
    except (PdfError, SigningError, ValueError) as error:
        raise SigningFailedError(str(error)) from error
