"""Tokens that somebody else obtained: held against the exact file, believed only by certificates somebody named."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from ledger.models import RightRecord
from ledger.services.blobs import read_blob
from ledger.services.evidence import assured_level, evidence_of
from ledger.services.log import seal
from ledger.services.originals import Upload
from ledger.services.right_tokens import TrustAnchorsError
from ledger.services.rights import RightFacts, attach_right, record_right
from ledger.tlog import x509_path
from tests.factories import register_one
from tests.ledger.tlog.clocks import Clock, make_root

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(root=make_root("Their root"))


@pytest.fixture
def original(log, seller):
    return register_one(seller)


def content_of(original) -> bytes:
    return read_blob(original.image.blob)


def pem(clock: Clock) -> str:
    return x509_path.pem_of([clock.anchor]).decode()


def record(seller, token: bytes, anchors: str = "", numbers=()) -> RightRecord:
    facts = RightFacts("timestamp", "Their clock", valid_from=date(2026, 11, 28), trust_anchors=anchors)
    document = Upload("proof.tsr", token)
    return record_right(actor=None, seller=seller, facts=facts, document=document, numbers=list(numbers))


def test_a_token_over_the_attached_file_is_verified_by_the_named_certificate(seller, original, clock):
    token = clock.stamp(content_of(original))
    made = record(seller, token, pem(clock), [original.number])
    assert made.token["state"] == "verified"
    assert made.token["number"] == original.number
    assert made.token["by_given"]
    assert made.token["root_sha256"]


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_digests_are_read_from_the_file(seller, original, algorithm):
    clock = Clock(root=make_root("Their root"), imprint_digest=algorithm)
    made = record(seller, clock.stamp(content_of(original)), pem(clock), [original.number])
    assert made.token["state"] == "verified"


def test_without_a_named_certificate_it_is_sound_but_not_believed(seller, original, clock):
    made = record(seller, clock.stamp(content_of(original)), "", [original.number])
    assert made.token["state"] == "untrusted"


def test_another_authoritys_certificate_does_not_help(seller, original, clock):
    made = record(seller, clock.stamp(content_of(original)), pem(Clock(root=make_root("Other"))), [original.number])
    assert made.token["state"] == "untrusted"


def test_a_token_about_another_file_says_so_until_the_right_one_is_attached(seller, original, clock):
    made = record(seller, clock.stamp(content_of(original)), pem(clock))
    assert made.token["state"] == "other_file"
    attach_right(actor=None, record=made, numbers=[original.number])
    made.refresh_from_db()
    assert made.token["state"] == "verified"


def test_a_file_of_a_set_counts_too(seller, original, clock):
    stamped = record(seller, b"%PDF-1.4 a contract")
    made = record(seller, clock.stamp(b"%PDF-1.4 a contract"), pem(clock), [stamped.document.number])
    assert (made.token["state"], made.token["number"]) == ("verified", stamped.document.number)


def test_a_changed_token_is_wrong_and_named(seller, original, clock):
    token = bytearray(clock.stamp(content_of(original)))
    token[-10] ^= 1  # in the signature
    made = record(seller, bytes(token), pem(clock), [original.number])
    assert (made.token["state"], made.token["code"]) == ("wrong", "timestamp.signature")


@pytest.mark.parametrize("document", [b"%PDF-1.4 notarial deed", b"\x30\x03\x02\x01\x05", b"x" * 300_000])
def test_what_is_no_token_is_not_machine_verifiable(seller, original, document):
    assert record(seller, document, "", [original.number]).token == {}


def test_what_is_no_certificate_is_refused_and_nothing_kept(seller, original, clock):
    with pytest.raises(TrustAnchorsError):
        record(seller, clock.stamp(content_of(original)), "not a certificate", [original.number])
    assert not RightRecord.objects.exists()


def test_it_raises_no_level_of_the_certificate(seller, original, clock):
    """The level is printed on evidence that has to hold by itself, and this token is not in it."""
    seal()
    before = assured_level(evidence_of(original.statement).outside)
    record(seller, clock.stamp(content_of(original)), pem(clock), [original.number])
    assert assured_level(evidence_of(original.statement).outside) == before


def test_a_token_over_a_strangers_file_finds_nothing(seller, other_seller, log, clock):
    theirs = register_one(other_seller)
    made = record(seller, clock.stamp(content_of(theirs)), pem(clock))
    assert made.token["state"] == "other_file"


def test_the_page_says_what_was_verified_and_by_whose_word(seller, original, clock, bob, client_of):
    client = client_of(bob)
    made = record(seller, clock.stamp(content_of(original)), pem(clock), [original.number])
    page = client.get(reverse("ledger:right", args=[made.number])).content.decode()
    assert "Verified: this time-stamp token holds" in page
    assert "named by whoever entered this record" in page
    assert "counts for no level" in page
    deed = record(seller, b"%PDF-1.4 notarial deed", "", [original.number])
    assert "Not verified by machine" in client.get(reverse("ledger:right", args=[deed.number])).content.decode()


def test_the_form_takes_a_token_and_names_a_bad_certificate(seller, original, clock, alice, client_of):
    client = client_of(alice)
    fields = {"kind": "timestamp", "title": "Their clock", "numbers": original.number, "trust_anchors": "nonsense"}
    token = clock.stamp(content_of(original))
    answer = client.post(reverse("ledger:right_new"), fields | {"document": SimpleUploadedFile("a.tsr", token)})
    assert answer.status_code == 400
    assert "right_anchors" in answer.content.decode()
    fields["trust_anchors"] = pem(clock)
    answer = client.post(reverse("ledger:right_new"), fields | {"document": SimpleUploadedFile("a.tsr", token)})
    assert answer.status_code == 302
    assert RightRecord.objects.get().token["state"] == "verified"
