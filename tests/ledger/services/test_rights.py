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
from ledger.services.rights import (
    RightChangedError,
    RightFacts,
    UnknownNumberError,
    attach_right,
    correct_right,
    expiring_rights,
    record_right,
    withdraw_right,
)
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


def test_a_correction_replaces_and_what_was_entered_stays(log, seller, alice, bob, assert_log_valid):
    original = register_one(seller)
    first = record_right(
        actor=alice,
        seller=seller,
        facts=facts(registration_number="132", valid_until=TODAY),
        document=Upload("mark.pdf", b"%PDF-1.4 mark"),
        numbers=[original.number],
    )
    entries = assert_log_valid()
    right = facts(registration_number="123", valid_until=TODAY + timedelta(days=9))
    with pytest.raises(PermissionDenied):
        correct_right(actor=bob, record=first, facts=right, reason="digits")
    second = correct_right(actor=alice, record=first, facts=right, reason="digits swapped")
    assert (second.document, list(second.originals.all())) == (first.document, [original])
    assert assert_log_valid() == entries  # the document's entry says when it was here, and it is the same document
    first.refresh_from_db()
    assert (first.registration_number, first.valid_until, first.document is not None) == ("132", TODAY, True)
    assert list(expiring_rights(seller, TODAY)) == [second]
    third = correct_right(
        actor=alice,
        record=second,
        facts=right,
        reason="scan of another deed",
        document=Upload("deed.pdf", b"%PDF-1.4 d"),
    )
    assert third.document not in (None, first.document)
    assert assert_log_valid() == entries + 1
    for stale in (first, second):
        with pytest.raises(RightChangedError):
            correct_right(actor=alice, record=RightRecord.objects.get(pk=stale.pk), facts=right, reason="again")
    withdraw_right(actor=alice, record=third)
    assert list(expiring_rights(seller, TODAY)) == []
    with pytest.raises(RightChangedError):
        attach_right(actor=alice, record=RightRecord.objects.get(pk=third.pk), numbers=[original.number])


def test_a_record_is_corrected_and_withdrawn_on_its_page(client_of, log, seller, alice, bob):
    original = register_one(seller, actor=alice)
    first = record_right(actor=alice, seller=seller, facts=facts(authority="WIPO"), numbers=[original.number])
    client, place = client_of(alice), f"/rights/{first.number}/"
    form = client.get(f"{place}correct/").content.decode()
    assert 'value="WIPO"' in form
    data = {"kind": "trademark", "title": "Mug mark, EU", "authority": "EUIPO"}
    assert client.post(f"{place}correct/", data).status_code == 400  # why is asked
    page = client.post(f"{place}correct/", {**data, "reason": "wrong office"}, follow=True).content.decode()
    assert "wrong office" in page
    second = RightRecord.objects.get(replaces=first)
    assert f"/rights/{second.number}/" in client.get(place).content.decode()
    assert "WIPO" in client.get(place).content.decode()
    listed = client.get("/rights/").content.decode()
    shown = client.get(reverse("ledger:original", args=[original.number])).content.decode()
    for text in (listed, shown):
        assert second.number in text
        assert first.number not in text
    late = client.post(f"{place}correct/", {**data, "reason": "again"})
    assert (late.status_code, "right_changed" in late.content.decode()) == (400, True)
    assert f"/rights/{second.number}/correct/" not in client_of(bob).get(f"/rights/{second.number}/").content.decode()
    page = client.post(f"/rights/{second.number}/withdraw/", follow=True).content.decode()
    assert "Withdrawn" in page
    assert second.number not in client.get("/rights/").content.decode()


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
