"""Repairs after a check: what is offered, what comes out, what it is linked to, and how it ends when it cannot be made."""

import io

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from PIL import Image, ImageDraw, ImageFont

from compliance.models import CheckRun, Repair, RunState
from compliance.services.answers import answer_questions
from compliance.services.checks import run_check
from compliance.services.repairs import (
    RepairFinishedError,
    RepairNotOfferedError,
    offered_fixes,
    retry_repair,
    run_repair,
    start_repair,
)
from ledger.models import Blob, Derivative, Job, JobState
from ledger.services.blobs import read_blob
from ledger.services.job_context import JobError
from ledger.services.jobs import JobStateError, run_job
from tests.compliance.check_pairs import MAIN, checked
from tests.compliance.checks.pictures import encode, product, scene, with_promotion
from tests.compliance.listings import work
from tests.factories import register_one
from tests.images import exif_bytes, jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")


def marked(photo: Image.Image) -> Image.Image:
    """A photo on which the promotion's text was left."""
    copy = photo.copy()
    ImageDraw.Draw(copy).text((60, 60), "SALE", font=ImageFont.load_default(28), fill=(220, 20, 30))
    return copy


def checked_with_original(seller, hidden: bytes, seed: int = 3, **changes) -> CheckRun:
    register_one(seller, seed=seed)
    work()
    return checked(seller, main=jpeg_bytes(with_promotion(product_photo(seed))), hidden=hidden, **changes)


def made(run: CheckRun, fix: str = "all", actor=None) -> Repair:
    repair = run_repair(start_repair(actor=actor, run=run, fix=fix).pk)
    if repair.check_run:
        run_check(repair.check_run.pk)
    return Repair.objects.select_related("image__blob", "check_run", "run", "derivative__statement").get(pk=repair.pk)


def codes(run: CheckRun, level: str = "ERROR") -> set[str]:
    return {each["code"] for each in run.report["findings"] if each["level"] == level}


def test_metadata_is_stripped_without_touching_a_pixel(seller, olga, assert_log_valid):
    hidden = jpeg_bytes(product(), quality=75, exif=exif_bytes(gps=(1, 2)))
    run = checked(seller, main=jpeg_bytes(with_promotion(product()), quality=75), hidden=hidden)
    assert "strip" in offered_fixes(run).values()
    repair = made(run, "strip", olga)
    data = read_blob(repair.image.blob)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(hidden))))
    assert b"Exif" not in data
    assert repair.report["steps"][0]["pixels_kept"] is True
    assert (repair.check_run.verdict, repair.check_run.actor) == ("PASSED", olga)
    assert repair.check_run.hidden_image == repair.image
    assert repair.image.file_name == "hidden-repaired.jpg"
    assert_log_valid()


def test_everything_is_mended_from_the_original_and_the_new_file_passes(seller, assert_log_valid):
    """Text left, another size, another quality and metadata at once."""
    photo = product_photo(3)
    width, height = photo.size
    small = marked(photo).resize((width * 3 // 4, height * 3 // 4), Image.Resampling.LANCZOS)
    run = checked_with_original(seller, jpeg_bytes(small, quality=70, exif=exif_bytes()))
    assert run.verdict == "FAILED"
    repair = made(run)
    assert repair.state == RunState.DONE, (repair.error_code, repair.report)
    assert [step["fix"] for step in repair.report["steps"]] == ["from_original", "resize", "reencode", "strip"]
    assert codes(repair.check_run) == set()
    assert repair.derivative.original == run.original
    assert (repair.derivative.role, repair.derivative.statement.kind) == ("hidden", "derivative.linked")
    assert assert_log_valid() == 4


def test_a_mark_is_replaced_by_the_original_itself(seller):
    photo = product_photo(3)
    run = checked_with_original(seller, jpeg_bytes(marked(photo)))
    repair = made(run, "from_original")
    new = np.asarray(Image.open(io.BytesIO(read_blob(repair.image.blob))).convert("RGB")).astype(int)
    assert np.abs(new - np.asarray(photo)).mean() < 4
    assert codes(repair.check_run) == set()


def test_without_a_registered_original_nothing_is_removed(seller):
    run = checked(seller, main=MAIN, hidden=jpeg_bytes(marked(product())))
    assert "from_original" not in offered_fixes(run).values()
    with pytest.raises(RepairNotOfferedError):
        start_repair(actor=None, run=run, fix="from_original")


def test_a_webp_becomes_what_the_main_image_is(seller):
    repair = made(checked(seller, hidden=encode(product(), "WEBP", lossless=True)))
    assert repair.image.format == "JPEG"
    assert repair.check_run.verdict == "PASSED"


def test_a_png_pair_stays_lossless(seller):
    main, hidden = encode(with_promotion(product()), "PNG"), encode(product(), "WEBP", lossless=True)
    repair = made(checked(seller, main=main, hidden=hidden))
    assert repair.image.format == "PNG"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(read_blob(repair.image.blob)))), np.asarray(product()))


def test_a_background_is_moved_to_the_main_images(seller):
    run = checked(seller, hidden=encode(product(background=(190, 180, 170)), "JPEG"))
    assert "ERR_IMG_HID_BG" in codes(run)
    assert codes(made(run, "background").check_run) == set()


def test_another_ratio_is_never_stretched(seller):
    run = checked(seller, hidden=encode(scene((500, 800)), "JPEG"))
    assert "resize" not in offered_fixes(run).values()


def test_a_file_written_like_its_main_image_is_not_offered_a_smaller_one(seller):
    noisy = Image.fromarray(np.random.default_rng(1).integers(0, 255, (2200, 2200, 3), dtype=np.uint8))
    data = jpeg_bytes(noisy, quality=95)
    assert len(data) > 5_000_000
    assert "recompress" not in offered_fixes(checked(seller, main=data, hidden=data)).values()


def test_the_same_repair_is_made_once(seller):
    run = checked(seller, hidden=encode(product(), "WEBP"))
    first = made(run)
    assert start_repair(actor=None, run=run, fix="all") == first
    assert run_repair(first.pk) == first
    assert (Repair.objects.count(), CheckRun.objects.count()) == (1, 2)
    with pytest.raises(RepairFinishedError):
        retry_repair(actor=None, repair=first)


def test_the_queue_runs_it_and_then_the_check(seller):
    run = checked(seller, hidden=encode(product(), "WEBP", lossless=True))
    repair = start_repair(actor=None, run=run, fix="all")
    run_job(repair.job_id)
    repair.refresh_from_db()
    assert repair.job.state == JobState.DONE
    run_job(repair.check_run.job_id)
    repair.check_run.refresh_from_db()
    assert repair.check_run.verdict == "PASSED"


def test_a_lost_file_fails_by_name_and_can_be_tried_again(seller, olga):
    run = checked(seller, hidden=encode(product(), "WEBP"))
    blob = Blob.objects.get(pk=run.hidden_image.blob_id)
    Blob.objects.filter(pk=blob.pk).update(wrapped_key=b"")
    repair = start_repair(actor=olga, run=run, fix="all")
    with pytest.raises(JobError):
        run_repair(repair.pk)
    repair.refresh_from_db()
    assert (repair.state, repair.error_code) == (RunState.FAILED, "check.blob_unreadable")
    blob.save()
    Job.objects.filter(pk=repair.job_id).update(state=JobState.FAILED)
    repair = Repair.objects.get()
    retry_repair(actor=olga, repair=repair)
    with pytest.raises(JobStateError):
        retry_repair(actor=olga, repair=Repair.objects.get())
    assert run_repair(repair.pk).state == RunState.DONE


def test_what_cannot_be_made_ends_with_its_reason(seller):
    """An original that was found, and that the repair itself cannot lay over the picture."""
    run = checked(seller, main=MAIN, hidden=jpeg_bytes(marked(product())))
    other = register_one(seller, seed=9)
    CheckRun.objects.filter(pk=run.pk).update(original=other)
    run.refresh_from_db()
    run.report["original"] = {"name": "x", "width": 8, "height": 8, "path": "same", "reason": ""}
    run.save()
    if "from_original" not in offered_fixes(run).values():
        pytest.skip("nothing was found on the picture")
    repair = made(run, "from_original")
    assert (repair.state, repair.error_code) == (RunState.FAILED, "pack.main_not_from_original")
    assert repair.image is None


def test_viewer_and_strangers_cannot_repair(seller, bob, mallory):
    run = checked(seller, hidden=encode(product(), "WEBP"))
    for person in (bob, mallory):
        with pytest.raises(PermissionDenied):
            start_repair(actor=person, run=run, fix="all")


def test_what_belongs_to_the_product_is_left_alone(seller, olga):
    run = checked_with_original(seller, jpeg_bytes(marked(product_photo(3))))
    report = run.report
    for finding in report["findings"]:
        finding["level"] = "CONFIRM" if finding["bbox"] else finding["level"]
    run.save()
    numbers = [n for n, each in enumerate(report["findings"], start=1) if each["level"] == "CONFIRM"]
    assert set(offered_fixes(run)) >= set(numbers)
    answer_questions(actor=olga, run=run, numbers=numbers, answer="product")
    assert not set(offered_fixes(run)) & set(numbers)
    assert not Derivative.objects.exists()
