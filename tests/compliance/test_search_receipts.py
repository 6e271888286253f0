"""The receipt of a search: what it states, that it is handed out once, and that a stranger can verify it."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.exceptions import PermissionDenied

from compliance.search.limits import describe_limits
from compliance.services import receipts
from compliance.services.receipts import SearchUnfinishedError, receipt_of
from compliance.services.search import Question, start_search
from ledger.models import Certificate
from ledger.services.blobs import read_blob
from ledger.services.evidence import common_part, evidence_of, evidence_zip
from ledger.services.originals import Upload
from ledger.services.verification import verify_evidence
from ledger.tlog.report import Verdict
from tests.compliance.listings import ask, copy_of, import_listings, photo, work
from tests.factories import register_one

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
LISTING = {
    "product_id": "1005001",
    "image": "1.jpg",
    "title": "Red",
    "listed_at": "2026-05-01",
    "shop_country": "CN",
    "shop_name": "店铺",
    "url": "https://shop.example/1005001",
}


@pytest.fixture
def run(log, seller, alice):
    import_listings(seller, LISTING, pictures={"1.jpg": photo(1)})
    register_one(seller, seed=2)
    work()
    return ask(seller, copy_of(1), actor=alice, question=Question(threshold=92, category=""))


def test_the_document_states_query_scope_threshold_and_candidates(run):
    evidence = evidence_of(run.statement)
    document = receipts._document(run, common_part(evidence, run.finished_at.replace(microsecond=0)))
    assert (document.query.sha256, document.threshold) == (bytes(run.image.sha256), 92)
    assert (document.searched_count, document.matches_count) == (2, 1)
    first = document.candidates[0]
    assert (first.product_id, first.shop_country, first.shop_name, first.url, first.registered) == (
        "1005001",
        "CN",
        "店铺",
        "https://shop.example/1005001",
        False,
    )
    assert (str(first.listed_at), first.score) == ("2026-05-01 00:00:00+00:00", run.candidates.get(rank=1).score)
    assert "1 original, 1 listing picture" in document.scope.en
    assert "1 张原图，1 张商品图" in document.scope.zh
    assert "internal gallery" in document.scope.en


def test_the_document_names_every_change_that_is_not_reliably_found(run):
    document = receipts._document(run, common_part(evidence_of(run.statement), run.finished_at.replace(microsecond=0)))
    said = " ".join(limit.en for limit in document.limits)
    for change in describe_limits():
        assert f"{change.text} ({change.found}/{change.tried})" in said
    assert all(limit.zh != limit.en for limit in document.limits)


def test_the_receipt_is_a_signed_pdf_with_a_bundle_that_passes(run, alice, log):
    certificate = receipt_of(actor=alice, run=run)
    pdf = read_blob(certificate.blob)
    assert pdf.startswith(b"%PDF-")
    verification = verify_evidence(pdf)
    assert (verification.verdict, verification.pdf["intact"], verification.is_ours) == (Verdict.PASSED, True, True)
    assert verification.report.entry.seq == run.statement.entry_id


def test_the_receipt_is_the_same_file_ever_after(run, alice):
    first = receipt_of(actor=alice, run=run)
    assert receipt_of(actor=alice, run=run).pk == first.pk
    assert Certificate.objects.count() == 1


def test_the_bundle_holds_the_entry_and_the_receipt(run, alice):
    content = evidence_zip(actor=alice, certificate=receipt_of(actor=alice, run=run))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert any(name.endswith(".pdf") for name in archive.namelist())
    assert verify_evidence(content).verdict is Verdict.PASSED


def test_a_viewer_may_take_the_receipt_and_a_stranger_not(run, bob, mallory):
    assert receipt_of(actor=bob, run=run)
    with pytest.raises(PermissionDenied):
        receipt_of(actor=mallory, run=run)


def test_a_search_without_an_answer_has_no_receipt(seller, alice):
    run = start_search(actor=alice, seller=seller, question=Question(), upload=Upload("q.jpg", photo(1)))
    with pytest.raises(SearchUnfinishedError):
        receipt_of(actor=alice, run=run)


def test_a_search_that_found_nothing_has_a_receipt_too(seller, alice):
    assert receipt_of(actor=alice, run=ask(seller, photo(1), actor=alice)).tree_size == 1
