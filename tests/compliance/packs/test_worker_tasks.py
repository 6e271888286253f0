"""The child's entrances: plain JSON and bytes in and out, refusals as values, and nothing believed unchecked."""

import copy
import json

import pytest

from compliance.packs.errors import ReportMalformed
from compliance.packs.report import parse_pack
from compliance.packs.worker_tasks import FIX_TASK, MAKE_PACK_TASK
from ledger.imaging.sandbox import PixelPool
from tests.compliance.packs.pictures import BANNER, original, overlay, photo, pixels
from tests.images import exif_bytes, jpeg_bytes

PROFILE_ID = {"profile": "aliexpress-seed-2024"}


@pytest.fixture(scope="module")
def pool():
    with PixelPool() as pool:
        yield pool


@pytest.fixture(scope="module")
def answer(pool):
    return pool.run(MAKE_PACK_TASK, [original(), overlay()], {**PROFILE_ID, "with": "overlay", "previews": True})


def test_files_and_previews_come_in_order(answer):
    assert len(answer.blobs) == 9
    assert [data[:2] for data in answer.blobs[::3]] == [b"\xff\xd8"] * 3
    assert all(data[:4] == b"RIFF" for start in (1, 2) for data in answer.blobs[start::3])
    report = parse_pack(json.loads(json.dumps(answer.values)), answer.blobs[::3])
    assert [fact.role for fact in report.files] == ["main", "hidden", "detail"]
    assert report.differing_px == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values["files"].pop(),
        lambda values: values["files"][0].update(sha256="0" * 64),
        lambda values: values["files"][1].update(width=-1),
        lambda values: values["files"][1]["relation"].update(geometry="magic"),
        lambda values: values["files"][1]["relation"].update(matrix=[1.0] * 8),
        lambda values: values["files"][1]["relation"].update(matrix=[float("nan")] * 9),
        lambda values: values["files"][1]["relation"].update(steps=["painted"]),
        lambda values: values.update(verdict="PERFECT"),
        lambda values: values.update(check=None),
        lambda values: values["check"].update(verdict="PERFECT"),
        lambda values: values["outside_promotion"].update(differing_px=None),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(answer, change):
    values = copy.deepcopy(answer.values)
    change(values)
    with pytest.raises(ReportMalformed):
        parse_pack(values, answer.blobs[::3])


def test_a_refusal_is_a_value(pool):
    values = pool.run(MAKE_PACK_TASK, [jpeg_bytes(photo().resize((300, 400)))], PROFILE_ID).values
    assert values["refused"] == {
        "code": "pack.too_small",
        "side": "",
        "cause": "",
        "detail": "300x400, at least 600x600",
    }
    values = pool.run(MAKE_PACK_TASK, [original(), b"x"], {**PROFILE_ID, "with": "main"}).values
    assert (values["refused"]["side"], values["refused"]["code"]) == ("main", "pack.file_refused")


def test_a_repair_runs_in_the_child(pool):
    data = jpeg_bytes(photo(), exif=exif_bytes(gps=(1, 2)))
    done = pool.run(FIX_TASK, [data], {**PROFILE_ID, "code": "ERR_IMG_HID_GPS"})
    assert done.values["fixed"]["fix"] == "strip"
    assert (pixels(done.blobs[0]) == pixels(data)).all()
    params = {**PROFILE_ID, "code": "ERR_IMG_HID_TEXT", "with": ["original"], "regions": [list(BANNER)]}
    assert pool.run(FIX_TASK, [data, original()], params).values["fixed"]["fix"] == "from_original"
    refused = pool.run(FIX_TASK, [data], {**PROFILE_ID, "code": "ERR_IMG_HID_TEXT"}).values["refused"]
    assert refused["code"] == "pack.original_missing"
