"""Certificates made to last: nobody waits for an authority, quotas count, and what was handed out stays as it was."""

import functools

import pytest

from ledger.anchors import tsa
from ledger.models import Certificate, Job, Original
from ledger.pdf.read import CertificateReading, read_certificate
from ledger.services import archiving, keys
from ledger.services.anchoring import stamp
from ledger.services.archiving import archive_certificates, archive_if_due, waiting
from ledger.services.audit import audit_log
from ledger.services.audit_parts import audit_blobs
from ledger.services.authorities import anchors_of
from ledger.services.blobs import read_blob
from ledger.services.evidence import certificate_of
from ledger.services.log import own_policy, seal
from ledger.services.verification import verify_evidence
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register_one

pytestmark = pytest.mark.django_db


@pytest.fixture
def stamped(log, seller, authority, ticking) -> Original:
    """An original that outside time encloses; the quota of that minute is used up."""
    original = register_one(seller)
    seal()
    assert len(stamp(now=ticking)) == 1
    return original


@pytest.fixture
def certificate(stamped, alice) -> Certificate:
    return certificate_of(actor=alice, original=stamped)


def read(certificate: Certificate, authority) -> CertificateReading:
    signer = keys.document_signer()
    assert signer is not None
    anchors = anchors_of(authority)
    return read_certificate(read_blob(certificate.blob), trusted_cert_pem=signer[1], time_anchors=anchors)


def test_a_certificate_is_there_before_any_time_stamp_of_its_own(certificate, authority, server):
    facts = read(certificate, authority).signature
    assert facts is not None
    assert (facts.intact, facts.covers_whole_file, facts.stamps) == (True, True, ())
    assert len(server.requests) == 1  # the log's own


def test_two_answers_within_the_quota_make_it_archival(certificate, stamped, alice, authority, server, ticking):
    assert archive_certificates(now=ticking) == 0  # the minute's only call is spent
    ticking.pass_by(minutes=2)
    assert archive_certificates(now=ticking) == 0  # the signature has its token
    ticking.pass_by(minutes=2)
    assert archive_certificates(now=ticking) == 1
    ticking.pass_by(minutes=2)
    assert archive_certificates(now=ticking) == 0
    assert len(server.requests) == 3
    lasting = certificate_of(actor=alice, original=stamped)
    assert lasting.is_archival
    facts = read(lasting, authority).signature
    assert facts is not None
    assert (facts.intact, facts.covers_whole_file, facts.trusted) == (True, True, True)
    assert [one.anchored for one in facts.stamps] == [True, True]


@pytest.fixture
def lasting(certificate, stamped, alice, ticking) -> Certificate:
    for _ in range(2):
        ticking.pass_by(minutes=2)
        archive_certificates(now=ticking)
    return certificate_of(actor=alice, original=stamped)


def test_what_was_handed_out_stays_as_it_was(certificate, lasting, authority):
    first, second = read(certificate, authority), read(lasting, authority)
    assert Certificate.objects.count() == 2
    assert first.bundle == second.bundle
    assert verify_bundle(second.bundle or b"", own_policy()).verdict is Verdict.PASSED
    audit = audit_log(extra_parts=[audit_blobs])
    assert audit.verdict is Verdict.PASSED


def test_the_verify_page_says_both_times(lasting, client):
    found = verify_evidence(read_blob(lasting.blob))
    assert found.verdict is Verdict.PASSED
    assert [one["anchored"] for one in found.pdf["stamps"]] == [True, True]


def test_a_changed_archival_certificate_fails(lasting):
    content = read_blob(lasting.blob)
    assert verify_evidence(content[:-9] + b"1" + content[-8:]).verdict is Verdict.FAILED
    assert verify_evidence(content + b"\n").verdict is Verdict.FAILED


def test_without_an_authority_certificates_are_as_ever(log, seller, alice):
    certificate = certificate_of(actor=alice, original=register_one(seller))
    assert certificate.room_bytes == 0
    assert archive_if_due() is None
    assert not waiting().exists()


def test_one_that_a_better_certificate_will_replace_costs_no_call(log, seller, alice, authority, server, ticking):
    certificate = certificate_of(actor=alice, original=register_one(seller))
    assert certificate.room_bytes > 0
    assert archive_certificates(now=ticking) == 0
    assert server.requests == []


@pytest.mark.parametrize("fault", ["503", "html", "wrong imprint"])
def test_a_failing_authority_costs_nothing_but_time(certificate, stamped, alice, authority, server, ticking, fault):
    server.fault = fault
    ask = functools.partial(tsa.request_token, timeout_s=2)
    ticking.pass_by(minutes=2)
    assert archive_certificates(now=ticking, ask=ask) == 0
    assert certificate_of(actor=alice, original=stamped) == certificate
    server.fault = ""
    for _ in range(2):
        ticking.pass_by(hours=2)
        archive_certificates(now=ticking)
    assert certificate_of(actor=alice, original=stamped).is_archival


def test_a_token_that_has_no_room_leaves_the_certificate_as_it_is(certificate, stamped, alice, authority, ticking):
    Certificate.objects.update(room_bytes=100)
    ticking.pass_by(minutes=2)
    assert archive_certificates(now=ticking) == 0
    assert not waiting().exists()
    authority.refresh_from_db()
    assert authority.failures == 0
    assert certificate_of(actor=alice, original=stamped) == certificate


def test_an_erasure_meanwhile_leaves_nothing_behind(certificate, stamped, alice, authority, ticking, monkeypatch):
    keep = archiving._keep

    def erased_first(*arguments):
        certificate.delete()
        return keep(*arguments)

    monkeypatch.setattr(archiving, "_keep", erased_first)
    for _ in range(2):
        ticking.pass_by(minutes=2)
        archive_certificates(now=ticking)
    assert not Certificate.objects.exists()


def test_the_chore_waits_for_quota_and_asks_for_one_job_at_a_time(certificate, ticking):
    assert archive_if_due(ticking) is None
    ticking.pass_by(minutes=2)
    assert archive_if_due(ticking) == archive_if_due(ticking)
    assert Job.objects.filter(kind=archiving.ARCHIVE_JOB).count() == 1


def test_what_the_log_needs_comes_first(certificate, seller, ticking):
    register_one(seller, 2)
    seal()
    ticking.pass_by(minutes=2)
    assert archive_if_due(ticking) is None
