"""Documents about a seller: sealed, reviewed by site staff, in no packet unless ticked, erased with the person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from ledger.accounts.models import User
from ledger.models import AccessRecord, BankTick, Erasure, PaperState, SellerPaper
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.erase_person import erase_person
from ledger.services.erasure import clean_up
from ledger.services.originals import Upload
from ledger.services.papers import MAX_BYTES, PaperError, add_paper, papers_for_packets, review_paper, tick_for_packets

PDF = b"%PDF-1.7 a licence with a secret number 91440300"
LIST = "ledger:papers"


@pytest.fixture
def staff(db) -> User:
    return User.objects.create_user("staff@example.org", "correct horse battery staple", is_site_staff=True)


@pytest.fixture
def paper(alice, seller, log) -> SellerPaper:
    return add_paper(actor=alice, seller=seller, kind="licence", upload=Upload("licence.pdf", PDF))


def upload(client, content: bytes = PDF, name: str = "licence.pdf", **fields):
    document = SimpleUploadedFile(name, content)
    return client.post(reverse(LIST), {"kind": "licence", "document": document} | fields)


def test_an_owner_uploads_and_the_file_is_encrypted(client_of, alice, log, settings):
    assert upload(client_of(alice)).status_code == 302
    paper = SellerPaper.objects.get()
    assert read_blob(paper.blob) == PDF
    stored = [path.read_bytes() for path in (settings.DATA_DIR / "blobs").rglob("*") if path.is_file()]
    assert stored
    assert not any(b"91440300" in content for content in stored)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "paper_empty"),
        (b"MZ\x90", "paper_type"),
        (b"<html>", "paper_type"),
        (b"%PDF-" + bytes(MAX_BYTES), "paper_too_large"),
    ],
)
def test_what_is_no_document_is_refused_by_name(client_of, alice, log, content, code):
    page = upload(client_of(alice), content)
    assert page.status_code == 400
    assert code in page.text
    assert not SellerPaper.objects.exists()


def test_a_person_of_another_seller_is_nobody_here(client_of, alice, mallory, log):
    assert upload(client_of(alice), person=mallory.pk).status_code == 400
    assert not SellerPaper.objects.exists()


def test_staff_approves_and_the_seller_sees_it(client_of, alice, staff, paper):
    assert "Acme Trading" in client_of(staff).get(reverse("ledger:review_list")).text
    client_of(staff).post(reverse("ledger:review", args=[paper.number]), {"answer": "approve"})
    paper.refresh_from_db()
    assert (paper.state, paper.reviewed_by) == (PaperState.APPROVED, staff)
    assert "approved" in client_of(alice).get(reverse(LIST)).text


def test_a_refusal_needs_a_reason_that_the_seller_reads(client_of, alice, staff, paper):
    url = reverse("ledger:review", args=[paper.number])
    client_of(staff).post(url, {"answer": "refuse"})
    paper.refresh_from_db()
    assert paper.state == PaperState.PENDING
    client_of(staff).post(url, {"answer": "refuse", "reason": "The stamp is cut off"})
    assert "The stamp is cut off" in client_of(alice).get(reverse(LIST)).text


@pytest.mark.parametrize("who", ["alice", "staff"])
def test_each_look_is_in_the_access_log(client_of, request, paper, who):
    person = request.getfixturevalue(who)
    name = "ledger:paper_file" if who == "alice" else "ledger:review_file"
    answer = client_of(person).get(reverse(name, args=[paper.number]))
    assert answer.content == PDF
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Content-Disposition"].startswith("attachment")
    row = AccessRecord.objects.get()
    assert (row.actor, row.kind, row.number) == (person, "verification", paper.number)


def test_somebody_who_is_staff_no_more_reads_nothing(client_of, staff, paper):
    client = client_of(staff)
    User.objects.filter(pk=staff.pk).update(is_site_staff=False)
    assert client.get(reverse("ledger:review_file", args=[paper.number])).status_code == 403
    assert not AccessRecord.objects.exists()


def test_a_packet_carries_only_what_is_approved_and_ticked(alice, seller, staff, paper):
    assert papers_for_packets(seller) == []
    tick_for_packets(actor=alice, paper=paper, is_ticked=True)
    assert papers_for_packets(seller) == []
    review_paper(actor=staff, paper=paper, is_approved=True)
    assert [content for _paper, content in papers_for_packets(seller)] == [PDF]
    tick_for_packets(actor=alice, paper=paper, is_ticked=False)
    assert papers_for_packets(seller) == []


def test_a_removed_document_is_gone_for_good(client_of, alice, staff, paper):
    client_of(alice).post(reverse("ledger:paper_remove", args=[paper.number]))
    paper.refresh_from_db()
    paper.blob.refresh_from_db()
    assert (paper.file_name, bytes(paper.blob.wrapped_key)) == ("", b"")
    with pytest.raises(BlobUnreadableError):
        read_blob(paper.blob)
    with pytest.raises(PaperError, match="paper_gone"):
        review_paper(actor=staff, paper=paper, is_approved=True)
    assert "A verification document" in client_of(alice).get(reverse("ledger:erasures")).text


@pytest.mark.django_db(transaction=True)
def test_its_file_is_removed_by_the_cleaning(client_of, alice, paper, settings):
    client_of(alice).post(reverse("ledger:paper_remove", args=[paper.number]))
    clean_up(Erasure.objects.get().pk)
    assert not list((settings.DATA_DIR / "blobs").rglob(f"*{paper.blob_id.hex}*"))


def test_papers_go_with_the_person_they_are_about(alice, ivan, seller, log):
    mine = add_paper(actor=alice, seller=seller, kind="identity", upload=Upload("id.pdf", PDF), person=ivan)
    firm = add_paper(actor=alice, seller=seller, kind="licence", upload=Upload("licence.pdf", PDF))
    erasure = erase_person(actor=alice, seller=seller, user=ivan, reason="request")
    mine.refresh_from_db()
    firm.refresh_from_db()
    assert mine.erased_at is not None
    assert firm.erased_at is None
    assert str(mine.blob_id) in erasure.blobs
    with pytest.raises(BlobUnreadableError):
        read_blob(type(mine.blob).objects.get(pk=mine.blob_id))


def test_the_bank_step_is_ticked_with_its_day(client_of, alice, staff, seller, log):
    url = reverse("ledger:review_bank", args=[seller.slug])
    client_of(staff).post(url, {"arrived_on": str(timezone.localdate() + timedelta(days=2))})
    assert not BankTick.objects.exists()
    client_of(staff).post(url, {"arrived_on": "2026-01-05"})
    assert "2026-01-05" in client_of(alice).get(reverse(LIST)).text


def test_a_name_that_hides_something_is_shown_with_escapes(client_of, alice, seller, log):
    add_paper(actor=alice, seller=seller, kind="licence", upload=Upload("invoice\u202efdp.exe", PDF))
    page = client_of(alice).get(reverse(LIST)).text
    assert "\u202e" not in page
    assert "invoice\\u202efdp.exe" in page


def test_empty_pages_say_what_to_do(client_of, alice, staff):
    assert "No documents yet" in client_of(alice).get(reverse(LIST)).text
    assert "Documents appear here" in client_of(staff).get(reverse("ledger:review_list")).text
