"""PAdES B-LTA: a signed document with what is needed to check it for decades, under two time-stamps.

First a time-stamp over the signature's value, put into the room that its container was given; then two updates behind the
signed bytes: a document security store (the signer's certificate, the authority's chain, its revocation lists) and a
time-stamp over all of it (ETSI EN 319 142-1 section 5). The signed bytes stay as they are. Tokens come from the caller;
network and clock are deliberately absent.
"""

import io
from collections.abc import Callable, Sequence

from asn1crypto import cms, crl, x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import InvisSigSettings, SigFieldSpec
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import DocumentTimestamp
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from ledger.pdf.errors import SigningFailedError
from ledger.pdf.sign import Writer

TIME_FIELD = "OriginmarkTime"
RESERVED_BYTES = 6 * 1024  # a token with its chain: authorities seen use 3 to 6 kB

# Takes the bytes to be stamped and returns a bare RFC 3161 token (DER) over their SHA-256.
AskStamp = Callable[[bytes], bytes]


def signature_value(pdf: bytes) -> bytes:
    """What the first time-stamp is about: the value of the document's own signature. SigningFailedError without one."""
    return bytes(_own_signature(pdf).signer_info["signature"].native)


def archive_pdf(
    pdf: bytes,
    *,
    signature_token: bytes,
    certificates: Sequence[bytes],
    crls: Sequence[bytes],
    ask: AskStamp,
    reserved_bytes: int = RESERVED_BYTES,
) -> bytes:
    """The signed PDF made B-LTA, or SigningFailedError; what `ask` raises passes through.

    signature_token: over signature_value(pdf). certificates, crls: DER, of the signer and of the authorities.
    """
    try:
        stamped = _with_signature_token(pdf, signature_token)
        return _stamped(_with_store(stamped, certificates, crls), ask, reserved_bytes)
    except (PdfError, SigningError, ValueError) as error:
        raise SigningFailedError(str(error)) from error


def _own_signature(pdf: bytes) -> EmbeddedPdfSignature:
    try:
        signatures = PdfFileReader(io.BytesIO(pdf), strict=True).embedded_regular_signatures
    except (PdfError, ValueError) as error:
        raise SigningFailedError(str(error)) from error
    if len(signatures) != 1:
        raise SigningFailedError(f"{len(signatures)} signatures, expected one")
    return signatures[0]


def _with_signature_token(pdf: bytes, token: bytes) -> bytes:
    """The container written anew with the token beside the signature; nothing else of the file changes."""
    signature = _own_signature(pdf)
    start, end = int(signature.byte_range[1]), int(signature.byte_range[2])
    container = signature_container(signature, token).hex().upper().encode()
    if len(container) > end - start - 2:
        raise SigningFailedError("the signature's container has no room for a time-stamp")
    return pdf[:start] + b"<" + container.ljust(end - start - 2, b"0") + b">" + pdf[end:]


def signature_container(signature: EmbeddedPdfSignature, token: bytes | None) -> bytes:
    """The CMS container our signer writes around the signed parts, in its one spelling (DER)."""
    info, certificate = signature.signer_info, signature.signer_cert
    fields = {
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
    if token is not None:
        attribute = {"type": "signature_time_stamp_token", "values": [cms.ContentInfo.load(token, strict=True)]}
        fields["unsigned_attrs"] = cms.CMSAttributes([cms.CMSAttribute(attribute)])
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [cms.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {"content_type": "data"},
            "certificates": [certificate],
            "signer_infos": [cms.SignerInfo(fields)],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _with_store(pdf: bytes, certificates: Sequence[bytes], crls: Sequence[bytes]) -> bytes:
    writer = Writer(io.BytesIO(pdf))
    writer.register_extension(ESIC_EXTENSION_1)
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        sig_contents=None,
        certs=[x509.Certificate.load(der) for der in dict.fromkeys(certificates)],
        crls=[crl.CertificateList.load(der) for der in dict.fromkeys(crls)],
    )
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _stamped(pdf: bytes, ask: AskStamp, reserved_bytes: int) -> bytes:
    """One more update that holds a time-stamp over all of the file but its own container."""
    field = SigFieldSpec(
        TIME_FIELD,
        invis_sig_settings=InvisSigSettings(set_print_flag=True, set_hidden_flag=False, box_out_of_bounds=True),
        readable_field_name="Time-stamp of this document",
    )
    out = io.BytesIO()
    steps = PdfCMSEmbedder(new_field_spec=field).write_cms(TIME_FIELD, Writer(io.BytesIO(pdf)))
    next(steps)
    steps.send(SigObjSetup(sig_placeholder=DocumentTimestamp(bytes_reserved=2 * reserved_bytes)))
    prepared, _output = steps.send(SigIOSetup(md_algorithm="sha256", output=out))
    content = out.getvalue()
    message = content[: prepared.reserved_region_start] + content[prepared.reserved_region_end :]
    steps.send(cms.ContentInfo.load(ask(message), strict=True))
    return out.getvalue()
