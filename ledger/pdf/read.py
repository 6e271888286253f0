"""A signed document taken apart: the bundle it carries, and the plain facts about its signature.

The reader is strict and repairs nothing: it accepts what our own documents are and names everything else. Every byte of
the file is accounted for: the signature covers all but its own container, and the container is rebuilt from the signed
parts and compared, so that a changed letter case or padding digit is noticed too. Behind the signature only what
ledger/pdf/archive.py adds may stand: a document security store and one time-stamp over the whole file. Facts only, no
verdict: without the certificate somebody trusts, an intact signature proves nothing but that one key made it.
"""

import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms, x509
from pyhanko.pdf_utils.generic import ArrayObject, StreamObject
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from ledger.pdf.archive import signature_container
from ledger.pdf.documents import BUNDLE_NAME
from ledger.pdf.errors import NotAPdfError, PdfMalformedError, PdfTooLargeError
from ledger.pdf.sign import certificate_der
from ledger.tlog.errors import TimestampError, TimestampUntrusted
from ledger.tlog.timestamp import embedded_certificates, verify_timestamp

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
class StampFacts:
    """A time-stamp of the document: when, by whom, and whether its chain ends at one of the anchors given."""

    gen_time: datetime
    authority: str
    anchored: bool


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """intact: nothing in the signed range or the container changed. covers_whole_file: nothing stands outside of it.

    trusted: the signer's certificate is exactly the one given, or None when none was. claimed_at is the signer's word.
    stamps: time-stamps over the signature and over the document (PAdES B-LTA has both), each one checked; a wrong one
    makes the document not intact.
    """

    intact: bool
    covers_whole_file: bool
    trusted: bool | None
    certificate_sha256: bytes
    common_name: str
    claimed_at: datetime | None
    valid_from: datetime
    valid_until: datetime
    stamps: tuple[StampFacts, ...] = ()


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


def _signature_facts(
    pdf: bytes, reader: PdfFileReader, trusted_der: bytes | None, anchors: Sequence[bytes]
) -> SignatureFacts:
    signature = reader.embedded_regular_signatures[-1]
    before, after, end = _signed_range(pdf, signature)
    certificate: x509.Certificate = signature.signer_cert
    digest = hashlib.sha256(pdf[:before] + pdf[after:end]).digest()
    same, valid = validate_sig_integrity(signature.signer_info, certificate, "data", digest)
    token = _signature_token(signature)
    intact = same and valid and pdf[before:after] == _container(signature_container(signature, token), after - before)
    stored = _stored_certificates(reader)
    stamps: list[StampFacts] = []
    if token is not None:
        stamp = _stamp(token, signature.signer_info["signature"].native, stored, anchors)
        intact = intact and stamp is not None
        stamps += [stamp] if stamp else []
    covers = end == len(pdf)
    if not covers and (archived := _document_stamp(pdf, reader, signature, stored, anchors)) is not None:
        stamps.append(archived)
        covers = True
    der = certificate.dump()
    return SignatureFacts(
        intact=intact,
        covers_whole_file=covers,
        trusted=None if trusted_der is None else der == trusted_der,
        certificate_sha256=hashlib.sha256(der).digest(),
        common_name=str(certificate.subject.native.get("common_name", "")),
        claimed_at=signature.self_reported_timestamp,
        valid_from=certificate.not_valid_before,
        valid_until=certificate.not_valid_after,
        stamps=tuple(stamps),
    )


def _signed_range(pdf: bytes, signature: EmbeddedPdfSignature) -> tuple[int, int, int]:
    """Where the container starts and ends, and where the signed bytes end."""
    start, before, after, length = (int(number) for number in signature.byte_range)
    if not (start == 0 <= before < after and 0 <= length <= len(pdf) - after):
        raise PdfMalformedError(f"signed range {[start, before, after, length]} lies outside the file")
    return before, after, after + length


def _container(der: bytes, length: int) -> bytes:
    """The one spelling of a container of this length in the file."""
    return b"<" + der.hex().upper().encode().ljust(length - 2, b"0") + b">"


def _signature_token(signature: EmbeddedPdfSignature) -> bytes | None:
    """The time-stamp beside the signature's value; nothing else may stand there."""
    unsigned = signature.signer_info["unsigned_attrs"]
    if not isinstance(unsigned, cms.CMSAttributes) or not len(unsigned):
        return None
    return bytes(unsigned[0]["values"][0].dump())  # what else there may be is missing from the container built anew


def _stored_certificates(reader: PdfFileReader) -> list[bytes]:
    """Certificates of the document security store, which the document's time-stamp covers."""
    if "/DSS" not in reader.root:
        return []
    return [certificate.dump() for certificate in DocumentSecurityStore.read_dss(reader).load_certs()]


def _stamp(token: bytes, message: bytes, stored: Sequence[bytes], anchors: Sequence[bytes]) -> StampFacts | None:
    """What a sound token over these bytes says. Every certificate in it has to be among the stored ones."""
    try:
        if not set(embedded_certificates(token)) <= set(stored):
            return None
        said = verify_timestamp(token, message, anchors=anchors, certificates=stored)
    except TimestampUntrusted:
        said = verify_timestamp(token, message, certificates=stored)
    except TimestampError:
        return None
    return StampFacts(said.gen_time, said.authority, said.anchored)


def _is_plain(token: bytes, stored: Sequence[bytes]) -> bool:
    """Whether the parts of a token that its signature leaves out say what they must and nothing else (RFC 5652)."""
    signed = cms.ContentInfo.load(token, strict=True)["content"]
    (signer,) = signed["signer_infos"]
    algorithms = list(signed["digest_algorithms"])
    names = {each["algorithm"].native for each in (*algorithms, signer["digest_algorithm"])}
    parameters = {each["parameters"].dump() for each in (*algorithms, signer["digest_algorithm"])}
    issuers = {x509.Certificate.load(der).issuer.dump() for der in stored}
    sid = signer["sid"]
    is_numbered = sid.name == "issuer_and_serial_number"
    return (
        signed["version"].native == "v3"
        and len(algorithms) == len(names) == 1
        and parameters <= {b"", b"\x05\x00"}
        and signer["version"].native == ("v1" if is_numbered else "v3")
        and (not is_numbered or sid.chosen["issuer"].dump() in issuers)
        and not signed["crls"].native
        and not signer["unsigned_attrs"].native
    )


def _document_stamp(
    pdf: bytes,
    reader: PdfFileReader,
    signature: EmbeddedPdfSignature,
    stored: Sequence[bytes],
    anchors: Sequence[bytes],
) -> StampFacts | None:
    """The one time-stamp over the whole file, if nothing but it and the store came after the signature."""
    found = reader.embedded_timestamp_signatures
    if len(found) != 1 or len(reader.embedded_signatures) != 2:
        return None
    before, after, end = _signed_range(pdf, found[0])
    token = cms.ContentInfo.load(bytes(found[0].pkcs7_content)).dump()
    if end != len(pdf) or pdf[before:after] != _container(token, after - before) or not _is_plain(token, stored):
        return None
    stamp = _stamp(token, pdf[:before] + pdf[after:], stored, anchors)
    return stamp if stamp is not None and _only_archived(signature) else None


def _only_archived(signature: EmbeddedPdfSignature) -> bool:
    """Whether what follows the signed revision is a security store and time-stamps, by pyHanko's list of harmless changes."""
    signature.compute_integrity_info()
    changes = signature.diff_result
    return (
        signature.coverage is SignatureCoverageLevel.ENTIRE_REVISION
        and isinstance(changes, DiffResult)
        and changes.modification_level is ModificationLevel.LTA_UPDATES
    )


def _read(pdf: bytes, trusted_der: bytes | None, anchors: Sequence[bytes], max_bundle_bytes: int) -> CertificateReading:
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
        signature=_signature_facts(pdf, reader, trusted_der, anchors) if signatures else None,
    )


def read_certificate(
    pdf: bytes,
    *,
    trusted_cert_pem: bytes | None,
    time_anchors: Sequence[bytes] = (),
    max_bytes: int = MAX_PDF_BYTES,
    max_bundle_bytes: int = MAX_BUNDLE_BYTES,
) -> CertificateReading:
    """Bundle and signature facts of one of our documents. time_anchors: DER, for its time-stamps.

    Raises NotAPdfError, PdfTooLargeError, or PdfMalformedError naming what could not be read; damaged bytes often end
    there, so a caller reports it as "not the document that was signed", never as "no signature".
    """
    if len(pdf) > max_bytes:
        raise PdfTooLargeError("the PDF", len(pdf), max_bytes)
    if not pdf.startswith(b"%PDF-"):
        raise NotAPdfError("the file does not begin with %PDF-")
    trusted_der = None if trusted_cert_pem is None else certificate_der(trusted_cert_pem)
    try:
        return _read(pdf, trusted_der, time_anchors, max_bundle_bytes)
    except MALFORMED as error:
        raise PdfMalformedError(f"unreadable: {type(error).__name__}: {error}") from error
