"""Business days of a calendar: weekends, public holidays, and weekends that are worked instead.

What lies beyond the last announced day counts weekends only and is called estimated.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

CALENDARS = ("CN", "WEEKENDS")
_FOLDER = Path(__file__).parent / "calendars"
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """days_off and working_weekends are announced up to known_until."""

    name: str
    source: str
    known_until: date
    days_off: frozenset[date]
    working_weekends: frozenset[date]

    def is_business_day(self, day: date) -> bool:
        """Whether offices work on that day, as far as it is announced."""
        if day in self.working_weekends:
            return True
        return day.weekday() < _SATURDAY and day not in self.days_off

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
    values = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    return Calendar(
        name=name,
        source=values["source"],
        known_until=values["known_until"],
        days_off=frozenset(day for span in values["days_off"] for day in _days(span)),
        working_weekends=frozenset(map(date.fromisoformat, values["working_weekends"])),
    )


def _days(span: str) -> list[date]:
    first, _, last = span.partition("/")
    start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]
