"""The gate before filing: what a target requires, item by item, met or missing, and whether there is a right to complain.

The score counts required items that are met. It is no chance of winning, and nothing here computes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compliance.cases.case_file import CaseFile
from compliance.cases.facts import FACTS, needs_authority
from compliance.cases.right_to_complain import judge_right
from compliance.cases.target import AnyOf, FieldRule, FileRule, Target, find_target

MET, MISSING, TOO_LONG, TOO_MANY, TOO_LARGE, WRONG_TYPE, EXPIRED, UNKNOWN_VALUE = (
    "met",
    "missing",
    "too_long",
    "too_many",
    "too_large",
    "wrong_type",
    "expired",
    "unknown_value",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the gate. id: stable, names the words for people; problem: met, or what is wrong; detail: figures or
    names for the sentence; options: of a group, each with what it still lacks."""

    id: str
    problem: str = MET
    required: bool = True
    label: str = ""
    detail: str = ""
    options: tuple[tuple[str, ...], ...] = ()

    @property
    def is_met(self) -> bool:
        return self.problem == MET


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate says about one case."""

    target: Target
    items: tuple[Item, ...]

    @property
    def missing(self) -> tuple[Item, ...]:
        """Required items that are not met, in the order in which to deal with them."""
        return tuple(item for item in self.items if item.required and not item.is_met)

    @property
    def advice(self) -> tuple[Item, ...]:
        """What would help and does not block."""
        return tuple(item for item in self.items if not item.required and not item.is_met)

    @property
    def is_open(self) -> bool:
        return not self.missing

    @property
    def score(self) -> tuple[int, int]:
        """(required items met, required items)."""
        required = [item for item in self.items if item.required]
        return sum(item.is_met for item in required), len(required)

    @property
    def next_item(self) -> Item | None:
        """What to do next."""
        return next(iter(self.missing), None)


def judge(case: CaseFile) -> Gate:
    """Hold a case against its target. Raises UnknownTargetError for a target that takes no such kind."""
    target = find_target(case.target, case.kind)
    return Gate(target, tuple(_items(target, case)))


def _items(target: Target, case: CaseFile) -> Iterator[Item]:
    for rule in target.fields:
        if case.kind in rule.kinds:
            yield _field(rule, case)
    if needs_authority(case):
        yield _authority(case)
    for group in target.any_of:
        if case.kind in group.kinds:
            yield _group(group, case)
    yield from (
        Item(f"right.{answer.question}", MET if answer.is_met else MISSING, answer.blocks, detail=answer.reason)
        for answer in judge_right(target, case)
    )
    yield from _limits(target, case)
    ticked = {statement.which for statement in case.statements if statement.name}
    for statement in target.statements:
        if case.kind in statement.kinds:
            yield Item(f"statement.{statement.which}", MET if statement.which in ticked else MISSING)


def _field(rule: FieldRule, case: CaseFile) -> Item:
    return Item(rule.fact, MET if FACTS[rule.fact](case) else MISSING, rule.required, rule.label)


def _authority(case: CaseFile) -> Item:
    """Who acts for somebody has to show a letter that is still valid."""
    held = [item for item in case.attachments if item.role == "authorisation"]
    if not held:
        return Item("attachment.authorisation", MISSING)
    days = [item.expires_on for item in held]
    valid = any(day is None or day >= case.today for day in days)
    newest = max((day for day in days if day), default=None)
    return Item("attachment.authorisation", MET if valid else EXPIRED, detail="" if valid else f"{newest}")


def _group(group: AnyOf, case: CaseFile) -> Item:
    lacking = tuple(tuple(fact for fact in option if not FACTS[fact](case)) for option in group.options)
    return Item(group.id, MET if any(not lacks for lacks in lacking) else MISSING, options=lacking)


def _limits(target: Target, case: CaseFile) -> Iterator[Item]:
    """What is too long, too many, too large or of the wrong type; nothing where a limit is kept."""
    limits, links = target.limits, len(case.infringements)
    if limits.links and links > limits.links:
        yield Item("limit.links", TOO_MANY, detail=f"{links} / {limits.links}")
    if limits.links_without_account and links > limits.links_without_account and not FACTS["account"](case):
        yield Item("limit.links_without_account", TOO_MANY, detail=f"{links} / {limits.links_without_account}")
    longest = max((rule.max_length for rule in target.fields if rule.fact == "message"), default=limits.message_length)
    longest = longest or limits.message_length
    if longest and len(case.message) > longest:
        yield Item("limit.message", TOO_LONG, detail=f"{len(case.message)} / {longest}")
    for rule in target.fields:
        if rule.max_length and rule.fact != "message" and case.kind in rule.kinds:
            length = len(_text_of(case, rule.fact))
            if length > rule.max_length:
                yield Item(f"limit.{rule.fact}", TOO_LONG, label=rule.label, detail=f"{length} / {rule.max_length}")
    if target.reasons and case.kind == "complaint":
        unknown = sorted({each.reason for each in case.infringements if each.reason} - target.reasons.keys())
        if unknown:
            yield Item("limit.reason", UNKNOWN_VALUE, detail=", ".join(unknown))
    if case.languages and not set(case.languages) <= set(target.languages):
        yield Item("limit.language", UNKNOWN_VALUE, required=False, detail=", ".join(case.languages))
    for attachment in case.attachments:
        problem = file_problem(target, case.kind, attachment.role, attachment.mime, attachment.size_bytes)
        if problem:
            yield Item("limit.attachment", problem, detail=attachment.file_name)


def _text_of(case: CaseFile, fact: str) -> str:
    part, _, name = fact.partition(".")
    return str(getattr(getattr(case, part, None), name, "") or "")


def file_problem(target: Target, kind: str, role: str, mime: str, size_bytes: int) -> str:
    """What is wrong with a file of that role in this kind of case: WRONG_TYPE, TOO_LARGE, or nothing."""
    rules: tuple[FileRule, ...] = tuple(rule for rule in target.files if rule.covers(role, kind))
    if any(mime in rule.refuses or (rule.accepts and mime not in rule.accepts) for rule in rules):
        return WRONG_TYPE
    if any(rule.max_bytes and size_bytes > rule.max_bytes for rule in rules):
        return TOO_LARGE
    return ""
