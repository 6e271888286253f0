"""What goes into a portal's form, field by field, as plain text to copy, with the length the portal allows."""

from __future__ import annotations

from dataclasses import dataclass

from compliance.cases.case_file import CaseFile
from compliance.cases.target import find_target
from compliance.packets.blocks import day, moment


@dataclass(frozen=True, slots=True)
class FieldText:
    """One field. label: what the portal calls it, or empty; number: of the listing it is about, from 1, or 0."""

    fact: str
    label: str
    text: str
    max_length: int = 0
    number: int = 0

    @property
    def is_too_long(self) -> bool:
        return bool(self.max_length) and len(self.text) > self.max_length


def portal_fields(case: CaseFile) -> list[FieldText]:
    """The fields that the case's target asks for and that have a text; listings one after the other."""
    made: list[FieldText] = []
    for rule in find_target(case.target).fields:
        if case.kind not in rule.kinds:
            continue
        part, _, name = rule.fact.partition(".")
        if part == "infringement":
            for number, item in enumerate(case.infringements, start=1):
                text = item.url or item.listing_id if name == "place" else _plain(getattr(item, name, ""))
                made.append(FieldText(rule.fact, rule.label, text, rule.max_length, number))
            continue
        made.append(FieldText(rule.fact, rule.label, _text(case, part, name), rule.max_length))
    return [field for field in made if field.text]


def _text(case: CaseFile, part: str, name: str) -> str:
    if not name:
        value = getattr(case, part, "")
        return value if isinstance(value, str) else ""
    return _plain(getattr(getattr(case, part, None), name, ""))


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "hour"):
        return moment(value)  # type: ignore[arg-type]  # the datetimes of a case file
    return day(value) if hasattr(value, "isoformat") else ""  # type: ignore[arg-type]  # and its dates


def fields_text(case: CaseFile) -> str:
    """All fields as one text file."""
    lines = []
    for field in portal_fields(case):
        name = f"{field.fact} {field.number}" if field.number else field.fact
        head = f"{name} ({field.label})" if field.label else name
        lines.append(f"== {head} ==\n{field.text}\n")
    return "\n".join(lines)
