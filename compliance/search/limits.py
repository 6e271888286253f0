"""Which changes to a picture this engine finds, as measured, so that pages can say so instead of promising.

The figures are data (limits.toml, made by `python -m compliance.search.measure`): per kind of change, on how many edited
pictures it was tried, how often the right picture was listed at or above the threshold, and how often it was listed
at all. Texts are English message ids; translation happens where they are shown.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from compliance.search.score import THRESHOLD
from compliance.search.texts import gettext_noop

# A change counts as found from this share on; below it the page warns.
FOUND_SHARE = 0.9


CHANGE_TEXTS = {
    "untouched": gettext_noop("The same picture, untouched"),
    "recompressed": gettext_noop("Saved again or forwarded through a chat app"),
    "resized": gettext_noop("Made larger or smaller"),
    "blur_noise": gettext_noop("Slightly blurred or noisy"),
    "light_colour": gettext_noop("Brighter, darker, other contrast or colour strength"),
    "recoloured": gettext_noop("Recoloured"),
    "quarter_turn": gettext_noop("Turned by 90 or 180 degrees"),
    "mirrored": gettext_noop("Mirrored"),
    "tilted_5": gettext_noop("Tilted by 5 degrees"),
    "tilted_15": gettext_noop("Tilted by 10 to 15 degrees"),
    "cropped_5": gettext_noop("5 % cropped away"),
    "cropped_10": gettext_noop("10 % cropped away"),
    "cropped_30": gettext_noop("20 to 30 % cropped away"),
    "cropped_50": gettext_noop("Half cropped away"),
    "stretched": gettext_noop("Stretched"),
    "perspective": gettext_noop("Slanted as if photographed from the side"),
    "border": gettext_noop("Border or promotion frame added"),
    "text": gettext_noop("Text laid over it"),
    "logo": gettext_noop("Logo laid over it"),
    "watermark": gettext_noop("Watermark all over it"),
    "stickers": gettext_noop("Stickers laid over it"),
    "new_background": gettext_noop("Background replaced"),
    "collage": gettext_noop("Part of a collage"),
    "inside_another": gettext_noop("Placed inside another picture"),
    "screenshot": gettext_noop("Screenshot of a product page"),
    "several": gettext_noop("Three or four changes at once"),
}


ALARM_TEXTS = {
    "neg_sender": gettext_noop("Another picture of the same photographer"),
    "neg_class": gettext_noop("Another product of the same kind"),
    "neg_pack": gettext_noop("Another pack of the same brand"),
    "neg_fabric": gettext_noop("Another fabric (drawn by a program)"),
    "neg_scene": gettext_noop("The same scene photographed again moments later"),
}


# First-level categories (ledger/categories.toml) whose look-alikes were measured, and which negatives stand for them.
# Printed packs and devices are photographed again and again in the same way; garments look alike in other ways.
GROUP_OF_CATEGORY = {
    **dict.fromkeys(("womens-clothing", "mens-clothing", "shoes", "bags", "mother-kids"), "apparel"),
    **dict.fromkeys(("consumer-electronics", "phone-accessories", "computer-office", "beauty"), "packs"),
}
NEGATIVES_OF_GROUP = {"apparel": ("neg_sender", "neg_class", "neg_fabric"), "packs": ("neg_pack", "neg_scene")}


class Reach(StrEnum):
    """How far a change can be relied on to be found."""

    FOUND = "found"
    SOMETIMES_MISSED = "sometimes_missed"
    OFTEN_MISSED = "often_missed"
    MISSED = "missed"


REACH_TEXTS = {
    Reach.FOUND: gettext_noop("found"),
    Reach.SOMETIMES_MISSED: gettext_noop("sometimes missed"),
    Reach.OFTEN_MISSED: gettext_noop("often missed"),
    Reach.MISSED: gettext_noop("not found yet"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change as measured: tried = edited pictures; found >= threshold in the TOP 5; listed = in the TOP 5."""

    code: str
    tried: int
    found: int
    listed: int

    @property
    def share(self) -> float:
        """Found / tried, 0..1."""
        return self.found / self.tried

    @property
    def reach(self) -> Reach:
        """The share in words."""
        if self.share >= FOUND_SHARE:
            return Reach.FOUND
        if self.share >= 0.5:
            return Reach.SOMETIMES_MISSED
        return Reach.OFTEN_MISSED if self.share >= 0.1 else Reach.MISSED

    @property
    def text(self) -> str:
        """English message id of the change."""
        return CHANGE_TEXTS[self.code]

    @property
    def reach_text(self) -> str:
        """English message id of the reach."""
        return REACH_TEXTS[self.reach]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One kind of different picture: tried = how many were asked with; alarms = listed at the threshold or above."""

    code: str
    tried: int
    alarms: int

    @property
    def text(self) -> str:
        """English message id of the kind."""
        return ALARM_TEXTS[self.code]


def parse_changes(text: str) -> tuple[Change, ...]:
    """The measured changes from the TOML that `fit` writes, in its order."""
    table = tomllib.loads(text)["change"]
    return tuple(Change(code, int(row["tried"]), int(row["found"]), int(row["listed"])) for code, row in table.items())


def parse_alarms(text: str) -> tuple[Alarm, ...]:
    """The wrong answers that were counted, from the same TOML, in the order of ALARM_TEXTS."""
    table = tomllib.loads(text)["negative"]
    return tuple(
        Alarm(code, int(table[code]["tried"]), int(table[code]["alarms"])) for code in ALARM_TEXTS if code in table
    )


def parse_thresholds(text: str) -> dict[str, float]:
    """From which score a picture is called a copy, by group of categories, from the same TOML."""
    return {group: float(score) for group, score in tomllib.loads(text)["threshold"].items()}


def copy_threshold(category: str) -> float:
    """From which score a picture of this category (a slug, or the seller's own words) is called a copy."""
    return measured_thresholds().get(GROUP_OF_CATEGORY.get(category, ""), THRESHOLD)


@lru_cache(maxsize=1)
def measured_thresholds() -> dict[str, float]:
    """From which score a picture is called a copy, by group of categories."""
    return parse_thresholds(files(__package__).joinpath("limits.toml").read_text("utf-8"))


@lru_cache(maxsize=1)
def measured_alarms() -> tuple[Alarm, ...]:
    """How often a different picture was taken for a copy."""
    return parse_alarms(files(__package__).joinpath("limits.toml").read_text("utf-8"))


@lru_cache(maxsize=1)
def measured_changes() -> tuple[Change, ...]:
    """Every kind of change that was tried, in the order of CHANGE_TEXTS."""
    return parse_changes(files(__package__).joinpath("limits.toml").read_text("utf-8"))


def describe_limits(changes: Sequence[Change] | None = None) -> list[Change]:
    """The changes that are not reliably found, the worst first."""
    chosen = measured_changes() if changes is None else changes
    return sorted((c for c in chosen if c.reach is not Reach.FOUND), key=lambda c: (c.share, c.code))
