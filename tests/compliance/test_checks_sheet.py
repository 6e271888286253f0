"""A report in words: values with units and direction, places on a scale, both languages."""

import pytest
from django.utils import translation

from compliance.checks.base import Finding, Level
from compliance.checks.check import check_pair
from compliance.services.check_sheet import Gauge, check_sheet, format_allowed, format_value, gauge_of
from tests.compliance.checks.pictures import PROFILE, encode, product, scene


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "px", "—"),
        ("890x880", "px", "890 × 880 px"),
        ("JPEG, PNG", "format", "JPEG, PNG"),
        (999, "bytes", "999 B"),
        (36_378, "bytes", "36 kB"),
        (5_000_000, "bytes", "5 MB"),
        (5_000_001, "bytes", "5.00 MB (5,000,001 B)"),
        (0.92, "ssim", "0.92"),
        (0.8358, "ssim", "0.8358"),
        (0.5, "share", "50%"),
        (12.0, "RGB levels", "12 RGB levels"),
        (2, "blocks", "2"),
        (0, "blocks", "none"),
        (3, "parsec", "3 parsec"),
    ],
)
def test_a_value_has_its_unit(value, unit, words):
    assert format_value(value, unit) == words


def test_the_allowed_value_says_its_direction():
    assert format_allowed("H07", 0.92, "ssim") == "≥ 0.92"
    assert format_allowed("H10", 5.0, "RGB levels") == "≤ 5 RGB levels"
    assert format_allowed("H21", 0, "blocks") == "none"
    assert format_allowed("H05", "JPEG, PNG", "format") == "JPEG, PNG"


def finding(rule: str, measured: float | str, allowed: float | str, unit: str) -> Finding:
    return Finding(rule, "CODE", Level.ERROR, None, measured, allowed, unit)


@pytest.mark.parametrize(
    ("made", "gauge"),
    [
        (finding("H07", 0.75, 0.92, "ssim"), Gauge(50.0, 84.0, 100.0)),
        (finding("H07", 0.2, 0.92, "ssim"), Gauge(0.0, 84.0, 100.0)),
        (finding("H10", 7.5, 5.0, "RGB levels"), Gauge(75.0, 0.0, 50.0)),
        (finding("H06", 50_000_000, 5_000_000, "bytes"), Gauge(90.9, 0.0, 9.1)),
        (finding("Q01", 300, 600, "px"), Gauge(25.0, 50.0, 100.0)),
        (finding("H21", 2, 0, "blocks"), None),
        (finding("H05", "WEBP", "JPEG, PNG", "format"), None),
    ],
)
def test_a_finding_has_its_place_on_a_scale(made, gauge):
    assert gauge_of(made) == gauge


def sheet_of(main: bytes, hidden: bytes):
    return check_sheet(check_pair(main, hidden, main_name="m", hidden_name="h", profile=PROFILE))


def test_metadata_is_named_and_not_counted():
    picture = product()
    sheet = sheet_of(encode(picture, "JPEG"), encode(picture, "JPEG", comment=b"made by hand"))
    (line,) = [line for line in sheet.findings if line.rule == "H21"]
    assert (line.measured, line.allowed, line.detail) == ("comment", "none", "")


def test_a_rule_that_does_not_apply_is_not_shown_as_passed():
    picture = encode(scene())
    (line,) = [line for line in sheet_of(picture, picture).rules if line.rule == "H10"]
    assert line.had_nothing_to_measure
    assert line.reason


def test_every_rule_says_where_its_limits_come_from():
    picture = encode(product())
    assert all(line.limits for line in sheet_of(picture, picture).rules)


def test_every_sentence_is_translated():
    main, hidden = encode(product(), "JPEG"), encode(product((500, 640), background=(150, 150, 150)), "WEBP")
    english = sheet_of(main, hidden)
    with translation.override("zh-hans"):
        chinese = sheet_of(main, hidden)
    for en, zh in zip(english.findings, chinese.findings, strict=True):
        assert (en.title, en.advice) != (zh.title, zh.advice)
        assert zh.title[0] > "\u4e00"
    for en, zh in zip(english.rules, chinese.rules, strict=True):
        assert en.requires != zh.requires
    assert all(en[1] != zh[1] for en, zh in zip(english.not_looked_at, chinese.not_looked_at, strict=True))
