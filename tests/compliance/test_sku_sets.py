"""A collage and its SKUs: one hidden image each, none reused, named and recorded once."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from compliance.models import CheckBatch
from compliance.services.batch_orders import BatchRefusedError, read_sku_order
from compliance.services.check_batches import Choices
from compliance.services.checks import PairRefusedError
from compliance.services.record_receipts import RecordUnfinishedError, sku_receipt_of
from compliance.services.sku_sets import retry_sku_set, run_sku_set, start_sku_set
from ledger.models import ImageFile, Job, JobState, Statement
from ledger.services.blobs import read_blob
from ledger.services.jobs import JobStateError, run_job
from ledger.services.originals import Upload
from ledger.tlog.claims import parse_claim
from tests.compliance.batches import begin_batch, finish_batch, uploads
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.packs.pictures import promoted
from tests.images import jpeg_bytes, product_photo, recompressed, rescaled, webp_bytes

pytestmark = pytest.mark.usefixtures("log")
SIZE = (640, 640)


def photo(seed):
    return product_photo(seed, SIZE)


def collage(*seeds) -> bytes:
    """Cells of another light each, as photos of different products have."""
    sheet = Image.new("RGB", (1280, 640), (255, 255, 255))
    for place, seed in enumerate(seeds):
        tint = Image.new("RGB", SIZE, [(20, 20, 60), (230, 210, 60)][place % 2])
        sheet.paste(Image.blend(photo(seed), tint, 0.6), (place * 640, 0))
    return jpeg_bytes(sheet)


def begin_set(seller, hidden, *, declared="", main=None, category="", actor=None, request_id=""):
    order = read_sku_order(files=uploads(hidden), archive=None, declared=declared)
    choices = Choices(PROFILE_ID, category, request_id)
    upload = Upload("collage.jpg", main or collage(1, 2))
    return start_sku_set(actor=actor, seller=seller, main=upload, order=order, choices=choices)


def finish_set(batch):
    run_job(batch.job_id)
    return CheckBatch.objects.select_related("job", "statement", "seller", "main_image__blob").get(pk=batch.pk)


def checked_set(seller, hidden, **changes):
    return finish_set(begin_set(seller, hidden, **changes))


def codes(batch):
    return [(found["code"], found["detail"]) for found in batch.report["findings"]]


GOOD = {"red.jpg": jpeg_bytes(photo(1)), "blue_hidden.jpg": jpeg_bytes(photo(2))}


def test_one_hidden_image_per_sku_passes_with_one_entry(seller, alice, assert_log_valid):
    batch = checked_set(seller, GOOD, actor=alice, category="shoes")
    assert (batch.verdict, codes(batch)) == ("PASSED", [])
    claim: Any = parse_claim("skus.recorded", bytes(batch.statement.claim))
    assert [row["sku"] for row in claim["hidden"]] == ["red", "blue"]
    assert (claim["missing"], claim["verdict"]) == ([], "PASSED")
    assert (batch.statement.number, batch.statement.outcome) == (batch.number, "passed")
    assert batch.report["columns"] == 2
    assert_log_valid()


def test_a_sku_without_a_hidden_image_is_named(seller):
    batch = checked_set(seller, GOOD, declared="red\ngreen\nblue\n")
    assert codes(batch) == [("ERR_IMG_HID_SKU", "green")]
    assert batch.verdict == "FAILED"
    assert parse_claim("skus.recorded", bytes(batch.statement.claim))["missing"] == ["green"]


@pytest.mark.parametrize(
    "change", [lambda image: image, lambda image: recompressed(image, 70), lambda i: rescaled(i, 1.5)]
)
def test_one_picture_under_two_skus_is_found_by_its_pixels(seller, change):
    files = {"red.jpg": jpeg_bytes(photo(1)), "blue.jpg": jpeg_bytes(change(photo(1)), quality=93)}
    batch = checked_set(seller, files)
    assert ("ERR_IMG_HID_REUSED", "red, blue") in codes(batch)
    assert batch.verdict == "FAILED"


def test_a_hidden_image_of_another_sku_s_earlier_check_is_found(seller, other_seller):
    checked_set(seller, {"old.jpg": jpeg_bytes(photo(1)), "other.jpg": jpeg_bytes(photo(4))})
    again = {"red.jpg": jpeg_bytes(photo(1), quality=75), "blue.jpg": jpeg_bytes(photo(2))}
    assert codes(checked_set(seller, again)) == [("ERR_IMG_HID_REUSED", "red: old")]
    assert codes(checked_set(other_seller, again)) == []


def test_a_pair_s_hidden_image_may_not_serve_a_collage_s_other_sku(seller):
    pair = {"old_main.jpg": jpeg_bytes(promoted(photo(1))), "old_hidden.jpg": jpeg_bytes(photo(1))}
    finish_batch(begin_batch(seller, pair))
    assert codes(checked_set(seller, GOOD)) == [("ERR_IMG_HID_REUSED", "red: old")]


def test_the_same_sku_checked_again_is_no_reuse(seller):
    checked_set(seller, GOOD)
    assert codes(checked_set(seller, GOOD)) == []


def test_what_stands_on_one_hidden_image_fails_the_set_and_names_its_sku(seller):
    files = GOOD | {"blue_hidden.jpg": webp_bytes(photo(2))}
    batch = checked_set(seller, files)
    assert (batch.verdict, codes(batch)) == ("FAILED", [])
    claim: Any = parse_claim("skus.recorded", bytes(batch.statement.claim))
    found = claim["findings"]
    assert {row["sku"] for row in found if row["level"] == "ERROR"} == {"blue"}


def test_a_file_that_is_no_picture_is_named_and_its_sku_counts_as_missing(seller):
    batch = checked_set(seller, GOOD | {"green.jpg": b"no picture"})
    assert codes(batch) == [("ERR_IMG_HID_SKU", "green")]
    assert batch.items.get(sku="green").error_code == "unsupported_type"
    assert batch.items.get(sku="red").report


def test_more_cells_than_skus_are_asked_about(seller):
    batch = checked_set(seller, {"red.jpg": GOOD["red.jpg"]})
    assert codes(batch) == [("ERR_IMG_HID_SKU", "1 x 2")]
    assert batch.verdict == "INDETERMINATE"


@pytest.mark.parametrize(
    ("category", "main", "found"),
    [
        ("shoes", None, {"ERR_IMG_HID_SKU", "ERR_IMG_HID_MISSING"}),
        ("home-garden", "plain", set()),
        ("home-garden", "promoted", {"ERR_IMG_HID_SKU", "ERR_IMG_HID_REQUIRED_PROMO"}),
    ],
)
def test_without_any_hidden_image_the_category_decides(seller, category, main, found):
    pictures = {None: None, "plain": jpeg_bytes(photo(1)), "promoted": jpeg_bytes(promoted(photo(1)))}
    batch = checked_set(seller, {}, declared="red\nblue", main=pictures[main], category=category)
    assert {code for code, _detail in codes(batch)} == found


def test_running_twice_and_sending_twice_change_nothing(seller):
    batches = {begin_set(seller, GOOD, request_id="r1").pk for _ in range(2)}
    assert len(batches) == 1
    batch = finish_set(CheckBatch.objects.get())
    pictures = ImageFile.objects.count()
    run_sku_set(batch.pk, progress=lambda *_: None, cancelled=lambda: False)
    assert Statement.objects.filter(kind="skus.recorded").count() == 1
    assert ImageFile.objects.count() == pictures == 3


def test_a_stopped_check_goes_on_where_it_was(seller, alice):
    batch = begin_set(seller, GOOD)
    asked = iter([False])
    run_sku_set(batch.pk, progress=lambda *_: None, cancelled=lambda: next(asked, True))
    assert ImageFile.objects.count() == 3
    with pytest.raises(JobStateError):
        retry_sku_set(actor=alice, batch=batch)
    Job.objects.update(state=JobState.CANCELLED)
    batch.job.refresh_from_db()
    assert finish_set(retry_sku_set(actor=alice, batch=batch)).verdict == "PASSED"
    assert ImageFile.objects.count() == 3


def test_a_wrong_order_is_refused_by_name(seller):
    files: dict[str, bytes] = {}
    for declared, code in (
        ("", "skus.none"),
        ("x" * 101, "skus.too_long"),
        ("\n".join(map(str, range(61))), "skus.too_many"),
    ):
        with pytest.raises(BatchRefusedError) as caught:
            read_sku_order(files=uploads(files), archive=None, declared=declared)
        assert caught.value.code == code
    with pytest.raises(PairRefusedError):
        begin_set(seller, GOOD, main=b"no picture")


def test_rights(seller, bob, mallory):
    for person in (bob, mallory):
        with pytest.raises(PermissionDenied):
            begin_set(seller, GOOD, actor=person)
    batch = checked_set(seller, GOOD)
    with pytest.raises(PermissionDenied):
        sku_receipt_of(actor=mallory, batch=batch)


def test_the_receipt_names_the_skus_and_stays_the_same(seller, bob):
    batch = begin_set(seller, GOOD, declared="green")
    with pytest.raises(RecordUnfinishedError):
        sku_receipt_of(actor=bob, batch=batch)
    batch = finish_set(batch)
    first = read_blob(sku_receipt_of(actor=bob, batch=batch).blob)
    assert first.startswith(b"%PDF")
    assert read_blob(sku_receipt_of(actor=bob, batch=batch).blob) == first


def test_the_pages_say_what_is_wrong_and_where(client_of, alice, bob):
    client = client_of(alice)
    form = "/hidden/skus/"
    assert "No collage checked yet" in client.get(form).content.decode()
    sent = client.post(
        form,
        {
            "profile": PROFILE_ID,
            "main": SimpleUploadedFile("collage.jpg", collage(1, 2)),
            "files": uploads(GOOD),
            "skus": "red\ngreen",
        },
    )
    batch = CheckBatch.objects.get()
    assert sent["Location"] == f"{form}{batch.number}/"
    assert 'hx-trigger="' in client.get(sent["Location"]).content.decode()
    finish_set(batch)
    page = client_of(bob).get(sent["Location"]).content.decode()
    assert "A SKU has no hidden image of its own" in page
    assert "green" in page
    assert client.get(sent["Location"], headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    wrong = client.post(
        form, {"profile": PROFILE_ID, "main": SimpleUploadedFile("c.jpg", b"x"), "files": uploads(GOOD)}
    )
    assert wrong.status_code == 400
    assert "unsupported_type" in wrong.content.decode()
    assert "check.no_main" in client.post(form, {"profile": PROFILE_ID}).content.decode()
