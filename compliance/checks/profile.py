"""Marketplace limits as versioned data: every number with its unit, source, date and status.

A profile is read strictly. A misspelt or missing limit stops the reading with a named error, because a limit that is
silently ignored is a check that silently passes. Only package data is read, no other file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files

from compliance.checks.errors import (
    ProfileKeyMissing,
    ProfileKeyUnknown,
    ProfileMalformed,
    ProfileUnknown,
    ProfileValueInvalid,
)

FOLDER = files("compliance.checks").joinpath("profiles")
STATUSES = ("published", "reported", "unverified", "ours")
FORMATS = ("JPEG", "PNG", "WEBP")
PROFILE_KEYS = ("id", "version", "title", "marketplace", "effective_from", "status", "limits")
LIMIT_KEYS = ("value", "unit", "source", "date", "status")

LimitValue = int | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """What a limit of this name must look like: unit, number type and inclusive range (none for a list of formats).

    since: the first form of profiles that states it.
    """

    unit: str
    kind: type
    low: float = 0
    high: float = 0
    since: int = 1


# What a profile holds has grown with the rules. A file of an older form states less, and stays as it is: a check that
# was made with it opens with it, and rules that need more say that they cannot tell.
NEWEST_FORM = 2
# Every limit that some rule or the pack maker reads. A profile states all of its form and nothing else.
LIMITS: Mapping[str, LimitSpec] = {
    "formats": LimitSpec("format", tuple),
    "file_size_max_bytes": LimitSpec("bytes", int, 1, 1_000_000_000),
    "size_difference_warn_px": LimitSpec("px", int, 0, 100),
    "aspect_tolerance_px": LimitSpec("px", int, 0, 100),
    "ssim_min": LimitSpec("ssim", float, 0, 1),
    "ssim_long_side_px": LimitSpec("px", int, 64, 8000),
    "background_deviation_max": LimitSpec("RGB levels", float, 0, 255),
    "background_jpeg_warn_from": LimitSpec("RGB levels", float, 0, 255),
    "background_jpeg_error_above": LimitSpec("RGB levels", float, 0, 255),
    "metadata_blocks_max": LimitSpec("blocks", int, 0, 1000),
    "white_stand_in_share_max": LimitSpec("share", float, 0, 1),
    "marks_max": LimitSpec("marks", int, 0, 1000, since=2),
    "codes_max": LimitSpec("codes", int, 0, 1000, since=2),
    "border_max_px": LimitSpec("px", int, 0, 10_000, since=2),
    "generator_marks_max": LimitSpec("markers", int, 0, 1000, since=2),
    "text_share_max": LimitSpec("share", float, 0, 1, since=2),
    "chat_quality_max": LimitSpec("quality", int, 1, 100, since=2),
    "side_min_px": LimitSpec("px", int, 1, 100_000),
    "structure_share_min": LimitSpec("share", float, 0, 1, since=2),
    "shift_max_px": LimitSpec("px", float, 0.01, 100, since=2),
    "turn_max_deg": LimitSpec("deg", float, 0.01, 180, since=2),
    "scale_max": LimitSpec("share", float, 0.0001, 1, since=2),
    "subject_share_min": LimitSpec("share", float, 0, 1, since=2),
    "same_photo_share_min": LimitSpec("share", float, 0, 1, since=2),
    "light_difference_max": LimitSpec("RGB levels", float, 0, 255, since=2),
    "ghost_slope_max": LimitSpec("slope", float, 0, 1, since=2),
    "repair_grain_max": LimitSpec("log ratio", float, 0, 10, since=2),
    "jpeg_step_difference_max": LimitSpec("steps", int, 0, 255, since=2),
    "residue_opacity_max": LimitSpec("opacity", float, 0, 1, since=2),
    "pack_main_long_side_px": LimitSpec("px", int, 1, 20_000, since=2),
    "pack_detail_long_side_px": LimitSpec("px", int, 1, 20_000, since=2),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a marketplace and where it comes from."""

    name: str
    value: LimitValue
    unit: str
    source: str
    date: date
    status: str


@dataclass(frozen=True, slots=True)
class Profile:
    """All limits of one marketplace in one version, valid from `effective_from`."""

    id: str
    version: int
    title: str
    marketplace: str
    effective_from: date
    status: str
    limits: tuple[Limit, ...]

    def has(self, name: str) -> bool:
        """Whether this version states a limit of that name."""
        return any(limit.name == name for limit in self.limits)

    def limit(self, name: str) -> Limit:
        """The limit of that name, with its source; KeyError for a name that this version does not hold."""
        for limit in self.limits:
            if limit.name == name:
                return limit
        raise KeyError(name)

    def number(self, name: str) -> float:
        """The value of a measured limit."""
        value = self.limit(name).value
        if isinstance(value, tuple):
            raise KeyError(name)
        return float(value)

    def integer(self, name: str) -> int:
        """The value of a counted limit."""
        return int(self.number(name))

    def names(self, name: str) -> tuple[str, ...]:
        """The value of a limit that lists names."""
        value = self.limit(name).value
        if not isinstance(value, tuple):
            raise KeyError(name)
        return value


@cache
def list_profiles() -> tuple[Profile, ...]:
    """Every profile of the package in every version, by id and version; read once, since package data stays."""
    found = [
        parse_profile(file.read_bytes(), name=file.name) for file in FOLDER.iterdir() if file.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda profile: (profile.id, profile.version)))


def load_profile(profile_id: str, version: int | None = None) -> Profile:
    """The profile of that id: its newest version, or the version an old check names. Raises ProfileUnknown."""
    candidates = [profile for profile in list_profiles() if profile.id == profile_id]
    if version is not None:
        candidates = [profile for profile in candidates if profile.version == version]
    if not candidates:
        wanted = "any version" if version is None else f"version {version}"
        raise ProfileUnknown(profile_id, f"there is none in {wanted}")
    return candidates[-1]


def parse_profile(data: bytes, *, name: str) -> Profile:
    """A profile from TOML bytes, or a ProfileError naming the first key that is wrong."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileMalformed(name, str(error)) from error
    form = _form(name, table.pop("form", 1))
    _refuse_other_keys(name, "", table, PROFILE_KEYS)
    limits = table["limits"]
    if not isinstance(limits, dict):
        raise ProfileValueInvalid(name, "limits is not a table")
    wanted = tuple(key for key, spec in LIMITS.items() if spec.since <= form)
    _refuse_other_keys(name, "limits.", limits, wanted)
    profile = Profile(
        id=_text(name, "id", table["id"]),
        version=_version(name, table["version"]),
        title=_text(name, "title", table["title"]),
        marketplace=_text(name, "marketplace", table["marketplace"]),
        effective_from=_date(name, "effective_from", table["effective_from"]),
        status=_status(name, "status", table["status"]),
        limits=tuple(_limit(name, key, limits[key]) for key in wanted),
    )
    _check_bands(name, profile)
    return profile


def _check_bands(name: str, profile: Profile) -> None:
    """The JPEG band lies around the plain limit; otherwise a JPEG would be judged harder than a PNG."""
    warn, plain, error = (
        profile.number(key)
        for key in ("background_jpeg_warn_from", "background_deviation_max", "background_jpeg_error_above")
    )
    if not warn <= plain <= error:
        raise ProfileValueInvalid(name, f"background limits must rise, got {warn}, {plain}, {error}")


def _refuse_other_keys(name: str, prefix: str, table: Mapping[str, object], wanted: tuple[str, ...]) -> None:
    for key in wanted:
        if key not in table:
            raise ProfileKeyMissing(name, f"{prefix}{key} is missing")
    for key in table:
        if key not in wanted:
            raise ProfileKeyUnknown(name, f"{prefix}{key} is not a known key")


def _limit(name: str, key: str, table: object) -> Limit:
    where = f"limits.{key}"
    if not isinstance(table, dict):
        raise ProfileValueInvalid(name, f"{where} is not a table")
    _refuse_other_keys(name, f"{where}.", table, LIMIT_KEYS)
    spec = LIMITS[key]
    if table["unit"] != spec.unit:
        raise ProfileValueInvalid(name, f"{where}.unit is {table['unit']!r}, expected {spec.unit!r}")
    return Limit(
        name=key,
        value=_names(name, where, table["value"]) if spec.kind is tuple else _number(name, where, table["value"], spec),
        unit=spec.unit,
        source=_text(name, f"{where}.source", table["source"]),
        date=_date(name, f"{where}.date", table["date"]),
        status=_status(name, f"{where}.status", table["status"]),
    )


def _number(name: str, where: str, value: object, spec: LimitSpec) -> int | float:
    accepted = int if spec.kind is int else int | float
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise ProfileValueInvalid(name, f"{where}.value is {value!r}, expected a number of type {spec.kind.__name__}")
    if not spec.low <= value <= spec.high:
        raise ProfileValueInvalid(name, f"{where}.value is {value!r}, expected {spec.low} to {spec.high}")
    return value


def _names(name: str, where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or any(item not in FORMATS for item in value):
        raise ProfileValueInvalid(name, f"{where}.value is {value!r}, expected some of {', '.join(FORMATS)}")
    return tuple(value)


def _text(name: str, where: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ProfileValueInvalid(name, f"{where} is {value!r}, expected text")
    return value


def _version(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ProfileValueInvalid(name, f"version is {value!r}, expected a whole number from 1")
    return value


def _form(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= NEWEST_FORM:
        raise ProfileValueInvalid(name, f"form is {value!r}, expected 1 to {NEWEST_FORM}")
    return value


def _date(name: str, where: str, value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ProfileValueInvalid(name, f"{where} is {value!r}, expected a date")
    return value


def _status(name: str, where: str, value: object) -> str:
    if value not in STATUSES:
        raise ProfileValueInvalid(name, f"{where} is {value!r}, expected one of {', '.join(STATUSES)}")
    return str(value)
