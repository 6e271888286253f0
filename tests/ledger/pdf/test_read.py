"""A dropped PDF: what it carries comes out unchanged, and every change to it is noticed."""

import io
import random
import re
import zlib
from datetime import UTC, datetime

import pikepdf
import pytest

from ledger.pdf.errors import NotAPdfError, PdfError, PdfMalformedError, PdfTooLargeError
from ledger.pdf.read import CertificateReading, read_certificate
from ledger.pdf.render import render_certificate
from ledger.pdf.sign import DocumentSigner, certificate_sha256, make_document_signer, sign_pdf
from tests.ledger.pdf import samples


def holds(pdf: bytes, cert_pem: bytes) -> bool:
    """Whether a reader may say "this is the document that was signed by that key"."""
    try:
        reading = read_certificate(pdf, trusted_cert_pem=cert_pem)
    except PdfError:
        return False
    facts = reading.signature
    return facts is not None and facts.intact and facts.covers_whole_file and facts.trusted is True


@pytest.fixture(scope="module")
def reading(signed_pdf: bytes, signer: DocumentSigner) -> CertificateReading:
    return read_certificate(signed_pdf, trusted_cert_pem=signer.cert_pem)


def test_the_bundle_comes_out_as_it_went_in(reading: CertificateReading) -> None:
    assert reading.bundle == samples.bundle().data
    assert reading.attachments == ("originmark-bundle.zip",)


def test_an_untouched_document_is_intact_whole_and_trusted(reading: CertificateReading, signer: DocumentSigner) -> None:
    facts = reading.signature
    assert facts is not None
    assert (facts.intact, facts.covers_whole_file, facts.trusted) == (True, True, True)
    assert facts.certificate_sha256 == certificate_sha256(signer.cert_pem)
    assert (facts.common_name, facts.claimed_at) == ("Originmark 测试", samples.ISSUED)


def test_without_a_trusted_certificate_trust_is_unknown_and_with_another_it_is_denied(signed_pdf: bytes) -> None:
    other = make_document_signer("Originmark 测试", now=datetime(2026, 11, 1, tzinfo=UTC))
    unknown = read_certificate(signed_pdf, trusted_cert_pem=None).signature
    denied = read_certificate(signed_pdf, trusted_cert_pem=other.cert_pem).signature
    assert unknown is not None
    assert denied is not None
    assert (unknown.trusted, denied.trusted) == (None, False)


def test_an_unsigned_document_has_no_signature_but_still_its_bundle(unsigned_pdf: bytes) -> None:
    reading = read_certificate(unsigned_pdf, trusted_cert_pem=None)
    assert (reading.signature, reading.bundle) == (None, samples.bundle().data)


def test_a_document_without_a_bundle_says_so() -> None:
    assert read_certificate(render_certificate(samples.certificate()), trusted_cert_pem=None).bundle is None


def flipped(pdf: bytes, position: int, bit: int) -> bytes:
    return pdf[:position] + bytes([pdf[position] ^ (1 << bit)]) + pdf[position + 1 :]


@pytest.fixture(scope="module")
def small_signed_pdf(signer: DocumentSigner) -> bytes:
    """The smallest signed document: every byte of it can be tried."""
    document = pikepdf.new()
    document.add_blank_page()
    out = io.BytesIO()
    document.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return sign_pdf(out.getvalue(), **signer._asdict(), reason="evidence", signed_at=samples.ISSUED)


def test_every_changed_digit_of_the_container_is_noticed(small_signed_pdf: bytes, signer: DocumentSigner) -> None:
    assert holds(small_signed_pdf, signer.cert_pem)
    container = re.search(rb"/Contents (<[0-9A-F]+>)", small_signed_pdf)
    assert container is not None
    # a letter changes its case only: the same number, another byte
    bits = {p: 5 if small_signed_pdf[p : p + 1].isalpha() else 0 for p in range(*container.span(1))}
    assert [p for p, bit in bits.items() if holds(flipped(small_signed_pdf, p, bit), signer.cert_pem)] == []


def test_a_changed_byte_outside_of_the_container_is_noticed(small_signed_pdf: bytes, signer: DocumentSigner) -> None:
    positions = range(0, len(small_signed_pdf), 7)
    assert [p for p in positions if holds(flipped(small_signed_pdf, p, 1), signer.cert_pem)] == []


def test_a_changed_byte_anywhere_is_noticed(signed_pdf: bytes, signer: DocumentSigner) -> None:
    numbers = random.Random(20261121)
    positions = [0, 5, len(signed_pdf) - 1, *(numbers.randrange(len(signed_pdf)) for _ in range(150))]
    assert [p for p in positions if holds(flipped(signed_pdf, p, numbers.randrange(8)), signer.cert_pem)] == []


@pytest.mark.parametrize("tail", [b"\n", b" ", b"%%EOF\n", b"PK\x03\x04"])
def test_trailing_bytes_are_noticed(tail: bytes, signed_pdf: bytes, signer: DocumentSigner) -> None:
    assert not holds(signed_pdf + tail, signer.cert_pem)


@pytest.mark.parametrize("kept", [0, 4, 9, 1000, 0.5, 0.99, -1, -2])
def test_a_cut_document_is_noticed(kept: float, signed_pdf: bytes, signer: DocumentSigner) -> None:
    length = int(len(signed_pdf) * kept) if isinstance(kept, float) else kept
    assert not holds(signed_pdf[:length], signer.cert_pem)


def test_an_appended_update_is_noticed(signed_pdf: bytes, signer: DocumentSigner) -> None:
    startxref = signed_pdf.rindex(b"startxref")
    offset = int(signed_pdf[startxref:].split()[1])
    root = re.search(rb"/Root (\d+) 0 R", signed_pdf[offset:])
    size = re.search(rb"/Size (\d+)", signed_pdf[offset:])
    assert root is not None
    assert size is not None
    number = size[1]
    body = number + b" 0 obj\n(an innocent new object)\nendobj\n"
    xref = b"xref\n%s 1\n%010d 00000 n \ntrailer\n<</Size %d/Root %s 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        number,
        len(signed_pdf),
        int(number) + 1,
        root[1],
        offset,
        len(signed_pdf) + len(body),
    )
    updated = signed_pdf + body + xref
    with pikepdf.open(io.BytesIO(updated)) as document:
        assert len(document.pages) >= 2, "other readers still open it"
    reading = read_certificate(updated, trusted_cert_pem=signer.cert_pem)
    assert reading.signature is not None
    assert not reading.signature.covers_whole_file
    assert not holds(updated, signer.cert_pem)


def test_a_second_signature_by_another_key_is_not_taken_for_ours(signed_pdf: bytes, signer: DocumentSigner) -> None:
    other = make_document_signer("someone", now=datetime(2026, 11, 1, tzinfo=UTC))
    unsigned = render_certificate(samples.certificate(), attachments=[samples.bundle()])
    theirs = sign_pdf(unsigned, **other._asdict(), reason="evidence", signed_at=samples.ISSUED)
    assert not holds(theirs, signer.cert_pem)


def test_size_limits_are_kept(signed_pdf: bytes) -> None:
    with pytest.raises(PdfTooLargeError):
        read_certificate(signed_pdf, trusted_cert_pem=None, max_bytes=len(signed_pdf) - 1)
    with pytest.raises(PdfTooLargeError):
        read_certificate(signed_pdf, trusted_cert_pem=None, max_bundle_bytes=5)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\n%PDF-1.7", b"<html>"])
def test_what_is_no_pdf_is_named_so(data: bytes) -> None:
    with pytest.raises(NotAPdfError):
        read_certificate(data, trusted_cert_pem=None)


def bomb() -> bytes:
    """A small PDF whose bundle inflates to 100 MB."""
    document = pikepdf.new()
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    stream = pikepdf.Stream(document, b"")
    stream.write(packed, filter=pikepdf.Name.FlateDecode)
    stream.Type = pikepdf.Name.EmbeddedFile
    specification = pikepdf.Dictionary(
        Type=pikepdf.Name.Filespec, UF="originmark-bundle.zip", EF=pikepdf.Dictionary(F=stream)
    )
    document.Root.AF = pikepdf.Array([document.make_indirect(specification)])
    document.add_blank_page()
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_a_compression_bomb_is_refused_before_it_unfolds() -> None:
    with pytest.raises((PdfMalformedError, PdfTooLargeError)):
        read_certificate(bomb(), trusted_cert_pem=None)


def test_an_encrypted_document_is_refused(signed_pdf: bytes) -> None:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(signed_pdf)) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="a", user="b"))
    with pytest.raises(PdfMalformedError):
        read_certificate(out.getvalue(), trusted_cert_pem=None)
