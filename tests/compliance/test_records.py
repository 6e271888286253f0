"""Quality checks and files of packs in the history: rows, filters, receipts, and nobody else's."""

import hashlib
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from compliance.models import QualityRun
from compliance.services.quality import check_pictures
from compliance.services.record_receipts import derivative_receipt_of, quality_receipt_of
from ledger.models import Derivative, ImageFile, Statement
from ledger.services.blobs import read_blob
from ledger.services.originals import Upload
from ledger.tlog.claims import parse_claim
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.pack_orders import packed
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")
HISTORY, CSV = reverse("ledger:history"), reverse("ledger:history_csv")
PHOTO = jpeg_bytes(product_photo(2, (500, 700)))


def looked_at(seller, *contents, actor=None):
    uploads = [Upload(f"photo-{number}.jpg", content) for number, content in enumerate(contents)]
    return check_pictures(actor=actor, seller=seller, uploads=uploads, profile_id=PROFILE_ID)


def test_a_quality_check_is_a_row_and_an_entry_and_keeps_no_picture(seller, alice, assert_log_valid):
    (line, refused) = looked_at(seller, PHOTO, b"no picture", actor=alice)
    run = QualityRun.objects.get()
    assert (line.number, refused.number) == (run.number, "")
    claim: Any = parse_claim("quality.recorded", bytes(run.statement.claim))
    assert claim["image"] == {"sha256": hashlib.sha256(PHOTO).hexdigest(), "size": len(PHOTO)}
    assert (claim["verdict"], run.statement.outcome) == ("FAILED", "failed")
    assert claim["findings"][0]["code"] == "ERR_IMG_LOW_RESOLUTION"
    assert not ImageFile.objects.exists()
    assert_log_valid()


def test_the_history_shows_filters_and_exports_it(client_of, seller, bob):
    looked_at(seller, PHOTO)
    client = client_of(bob)
    run = QualityRun.objects.get()
    page = client.get(HISTORY, {"kind": "quality.recorded", "outcome": "failed"}).content.decode()
    for view in ("quality_record", "quality_receipt"):
        assert reverse(f"compliance:{view}", args=[run.number]) in page
    assert b"photo-0.jpg" not in client.get(HISTORY, {"kind": "check.recorded"}).content
    lines = b"".join(client.get(CSV, {"kind": "quality.recorded"}).streaming_content).decode()
    assert '"quality.recorded","photo-0.jpg","failed"' in lines
    assert (
        "The picture is small" in client.get(reverse("compliance:quality_record", args=[run.number])).content.decode()
    )


def test_the_page_of_a_check_links_its_receipt(client_of, alice):
    picture = SimpleUploadedFile("photo.jpg", PHOTO)
    page = client_of(alice).post(reverse("compliance:quality"), {"profile": PROFILE_ID, "pictures": [picture]})
    assert reverse("compliance:quality_receipt", args=[QualityRun.objects.get().number]) in page.content.decode()


def test_files_of_packs_are_lines_of_the_history_with_a_pdf(client_of, seller, bob):
    packed(seller)
    made = Derivative.objects.select_related("statement", "original").first()
    page = client_of(bob).get(HISTORY, {"kind": "derivative.linked"}).content.decode()
    assert reverse("ledger:original", args=[made.original.number]) in page
    assert reverse("compliance:derivative_receipt", args=[made.statement.number]) in page
    assert Statement.objects.filter(kind="derivative.linked").count() == 3


def test_receipts_are_made_once_and_only_for_the_seller(seller, bob, mallory):
    looked_at(seller, PHOTO)
    packed(seller)
    run, made = QualityRun.objects.get(), Derivative.objects.first()
    for make in (
        lambda person: quality_receipt_of(actor=person, run=run),
        lambda person: derivative_receipt_of(actor=person, derivative=made),
    ):
        assert read_blob(make(bob).blob).startswith(b"%PDF")
        assert make(bob).pk == make(bob).pk
        with pytest.raises(PermissionDenied):
            make(mallory)


def test_a_viewer_records_nothing(seller, bob):
    with pytest.raises(PermissionDenied):
        looked_at(seller, PHOTO, actor=bob)
    assert not QualityRun.objects.exists()
