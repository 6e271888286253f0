"""Several repairs in one go: their order, what is lossless, and what is left out by name while the others go on."""

import numpy as np
import pytest
from PIL import Image

from compliance.checks.check import PairReport, check_pair
from compliance.packs.fix_table import Fix
from compliance.packs.fixes import FixInput
from compliance.packs.repair import relation_to_original, repair
from compliance.packs.repair_plan import helpful_fixes
from ledger.imaging.sandbox import PixelPool
from tests.compliance.checks.pictures import encode, product, scene, with_promotion
from tests.compliance.packs.pictures import PROFILE, original, photo, pixels
from tests.images import exif_bytes, jpeg_bytes

MAIN = encode(with_promotion(product()), "JPEG")


def report_of(main: bytes, hidden: bytes, given: bytes | None = None) -> PairReport:
    return check_pair(
        main,
        hidden,
        main_name="m",
        hidden_name="h",
        profile=PROFILE,
        original=given,
        original_name="o" if given else "",
    )


def offered(main: bytes, hidden: bytes, given: bytes | None = None) -> set[Fix]:
    return set(helpful_fixes(report_of(main, hidden, given), has_original=given is not None).values())


def noise(side: int = 2200) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8))


def test_stripping_alone_writes_nothing_anew():
    hidden = jpeg_bytes(product(), quality=90, exif=exif_bytes())
    done = repair(FixInput(hidden, MAIN), [Fix.STRIP], PROFILE)
    assert [step["fix"] for step in done.steps] == ["strip"]
    assert np.array_equal(pixels(done.data), pixels(hidden))


def test_a_repair_that_cannot_be_made_leaves_the_others():
    hidden = jpeg_bytes(scene(), exif=exif_bytes())
    done = repair(FixInput(hidden, jpeg_bytes(scene(seed=4))), [Fix.STRIP, Fix.BACKGROUND], PROFILE)
    assert [step["fix"] for step in done.steps] == ["strip"]
    assert [(each.fix, each.code) for each in done.failures] == [(Fix.BACKGROUND, "pack.background_not_plain")]


def test_without_a_step_the_file_is_the_one_that_was_given():
    done = repair(FixInput(MAIN, MAIN), [Fix.REENCODE], PROFILE)
    assert (done.data, done.steps) == (MAIN, ())
    assert [each.code for each in done.failures] == ["pack.nothing_to_fix"]


def test_a_mark_without_an_original_stays():
    done = repair(FixInput(MAIN, MAIN, regions=((1, 1, 9, 9),)), [Fix.FROM_ORIGINAL], PROFILE)
    assert [each.code for each in done.failures] == ["pack.original_missing"]
    assert done.data == MAIN


def test_a_webp_is_converted_with_whatever_else_is_asked():
    hidden = encode(product(), "WEBP", lossless=True)
    done = repair(FixInput(hidden, MAIN), [Fix.STRIP], PROFILE)
    assert done.data[:2] == b"\xff\xd8"
    assert [step["fix"] for step in done.steps] == ["convert", "strip"]


def test_what_is_too_large_even_like_its_main_image_is_named():
    main, hidden = jpeg_bytes(noise(), quality=95), jpeg_bytes(noise(), quality=99)
    done = repair(FixInput(hidden, main), [Fix.RECOMPRESS], PROFILE)
    assert [each.code for each in done.failures] == ["pack.large_as_main"]


def test_a_file_becomes_small_by_the_main_images_own_tables():
    main, hidden = jpeg_bytes(noise(), quality=60), jpeg_bytes(noise(), quality=99)
    assert len(hidden) > 5_000_000
    assert {Fix.RECOMPRESS, Fix.REENCODE} <= offered(main, hidden)
    done = repair(FixInput(hidden, main), [Fix.RECOMPRESS, Fix.REENCODE], PROFILE)
    assert len(done.data) <= 5_000_000
    assert done.failures == ()


def test_a_small_copy_is_taken_from_the_original_and_not_blown_up():
    clean = Image.fromarray(pixels(original()))
    width, height = clean.size
    main, hidden = jpeg_bytes(with_promotion(clean)), jpeg_bytes(clean.resize((width // 2, height // 2)), quality=70)
    done = repair(FixInput(hidden, main, original()), [Fix.RESIZE], PROFILE)
    assert done.steps[0]["from_original"]
    blown = repair(FixInput(hidden, main), [Fix.RESIZE], PROFILE)
    near, far = (np.abs(pixels(each.data).astype(int) - np.asarray(clean)).mean() for each in (done, blown))
    assert near < 0.8 * far
    assert not [each for each in report_of(main, done.data, original()).findings if each.level == "ERROR"]


def test_a_file_says_how_it_descends_from_its_original():
    found = relation_to_original(original(), jpeg_bytes(photo(), quality=80))
    assert found is not None
    assert found.geometry == "identity"
    assert relation_to_original(original(), jpeg_bytes(scene())) is None


@pytest.mark.parametrize(
    ("hidden", "never"),
    [
        (encode(scene((500, 800)), "JPEG"), {Fix.RESIZE, Fix.PAD, Fix.FROM_ORIGINAL}),
        (encode(Image.new("RGB", (800, 800), "white"), "JPEG"), {Fix.BACKGROUND}),
    ],
    ids=["another photo in another ratio", "a white sheet"],
)
def test_what_cannot_help_is_not_offered(hidden, never):
    assert not offered(MAIN, hidden) & never


def test_the_childs_answer_holds_file_previews_and_relation():
    params = {"profile": "aliexpress-seed-2024", "fixes": ["strip"], "regions": []}
    hidden = jpeg_bytes(photo(), exif=exif_bytes())
    task = "compliance.packs.worker_tasks:repair_task"
    with PixelPool(1) as pool:
        answer = pool.run(task, [hidden, jpeg_bytes(photo()), original()], params)
        nothing = pool.run(task, [jpeg_bytes(photo()), jpeg_bytes(photo())], {**params, "fixes": ["reencode"]})
    assert [blob[:4] for blob in answer.blobs[1:]] == [b"RIFF"] * 2
    assert (answer.values["width"], answer.values["height"]) == photo().size
    assert answer.values["relation"]["geometry"] == "identity"
    assert (nothing.blobs, nothing.values["steps"]) == ([], [])
