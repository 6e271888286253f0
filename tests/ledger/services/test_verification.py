"""Checking what strangers bring: red for one changed byte, violet for what nobody can tell, green for nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ledger.models import LogHead, Original
from ledger.pdf.sign import make_document_signer
from ledger.services import keys
from ledger.services.blobs import read_blob
from ledger.services.evidence import certificate_of, evidence_zip
from ledger.services.verification import MAX_EVIDENCE_BYTES, verify_evidence, verify_own
from ledger.tlog import bundle
from ledger.tlog.report import Verdict
from tests.factories import register_one
from tests.ledger.tlog.sample import SampleLog, pack, with_sums

pytestmark = pytest.mark.django_db


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


@pytest.fixture
def pdf(original, alice) -> bytes:
    return read_blob(certificate_of(actor=alice, original=original).blob)


@pytest.fixture
def evidence(original, alice) -> bytes:
    return evidence_zip(actor=alice, certificate=certificate_of(actor=alice, original=original))


@pytest.fixture
def core(evidence) -> bytes:
    """The ZIP without its certificate."""
    files = bundle.read_bundle(evidence)
    del files[bundle.CERTIFICATE], files[bundle.SUMS]
    return bundle.format_bundle(files)


def rebuilt(evidence: bytes, **changes: bytes) -> bytes:
    """The ZIP with changed files and the sums made to fit, as somebody would who knows the format."""
    files = bundle.read_bundle(evidence)
    files |= {name: changes.pop(name.split(".")[0]) for name in list(files) if name.split(".")[0] in changes}
    files.pop(bundle.SUMS)
    return bundle.format_bundle(files)


def one_byte_changes(data: bytes) -> Iterator[bytes]:
    for place in range(len(data)):
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


# Ours -------------------------------------------------------------------------------------------------------------


def test_our_zip_and_our_pdf_hold(evidence, pdf):
    for content in (evidence, pdf):
        found = verify_evidence(content)
        assert (found.verdict, found.is_ours, found.code) == (Verdict.PASSED, True, "")
        assert (found.pdf["intact"], found.pdf["covers_whole_file"], found.pdf["trusted"]) == (True, True, True)


@pytest.mark.parametrize("name", ["entry", "proof", "checkpoint"])
def test_every_changed_byte_of_the_core_fails_naming_the_item(core, name):
    item = {"entry": bundle.ENTRY, "proof": bundle.PROOF, "checkpoint": bundle.CHECKPOINT}[name]
    allowed = {item, bundle.PROOF} if name == "checkpoint" else {item, bundle.PROOF, bundle.CHECKPOINT}
    for changed in one_byte_changes(bundle.read_bundle(core)[item]):
        found = verify_evidence(rebuilt(core, **{name: changed}))
        assert found.verdict is Verdict.FAILED, changed
        assert found.report is not None
        assert found.report.disagreement is not None
        assert found.report.disagreement.item in allowed, changed


def test_changed_bytes_anywhere_in_the_pdf_fail(pdf):
    places = random.Random(7).sample(range(len(pdf)), 150)
    for place in [0, 4, len(pdf) - 1, *places]:
        found = verify_evidence(pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :])
        assert found.verdict is Verdict.FAILED, place


def test_changed_bytes_anywhere_in_the_zip_fail_or_change_nothing(evidence):
    for place in random.Random(7).sample(range(len(evidence)), 150):
        found = verify_evidence(evidence[:place] + bytes([evidence[place] ^ 1]) + evidence[place + 1 :])
        assert found.verdict is Verdict.FAILED, place


def test_a_cut_file_fails(evidence, pdf):
    for content in (evidence, pdf):
        for share in (0.3, 0.9, 0.999):
            assert verify_evidence(content[: int(len(content) * share)]).verdict is Verdict.FAILED


def test_our_entry_is_checked_live(original):
    assert verify_own(original.statement).verdict is Verdict.PASSED


# The PDF and what it carries --------------------------------------------------------------------------------------


def test_a_pdf_signed_by_somebody_else_is_not_vouched_for(original, alice):
    pdf = read_blob(certificate_of(actor=alice, original=original).blob)
    key, certificate = make_document_signer("other.example", now=datetime.now(UTC))
    keys.save_document_signer(key, certificate)  # this site now has another signer than the one that signed
    found = verify_evidence(pdf)
    assert (found.verdict, found.code) == (Verdict.INDETERMINATE, "pdf_other_signer")
    assert found.report is not None
    assert found.report.verdict is Verdict.PASSED


def test_a_zip_whose_certificate_was_swapped_fails(log, seller, alice, evidence, pdf):
    other = register_one(seller, 2, actor=alice, analyse=True)
    foreign = read_blob(certificate_of(actor=alice, original=other).blob)
    found = verify_evidence(rebuilt(evidence, certificate=foreign))
    assert (found.verdict, found.code) == (Verdict.FAILED, "pdf_other_entry")


def test_a_zip_whose_certificate_was_changed_fails(evidence, pdf):
    for content in (pdf[:-1], pdf.replace(b"/Title", b"/Titel", 1), b"%PDF-1.7 anything", b""):
        found = verify_evidence(rebuilt(evidence, certificate=content))
        assert (found.verdict, found.code) == (Verdict.FAILED, "pdf_changed")


def test_a_zip_without_its_certificate_holds(core):
    found = verify_evidence(core)
    assert (found.verdict, found.pdf) == (Verdict.PASSED, {})


# Others -----------------------------------------------------------------------------------------------------------


def test_another_logs_evidence_holds_under_its_own_key_only(log):
    found = verify_evidence(bundle.format_bundle(SampleLog(5).files(3)))
    assert (found.verdict, found.is_ours) == (Verdict.PASSED, False)
    assert found.report is not None
    assert found.report.qualified


def test_another_logs_changed_evidence_fails(log):
    files = SampleLog(5).files(3)
    files["entry.json"] = files["entry.json"].replace(b'"ts":"2', b'"ts":"1')
    found = verify_evidence(bundle.format_bundle(files))
    assert (found.verdict, found.is_ours) == (Verdict.FAILED, False)


def test_a_log_that_calls_itself_ours_fails(evidence):
    """Everything rebuilt under another key with our log's name: the name is ours, the key is not."""
    LogHead.objects.update(origin="log.example/sample")
    found = verify_evidence(bundle.format_bundle(SampleLog(5).files(3)))
    assert found.verdict is Verdict.FAILED


def test_without_a_log_of_our_own_everything_is_foreign(db):
    found = verify_evidence(bundle.format_bundle(SampleLog(5).files(3)))
    assert (found.verdict, found.is_ours) == (Verdict.PASSED, False)


# What is no evidence ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "evidence_unknown"),
        (b"\xff\xd8\xff a photo", "evidence_unknown"),
        (b"%PDF-1.7\nnot really", "pdf_unreadable"),
        (b"x" * (MAX_EVIDENCE_BYTES + 1), "evidence_too_large"),
    ],
    ids=["nothing", "a photo", "a broken PDF", "too large"],
)
def test_what_is_no_evidence_decides_nothing(log, content, code):
    found = verify_evidence(content)
    assert (found.verdict, found.code, found.report) == (Verdict.INDETERMINATE, code, None)


def test_an_ordinary_zip_is_no_evidence(log):
    found = verify_evidence(pack({"holiday.jpg": b"x"}))
    assert found.verdict is not Verdict.PASSED


def test_a_foreign_bundle_with_a_missing_item_stays_open(log):
    files = with_sums(SampleLog(5).files(3))
    del files["claim.json"]
    found = verify_evidence(pack(files))
    assert found.verdict is not Verdict.PASSED
