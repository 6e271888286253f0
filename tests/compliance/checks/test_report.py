"""A report survives the way through JSON, and nothing malformed is taken for one."""

import json
from dataclasses import replace

import pytest

from compliance.checks.check import check_pair
from compliance.checks.errors import ReportMalformed
from compliance.checks.report import parse_report
from tests.compliance.checks.pictures import PROFILE, encode, product, with_promotion


@pytest.fixture(scope="module")
def report():
    return check_pair(
        encode(with_promotion(product(), (40, 40, 700, 300))),
        encode(product((640, 640)), "WEBP"),
        main_name="main.png",
        hidden_name="hidden.jpg",
        profile=PROFILE,
        category="shoes",
    )


def test_a_report_reads_back_as_it_was(report):
    assert report.findings
    assert parse_report(json.loads(json.dumps(report.to_dict())), report.heatmap) == report


def test_keys_of_a_newer_version_are_left_alone(report):
    assert parse_report({**report.to_dict(), "mood": "fine"}) == replace(report, heatmap=b"")


def test_every_key_is_needed(report):
    values = report.to_dict()
    optional = {"report_version", "ssim", "ssim_masked", "background_deviation", "overlay_share", "original"}
    for key in values.keys() - optional:
        with pytest.raises(ReportMalformed):
            parse_report({name: value for name, value in values.items() if name != key})


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "FINE"},
        {"verdict": 1},
        {"findings": "none"},
        {"findings": [[]]},
        {"findings": [{}] * 501},
        {"ssim": True},
        {"ssim": float("nan")},
        {"ssim_scale_px": 1.5},
        {"main": None},
        {"not_looked_at": [1]},
        {"category": "x" * 301},
        {"timings_ms": {"decode": "fast"}},
    ],
)
def test_a_malformed_value_is_refused(report, change):
    with pytest.raises(ReportMalformed):
        parse_report({**report.to_dict(), **change})


@pytest.mark.parametrize(
    "change", [{"level": "MAYBE"}, {"bbox": [1, 2, 3]}, {"bbox": [1, 2, 3, 4.5]}, {"measured": []}]
)
def test_a_malformed_finding_is_refused(report, change):
    values = report.to_dict()
    with pytest.raises(ReportMalformed):
        parse_report({**values, "findings": [{**values["findings"][0], **change}]})
