"""Orders of packs: files, entries and rows together; sent twice, run twice, and broken in the middle."""

import csv
import hashlib
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied

from compliance.checks.blocks import list_blocks
from compliance.models import PackItem, PackRun, RunState
from compliance.services.pack_orders import Choice, batch_orders, chosen_orders
from compliance.services.pack_zip import PackUnfinishedError, pack_zip
from compliance.services.packs import (
    PackFinishedError,
    PackOrder,
    PackRefusedError,
    make_packs,
    order_packs,
    retry_packs,
)
from ledger.models import Derivative, ImageFile, JobState, Statement
from ledger.services.blobs import read_blob
from ledger.services.jobs import JobStateError, run_job
from ledger.services.originals import Upload
from ledger.services.pictures import thumbnail
from ledger.tlog.claims import parse_claim
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.pack_orders import OVERLAY, make, order, packed, registered
from tests.compliance.packs.pictures import photo, pixels, promoted
from tests.factories import register
from tests.images import exif_bytes, jpeg_bytes

pytestmark = pytest.mark.usefixtures("log")


def test_three_files_are_made_and_linked_to_their_original(seller, alice, assert_log_valid):
    run = packed(seller, actor=alice)
    (item,) = run.items.all()
    assert item.state == RunState.DONE
    assert item.report["outside_promotion"]["differing_px"] == 0
    assert [role for role, _ in item.files] == ["main", "hidden", "detail"]
    for role, made in item.files:
        content = read_blob(made.image.blob)
        claim: Any = parse_claim("derivative.linked", bytes(made.statement.claim))
        assert hashlib.sha256(content).hexdigest() == claim["derivative"]["sha256"] == bytes(made.image.sha256).hex()
        assert claim["original"]["sha256"] == bytes(item.original.sha256).hex()
        assert claim["original"]["leaf"] == bytes(item.original.statement.entry.leaf_hash).hex()
        assert claim["geometry"] == "identity"
        assert claim["matrix_micro"] == [1_000_000, 0, 0, 0, 1_000_000, 0, 0, 0, 1_000_000]
        assert made.role == role
        assert made.statement.actor == alice
        assert thumbnail(made.image, 320)
    assert_log_valid()


def test_camera_data_stays_with_the_original_and_goes_into_no_file(seller, bob):
    content = jpeg_bytes(photo(), exif=exif_bytes(gps=(31.25, 121.5), serial="SN-4711"))
    (answer,) = register(seller, content)
    run = packed(seller, PackOrder("A", answer.original, OVERLAY, "overlay"))
    with pack_zip(actor=bob, run=run) as file, zipfile.ZipFile(file) as archive:
        files = [archive.read(name) for name in archive.namelist() if name.endswith(".jpg")]
    assert len(files) == 3
    assert [list_blocks(data) for data in files] == [()] * 3
    assert not any(b"SN-4711" in data for data in files)
    assert read_blob(answer.original.image.blob) == content


def test_a_main_image_s_frame_is_in_the_claim(seller):
    main = Upload("main.jpg", jpeg_bytes(promoted(photo().crop((36, 48, 684, 858)))))
    (item,) = packed(seller, PackOrder("S", registered(seller), main, "main")).items.all()
    claim: Any = parse_claim("derivative.linked", bytes(item.hidden.statement.claim))
    matrix = claim["matrix_micro"]
    assert matrix == [1_000_000, 0, -36_000_000, 0, 1_000_000, -48_000_000, 0, 0, 1_000_000]
    assert item.main.steps == ["cropped", "overlaid"]


def test_the_files_are_sealed_and_never_originals(seller):
    (item,) = packed(seller).items.all()
    stored = ImageFile.objects.get(pk=item.hidden.image_id)
    assert np.array_equal(pixels(read_blob(stored.blob))[:40], pixels(read_blob(item.main.image.blob))[:40])
    assert not hasattr(stored, "original")


def test_the_same_request_gives_the_same_order(seller):
    first = order(seller, request_id="r1")
    assert order(seller, request_id="r1") == first
    assert order(seller, PackOrder("other", registered(seller)), request_id="r1") != first


def test_running_twice_makes_nothing_twice(seller):
    run = packed(seller)
    make(run)
    assert Derivative.objects.count() == 3
    assert Statement.objects.filter(kind="derivative.linked").count() == 3


def test_one_promotion_for_several_originals_is_stored_once(seller):
    orders = [PackOrder(f"S{seed}", registered(seller, seed), OVERLAY, "overlay") for seed in (5, 6)]
    run = packed(seller, *orders)
    assert len({item.promotion_id for item in run.items.all()}) == 1
    assert [item.state for item in run.items.all()] == ["done", "done"]


def test_one_pack_that_cannot_be_made_stops_no_other(seller):
    stranger = Upload("main.jpg", jpeg_bytes(photo(9)))
    orders = [PackOrder("bad", registered(seller), stranger, "main"), PackOrder("good", registered(seller))]
    bad, good = packed(seller, *orders).items.all()
    assert (bad.state, bad.error_code) == ("failed", "pack.main_not_from_original")
    assert good.state == "done"


def test_a_cancelled_order_keeps_what_is_made_and_goes_on_later(seller):
    run = order(seller, *(PackOrder(f"S{seed}", registered(seller, seed)) for seed in (5, 6)))
    answers = iter([False, True])
    make_packs(run.pk, progress=lambda *_: None, cancelled=lambda: next(answers))
    assert [item.state for item in run.items.all()] == ["done", "waiting"]
    make(run)
    assert [item.state for item in run.items.all()] == ["done", "done"]


def test_the_job_makes_the_packs(seller, alice):
    run = order(seller, actor=alice)
    assert (run.job.queue, run.job.kind) == ("heavy", "packs.make")
    run_job(run.job.pk)
    run.job.refresh_from_db()
    assert (run.job.state, run.job.progress_done) == (JobState.DONE, 1)
    assert run.items.get().state == RunState.DONE


def test_what_failed_can_be_tried_again(seller, alice):
    run = order(seller, actor=alice)
    with pytest.raises(JobStateError):
        retry_packs(actor=alice, run=run)
    run.items.update(state=RunState.FAILED, error_code="check.decode_timeout")
    run_job(run.job.pk)
    run.refresh_from_db()
    retry_packs(actor=alice, run=run)
    run_job(PackRun.objects.get(pk=run.pk).job_id)
    assert run.items.get().state == RunState.DONE
    with pytest.raises(PackFinishedError):
        retry_packs(actor=alice, run=PackRun.objects.get(pk=run.pk))


@pytest.mark.parametrize(
    ("names", "code"),
    [((), "pack.no_original"), (("a", "a"), "pack.sku_twice"), (("../a",), "pack.sku_unsafe")],
)
def test_a_wrong_order_is_refused_and_nothing_kept(seller, names, code):
    orders = [PackOrder(name, registered(seller), OVERLAY, "overlay") for name in names]
    before = ImageFile.objects.count()
    with pytest.raises(PackRefusedError) as caught:
        order_packs(actor=None, seller=seller, orders=orders, profile_id=PROFILE_ID)
    assert caught.value.refusals[0].code == code
    assert (PackItem.objects.count(), ImageFile.objects.count()) == (0, before)


def test_a_promotion_that_is_no_picture_is_refused(seller):
    with pytest.raises(PackRefusedError) as caught:
        order(seller, PackOrder("a", registered(seller), Upload("x.png", b"GIF89a"), "overlay"))
    assert (caught.value.refusals[0].sku, caught.value.refusals[0].code) == ("a", "unsupported_type")


def test_a_viewer_and_another_seller_make_nothing(seller, bob, mallory):
    for person in (bob, mallory):
        with pytest.raises(PermissionDenied):
            order(seller, actor=person)
        with pytest.raises(PermissionDenied):
            batch_orders(actor=person, seller=seller, batch=b"", files={}, category="")


def test_another_seller_s_original_is_no_choice(seller, other_seller):
    foreign = registered(other_seller)
    with pytest.raises(ValueError, match="another seller"):
        order(seller, PackOrder("a", foreign))
    with pytest.raises(PackRefusedError) as caught:
        chosen_orders(actor=None, seller=seller, choice=Choice([foreign.number]))
    assert caught.value.refusals[0].code == "pack.original_unknown"


def test_rows_of_a_batch_find_their_originals_by_number_digest_and_name(seller):
    first, second = registered(seller, 5), registered(seller, 6)
    rows = [("a", first.number), ("b", bytes(first.sha256).hex().upper()), ("c", second.image.file_name)]
    text = "sku,original,overlay\n" + "".join(f"{sku},{name},o.png\n" for sku, name in rows)
    orders = batch_orders(actor=None, seller=seller, batch=text.encode(), files={"o.png": OVERLAY}, category="shoes")
    assert [each.original.pk for each in orders] == [first.pk, first.pk, second.pk]
    assert {(each.kind, each.category) for each in orders} == {("overlay", "shoes")}


def test_every_wrong_row_of_a_batch_is_named(seller):
    name = registered(seller).image.file_name
    text = f"sku,original,overlay,main\na,nobody,,\nb,{name},gone.png,\nc,{name},x,y\n"
    with pytest.raises(PackRefusedError) as caught:
        batch_orders(actor=None, seller=seller, batch=text.encode(), files={}, category="")
    assert [(each.sku, each.code) for each in caught.value.refusals] == [
        ("a", "pack.original_unknown"),
        ("b", "pack.file_not_sent"),
        ("c", "pack.overlay_and_main"),
    ]


def test_one_main_image_serves_one_original(seller):
    numbers = [registered(seller, seed).number for seed in (5, 6)]
    with pytest.raises(PackRefusedError) as caught:
        chosen_orders(actor=None, seller=seller, choice=Choice(numbers, OVERLAY, "main"))
    assert caught.value.refusals[0].code == "pack.main_for_several"


def test_the_zip_holds_every_file_and_the_summary(seller, bob):
    stranger = Upload("main.jpg", jpeg_bytes(photo(9)))
    run = packed(
        seller,
        PackOrder("A", registered(seller), OVERLAY, "overlay"),
        PackOrder("B", registered(seller), stranger, "main"),
    )
    with pack_zip(actor=bob, run=run) as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["A/main.jpg", "A/hidden.jpg", "A/detail.jpg", "packs.csv"]
        rows = list(csv.DictReader(io.StringIO(archive.read("packs.csv").decode("utf-8-sig"))))
        for row in rows[:3]:
            assert hashlib.sha256(archive.read(row["file"])).hexdigest() == row["sha256"]
    assert [row["sku"] for row in rows] == ["A", "A", "A", "B"]
    assert rows[3]["refused"] == "pack.main_not_from_original"
    entries = [str(made.statement.entry_id) for _, made in run.items.first().files]
    assert [row["entry"].split()[0] for row in rows[:3]] == entries


def test_without_a_pack_there_is_no_zip(seller, bob, mallory):
    run = order(seller)
    with pytest.raises(PackUnfinishedError):
        pack_zip(actor=bob, run=run)
    with pytest.raises(PermissionDenied):
        pack_zip(actor=mallory, run=run)
