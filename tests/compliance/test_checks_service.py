"""Hidden-image checks: what is sealed, found, recorded, refused, and what a second run changes (nothing)."""

import json
import shutil
import subprocess
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from PIL import Image, ImageDraw, ImageFont

from compliance.checks.errors import ProfileUnknown
from compliance.models import CheckRun, Finding, RunState
from compliance.services.check_receipt import CheckUnfinishedError, difference_picture, receipt_of
from compliance.services.checks import (
    CheckFinishedError,
    PairRefusedError,
    is_stuck,
    retry_check,
    run_check,
)
from ledger.imaging.errors import ImagingError
from ledger.models import Blob, Entry, ImageFile, ImageState, Job, JobState, Statement
from ledger.services.blobs import read_blob
from ledger.services.evidence import evidence_zip
from ledger.services.job_context import JobError
from ledger.services.jobs import JobStateError, run_job
from ledger.services.log import own_policy
from ledger.services.originals import Upload
from ledger.services.pictures import thumbnail
from ledger.tlog.claims import parse_claim
from ledger.tlog.verify import verify_bundle
from tests.compliance.check_pairs import HIDDEN, MAIN, PROFILE_ID, WEBP, begin, checked, finish
from tests.compliance.checks.pictures import encode, product, with_promotion
from tests.compliance.listings import work
from tests.factories import register_one
from tests.images import animated_webp, huge_png, jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")


def reread() -> Any:
    """The one run, as it now stands in the table."""
    return CheckRun.objects.select_related("job", "seller").get()


def test_a_pair_without_errors_passes(seller, assert_log_valid):
    run = checked(seller)
    assert (run.state, run.verdict, run.error_code) == (RunState.DONE, "PASSED", "")
    assert run.report["not_looked_at"]
    assert run.took_ms > 0
    assert assert_log_valid() == 1


def test_a_renamed_webp_is_a_finding_and_not_a_refusal(seller):
    run = checked(seller, hidden=WEBP)
    assert run.hidden_image.file_name == "hidden.jpg"
    assert run.verdict == "FAILED"
    assert Finding.objects.filter(run=run, rule="H05", level="ERROR").exists()


def test_findings_are_stored_as_the_report_has_them(seller):
    run = checked(seller, hidden=encode(product((640, 640)), "WEBP"))
    rows = Finding.objects.filter(run=run)
    assert [(row.rule, row.code, row.bbox) for row in rows] == [
        (item["rule"], item["code"], item["bbox"]) for item in run.report["findings"]
    ]
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.seller_id == seller.pk for row in rows)


def test_the_entry_claims_both_files_the_profile_and_the_findings(seller, alice, assert_log_valid):
    run = checked(seller, actor=alice, hidden=WEBP)
    claim: dict[str, Any] = parse_claim("check.recorded", bytes(run.statement.claim))
    assert claim["main"] == {"sha256": bytes(run.main_image.sha256).hex(), "size": len(MAIN)}
    assert claim["hidden"]["sha256"] == bytes(run.hidden_image.sha256).hex()
    assert claim["profile"] == {"id": PROFILE_ID, "version": run.profile_version}
    assert claim["verdict"] == "FAILED"
    assert {"rule": "H05", "code": "ERR_IMG_HID_FORMAT", "level": "ERROR"} in claim["findings"]
    statement = run.statement
    assert (statement.number, statement.kind, statement.outcome) == (run.number, "check.recorded", "failed")
    assert (statement.label, statement.actor) == ("main.jpg / hidden.jpg", alice)
    assert_log_valid()


def test_an_undecided_pair_is_never_listed_as_passed(seller):
    tiny = encode(Image.new("RGB", (6, 6)))
    run = checked(seller, main=tiny, hidden=tiny)
    assert (run.verdict, run.statement.outcome) == ("INDETERMINATE", "unknown")


def test_a_registered_original_shows_what_was_left_in_the_hidden_image(seller):
    photo = product_photo(3)
    original = register_one(seller, seed=3)
    work()
    faulty = photo.copy()
    ImageDraw.Draw(faulty).text((60, 60), "SALE", font=ImageFont.load_default(28), fill=(220, 20, 30))
    run = checked(seller, main=jpeg_bytes(with_promotion(faulty)), hidden=jpeg_bytes(faulty))
    assert (run.original, run.verdict) == (original, "FAILED")
    left = Finding.objects.filter(run=run, level="ERROR", code__in=["ERR_IMG_HID_TEXT", "ERR_IMG_HID_RESIDUE"])
    assert any(found.bbox[0] <= 66 and found.bbox[2] >= 120 for found in left)
    assert run.report["original"]["name"] == original.image.file_name
    clean = checked(seller, main=jpeg_bytes(with_promotion(photo)), hidden=jpeg_bytes(photo))
    assert (clean.original, clean.verdict) == (original, "PASSED")


def test_the_right_original_is_found_after_pictures_that_are_none(seller):
    """Checked pictures are no originals, so rows of pictures and of the gallery are numbered apart."""
    checked(seller)
    originals = [register_one(seller, seed=seed) for seed in (3, 4, 5)]
    work()
    photo = product_photo(4)
    run = checked(seller, main=jpeg_bytes(with_promotion(photo)), hidden=jpeg_bytes(photo))
    assert run.original == originals[1]


def test_the_original_of_another_seller_is_never_compared_with(seller, other_seller):
    register_one(other_seller, seed=3)
    work()
    photo = product_photo(3)
    run = checked(seller, main=jpeg_bytes(with_promotion(photo)), hidden=jpeg_bytes(photo))
    assert (run.original, run.report["original"]) == (None, None)


def test_both_pictures_get_previews_and_sizes(seller):
    run = checked(seller, hidden=encode(product((1200, 1200)), "JPEG"))
    for image, side in ((run.main_image, 800), (run.hidden_image, 1200)):
        assert (image.state, image.width, image.height) == (ImageState.READY, side, side)
        assert [(thumbnail(image, size) or b"")[:4] for size in (320, 1024)] == [b"RIFF", b"RIFF"]


def test_the_heatmap_is_stored_encrypted(seller):
    run = checked(seller)
    assert read_blob(run.heatmap)[:4] == b"\x89PNG"
    assert (difference_picture(run) or b"").startswith(b"RIFF")


def test_the_exact_bytes_stay_stored(seller):
    run = checked(seller)
    assert read_blob(run.main_image.blob) == MAIN
    assert read_blob(run.hidden_image.blob) == HIDDEN


def test_running_a_finished_check_again_changes_nothing(seller, assert_log_valid):
    run = checked(seller)
    run_check(run.pk)
    assert (Statement.objects.count(), Entry.objects.count(), assert_log_valid()) == (1, 1, 1)
    assert Blob.objects.count() == 3
    assert CheckRun.objects.get().finished_at == run.finished_at


def test_the_queue_runs_it(seller, alice):
    run = begin(seller, actor=alice)
    assert (run.job.kind, run.job.queue, run.job.args) == ("checks.run", "fast", {"run_id": run.pk})
    run_job(run.job_id)
    job = Job.objects.get()
    assert job.state == JobState.DONE
    assert job.result == {"number": run.number, "verdict": "PASSED", "code": ""}


def test_the_same_request_gives_the_first_run(seller):
    first = begin(seller, request_id="r1")
    assert begin(seller, request_id="r1") == first
    assert (CheckRun.objects.count(), Job.objects.count(), ImageFile.objects.count()) == (1, 1, 2)


@pytest.mark.parametrize("change", [{"hidden": WEBP}, {"request_id": "r2"}, {"category": "shoes"}])
def test_another_request_or_other_files_are_another_run(seller, change):
    first = begin(seller, request_id="r1")
    assert begin(seller, **{"request_id": "r1", **change}) != first


def test_the_same_request_of_another_seller_is_another_run(seller, other_seller):
    assert begin(seller, request_id="r1").number != begin(other_seller, request_id="r1").number


def test_the_main_image_of_an_earlier_check_can_be_used_again(seller):
    first = checked(seller, hidden=WEBP)
    second = checked(seller, main=first.main_image)
    assert second.main_image == first.main_image
    assert ImageFile.objects.count() == 3


def test_another_sellers_main_image_cannot_be_used(seller, other_seller):
    run = begin(other_seller)
    with pytest.raises(ValueError, match="another seller"):
        begin(seller, main=run.main_image)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"GIF89a" + bytes(60), "unsupported_type"),
        (animated_webp(), "animated"),
        (encode(product())[:20], "corrupt_image"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_and_nothing_is_kept(seller, data, code):
    with pytest.raises(PairRefusedError) as error:
        begin(seller, hidden=data)
    assert [(refusal.side, refusal.code) for refusal in error.value.refusals] == [("hidden", code)]
    assert not CheckRun.objects.exists()
    assert not ImageFile.objects.exists()


def test_both_refusals_are_told_at_once(seller):
    with pytest.raises(PairRefusedError) as error:
        begin(seller, main=b"", hidden=b"nothing")
    assert [refusal.side for refusal in error.value.refusals] == ["main", "hidden"]


def test_an_unknown_profile_is_refused(seller):
    with pytest.raises(ProfileUnknown):
        begin(seller, profile_id="nobody")


def test_viewer_cannot_check(seller, bob):
    with pytest.raises(PermissionDenied):
        begin(seller, actor=bob)


def test_another_sellers_owner_cannot_check(seller, mallory):
    with pytest.raises(PermissionDenied):
        begin(seller, actor=mallory)


def test_operator_can_check(seller, olga):
    assert checked(seller, actor=olga).actor == olga


def test_a_picture_that_cannot_be_decoded_ends_the_run_with_a_name(seller, assert_log_valid):
    run = finish(begin(seller, hidden=huge_png(8000, 7000)))
    assert (run.state, run.error_code, run.verdict) == (RunState.FAILED, "check.too_many_pixels", "")
    assert run.report["refused"]["side"] == "hidden"
    assert run.hidden_image.state == ImageState.UNDECODABLE
    assert not is_stuck(run)
    assert run.statement is None
    assert assert_log_valid() == 0


def test_a_picture_that_breaks_off_ends_the_run_with_a_name(seller):
    run = finish(begin(seller, main=encode(product())[:2000]))
    assert (run.state, run.error_code) == (RunState.FAILED, "check.corrupt_image")
    assert run.report["refused"]["side"] == "main"


def test_a_lost_file_fails_the_job_by_name(seller):
    run = begin(seller)
    Blob.objects.filter(pk=run.hidden_image.blob_id).update(wrapped_key=b"")
    run_job(run.job_id)
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.FAILED, "check.blob_unreadable")
    assert (run.job.state, run.job.error_code) == (JobState.FAILED, "check.blob_unreadable")
    assert is_stuck(run)


def test_a_failed_check_can_be_started_again(seller, olga, assert_log_valid):
    run = begin(seller)
    blob = Blob.objects.get(pk=run.hidden_image.blob_id)
    Blob.objects.filter(pk=blob.pk).update(wrapped_key=b"")
    with pytest.raises(JobError):
        run_check(run.pk)
    Job.objects.update(state=JobState.DEAD)
    blob.save()
    run = reread()
    assert is_stuck(run)
    retry_check(actor=olga, run=run)
    assert (run.state, run.job.state) == (RunState.WAITING, JobState.QUEUED)
    assert finish(run).verdict == "PASSED"
    assert assert_log_valid() == 1


def test_a_check_whose_job_is_gone_can_be_started_again(seller):
    run = begin(seller)
    run.job.delete()
    run = reread()
    assert is_stuck(run)
    retry_check(actor=None, run=run)
    assert run.job.state == JobState.QUEUED


def test_a_waiting_check_is_not_started_twice(seller):
    run = begin(seller)
    assert not is_stuck(run)
    with pytest.raises(JobStateError):
        retry_check(actor=None, run=run)


def test_a_finished_check_is_not_started_again(seller):
    run = checked(seller)
    assert not is_stuck(run)
    with pytest.raises(CheckFinishedError):
        retry_check(actor=None, run=run)
    assert CheckRun.objects.get().verdict == "PASSED"


def test_viewer_cannot_start_a_check_again(seller, bob):
    run = begin(seller)
    Job.objects.update(state=JobState.DEAD)
    with pytest.raises(PermissionDenied):
        retry_check(actor=bob, run=reread())
    assert run.job.attempts == 0


def text_of(pdf: bytes) -> str:
    """The words of a PDF without spaces: digests are broken over lines."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True)
    return "".join(done.stdout.decode().split())


def test_the_receipt_prints_both_digests_the_code_and_what_was_not_looked_at(seller, alice):
    run = checked(seller, actor=alice, hidden=WEBP)
    text = text_of(read_blob(receipt_of(actor=alice, run=run).blob))
    for image in (run.main_image, run.hidden_image):
        assert bytes(image.sha256).hex() in text
    assert "ERR_IMG_HID_FORMAT" in text
    assert "H23OnehiddenimageperSKU" in text


def test_the_receipt_stays_the_same_bytes(seller, alice):
    run = checked(seller)
    assert receipt_of(actor=alice, run=run) == receipt_of(actor=None, run=run)


def test_a_stranger_verifies_the_evidence_of_a_check(seller, alice):
    run = checked(seller, actor=alice)
    archive = evidence_zip(actor=alice, certificate=receipt_of(actor=alice, run=run))
    assert verify_bundle(archive, own_policy()).verdict == "PASSED"


def test_another_sellers_owner_gets_no_receipt(seller, mallory):
    with pytest.raises(PermissionDenied):
        receipt_of(actor=mallory, run=checked(seller))


def test_a_check_without_a_result_has_no_receipt(seller, alice):
    with pytest.raises(CheckUnfinishedError):
        receipt_of(actor=alice, run=begin(seller))


def test_the_report_is_json_without_surprises(seller):
    run = checked(seller)
    assert json.loads(json.dumps(run.report)) == run.report
    assert run.report["report_version"] == 1


def test_a_child_that_dies_fails_the_check_by_name(seller, monkeypatch):
    """The sandbox refuses an operation it does not know the way it reports any other failure of the child."""
    monkeypatch.setattr("compliance.services.checks.CHECK_PAIR_TASK", "compliance.checks.worker_tasks:no_task")
    run = begin(seller)
    with pytest.raises(JobError) as error:
        run_check(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert run.error_code == error.value.code
    assert isinstance(error.value.__cause__, ImagingError)


def test_a_very_long_file_name_is_kept_whole_where_it_fits(seller):
    name = "商品主图" * 80 + ".jpg"
    run = checked(seller, main=Upload(name, MAIN))
    assert run.main_image.file_name == name[-255:]
    assert len(run.statement.label) <= 255
