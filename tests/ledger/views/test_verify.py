"""The public pages: one file in, one answer out; nothing else of the site shows."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from ledger.models import Entry, Original, Statement
from ledger.services import keys
from ledger.services.blobs import read_blob
from ledger.services.evidence import certificate_of, evidence_zip
from ledger.services.log import seal
from ledger.services.verification import MAX_EVIDENCE_BYTES
from ledger.tlog import bundle
from tests.factories import register_one
from tests.ledger.tlog.sample import SampleLog

pytestmark = pytest.mark.django_db

URL = "/verify/"


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


@pytest.fixture
def pdf(original, alice) -> bytes:
    return read_blob(certificate_of(actor=alice, original=original).blob)


@pytest.fixture
def evidence(original, alice) -> bytes:
    return evidence_zip(actor=alice, certificate=certificate_of(actor=alice, original=original))


def drop(client, content: bytes, name: str = "evidence.zip"):
    return client.post(URL, {"evidence": SimpleUploadedFile(name, content)})


def answer(response) -> tuple[str, str]:
    """State of the verdict, and the page."""
    assert response.status_code == 200
    page = response.content.decode()
    return page.split('class="om-verdict" data-state="')[1].split('"')[0], page


# Anybody ----------------------------------------------------------------------------------------------------------


def test_strangers_need_no_account(client_of, log):
    response = client_of().get(URL)
    assert response.status_code == 200
    assert "om-rail" not in response.content.decode()


def test_other_methods_are_refused(client_of, log):
    assert client_of().put(URL).status_code == 405
    assert client_of().delete(URL).status_code == 405


def test_nothing_dropped_is_said(client_of, log):
    response = client_of().post(URL, {})
    assert response.status_code == 400
    assert "no_file" in response.content.decode()


def test_nothing_dropped_is_kept(client_of, evidence, settings):
    files = {path: path.stat().st_mtime_ns for path in settings.DATA_DIR.rglob("*") if path.is_file()}
    rows = (Entry.objects.count(), Statement.objects.count())
    drop(client_of(), evidence)
    assert {path: path.stat().st_mtime_ns for path in settings.DATA_DIR.rglob("*") if path.is_file()} == files
    assert (Entry.objects.count(), Statement.objects.count()) == rows


# Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pdf", "evidence"])
def test_ours_holds(client_of, request, original, kind):
    state, page = answer(drop(client_of(), request.getfixturevalue(kind)))
    assert state == "passed"
    assert bytes(original.sha256).hex() in page
    assert "Acme Trading" in page


def test_one_changed_byte_of_the_entry_is_red_and_named(client_of, evidence):
    files = bundle.read_bundle(evidence)
    files[bundle.ENTRY] = files[bundle.ENTRY].replace(b'"ts":"2', b'"ts":"1')
    del files[bundle.SUMS]
    state, page = answer(drop(client_of(), bundle.format_bundle(files)))
    assert state == "failed"
    assert "<code>entry.json</code>" in page
    assert "Acme Trading" not in page  # what did not hold is not repeated as if it did


def test_one_changed_byte_of_the_pdf_is_red(client_of, pdf):
    place = len(pdf) // 2
    state, page = answer(drop(client_of(), pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :], "proof.pdf"))
    assert state == "failed"
    assert "pdf_changed" in page


def test_another_logs_evidence_is_neither_green_nor_red(client_of, log):
    state, page = answer(drop(client_of(), bundle.format_bundle(SampleLog(5).files(3))))
    assert state == "unknown"
    assert "Holds under a key this site does not know" in page
    assert "log.example/sample" in page


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a photo", "evidence_unknown"),
        (b"%PDF-1.4 x", "pdf_unreadable"),
        (bytes(MAX_EVIDENCE_BYTES + 1), "evidence_too_large"),
    ],
    ids=["unknown", "broken PDF", "too large"],
)
def test_what_is_no_evidence_cannot_be_judged(client_of, log, content, code):
    state, page = answer(drop(client_of(), content))
    assert state == "unknown"
    assert code in page


def test_what_a_bundle_says_is_escaped(client_of, log):
    state, page = answer(drop(client_of(), b"PK junk", '"><script>alert(1)</script>.zip'))
    assert state == "failed"
    assert "<script>alert" not in page


def test_it_works_before_the_site_has_a_log(client_of, db):
    assert answer(drop(client_of(), bundle.format_bundle(SampleLog(5).files(3))))[0] == "unknown"


def test_a_form_token_is_needed(client_of, log, evidence):
    client = client_of()
    client.handler.enforce_csrf_checks = True
    assert drop(client, evidence).status_code == 403


# Where a certificate's code leads ---------------------------------------------------------------------------------


def test_a_proof_number_answers_for_itself(client_of, original):
    response = client_of().get(f"{URL}{original.number}/")
    state, page = answer(response)
    assert state == "passed"
    assert bytes(original.sha256).hex() in page
    assert response.headers["X-Robots-Tag"] == "noindex"


def test_it_shows_neither_the_picture_nor_its_name(client_of, original):
    page = client_of().get(f"{URL}{original.number}/").content.decode()
    assert "/pictures/" not in page
    assert original.image.file_name not in page
    assert "alice" not in page


@pytest.mark.parametrize("number", ["0" * 16, "x", "7K3Q-9XWD"])
def test_a_number_nobody_has_is_not_there(client_of, original, number):
    assert client_of().get(f"{URL}{number}/").status_code == 404


def test_typed_with_dashes_and_small_letters_it_is_found(client_of, original):
    grouped = "-".join(original.number[i : i + 4] for i in range(0, 16, 4)).lower()
    assert client_of().get(f"{URL}{grouped}/").status_code == 200


def test_it_cannot_be_posted_to(client_of, original):
    assert client_of().post(f"{URL}{original.number}/").status_code == 405


def test_while_the_log_cannot_be_signed_it_says_so(client_of, log, original):
    keys.write_signer_state(log.origin, keys.SignerState(9, b"\x01" * 32))
    response = client_of().get(f"{URL}{original.number}/")
    assert response.status_code == 503
    assert "log_fork" in response.content.decode()


def test_reading_it_costs_a_fixed_number_of_queries(client_of, original, django_assert_max_num_queries):
    seal()
    client = client_of()
    client.get(f"{URL}{original.number}/")
    with django_assert_max_num_queries(15):
        client.get(f"{URL}{original.number}/")
