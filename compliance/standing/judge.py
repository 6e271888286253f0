"""Rules P01 and P02: what failures at the marketplace lead to, and how many submissions a store has left today.

Days and midnights are those of the store's time zone; 72 hours are hours that pass, whatever clocks are put to. No
document says whether the counter begins anew after a penalty: here it does. The business days of the freeze are those
after the day of the third failure.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from pathlib import Path

from compliance.calendars.business_days import Calendar

_RULES = Path(__file__).parent / "rules.toml"
FINE, WARNING, ALARM = "fine", "warning", "alarm"


@dataclass(frozen=True, slots=True)
class StandingLimit:
    """One limit with its unit, where it comes from, and how well it is known (as in the rule profiles)."""

    name: str
    value: int
    unit: str
    source: str
    status: str


@dataclass(frozen=True, slots=True)
class Penalty:
    """What the third failure leads to. delisted_until: UTC. frozen_until: the midnight, UTC, at which the last of the
    frozen business days ends in the store's zone. is_estimated: holidays of that time are not announced.
    """

    began_at: datetime
    delisted_until: datetime
    frozen_until: datetime
    last_frozen_day: date
    is_estimated: bool

    def is_running(self, now: datetime) -> bool:
        return now < max(self.delisted_until, self.frozen_until)


@dataclass(frozen=True, slots=True)
class Strikes:
    """count: failures since the last penalty, or the limit while one is running; state: fine, warning, alarm."""

    count: int
    limit: int
    state: str
    penalty: Penalty | None


@dataclass(frozen=True, slots=True)
class Quota:
    """Submissions of one day of the store; left is never below zero."""

    day: date
    used: int
    limit: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


@cache
def standing_limits() -> dict[str, StandingLimit]:
    """Every limit by its name."""
    values = tomllib.loads(_RULES.read_text("utf-8"))
    return {name: StandingLimit(name, **fields) for name, fields in values.items()}


def judge_failures(moments: Sequence[datetime], *, now: datetime, zone: tzinfo, calendar: Calendar) -> Strikes:
    """Where a store stands after its failures (aware datetimes, any order)."""
    limits = standing_limits()
    limit, warn = limits["failures_max"].value, limits["failures_warn"].value
    ordered = sorted(moments)
    count = len(ordered) % limit
    thirds = ordered[limit - 1 :: limit]
    penalty = penalty_from(thirds[-1], zone=zone, calendar=calendar) if thirds else None
    if penalty is not None and penalty.is_running(now):
        return Strikes(limit, limit, ALARM, penalty)
    return Strikes(count, limit, WARNING if count >= warn else FINE, None)


def penalty_from(moment: datetime, *, zone: tzinfo, calendar: Calendar) -> Penalty:
    """The dates that a third failure leads to."""
    limits = standing_limits()
    last = calendar.after(local_day(moment, zone), limits["frozen_business_days"].value)
    return Penalty(
        began_at=moment.astimezone(UTC),
        delisted_until=moment.astimezone(UTC) + timedelta(hours=limits["delisted_hours"].value),
        frozen_until=day_bounds(last, zone)[1],
        last_frozen_day=last,
        is_estimated=calendar.is_estimated(last),
    )


def local_day(moment: datetime, zone: tzinfo) -> date:
    """The day that it is then in the store's zone."""
    return moment.astimezone(zone).date()


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """First moment of a day and of the next one, in UTC; 23 to 25 hours apart where clocks change."""
    first = datetime.combine(day, time(), zone).astimezone(UTC)
    return first, datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
