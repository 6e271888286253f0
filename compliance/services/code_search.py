"""Explanations by error code: what a marketplace's code means, which rule is behind it, its limit, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext

from compliance.checks.base import Rule
from compliance.checks.codes import CODES, CodeText
from compliance.checks.profile import Limit, Profile, load_profile
from compliance.checks.rules import RULES
from compliance.packs.fix_table import FIXES, Fix
from compliance.services.check_sheet import format_allowed, format_value

MIN_PART = 3  # letters; two would match nearly every code
SHOWN_PROFILE = "aliexpress-seed-2024"  # in its newest version
BOUNDS = ("_max", "_min", "_max_bytes", "_above", "_tolerance_px")
_PART = re.compile(r"[A-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class CodeLimit:
    """One limit behind a code, in words, and where it comes from."""

    value: str
    source: str
    status: str


@dataclass(frozen=True, slots=True)
class CodeExplanation:
    """One code in the language that is active now; rule is empty where no pair is checked for it."""

    code: str
    title: str
    advice: str
    rule: str
    requires: str
    measured_as: str
    limits: tuple[CodeLimit, ...]
    fix: Fix | None


def find_codes(text: str) -> list[CodeExplanation]:
    """Codes that contain what was typed, whole or a part, in any case, with spaces or hyphens for underscores."""
    part = re.sub(r"[\s-]+", "_", text.strip().upper())
    if len(part) < MIN_PART or not _PART.fullmatch(part):
        return []
    return [_explain(each) for code, each in CODES.items() if part in code]


def _explain(text: CodeText) -> CodeExplanation:
    rule = next((each for each in RULES if text.code in each.codes), None)
    return CodeExplanation(
        code=text.code,
        title=gettext(text.title),
        advice=gettext(text.advice),
        rule=rule.id if rule else "",
        requires=gettext(rule.requires) if rule else "",
        measured_as=gettext(rule.measured_as) if rule else "",
        limits=_limits(rule, load_profile(SHOWN_PROFILE)) if rule else (),
        fix=FIXES.get(text.code),
    )


def _limits(rule: Rule, profile: Profile) -> tuple[CodeLimit, ...]:
    found = (profile.limit(name) for name in rule.limits if profile.has(name))
    return tuple(CodeLimit(_words(rule, each), each.source, each.status) for each in found)


def _words(rule: Rule, limit: Limit) -> str:
    """The limit with its direction; what is no bound but a choice of ours, such as a scale, stands for itself."""
    value = ", ".join(limit.value) if isinstance(limit.value, tuple) else limit.value
    if limit.name.endswith(BOUNDS):
        return format_allowed(rule.id, value, limit.unit)
    return format_value(value, limit.unit)
