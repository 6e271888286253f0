"""A document with its time-stamps: other programs call it B-LTA without a network, and no change to it goes unnoticed."""

import asyncio
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pikepdf
import pytest
from asn1crypto import pem, tsp, x509
from pyhanko.pdf_utils.generic import NumberObject, pdf_name
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed, AdESSubIndic
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from ledger.anchors.local_tsa import LocalAuthority
from ledger.pdf import archive
from ledger.pdf.archive import archive_pdf, signature_value
from ledger.pdf.errors import PdfError, SigningFailedError
from ledger.pdf.read import CertificateReading, read_certificate
from ledger.pdf.sign import DocumentSigner, Writer, certificate_der, make_document_signer, sign_pdf
from ledger.tlog.timestamp import build_request
from tests.ledger.pdf import samples
from tests.ledger.pdf.conftest import Tool
from tests.ledger.pdf.test_read import flipped

ROOM = 4096


@dataclass(frozen=True)
class Site:
    """A signer and a real authority (openssl), whose clocks are the machine's."""

    signer: DocumentSigner
    authority: LocalAuthority
    now: datetime

    @property
    def root(self) -> bytes:
        return pem.unarmor(self.authority.root_pem)[2]

    @property
    def certificates(self) -> list[bytes]:
        leaf = pem.unarmor((self.authority.folder / "tsa.crt.pem").read_bytes())[2]
        return [certificate_der(self.signer.cert_pem), leaf, self.root]

    def token(self, message: bytes) -> bytes:
        answer = tsp.TimeStampResp.load(self.authority.reply(build_request(message, nonce=7)))
        return answer["time_stamp_token"].dump()

    def sign(self, pdf: bytes, room: int = ROOM) -> bytes:
        return sign_pdf(pdf, **self.signer._asdict(), reason="evidence", signed_at=self.now, room_bytes=room)

    def archive(self, signed: bytes, token: Callable[[bytes], bytes] | None = None) -> bytes:
        ask = token or self.token
        return archive_pdf(
            signed,
            signature_token=ask(signature_value(signed)),
            certificates=self.certificates,
            crls=[],
            ask=ask,
            reserved_bytes=ROOM,
        )

    def read(self, pdf: bytes) -> CertificateReading:
        return read_certificate(pdf, trusted_cert_pem=self.signer.cert_pem, time_anchors=[self.root])

    def holds(self, pdf: bytes) -> bool:
        """Whether the document is the one that was signed, with both its time-stamps."""
        try:
            facts = self.read(pdf).signature
        except PdfError:
            return False
        whole = facts is not None and facts.intact and facts.covers_whole_file and facts.trusted is True
        return whole and [stamp.anchored for stamp in facts.stamps] == [True, True]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    now = datetime.now(UTC).replace(microsecond=0)
    signer = make_document_signer("Originmark", now=now - timedelta(days=1))
    return Site(signer, LocalAuthority(tmp_path_factory.mktemp("authority")), now)


@pytest.fixture(scope="module")
def archived(site: Site, unsigned_pdf: bytes) -> bytes:
    return site.archive(site.sign(unsigned_pdf))


@pytest.fixture(scope="module")
def small(site: Site) -> bytes:
    document = pikepdf.new()
    document.add_blank_page()
    out = io.BytesIO()
    document.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return site.archive(site.sign(out.getvalue()))


def _policy(*roots: bytes) -> CertValidationPolicySpec:
    return CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[x509.Certificate.load(der) for der in roots]),
        # The signer's own certificate has no issuer who could revoke it, the development clock publishes no list.
        revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("soft-fail")),
    )


def _long_term_verdict(pdf: bytes, site: Site) -> AdESSubIndic:
    """pyHanko's validation of long-term signatures (ETSI EN 319 102-1 section 5.6.3), with no fetcher at all."""
    spec = SignatureValidationSpec(
        cert_validation_policy=_policy(certificate_der(site.signer.cert_pem)),
        ts_cert_validation_policy=_policy(site.root),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY),
        key_usage_settings=KeyUsageConstraints(key_usage={"digital_signature"}),
    )
    signature = PdfFileReader(io.BytesIO(pdf), strict=True).embedded_regular_signatures[0]
    return asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(spec))).ades_subindic


def test_another_validator_calls_it_b_lta_without_a_network(archived: bytes, site: Site) -> None:
    assert _long_term_verdict(archived, site) is AdESPassed.OK


def test_without_its_time_stamps_the_validator_does_not(site: Site, unsigned_pdf: bytes) -> None:
    assert _long_term_verdict(site.sign(unsigned_pdf), site) is not AdESPassed.OK


def test_both_stamps_are_read_and_trusted(archived: bytes, site: Site) -> None:
    facts = site.read(archived).signature
    assert facts is not None
    assert (facts.intact, facts.covers_whole_file, facts.trusted) == (True, True, True)
    assert [stamp.anchored for stamp in facts.stamps] == [True, True]
    assert all(abs(stamp.gen_time - site.now) < timedelta(minutes=10) for stamp in facts.stamps)


def test_an_authority_that_is_not_trusted_is_said_to_be_so(archived: bytes, site: Site) -> None:
    other = certificate_der(make_document_signer("other", now=site.now).cert_pem)
    facts = read_certificate(archived, trusted_cert_pem=site.signer.cert_pem, time_anchors=[other]).signature
    assert facts is not None
    assert (facts.intact, facts.covers_whole_file) == (True, True)
    assert [stamp.anchored for stamp in facts.stamps] == [False, False]


def test_the_bundle_inside_stays_the_same(archived: bytes, site: Site) -> None:
    assert site.read(archived).bundle == samples.bundle().data


def test_pdfsig_finds_the_signature_valid(archived: bytes, tool: Tool) -> None:
    assert "Signature Validation: Signature is Valid." in tool("pdfsig", "-nocert", pdf=archived)


def test_the_document_stays_small(archived: bytes) -> None:
    assert len(archived) < 150_000


def test_a_document_with_room_is_whole_before_any_authority_has_answered(site: Site, unsigned_pdf: bytes) -> None:
    facts = site.read(site.sign(unsigned_pdf)).signature
    assert facts is not None
    assert (facts.intact, facts.covers_whole_file, facts.stamps) == (True, True, ())


def test_a_document_without_room_cannot_be_archived(site: Site, unsigned_pdf: bytes) -> None:
    with pytest.raises(SigningFailedError, match="no room"):
        site.archive(site.sign(unsigned_pdf, room=0))


def test_a_changed_byte_anywhere_is_noticed(archived: bytes, site: Site) -> None:
    numbers = random.Random(20261128)
    positions = [numbers.randrange(len(archived)) for _ in range(120)]
    assert [p for p in positions if site.holds(flipped(archived, p, numbers.randrange(8)))] == []


def test_a_changed_digit_of_either_container_is_noticed(small: bytes, site: Site) -> None:
    assert site.holds(small)
    containers = list(re.finditer(rb"/Contents (<[0-9A-Fa-f]+>)", small))
    assert len(containers) == 2
    numbers = random.Random(1)
    every = [p for container in containers for p in range(*container.span(1))]
    positions = numbers.sample(every, 400)
    assert [(p, small[p - 24 : p + 24]) for p in positions if site.holds(flipped(small, p, 0))] == []


def test_a_changed_byte_behind_the_signature_is_noticed(small: bytes, site: Site) -> None:
    positions = range(small.index(b"%%EOF"), len(small), 41)
    assert [(p, small[p - 24 : p + 24]) for p in positions if site.holds(flipped(small, p, 1))] == []


@pytest.mark.parametrize("tail", [b"\n", b"%%EOF\n"])
def test_trailing_bytes_are_noticed(tail: bytes, small: bytes, site: Site) -> None:
    assert not site.holds(small + tail)


def test_cut_back_to_the_signature_it_is_a_plain_signed_document_no_more(small: bytes, site: Site) -> None:
    ends = [match.end() + 1 for match in re.finditer(rb"%%EOF\n", small)]
    assert [site.holds(small[:end]) for end in ends[:-1]] == [False] * (len(ends) - 1)


def test_a_page_added_before_the_document_is_stamped_is_noticed(site: Site, unsigned_pdf: bytes) -> None:
    """Whoever has an authority can stamp anything: only our own additions may stand between signature and stamp."""
    signed = site.sign(unsigned_pdf)
    token = site.token(signature_value(signed))
    changed = _with_a_turned_page(archive._with_signature_token(signed, token))
    forged = archive._stamped(archive._with_store(changed, site.certificates, []), site.token, ROOM)
    assert not site.holds(forged)
    facts = site.read(forged).signature
    assert facts is not None
    assert not facts.covers_whole_file


def _with_a_turned_page(pdf: bytes) -> bytes:
    """An update that turns the first page."""
    writer = Writer(io.BytesIO(pdf))
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    page[pdf_name("/Rotate")] = NumberObject(180)
    writer.update_container(page)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_stamp_over_other_bytes_is_noticed(site: Site, unsigned_pdf: bytes) -> None:
    signed = site.sign(unsigned_pdf)
    other = site.token(b"something else")
    assert not site.holds(site.archive(signed, lambda message: other))
