"""Many pairs as one order: every row has its check or its reason, once, however often the job starts."""

from contextlib import ExitStack

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile

from compliance.models import CheckBatch, CheckRun, HiddenShot
from compliance.services import check_batches
from compliance.services.batch_orders import MAX_PAIRS, BatchRefusedError, read_order
from compliance.services.batch_rows import batch_rows
from compliance.services.check_batches import BatchFinishedError, is_batch_working, retry_batch, run_batch
from ledger.models import ImageFile, Job, JobState, Statement
from ledger.services.jobs import JobStateError
from tests.compliance.batches import begin_batch, finish_batch, pair, pair_files, uploads, zipped
from tests.compliance.check_pairs import HIDDEN, MAIN, checked
from tests.compliance.checks.pictures import encode, with_promotion
from tests.factories import register
from tests.images import product_photo, wrong_crc_png

pytestmark = pytest.mark.usefixtures("log")


def states(batch):
    return {row.item.sku: (row.state, row.error_code or " ".join(row.codes)) for row in batch_rows(batch)}


def run_until(batch, stop_after):
    """The job, stopped by hand before that row."""
    asked = iter([False] * stop_after)
    run_batch(batch.pk, progress=lambda *_: None, cancelled=lambda: next(asked, True))


def test_every_pair_gets_its_own_check_and_entry(seller, alice, assert_log_valid):
    batch = finish_batch(begin_batch(seller, pair_files("A1", "B2"), actor=alice, category="shoes"))
    assert states(batch) == {"A1": ("passed", ""), "B2": ("passed", "")}
    runs = list(CheckRun.objects.order_by("pk"))
    assert [(run.sku, run.category, run.actor, run.verdict) for run in runs] == [
        ("A1", "shoes", alice, "PASSED"),
        ("B2", "shoes", alice, "PASSED"),
    ]
    assert Statement.objects.filter(kind="check.recorded").count() == 2
    assert batch.job.state == JobState.DONE
    assert_log_valid()


def test_what_cannot_be_checked_is_named_and_the_rest_goes_on(seller):
    files = pair_files("good") | {
        "torn_main.jpg": MAIN[:400],
        "torn_hidden.jpg": HIDDEN,
        "text_main.jpg": b"no picture",
        "text_hidden.jpg": HIDDEN,
        "alone_main.jpg": MAIN,
        "notes.jpg": MAIN,
    }
    batch = finish_batch(begin_batch(seller, files))
    found = states(batch)
    assert found["good"] == ("passed", "")
    assert found["alone"] == ("needs-you", "batch.no_hidden")
    assert found["text"] == ("needs-you", "unsupported_type")
    assert found["torn"][0] == "needs-you"
    assert batch.report["left_out"] == ["notes.jpg"]
    assert "text_main.jpg" in batch.items.get(sku="text").error_detail


def test_a_pair_without_pixels_is_named_and_the_rest_goes_on(seller):
    cut = wrong_crc_png()
    batch = finish_batch(begin_batch(seller, pair_files("good") | {"cut_main.jpg": MAIN, "cut_hidden.jpg": cut}))
    found = states(batch)
    assert found["good"][0] == "passed"
    assert found["cut"][0] == "needs-you"


def test_a_zip_is_taken_as_loose_files_are(seller):
    order = read_order(files=[], archive=zipped({f"shoot/{n}": d for n, d in pair_files("A").items()}), table=None)
    assert [(plan.id, plan.main) for plan in order.plans] == [("A", "shoot/A_main.jpg")]


def test_a_csv_says_what_belongs_together_with_original_and_category(seller):
    (answer,) = register(seller, pair(1)["hidden"])
    original = answer.original
    files = {"1.jpg": pair(1)["main"], "2.jpg": pair(1)["hidden"], "o.jpg": pair(1)["hidden"]}
    table = (
        "id,main,hidden,original,category\n"
        f"by-number,1.jpg,2.jpg,{original.number},shoes\n"
        "by-file,1.jpg,2.jpg,o.jpg,\n"
        "unknown,1.jpg,2.jpg,nobody.jpg,\n"
        "gone,1.jpg,9.jpg,,\n"
    ).encode()
    batch = finish_batch(begin_batch(seller, files, table=table, category="bags"))
    runs = {run.sku: run for run in CheckRun.objects.all()}
    assert {sku: (run.original, run.category) for sku, run in runs.items()} == {
        "by-number": (original, "shoes"),
        "by-file": (original, "bags"),
    }
    assert runs["by-number"].report["original"]["path"] == "same"
    found = states(batch)
    assert found["unknown"] == ("needs-you", "batch.original_unknown")
    assert found["gone"] == ("needs-you", "batch.file_not_sent")


def test_a_csv_alone_may_name_pictures_that_are_stored(seller, other_seller):
    run = checked(seller)
    digests = [bytes(image.sha256).hex() for image in (run.main_image, run.hidden_image)]
    table = f"id,main,hidden\nA,{digests[0]},{digests[1]}\n".encode()
    assert states(finish_batch(begin_batch(seller, {}, table=table)))["A"][0] == "passed"
    foreign = finish_batch(begin_batch(other_seller, {}, table=table))
    assert states(foreign)["A"] == ("needs-you", "batch.file_not_sent")


def test_a_csv_inside_the_zip_counts(seller):
    files = {"a.jpg": MAIN, "b.jpg": HIDDEN, "pairs.csv": b"id,main,hidden\nX,a.jpg,b.jpg\n"}
    order = read_order(files=[], archive=zipped(files), table=None)
    assert [(plan.id, plan.main) for plan in order.plans] == [("X", "a.jpg")]


def test_one_hidden_image_under_two_skus_fails_both(seller):
    first = pair(1)
    files = {f"{sku}_{role}.jpg": data for sku in ("A", "B") for role, data in first.items()}
    found = states(finish_batch(begin_batch(seller, files)))
    assert found == dict.fromkeys(("A", "B"), ("failed", "ERR_IMG_HID_REUSED"))
    finding = CheckRun.objects.get(sku="A").findings.get()
    assert (finding.rule, finding.measured) == ("H23", "2")


def test_a_hidden_image_of_an_earlier_check_under_another_sku_is_found_though_saved_anew(seller, other_seller):
    finish_batch(begin_batch(seller, pair_files("A")))
    photo = product_photo(1, (640, 640))
    again = {"main": with_promotion(photo), "hidden": photo}
    files = {f"B_{role}.jpg": encode(image, "JPEG", quality=80) for role, image in again.items()}
    assert "ERR_IMG_HID_REUSED" in states(finish_batch(begin_batch(seller, files)))["B"][1]
    assert "ERR_IMG_HID_REUSED" not in states(finish_batch(begin_batch(other_seller, files)))["B"][1]


def test_a_check_of_a_sku_asks_the_rule_and_says_so(seller):
    finish_batch(begin_batch(seller, pair_files("A")))
    report = CheckRun.objects.get().report
    assert report["not_looked_at"] == []
    assert report["outcomes"][-1]["rule"] == "H23"
    assert "H23" in checked(seller, main=pair(3)["main"], hidden=pair(3)["hidden"]).report["not_looked_at"]


# Starting, stopping, starting again --------------------------------------------------------------------------------


def test_the_same_request_gives_the_first_batch(seller):
    batches = {begin_batch(seller, pair_files("A"), request_id="r1").pk for _ in range(2)}
    other = begin_batch(seller, pair_files("A", "B"), request_id="r1")
    assert (len(batches), other.pk in batches) == (1, False)


@pytest.mark.parametrize("after", range(1, 7))
def test_a_job_that_stopped_anywhere_goes_on_without_doubled_checks(seller, after, assert_log_valid):
    batch = begin_batch(seller, pair_files("A", "B", "C"))
    run_until(batch, after)
    pictures = ImageFile.objects.count()
    batch = finish_batch(batch)
    assert {state for state, _code in states(batch).values()} == {"passed"}
    assert CheckRun.objects.count() == Statement.objects.filter(kind="check.recorded").count() == 3
    assert pictures <= ImageFile.objects.count() == 6
    assert HiddenShot.objects.count() == 3
    assert_log_valid()


def test_a_worker_that_comes_second_makes_no_second_check(seller):
    batch = begin_batch(seller, pair_files("A"))
    late = batch.items.select_related("run").get()
    run_until(batch, 2)
    with ExitStack() as stack:
        check_batches._prepare(batch, late, *check_batches._open(batch, stack))
    assert late.run == CheckRun.objects.get()


def test_a_stopped_batch_can_be_started_again_and_a_finished_one_cannot(seller, alice, bob):
    batch = begin_batch(seller, pair_files("A", "B"))
    assert is_batch_working(batch)
    with pytest.raises(JobStateError):
        retry_batch(actor=alice, batch=batch)
    Job.objects.filter(pk=batch.job_id).update(state=JobState.CANCELLED)
    batch.job.refresh_from_db()
    with pytest.raises(PermissionDenied):
        retry_batch(actor=bob, batch=batch)
    retry_batch(actor=alice, batch=batch)
    batch = finish_batch(batch)
    with pytest.raises(BatchFinishedError):
        retry_batch(actor=alice, batch=batch)


def test_a_check_that_broke_is_tried_again(seller, alice):
    batch = begin_batch(seller, pair_files("A"))
    run_until(batch, 1)
    Job.objects.filter(pk=batch.job_id).update(state=JobState.DONE)
    CheckRun.objects.update(state="failed", error_code="check.decode_timeout")
    batch.job.refresh_from_db()
    assert states(batch)["A"] == ("needs-you", "check.decode_timeout")
    batch = finish_batch(retry_batch(actor=alice, batch=batch))
    assert states(batch)["A"] == ("passed", "")


# What is refused as a whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "table", "code"),
    [
        ({}, None, "batch.no_pair"),
        ({"photo.jpg": MAIN}, None, "batch.no_pair"),
        ({"A_main.jpg": MAIN}, b"id,main\nA,x\n", "batch.malformed"),
        ({f"{n}_main.jpg": b"x" for n in range(MAX_PAIRS + 1)}, None, "batch.too_many"),
    ],
)
def test_a_wrong_order_is_refused_by_name(files, table, code):
    with pytest.raises(BatchRefusedError) as caught:
        read_order(files=uploads(files), archive=None, table=SimpleUploadedFile("t.csv", table) if table else None)
    assert caught.value.code == code


def test_a_bad_archive_is_refused_by_name():
    with pytest.raises(BatchRefusedError) as caught:
        read_order(files=[], archive=SimpleUploadedFile("x.zip", b"PK\x03\x04 torn"), table=None)
    assert caught.value.code == "corrupt_zip"


def test_two_loose_files_of_one_name_stay_two():
    order = read_order(
        files=[SimpleUploadedFile("A_main.jpg", MAIN), SimpleUploadedFile("A_main.jpg", HIDDEN)],
        archive=None,
        table=None,
    )
    assert [plan.code or plan.main for plan in order.plans]


def test_viewer_and_strangers_start_nothing(seller, bob, mallory):
    for person in (bob, mallory):
        with pytest.raises(PermissionDenied):
            begin_batch(seller, pair_files("A"), actor=person)
    assert not CheckBatch.objects.exists()
