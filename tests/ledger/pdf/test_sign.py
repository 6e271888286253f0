"""A signature that any reader can check, and that adds nothing but itself."""

import io
from datetime import UTC, datetime

import pikepdf
import pytest
from cryptography import x509

from ledger.pdf.errors import SigningFailedError
from ledger.pdf.sign import DocumentSigner, certificate_sha256, make_document_signer, sign_pdf
from tests.ledger.pdf import samples
from tests.ledger.pdf.conftest import Tool


def test_the_certificate_may_sign_documents_and_nothing_else(signer: DocumentSigner) -> None:
    certificate = x509.load_pem_x509_certificate(signer.cert_pem)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_cert_sign) == (True, True, False)


def test_two_signers_have_two_fingerprints() -> None:
    first, second = (make_document_signer("same name", now=samples.ISSUED) for _ in range(2))
    assert certificate_sha256(first.cert_pem) != certificate_sha256(second.cert_pem)


def test_signing_appends_and_changes_no_byte_before(unsigned_pdf: bytes, signed_pdf: bytes) -> None:
    assert signed_pdf.startswith(unsigned_pdf)


def test_same_arguments_give_the_same_signed_bytes(
    unsigned_pdf: bytes, signed_pdf: bytes, signer: DocumentSigner
) -> None:
    assert sign_pdf(unsigned_pdf, **signer._asdict(), reason="evidence", signed_at=samples.ISSUED) == signed_pdf


def test_archival_claims_survive_signing(signed_pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(signed_pdf)) as document:
        with document.open_metadata() as metadata:
            assert [metadata.get(k) for k in ("pdfaid:part", "pdfaid:conformance", "pdfuaid:part")] == ["3", "A", "1"]
        (widget,) = [a for page in document.pages for a in page.get("/Annots", []) if a.Subtype == "/Widget"]
        assert int(widget.F) & 0b100, "PDF/A wants the print flag"
        assert not int(widget.F) & 0b11, "PDF/A allows neither invisible nor hidden"
        assert all(float(edge) < 0 for edge in widget.Rect), "PDF/UA wants an untagged field off the page"
        assert str(widget.V.SubFilter) == "/ETSI.CAdES.detached"
        assert [str(f.UF) for f in document.Root.AF] == ["originmark-bundle.zip"]


def test_poppler_and_qpdf_accept_the_signed_document(signed_pdf: bytes, tool: Tool) -> None:
    answer = tool("pdfsig", "-nocert", pdf=signed_pdf)
    assert "Signature is Valid" in answer
    assert "Total document signed" in answer
    assert "No syntax or stream encoding errors" in tool("qpdf", "--check", pdf=signed_pdf)


def test_refuses_a_certificate_of_another_key(unsigned_pdf: bytes, signer: DocumentSigner) -> None:
    other = make_document_signer("other", now=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(SigningFailedError):
        sign_pdf(
            unsigned_pdf, key_pem=signer.key_pem, cert_pem=other.cert_pem, reason="evidence", signed_at=samples.ISSUED
        )


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7\n", b"not a pdf"])
def test_refuses_what_is_no_pdf(pdf: bytes, signer: DocumentSigner) -> None:
    with pytest.raises(SigningFailedError):
        sign_pdf(pdf, **signer._asdict(), reason="evidence", signed_at=samples.ISSUED)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_refuses_an_unreadable_key(pem: bytes, unsigned_pdf: bytes, signer: DocumentSigner) -> None:
    with pytest.raises(SigningFailedError):
        sign_pdf(unsigned_pdf, key_pem=pem, cert_pem=signer.cert_pem, reason="evidence", signed_at=samples.ISSUED)
