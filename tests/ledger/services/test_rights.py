"""Right records: what others certified, with its document in the log, and a reminder before it ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from ledger.models import EvidenceSet, RightRecord
from ledger.services.evidence_sets import SetError
from ledger.services.originals import Upload
from ledger.services.rights import RightFacts, UnknownNumberError, attach_right, expiring_rights, record_right
from tests.factories import register_one

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 28)


def facts(**changes) -> RightFacts:
    return RightFacts(**{"kind": "trademark", "title": "Mug mark", **changes})


def test_a_document_is_registered_and_the_record_attached(log, seller, alice, assert_log_valid):
    original = register_one(seller)
    made = record_right(
        actor=alice,
        seller=seller,
        facts=facts(registration_number="第123号", authority="CNIPA"),
        document=Upload("mark.pdf", b"%PDF-1.4 mark"),
        numbers=[original.number],
    )
    assert list(made.originals.all()) == [original]
    assert made.document is not None
    assert [file.role for file in made.document.files.all()] == ["contract"]
    assert assert_log_valid() == 2
    attach_right(actor=alice, record=made, numbers=[made.document.number])
    assert list(made.sets.all()) == [made.document]


def test_a_wrong_number_or_document_keeps_nothing(log, seller, other_seller, alice):
    foreign = register_one(other_seller)
    with pytest.raises(UnknownNumberError):
        record_right(actor=alice, seller=seller, facts=facts(), document=Upload("a", b"a"), numbers=[foreign.number])
    with pytest.raises(SetError, match="empty_file"):
        record_right(actor=alice, seller=seller, facts=facts(), document=Upload("a", b""))
    assert (RightRecord.objects.count(), EvidenceSet.objects.count()) == (0, 0)


def test_a_viewer_records_nothing(log, seller, bob):
    with pytest.raises(PermissionDenied):
        record_right(actor=bob, seller=seller, facts=facts())


@pytest.mark.parametrize(("days", "reminded"), [(-31, False), (-1, True), (0, True), (60, True), (61, False)])
def test_a_right_that_ends_is_named_in_time(log, seller, days, reminded):
    made = record_right(actor=None, seller=seller, facts=facts(valid_until=TODAY + timedelta(days=days)))
    assert list(expiring_rights(seller, TODAY)) == ([made] if reminded else [])


def test_from_the_form_to_the_overview(client_of, log, seller, alice):
    original = register_one(seller, actor=alice)
    client = client_of(alice)
    assert "om-empty" in client.get("/rights/").content.decode()
    until = timezone.localdate() + timedelta(days=20)
    data = {
        "kind": "notary",
        "title": "Deed 7",
        "valid_until": until.isoformat(),
        "numbers": original.number,
        "document": SimpleUploadedFile("deed.pdf", b"%PDF-1.4"),
    }
    page = client.post("/rights/new/", data, follow=True).content.decode()
    assert "Not verified by machine" in page
    assert "Deed 7" in client.get("/rights/").content.decode()
    assert "Deed 7" in client.get(reverse("ledger:original", args=[original.number])).content.decode()
    assert f"Valid until {until}" in client.get("/").content.decode()


def test_the_form_says_what_is_wrong(client_of, log, alice):
    wrong = {"kind": "notary", "title": "x", "valid_from": "2026-02-01", "valid_until": "2026-01-01"}
    page = client_of(alice).post("/rights/new/", wrong)
    assert page.status_code == 400
    assert "It ends before it begins." in page.content.decode()
    page = client_of(alice).post("/rights/new/", {"kind": "notary", "title": "x", "numbers": "nonsense"})
    assert "right_unknown_number" in page.content.decode()
