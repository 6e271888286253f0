"""A signed document taken apart: the bundle it carries, and the plain facts about its signature.

The reader is strict and repairs nothing: it accepts what our own documents are and names everything else. Every byte of
the file is accounted for: the signature covers all but its own container, and the container is rebuilt from the signed
parts and compared, so that a changed letter case or padding digit is noticed too. Facts only, no verdict: without the
certificate somebody trusts, an intact signature proves nothing but that one key made it.
"""

import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms, x509
from pyhanko.pdf_utils.generic import ArrayObject, StreamObject
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from ledger.pdf.documents import BUNDLE_NAME
from ledger.pdf.errors import NotAPdfError, PdfMalformedError, PdfTooLargeError
from ledger.pdf.sign import certificate_der

MAX_PDF_BYTES = 64 * 1024 * 1024
MAX_BUNDLE_BYTES = 64 * 1024 * 1024
MAX_ATTACHMENTS = 32
# What pyHanko and asn1crypto raise for bytes that are not what they claim; found by changing every byte of a document.
MALFORMED = (
    PdfError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    NotImplementedError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """intact: nothing in the signed range or the container changed. covers_whole_file: nothing stands outside of it.

    trusted: the signer's certificate is exactly the one given, or None when none was. claimed_at is the signer's word.
    """

    intact: bool
    covers_whole_file: bool
    trusted: bool | None
    certificate_sha256: bytes
    common_name: str
    claimed_at: datetime | None
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class CertificateReading:
    """What a PDF holds: the core bundle, the names of all attachments, and the last signature, if any."""

    sha256: bytes
    bundle: bytes | None
    attachments: tuple[str, ...]
    signature: SignatureFacts | None


def _attachments(reader: PdfFileReader) -> Iterator[tuple[str, StreamObject]]:
    """Associated files (PDF/A-3 lists every attachment there), in the document's order."""
    files = reader.root.get("/AF", ArrayObject())
    if len(files) > MAX_ATTACHMENTS:
        raise PdfMalformedError(f"{len(files)} attachments, the limit is {MAX_ATTACHMENTS}")
    for reference in files:
        specification = reference.get_object()
        yield str(specification["/UF"]), specification["/EF"]["/F"]


def _rebuilt(signature: EmbeddedPdfSignature) -> bytes:
    """The CMS container our signer writes around the signed parts; any other spelling is a change."""
    info = signature.signer_info
    certificate = signature.signer_cert
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                    )
                }
            ),
            "digest_algorithm": cms.DigestAlgorithm({"algorithm": "sha256"}),
            "signed_attrs": info["signed_attrs"],
            "signature_algorithm": cms.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": info["signature"].native,
        }
    )
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [cms.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {"content_type": "data"},
            "certificates": [certificate],
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _signature_facts(pdf: bytes, signature: EmbeddedPdfSignature, trusted_der: bytes | None) -> SignatureFacts:
    start, before, after, length = (int(number) for number in signature.byte_range)
    if not (start == 0 <= before < after and 0 <= length <= len(pdf) - after):
        raise PdfMalformedError(f"signed range {[start, before, after, length]} lies outside the file")
    certificate: x509.Certificate = signature.signer_cert
    digest = hashlib.sha256(pdf[:before] + pdf[after : after + length]).digest()
    same, valid = validate_sig_integrity(signature.signer_info, certificate, "data", digest)
    container = _rebuilt(signature).hex().upper().encode()
    gap = after - before - 2
    der = certificate.dump()
    return SignatureFacts(
        intact=same and valid and pdf[before:after] == b"<" + container.ljust(gap, b"0") + b">",
        covers_whole_file=after + length == len(pdf),
        trusted=None if trusted_der is None else der == trusted_der,
        certificate_sha256=hashlib.sha256(der).digest(),
        common_name=str(certificate.subject.native.get("common_name", "")),
        claimed_at=signature.self_reported_timestamp,
        valid_from=certificate.not_valid_before,
        valid_until=certificate.not_valid_after,
    )


def _read(pdf: bytes, trusted_der: bytes | None, max_bundle_bytes: int) -> CertificateReading:
    reader = PdfFileReader(io.BytesIO(pdf), strict=True)
    if reader.encrypted:
        raise PdfMalformedError("the file is encrypted")
    bundle: bytes | None = None
    names: list[str] = []
    for name, stream in _attachments(reader):
        names.append(name)
        if name == BUNDLE_NAME:
            if bundle is not None:
                raise PdfMalformedError(f"two attachments are called {BUNDLE_NAME}")
            bundle = stream.data
            if len(bundle) > max_bundle_bytes:
                raise PdfTooLargeError(BUNDLE_NAME, len(bundle), max_bundle_bytes)
    signatures = reader.embedded_regular_signatures if "/AcroForm" in reader.root else []
    return CertificateReading(
        sha256=hashlib.sha256(pdf).digest(),
        bundle=bundle,
        attachments=tuple(names),
        signature=_signature_facts(pdf, signatures[-1], trusted_der) if signatures else None,
    )


def read_certificate(
    pdf: bytes,
    *,
    trusted_cert_pem: bytes | None,
    max_bytes: int = MAX_PDF_BYTES,
    max_bundle_bytes: int = MAX_BUNDLE_BYTES,
) -> CertificateReading:
    """Bundle and signature facts of one of our documents.

    Raises NotAPdfError, PdfTooLargeError, or PdfMalformedError naming what could not be read; damaged bytes often end
    there, so a caller reports it as "not the document that was signed", never as "no signature".
    """
    if len(pdf) > max_bytes:
        raise PdfTooLargeError("the PDF", len(pdf), max_bytes)
    if not pdf.startswith(b"%PDF-"):
        raise NotAPdfError("the file does not begin with %PDF-")
    trusted_der = None if trusted_cert_pem is None else certificate_der(trusted_cert_pem)
    try:
        return _read(pdf, trusted_der, max_bundle_bytes)
    except MALFORMED as error:
        raise PdfMalformedError(f"unreadable: {type(error).__name__}: {error}") from error
