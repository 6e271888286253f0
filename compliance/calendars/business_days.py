"""Business days of a calendar: weekends, public holidays, and weekends that are worked instead.

The days are those of the library holidays. What lies beyond the last announced day is computed or counts weekends only,
and is called estimated.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

import holidays

CALENDARS = ("CN", "US", "EU", "WEEKENDS")
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """Holidays are announced up to known_until. zone: name of the time zone in which its days begin."""

    name: str
    zone: str
    source: str
    source_zh: str
    known_until: date

    def is_business_day(self, day: date) -> bool:
        """Whether offices work on that day, as far as it is known."""
        days_off, working_weekends = _days_of(self.name, day.year)
        if day in working_weekends:
            return True
        return day.weekday() < _SATURDAY and day not in days_off

    def is_estimated(self, day: date) -> bool:
        """Whether holidays up to that day are not all announced."""
        return day > self.known_until

    def after(self, day: date, business_days: int) -> date:
        """The last of that many business days that follow a day."""
        while business_days:
            day += timedelta(days=1)
            business_days -= self.is_business_day(day)
        return day


@cache
def load_calendar(name: str) -> Calendar:
    """One of CALENDARS; KeyError for any other name."""
    if name not in CALENDARS:
        raise KeyError(name)
    values = tomllib.loads((files("compliance.calendars") / "calendars.toml").read_text("utf-8"))
    return Calendar(name=name, **values[name])


@cache
def _days_of(name: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """Days off and worked weekends of one year. Read once: the library's own objects change while they are asked."""
    if name == "WEEKENDS":
        return frozenset(), frozenset()
    known = (
        holidays.financial_holidays("XECB", years=year) if name == "EU" else holidays.country_holidays(name, years=year)
    )
    # The library keeps the worked weekends of the years around it too.
    worked = frozenset(day for day in known.weekend_workdays if day.year == year)
    return frozenset(day for day in known if day.year == year), worked
