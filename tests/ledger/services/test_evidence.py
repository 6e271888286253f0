"""What is handed to strangers: the same bytes ever after, complete, and checkable with nothing but Python."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

from ledger.anchors.local_tsa import AuthorityServer, LocalAuthority
from ledger.models import Certificate, Checkpoint, ImageFile, ImageState, Original
from ledger.pdf.read import read_certificate
from ledger.services import evidence, keys
from ledger.services.anchoring import stamp
from ledger.services.authorities import AuthorityError, AuthoritySettings, save_authority, trusted_anchors
from ledger.services.blobs import read_blob
from ledger.services.evidence import certificate_of, common_part, core_files, evidence_of, evidence_zip, verify_url
from ledger.services.log import own_policy, seal
from ledger.services.outside_time import files_of, outside_time
from ledger.services.verification import verify_own
from ledger.tlog import bundle
from ledger.tlog.policy import format_policy
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register, register_one
from tests.images import jpeg_bytes, product_photo
from tests.ledger.tlog.clocks import DAY, Clock, make_middle

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


@pytest.fixture
def certificate(original, alice) -> Certificate:
    return certificate_of(actor=alice, original=original)


def verify_without_django(path: Path, *arguments: str) -> dict[str, object]:
    """The stranger's command in a bare Python: no site-packages, so neither Django nor cryptography is there."""
    command = [sys.executable, "-S", "-m", "ledger.tlog", "verify", str(path), "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report: dict[str, object] = json.loads(done.stdout)
    return report | {"returncode": done.returncode}


# The certificate --------------------------------------------------------------------------------------------------


def test_a_certificate_is_issued_once_and_keeps_its_bytes(certificate, original, alice, bob, seller):
    first = read_blob(certificate.blob)
    register(seller, jpeg_bytes(product_photo(7, (64, 64))))
    seal()
    again = certificate_of(actor=bob, original=Original.objects.get(pk=original.pk))
    assert again == certificate
    assert read_blob(again.blob) == first
    assert bytes(again.sha256) == hashlib.sha256(first).digest()


def test_renaming_the_seller_changes_no_certificate(certificate, original, alice, seller):
    first = read_blob(certificate.blob)
    seller.name = "Another Name"
    seller.save()
    assert read_blob(certificate_of(actor=alice, original=original).blob) == first


def test_two_who_ask_at_once_get_the_same(original, alice, monkeypatch):
    """The slower one finds the certificate of the faster one instead of an error."""
    sign = evidence.sign_document

    def slowly(pdf, signed_at, room_bytes):
        monkeypatch.setattr(evidence, "sign_document", sign)
        certificate_of(actor=alice, original=original)
        return sign(pdf, signed_at, room_bytes)

    monkeypatch.setattr(evidence, "sign_document", slowly)
    certificate_of(actor=alice, original=original)
    assert Certificate.objects.count() == 1


def test_the_pdf_is_signed_whole_and_carries_a_bundle_that_holds(certificate):
    signer = keys.document_signer()
    assert signer is not None
    reading = read_certificate(read_blob(certificate.blob), trusted_cert_pem=signer[1])
    assert reading.signature is not None
    assert (reading.signature.intact, reading.signature.covers_whole_file, reading.signature.trusted) == (True,) * 3
    assert reading.bundle is not None
    assert verify_bundle(reading.bundle, own_policy()).verdict is Verdict.PASSED


def test_asking_before_the_analysis_analyses_first(log, seller, alice):
    """A certificate stays as it was handed out, so it must not be handed out without its picture."""
    original = register_one(seller)
    assert original.image.state == ImageState.SEALED
    certificate_of(actor=alice, original=original)
    assert ImageFile.objects.get().state == ImageState.READY


def test_a_file_that_cannot_be_decoded_gets_its_certificate_all_the_same(log, seller, alice):
    (answer,) = register(seller, jpeg_bytes(product_photo(1, (640, 480)))[:9000], analyse=True)
    assert answer.original is not None
    certificate = certificate_of(actor=alice, original=Original.objects.get(pk=answer.original.pk))
    assert read_blob(certificate.blob).startswith(b"%PDF-")


def test_an_entry_newer_than_the_last_checkpoint_is_signed_first(original, alice):
    assert Checkpoint.objects.count() == 0
    certificate = certificate_of(actor=alice, original=original)
    assert certificate.tree_size == 1
    assert Checkpoint.objects.count() == 1


def test_strangers_get_no_certificate(original, mallory):
    with pytest.raises(PermissionDenied):
        certificate_of(actor=mallory, original=original)


def test_without_its_key_nothing_is_signed(original, alice, settings):
    (settings.KEYS_DIR / keys.DOCUMENT_CERTIFICATE).unlink()
    with pytest.raises(keys.KeyMissingError):
        certificate_of(actor=alice, original=original)
    assert not Certificate.objects.exists()


def test_only_a_public_site_prints_an_address(original, settings):
    assert verify_url(original.statement) is None
    settings.PUBLIC_URL = "https://proof.example"
    assert verify_url(original.statement) == f"https://proof.example/verify/{original.number}/"


# The ZIP ----------------------------------------------------------------------------------------------------------


def test_the_zip_holds_the_core_bundle_and_the_certificate(certificate, alice):
    content = evidence_zip(actor=alice, certificate=certificate)
    names = set(zipfile.ZipFile(io.BytesIO(content)).namelist())
    assert {"SHA256SUMS", "entry.json", "claim.json", "who.json", "log.json", "checkpoint", "policy"} <= names
    assert {"proof.tlog-proof", "certificate.pdf", "VERIFY.zh.txt", "VERIFY.en.txt"} <= names
    assert not any(name.startswith("originals/") for name in names)


def test_the_original_goes_along_only_on_request_and_with_the_right_to_it(certificate, original, ivan, olga):
    content = evidence_zip(actor=ivan, certificate=certificate, with_original=True)
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.read("originals/0001.jpg") == read_blob(original.image.blob)
    assert verify_bundle(content, own_policy()).verdict is Verdict.PASSED
    with pytest.raises(PermissionDenied):
        evidence_zip(actor=olga, certificate=certificate, with_original=True)


def test_the_zip_is_the_same_bytes_until_the_log_is_signed_again(certificate, alice):
    assert evidence_zip(actor=alice, certificate=certificate) == evidence_zip(actor=alice, certificate=certificate)


def test_it_passes_in_a_bare_python(certificate, alice, tmp_path):
    path, policy = tmp_path / "evidence.zip", tmp_path / "policy"
    path.write_bytes(evidence_zip(actor=alice, certificate=certificate))
    policy.write_bytes(format_policy(own_policy()))
    trusted = verify_without_django(path, "--policy", str(policy))
    assert (trusted["verdict"], trusted["qualified"], trusted["returncode"]) == ("PASSED", False, 0)
    assert verify_without_django(path)["qualified"] is True


def test_a_changed_entry_fails_in_a_bare_python_naming_it(certificate, alice, tmp_path):
    path = tmp_path / "evidence.zip"
    files = bundle.read_bundle(evidence_zip(actor=alice, certificate=certificate))
    files[bundle.ENTRY] = files[bundle.ENTRY].replace(b'"ts":"2', b'"ts":"1')
    path.write_bytes(bundle.format_bundle({name: data for name, data in files.items() if name != bundle.SUMS}))
    report = verify_without_django(path)
    assert (report["verdict"], report["returncode"]) == ("FAILED", 1)
    assert report["disagreement"]["item"] == "entry.json"  # type: ignore[index]


def test_an_erased_claim_leaves_the_rest_provable(original):
    """Documents behind the hashes can go; entry, proof and checkpoint still say that something was registered."""
    statement = original.statement
    statement.claim, statement.identity = b"", b""
    files = core_files(evidence_of(statement))
    assert {"claim.json", "who.json"}.isdisjoint(files)
    report = verify_bundle(bundle.format_bundle(files), own_policy())
    assert report.verdict is Verdict.INDETERMINATE
    assert report.disagreement is not None
    assert report.disagreement.item == "claim.json"


# Outside time -----------------------------------------------------------------------------------------------------


def test_the_certificate_grows_with_what_is_proven(original, alice, authority, server, ticking):
    seal()
    first = certificate_of(actor=alice, original=original)
    stamp(now=ticking)
    second = certificate_of(actor=alice, original=original)
    assert second != first
    assert second.stage > first.stage
    assert read_blob(first.blob)  # what was handed out stays as it was
    assert certificate_of(actor=alice, original=original) == second
    found = common_part(evidence_of(original.statement), second.created_at)
    assert found.assurance.level == 2
    assert found.bracket.earlier is None
    assert (found.bracket.later.at, found.bracket.later.authority) == (ticking(), "Example clock")


def test_the_bundle_holds_both_readings_and_everybody_accepts_them(original, seller, authority, ticking, tmp_path):
    seal()
    stamp(now=ticking)
    later = register_one(seller, 5)
    seal()
    ticking.pass_by(minutes=2)
    stamp(now=ticking)
    content = bundle.format_bundle(core_files(evidence_of(later.statement)))
    report = verify_bundle(content, own_policy(), anchors=trusted_anchors())
    assert report.verdict is Verdict.PASSED
    assert [(each.side, each.stamp.anchored) for each in report.times] == [("later", True), ("earlier", True)]
    unqualified = verify_bundle(content, own_policy())
    assert "compare the authority too" in unqualified.summary
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path / "bundle")
    for program in (["sh", "verify.sh"], [sys.executable, "-S", "verify.py"]):
        done = subprocess.run(program, cwd=tmp_path / "bundle", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert verify_own(later.statement).verdict is Verdict.PASSED


def test_the_renewal_goes_into_the_bundle_before_the_certificate_expires(original, authority, server, ticking):
    seal()
    stamp(now=ticking)
    seal()
    ticking.pass_by(days=340)
    end = ticking() + 900 * DAY
    server.clock = Clock(root=server.clock.root, middle=make_middle(server.clock.root, end=end), end=end, at=ticking())
    stamp(now=ticking)
    files = files_of(original.statement, outside_time(original.statement.entry_id), ticking())
    assert {"renewal/1.tsr", "renewal/1.entry.json", "renewal/1.tlog-proof"} <= files.keys()
    content = bundle.format_bundle(core_files(evidence_of(original.statement)) | files)
    report = verify_bundle(content, own_policy(), anchors=trusted_anchors())
    assert report.verdict is Verdict.PASSED, report.summary
    assert [each.side for each in report.times] == ["later", "renewal"]


def test_the_development_clock_counts_for_nothing(original, settings, tmp_path):
    seal()
    tsa = AuthorityServer(LocalAuthority(tmp_path / "tsa"))
    threading.Thread(target=tsa.serve_forever, daemon=True).start()
    wanted = AuthoritySettings("Dev", tsa.url, tsa.authority.root_pem.decode(), allows_local=True)
    with pytest.raises(AuthorityError, match="authority_development"):
        save_authority(actor=None, wanted=wanted)
    settings.DEV_TSA = True
    save_authority(actor=None, wanted=wanted)
    assert len(stamp()) == 1
    found = outside_time(original.statement.entry_id)
    assert found.level == 1
    assert "proves nothing" in found.bracket.later.authority
    settings.DEV_TSA = False
    assert outside_time(original.statement.entry_id).later == ()
    assert stamp() == []
    tsa.shutdown()
