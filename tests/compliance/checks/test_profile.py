"""Profiles are read strictly: every way to be wrong has its own error and names the key."""

import re
from datetime import date

import pytest

from compliance.checks.errors import (
    ProfileKeyMissing,
    ProfileKeyUnknown,
    ProfileMalformed,
    ProfileUnknown,
    ProfileValueInvalid,
)
from compliance.checks.profile import FOLDER, LIMITS, list_profiles, load_profile, parse_profile
from compliance.checks.quality_check import QUALITY_LIMITS
from compliance.checks.rules import RULES
from compliance.packs.maker import PACK_LIMITS

SEED = FOLDER.joinpath("aliexpress-seed-2024-v2.toml").read_text("utf-8")


def parse(text: str):
    return parse_profile(text.encode(), name="test")


def without(header: str) -> str:
    """The seed profile without one limit."""
    return re.sub(rf"\[limits\.{header}\]\n(.+\n)+", "", SEED)


def test_seed_profile_states_the_limits_of_the_seed():
    profile = load_profile("aliexpress-seed-2024")
    assert profile.number("ssim_min") == 0.92
    assert profile.integer("file_size_max_bytes") == 5_000_000
    assert profile.number("background_deviation_max") == 5
    assert profile.integer("aspect_tolerance_px") == 1
    assert profile.names("formats") == ("JPEG", "PNG")
    assert profile.integer("side_min_px") == 600


def test_seed_profile_says_that_nobody_confirmed_it():
    profile = load_profile("aliexpress-seed-2024")
    assert profile.status == "unverified"
    assert profile.effective_from == date(2024, 7, 1)
    assert profile.version == 2


def test_every_limit_has_a_source_and_a_date():
    for profile in list_profiles():
        assert all(limit.source and limit.date and limit.unit for limit in profile.limits)


def test_rules_the_pack_maker_and_profiles_speak_of_the_same_limits():
    read = {name for rule in RULES for name in rule.limits} | set(QUALITY_LIMITS) | set(PACK_LIMITS)
    assert read == set(LIMITS)


def test_list_holds_the_seed_and_not_the_categories():
    assert [profile.id for profile in list_profiles()] == ["aliexpress-seed-2024"] * 2


def test_unknown_profile_is_named():
    with pytest.raises(ProfileUnknown, match="profile nowhere"):
        load_profile("nowhere")


def test_unknown_version_is_named():
    with pytest.raises(ProfileUnknown, match="version 99"):
        load_profile("aliexpress-seed-2024", 99)


def test_a_version_can_be_asked_for():
    assert load_profile("aliexpress-seed-2024", 1).version == 1


@pytest.mark.parametrize("data", [b"a = ", b"\xff\xfe", b"[a\n"])
def test_bytes_that_are_not_toml_are_malformed(data):
    with pytest.raises(ProfileMalformed):
        parse_profile(data, name="test")


@pytest.mark.parametrize("key", ["id", "version", "title", "marketplace", "effective_from", "status"])
def test_a_missing_key_is_named(key):
    with pytest.raises(ProfileKeyMissing, match=f"{key} is missing"):
        parse(re.sub(rf"^{key} = .+\n", "", SEED, count=1, flags=re.M))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_missing_limit_is_named(limit):
    with pytest.raises(ProfileKeyMissing, match=rf"limits\.{limit} is missing"):
        parse(without(limit))


@pytest.mark.parametrize("key", ["value", "unit", "source", "date", "status"])
def test_a_limit_without_its_provenance_is_refused(key):
    broken = re.sub(rf"(\[limits\.ssim_min\]\n(?:.+\n)*?){key} = .+\n", r"\1", SEED)
    with pytest.raises(ProfileKeyMissing, match=rf"limits\.ssim_min\.{key} is missing"):
        parse(broken)


def test_a_misspelt_limit_is_refused():
    with pytest.raises(ProfileKeyUnknown, match=r"limits\.ssim_minimum"):
        parse(SEED + SEED[SEED.index("[limits.ssim_min]") :].split("\n\n")[0].replace("ssim_min", "ssim_minimum"))


def test_an_unknown_key_is_refused():
    with pytest.raises(ProfileKeyUnknown, match="colour"):
        parse('colour = "red"\n' + SEED)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("value = 0.92", 'value = "0.92"', "limits.ssim_min.value"),
        ("value = 0.92", "value = 92", "limits.ssim_min.value"),
        ("value = 0.92", "value = true", "limits.ssim_min.value"),
        ("value = 0.92", "value = nan", "limits.ssim_min.value"),
        ("value = 5_000_000", "value = 5e6", "limits.file_size_max_bytes.value"),
        ("value = 5_000_000", "value = 0", "limits.file_size_max_bytes.value"),
        ('value = ["JPEG", "PNG"]', "value = []", "limits.formats.value"),
        ('value = ["JPEG", "PNG"]', 'value = ["GIF"]', "limits.formats.value"),
        ('unit = "bytes"', 'unit = "MB"', "limits.file_size_max_bytes.unit"),
        ("version = 2", "version = 0", "version"),
        ("form = 2", "form = 3", "form is 3"),
        ("form = 2", "form = true", "form is True"),
        ("version = 2", "version = true", "version"),
        ("effective_from = 2024-07-01", 'effective_from = "2024-07-01"', "effective_from"),
        ("effective_from = 2024-07-01", "effective_from = 2024-07-01T00:00:00", "effective_from"),
        ('status = "unverified"', 'status = "certain"', "status"),
        ('title = "AliExpress (seed profile, unverified)"', 'title = " "', "title"),
        ("value = 6.2", "value = 4.5", "background limits must rise"),
    ],
)
def test_a_wrong_value_is_named(old, new, where):
    assert old in SEED
    with pytest.raises(ProfileValueInvalid, match=re.escape(where)):
        parse(SEED.replace(old, new, 1))


def test_a_limit_that_is_no_table_is_refused():
    with pytest.raises(ProfileValueInvalid, match="ssim_min is not a table"):
        parse(without("ssim_min").replace("[limits.formats]", "[limits]\nssim_min = 0.92\n\n[limits.formats]"))


def test_an_older_form_states_less_and_is_read_as_it_was():
    first = load_profile("aliexpress-seed-2024", 1)
    assert {limit.name for limit in first.limits} == {name for name, spec in LIMITS.items() if spec.since == 1}
    assert first.number("ssim_min") == 0.92
    assert not first.has("shift_max_px")
