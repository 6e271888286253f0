"""Size, shape and similarity: the boundaries, and the fast SSIM beside a plain loop."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from compliance.checks.base import Verdict
from compliance.checks.changes import changes_of, compare
from compliance.checks.pair import fit
from compliance.checks.ssim import grey, mean_ssim, ssim_map
from tests.compliance.checks.pictures import (
    PROFILE,
    encode,
    levels,
    outcome,
    outcome_of,
    pair_of,
    product,
    scene,
    with_promotion,
)


def plain_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """The definition, window by window: 7 x 7, sample variances, 8-bit constants."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    c1, c2 = 6.5025, 58.5225
    values = []
    for top in range(a.shape[0] - 6):
        for left in range(a.shape[1] - 6):
            x, y = a[top : top + 7, left : left + 7], b[top : top + 7, left : left + 7]
            covariance = ((x - x.mean()) * (y - y.mean())).sum() / 48
            alike = (2 * x.mean() * y.mean() + c1) * (2 * covariance + c2)
            values.append(alike / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (x.var(ddof=1) + y.var(ddof=1) + c2)))
    return float(np.mean(values))


def profile_with(name: str, value: float):
    limits = tuple(replace(item, value=value) if item.name == name else item for item in PROFILE.limits)
    return replace(PROFILE, limits=limits)


def sized(width: int, height: int) -> Image.Image:
    return product().resize((width, height))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((800, 800), []),
        ((800, 801), ["WARNING"]),
        ((799, 800), ["WARNING"]),
        ((801, 799), ["WARNING"]),
        ((800, 802), ["ERROR"]),
        ((400, 400), ["ERROR"]),
    ],
)
def test_resolution_must_agree_and_one_pixel_warns(size, expected):
    assert levels(outcome("H03", product(), sized(*size))) == expected


@pytest.mark.parametrize(
    ("main", "hidden", "verdict"),
    [
        ((1000, 1000), (1000, 1001), "PASSED"),
        ((1000, 1000), (1000, 999), "PASSED"),
        ((1000, 1000), (1000, 1002), "FAILED"),
        ((1000, 1000), (1000, 998), "FAILED"),
        ((1000, 1000), (500, 500), "PASSED"),
        ((1000, 1000), (2000, 2002), "PASSED"),
        ((1000, 1000), (2000, 2003), "FAILED"),
        ((900, 1200), (1200, 900), "FAILED"),
    ],
)
def test_aspect_may_differ_by_one_pixel_at_the_main_width(main, hidden, verdict):
    found = outcome("H04", sized(*main), sized(*hidden))
    assert found.verdict == verdict


def test_aspect_states_by_how_much_it_differs():
    assert outcome("H04", sized(1000, 1000), sized(1000, 1002)).measured == 2.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ssim_agrees_with_the_plain_definition_on_noise(seed):
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    second = np.clip(first + random.normal(0, 10 * seed, first.shape), 0, 255).astype(np.uint8)
    a, b = grey(first), grey(second)
    assert mean_ssim(ssim_map(a, b)) == pytest.approx(plain_ssim(a, b), abs=0.0005)


def test_ssim_agrees_with_the_plain_definition_on_flat_and_bright_pictures():
    first = np.full((40, 40, 3), 250, np.uint8)
    second = first.copy()
    second[10:20, 10:20] = 240
    a, b = grey(first), grey(second)
    assert mean_ssim(ssim_map(a, b)) == pytest.approx(plain_ssim(a, b), abs=0.0005)


def test_ssim_of_the_rule_agrees_with_the_definition_on_a_compressed_pair():
    main, hidden = with_promotion(product((200, 150))), product((200, 150))
    pair = pair_of(encode(main, "JPEG"), encode(hidden, "JPEG"))
    reference = plain_ssim(grey(pair.main_work), grey(pair.hidden_work))
    assert changes_of(pair).ssim == pytest.approx(reference, abs=0.002)


def test_identical_pictures_score_one_and_pass():
    found = outcome("H07", product(), product())
    assert (found.measured, found.verdict, found.findings) == (1, Verdict.PASSED, ())


def test_different_pictures_fail():
    found = outcome("H07", scene(seed=1), scene(seed=2))
    assert levels(found) == ["ERROR"]
    assert found.findings[0].detail == "outside"


@pytest.mark.parametrize(("above", "expected"), [(0.0, []), (0.0001, ["WARNING"]), (-0.0001, [])])
def test_the_forecast_meets_its_limit_by_equality(above, expected):
    pair = pair_of(encode(with_promotion(product())), encode(product()))
    forecast = round(changes_of(pair).ssim, 4)
    assert levels(outcome_of("H07", pair, profile_with("ssim_min", round(forecast + above, 4)))) == expected


@pytest.mark.parametrize(("limit", "verdict"), [(0.919, "PASSED"), (0.92, "PASSED"), (0.9201, "FAILED")])
def test_similarity_outside_the_promotion_meets_its_limit_by_equality(limit, verdict):
    pair = pair_of(encode(product()), encode(product()))
    pair.derived[compare] = replace(changes_of(pair), ssim=0.92, ssim_masked=0.92)
    assert outcome_of("H07", pair, profile_with("ssim_min", limit)).verdict == verdict


def test_the_largest_change_is_boxed_in_pixels_of_the_hidden_image():
    main = with_promotion(product((2000, 1600)), box=(100, 200, 500, 400))
    pair = pair_of(encode(main), encode(product((2000, 1600))))
    found = outcome_of("H07", pair, profile_with("ssim_min", 0.99999))
    assert found.findings[0].bbox == pytest.approx((100, 200, 500, 400), abs=20)


def test_a_pair_is_compared_at_a_thousand_pixels():
    pair = pair_of(encode(product((1500, 900))), encode(product((1500, 900))))
    assert pair.main_work.shape == (600, 1000, 3)
    assert pair.frame_px == 1000


def test_a_small_pair_is_not_enlarged():
    assert pair_of(encode(product((300, 200))), encode(product((300, 200)))).frame_px == 300


def test_pictures_of_different_size_are_compared_in_the_main_frame():
    pair = pair_of(encode(product((800, 800))), encode(product((400, 400))))
    assert pair.is_stretched
    assert pair.hidden_work.shape == pair.main_work.shape
    found = outcome_of("H07", pair, profile_with("ssim_min", 0.99999))
    assert pair.frame_px == 800
    assert found.measured is not None


def test_a_tiny_pair_cannot_be_compared():
    found = outcome("H07", Image.new("RGB", (6, 6)), Image.new("RGB", (6, 6)))
    assert (found.verdict, found.reason, found.measured) == (Verdict.INDETERMINATE, "too_small", None)


def test_exif_orientation_is_applied_before_comparing():
    upright = product((800, 600), seed=5)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encode(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    pair = pair_of(encode(upright), stored)
    assert outcome_of("H03", pair).verdict is Verdict.PASSED
    assert outcome_of("H07", pair).measured == 1
    assert outcome_of("H21", pair).findings[0].detail == "EXIF"


def test_cmyk_is_compared_as_colours():
    pair = pair_of(encode(product(), "JPEG"), encode(product().convert("CMYK"), "JPEG"))
    assert outcome_of("H05", pair).measured == "JPEG"
    assert outcome_of("H07", pair).findings == ()


def test_sixteen_bits_are_compared_by_their_upper_eight():
    levels_8 = np.asarray(product().convert("L"))
    deep = Image.fromarray(levels_8.astype(np.uint16) * 257)
    pair = pair_of(encode(Image.fromarray(levels_8)), encode(deep))
    assert outcome_of("H07", pair).measured == 1


def test_fit_keeps_a_flat_colour_exactly():
    flat = np.full((1001, 777, 3), (5, 130, 250), np.uint8)
    assert (fit(flat, (250, 250)) == (5, 130, 250)).all()
