"""A calendar feed in the iCalendar format (RFC 5545): one event for each deadline, with alarms 48 and 8 hours ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_LINE_BYTES = 75
_PRODUCT = "-//Originmark//Deadlines//EN"


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One deadline. uid: stable, so that a moved deadline moves in the subscriber's calendar; at and changed: aware."""

    uid: str
    at: datetime
    changed: datetime
    title: str
    text: str = ""
    url: str = ""


def format_calendar(name: str, events: Sequence[CalendarEvent]) -> bytes:
    """The feed, UTF-8 with CRLF line ends, folded at 75 bytes."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{_PRODUCT}", "METHOD:PUBLISH", f"X-WR-CALNAME:{_escaped(name)}"]
    lines.append("REFRESH-INTERVAL;VALUE=DURATION:PT1H")
    for event in events:
        lines += _event(event)
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) for line in lines)


def _event(event: CalendarEvent) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{_escaped(event.uid)}",
        f"DTSTAMP:{_moment(event.changed)}",
        f"DTSTART:{_moment(event.at)}",
        f"DTEND:{_moment(event.at)}",
        f"SUMMARY:{_escaped(event.title)}",
    ]
    if event.text:
        lines.append(f"DESCRIPTION:{_escaped(event.text)}")
    if event.url:
        lines.append(f"URL:{event.url}")
    for hours in (48, 8):
        lines += ["BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER:-PT{hours}H", f"DESCRIPTION:{_escaped(event.title)}"]
        lines.append("END:VALARM")
    return [*lines, "END:VEVENT"]


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n"), ("\r", "\\n")):
        text = text.replace(plain, escaped)
    return text


def _folded(line: str) -> bytes:
    """Continuation lines begin with a space; no character is cut in two."""
    rows, row = [], b""
    for character in line:
        piece = character.encode()
        if len(row) + len(piece) > _LINE_BYTES:
            rows.append(row)
            row = b" "
        row += piece
    return b"\r\n".join([*rows, row]) + b"\r\n"
