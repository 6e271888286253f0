"""A whole pair: report, stable JSON, named refusals, and the entrance for the limited child."""

import io
import itertools
import json

import pytest
from PIL import Image

from compliance.checks.base import Level, Verdict
from compliance.checks.check import check_pair
from compliance.checks.errors import PictureRefused, ProfileUnknown
from compliance.checks.rules import RULES
from compliance.checks.worker_tasks import check_pair_task
from ledger.imaging.sandbox import PixelPool
from tests.compliance.checks.pictures import PROFILE, encode, product, scene, with_promotion

MAIN, HIDDEN = encode(with_promotion(product()), "JPEG"), encode(product(), "JPEG")
PARAMS = {"profile": "aliexpress-seed-2024", "main_name": "m.jpg", "hidden_name": "h.jpg", "category": "shoes"}


def check(main=MAIN, hidden=HIDDEN, **options):
    ticks = itertools.count()
    return check_pair(
        main,
        hidden,
        main_name="m.jpg",
        hidden_name="h.jpg",
        profile=PROFILE,
        clock=lambda: float(next(ticks)),
        **options,
    )


def test_a_good_pair_passes_without_findings():
    report = check()
    assert report.findings == ()
    assert report.verdict is Verdict.PASSED
    assert report.not_looked_at == ("H23",)


def test_a_main_image_used_as_hidden_image_does_not_pass():
    report = check(hidden=MAIN)
    assert report.verdict is Verdict.FAILED
    assert [item.code for item in report.findings] == ["ERR_IMG_HID_GRAPHIC"]


def test_another_photo_fails():
    report = check(encode(scene(seed=1)), encode(scene(seed=2)))
    assert report.ssim < 0.92
    assert report.verdict is Verdict.FAILED
    assert {finding.rule for finding in report.findings} >= {"H07", "H09"}


def test_wide_promotion_lowers_the_forecast_and_not_the_verdict():
    report = check(encode(with_promotion(scene(), (0, 0, 799, 200))), encode(scene()))
    assert (report.ssim < 0.92, report.ssim_masked) == (True, 1)
    assert report.overlay_share == pytest.approx(0.25, abs=0.03)
    assert report.verdict is Verdict.PASSED
    (finding,) = report.findings
    assert (finding.rule, finding.level, finding.measured) == ("H07", Level.WARNING, report.ssim)


def test_one_error_fails_the_pair():
    report = check(hidden=encode(product(), "WEBP"))
    assert report.verdict is Verdict.FAILED
    assert report.findings[0].rule == "H05"


def test_errors_come_before_questions_before_warnings():
    wide = with_promotion(scene((500, 500)), (0, 0, 499, 120))
    report = check(encode(wide), encode(scene((500, 500)), "WEBP"))
    levels = [item.level for item in report.findings]
    assert set(levels) == {Level.ERROR, Level.WARNING}
    assert levels == sorted(levels, key=[Level.ERROR, Level.CONFIRM, Level.WARNING].index)


def test_every_rule_answers():
    assert [item.rule for item in check().outcomes] == [rule.id for rule in RULES]


def test_the_report_is_stable_json():
    fields = json.loads(json.dumps(check(hidden=encode(product((400, 400)), "JPEG"), category="shoes").to_dict()))
    assert list(fields) == [
        "report_version",
        "verdict",
        "findings",
        "outcomes",
        "ssim",
        "ssim_masked",
        "ssim_scale_px",
        "background_deviation",
        "timings_ms",
        "main",
        "hidden",
        "profile",
        "category",
        "hidden_need",
        "not_looked_at",
        "overlay_share",
        "original",
    ]
    assert fields["findings"][0] == {
        "rule": "H03",
        "code": "ERR_IMG_HID_SIZE",
        "level": "ERROR",
        "bbox": None,
        "measured": "400x400",
        "allowed": "800x800",
        "unit": "px",
        "detail": "400 px",
    }
    assert fields["profile"] == {"id": "aliexpress-seed-2024", "version": 2}
    assert fields["ssim_masked"] == pytest.approx(1, abs=0.08)
    assert fields["original"] is None
    assert fields["hidden_need"] == "mandatory"


def test_stages_are_timed_by_the_given_clock():
    timings = check().timings_ms
    assert timings["decode"] == 1000
    assert timings["total"] == 1000 * (len(RULES) + 4)


def test_an_unknown_category_is_kept_as_written():
    report = check(category="手工艺品")
    assert (report.category, report.hidden_need) == ("手工艺品", "")


@pytest.mark.parametrize("side", ["main", "hidden"])
@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty_file"),
        (b"not a picture", "unsupported_type"),
        (MAIN[:3] + b"\x00" * 50, "corrupt_image"),
        (encode(product(), "PNG")[:2000], "corrupt_image"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_by_name(side, data, cause):
    with pytest.raises(PictureRefused) as error:
        check(**{side: data})
    assert (error.value.side, error.value.cause) == (side, cause)


def test_an_animation_is_refused():
    out = io.BytesIO()
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(PictureRefused) as error:
        check(hidden=out.getvalue())
    assert error.value.cause == "animated"


def test_the_task_returns_json_the_difference_and_previews_in_two_sizes():
    fields, blobs = check_pair_task([MAIN, HIDDEN], PARAMS)
    json.dumps(fields)
    assert fields["verdict"] == "PASSED"
    assert [Image.open(io.BytesIO(blob)).format for blob in blobs] == ["PNG", *["WEBP"] * 5]


def test_previews_keep_the_shape_of_their_own_file():
    _, blobs = check_pair_task([encode(product((2000, 1000))), encode(product((600, 900)))], PARAMS)
    sizes = [Image.open(io.BytesIO(blob)).size for blob in blobs[1:]]
    assert sizes == [(1000, 500), (320, 160), (1024, 512), (213, 320), (600, 900)]


def test_previews_carry_no_metadata():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    _, blobs = check_pair_task([MAIN, encode(product(), "JPEG", exif=exif)], PARAMS)
    assert not any(Image.open(io.BytesIO(blob)).getexif() for blob in blobs[1:])


def test_the_task_draws_nothing_when_nobody_looks():
    fields, blobs = check_pair_task([MAIN, HIDDEN], {**PARAMS, "pictures": False})
    assert (fields["verdict"], blobs) == ("PASSED", [])


def test_the_task_names_a_refusal():
    assert check_pair_task([MAIN, b"GIF89a"], PARAMS) == (
        {"refused": {"code": "checks.picture_refused", "side": "hidden", "cause": "unsupported_type", "detail": "gif"}},
        [],
    )


def test_the_task_opens_an_old_check_with_its_own_version():
    assert check_pair_task([MAIN, HIDDEN], {**PARAMS, "profile_version": 1})[0]["profile"]["version"] == 1
    with pytest.raises(ProfileUnknown):
        check_pair_task([MAIN, HIDDEN], {**PARAMS, "profile_version": 7})


def test_the_task_runs_inside_the_limited_child():
    with PixelPool(1) as pool:
        result = pool.run("compliance.checks.worker_tasks:check_pair_task", [MAIN, HIDDEN], PARAMS)
    assert result.values["verdict"] == "PASSED"
    assert len(result.blobs) == 6
