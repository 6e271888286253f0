"""When something is due: rules from deadlines.toml, and the arithmetic of hours, days, business days and months.

The earliest reading is used: a term ends at the time of day at which it began, in the zone of its calendar, and a last
day that is a holiday moves nothing. The day on which it begins is not counted.
"""

from __future__ import annotations

import tomllib
from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from compliance.calendars.business_days import load_calendar
from compliance.cases.case_file import COMPLAINT, COURT_BUNDLE
from compliance.cases.target import Words

CUSTOM = "custom"
NOTICE_RECEIVED = "notice_received"
HOURS, DAYS, BUSINESS_DAYS, MONTHS = "h", "d", "bd", "mo"
RESPONDENT, COMPLAINANT, PLATFORM, ANYBODY = "respondent", "complainant", "platform", "anybody"
_YEAR_MONTHS = 12


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """One rule; the fields are explained at the top of deadlines.toml."""

    id: str
    words: Words
    after: str
    who: str
    amount: int
    unit: str
    calendar: str
    targets: tuple[str, ...]
    source: Words
    status: str
    last_checked: date
    chain: str = ""
    round: int = 0
    side: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A computed moment (UTC). is_estimated: holidays up to then are not all announced."""

    at: datetime
    is_estimated: bool


@cache
def load_rules() -> dict[str, DeadlineRule]:
    """Every rule by its id."""
    values: dict[str, dict[str, Any]] = tomllib.loads((files("compliance.cases") / "deadlines.toml").read_text("utf-8"))
    return {
        name: DeadlineRule(
            **(
                row
                | {
                    "id": name,
                    "words": Words(**row["words"]),
                    "source": Words(**row["source"]),
                    "targets": tuple(row["targets"]),
                }
            ),
        )
        for name, row in values.items()
    }


def due_after(rule: DeadlineRule, start: datetime, zone: tzinfo) -> Due:
    """When a term that begins at `start` (aware) ends. zone: the seller's, for rules without a calendar."""
    calendar = load_calendar(rule.calendar) if rule.calendar else None
    local = start.astimezone(zone_named(calendar.zone) if calendar else zone)
    if rule.unit == HOURS:
        return Due((start + timedelta(hours=rule.amount)).astimezone(UTC), False)
    if rule.unit == BUSINESS_DAYS:
        assert calendar is not None  # noqa: S101 - test_rules_are_whole holds the data to it
        day = calendar.after(local.date(), rule.amount)
    elif rule.unit == MONTHS:
        day = add_months(local.date(), rule.amount)
    else:
        day = local.date() + timedelta(days=rule.amount)
    moment = datetime.combine(day, local.timetz()).astimezone(UTC)
    return Due(moment, rule.unit == BUSINESS_DAYS and calendar is not None and calendar.is_estimated(day))


def add_months(day: date, months: int) -> date:
    """The same day some months later, or the last one of a month that is too short."""
    year, month = divmod(day.year * _YEAR_MONTHS + day.month - 1 + months, _YEAR_MONTHS)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def zone_named(name: str) -> tzinfo:
    """UTC where the machine has no time zone data, or none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def rules_after(event: str, *, target: str, kind: str, known: Collection[str] = ()) -> list[DeadlineRule]:
    """Rules whose clock an event starts in a case of that target and kind. known: ids of rules the case has had; of a
    chain the lowest round that is not among them comes next."""
    found: list[DeadlineRule] = []
    for rule in load_rules().values():
        if rule.after != event or target not in rule.targets or not _concerns(rule, kind) or rule.id in known:
            continue
        if rule.chain and any(other.chain == rule.chain for other in found):
            continue
        found.append(rule)
    return found


def rules_for(target: str) -> list[DeadlineRule]:
    """Rules somebody may add by hand to a case of that target: its own first, then those of any."""
    rules = [rule for rule in load_rules().values() if target in rule.targets or not rule.targets]
    return sorted(rules, key=lambda rule: target not in rule.targets)


def _concerns(rule: DeadlineRule, kind: str) -> bool:
    side = rule.side or rule.who
    return side == ANYBODY or (side == RESPONDENT) != (kind in (COMPLAINT, COURT_BUNDLE))
