"""Documents and words follow the code."""

import subprocess
import sys
from pathlib import Path

import pytest

from compliance.checks.codes import CODES, NOT_LOOKED_AT_TITLES, REASONS, code_text, detail_text, reason_text
from compliance.checks.collage import SKU_CODES
from compliance.checks.describe import format_rules
from compliance.checks.need import NEED_CODES
from compliance.checks.quality_check import QUALITY_CODES
from compliance.checks.rules import LISTING_RULES, NOT_LOOKED_AT, RULES
from tests.compliance.checks.pictures import PROFILE

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_is_up_to_date():
    assert (ROOT / "docs/spec/rules.md").read_text("utf-8") == format_rules(RULES, LISTING_RULES.values(), PROFILE)


def test_the_command_prints_the_document():
    command = [sys.executable, "-m", "compliance.checks", "describe"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == format_rules(RULES, LISTING_RULES.values(), PROFILE)


@pytest.mark.parametrize("arguments", [[], ["draw"], ["describe", "a", "b"]])
def test_other_words_print_the_usage(arguments):
    command = [sys.executable, "-m", "compliance.checks", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"usage" in done.stderr


def test_every_code_has_words():
    spoken = {code for rule in RULES for code in rule.codes}
    assert spoken | {*QUALITY_CODES, *NEED_CODES, *SKU_CODES} == set(CODES)
    assert all(text.title and text.advice for text in CODES.values())


def test_every_requirement_that_is_not_looked_at_has_a_title():
    assert tuple(NOT_LOOKED_AT_TITLES) == NOT_LOOKED_AT


def test_a_code_of_a_newer_version_is_shown_as_it_is():
    assert code_text("ERR_IMG_NEW").title == "ERR_IMG_NEW"


def test_a_broken_check_is_explained_without_its_kind_of_fault():
    assert reason_text("check_broke:ValueError") == REASONS["check_broke"]


def test_facts_stand_for_themselves():
    assert detail_text("EXIF, XMP") == "EXIF, XMP"
    assert detail_text("turned") == "turned"
    assert detail_text("R+1.0") == "R+1.0"
