"""What the pages of the watch show of one match: pictures, edits in words, the drawing, facts, and names of clusters."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from compliance.catalogues.feed import plain_url
from compliance.models import MatchState, WatchMatch
from compliance.search.copy_score import Verdict
from compliance.search.texts import verdict_text
from compliance.services.clearance import was_listed_before
from compliance.services.edit_words import edit_words
from compliance.views.search_drawing import draw_evidence

PICTURE_FIELDS = ("original__image", "listing_image__image", "listing_image__listing__catalogue")
# What a line of a list needs; the evidence of fifty matches would be megabytes.
LIST_FIELDS = (
    *("number", "seller", "state", "score_milli", "verdict", "transform", "shop_key", "shop_name", "rule", "raised"),
    *("relisted_at", "found_at", "original__number", "original__title", "original__registered_at"),
    *("original__image__file_name", "original__image__has_thumbnails"),
    *("listing_image__image__has_thumbnails", "listing_image__image__file_name"),
    *("listing_image__listing__product_id", "listing_image__listing__title"),
    "listing_image__listing__catalogue__name",
)
STATE_NAMES = {
    MatchState.OPEN: pgettext_lazy("match", "Open"),
    MatchState.COPY: pgettext_lazy("match", "Copy"),
    MatchState.NOT_A_COPY: gettext_lazy("Not a copy"),
    MatchState.OURS: gettext_lazy("Ours"),
    MatchState.LICENSED: gettext_lazy("Licensed"),
    MatchState.LATER: gettext_lazy("Later"),
}
# Decision, the key for it, its button.
KEYS = [
    {"state": str(MatchState.COPY), "key": "c", "label": STATE_NAMES[MatchState.COPY], "primary": True},
    {"state": str(MatchState.NOT_A_COPY), "key": "n", "label": STATE_NAMES[MatchState.NOT_A_COPY]},
    {"state": str(MatchState.OURS), "key": "o", "label": STATE_NAMES[MatchState.OURS]},
    {"state": str(MatchState.LICENSED), "key": "l", "label": STATE_NAMES[MatchState.LICENSED]},
    {"state": str(MatchState.LATER), "key": "s", "label": STATE_NAMES[MatchState.LATER]},
]
EDIT_NAMES = {
    "mirrored": gettext_lazy("mirrored"),
    "inverted": gettext_lazy("colours inverted"),
    "turned": gettext_lazy("turned"),
    "stretched": gettext_lazy("stretched"),
    "perspective": gettext_lazy("slanted"),
    "cropped": gettext_lazy("cropped"),
    "relit": gettext_lazy("brighter or darker"),
    "recoloured": gettext_lazy("recoloured"),
    "added": gettext_lazy("something added"),
}


def state_name(state: str) -> str:
    """The name of a state as a filter shows it."""
    return str(STATE_NAMES[MatchState(state)])


def decision_words(state: str) -> str:
    """What somebody decided, as a word of a sentence."""
    return str(MatchState(state).label)


def transform_words(transform: str) -> str:
    """What was done to the picture, by the names of the edits; the verdict where nothing was."""
    names = transform.split("+")
    if all(name in EDIT_NAMES for name in names):
        return ", ".join(str(EDIT_NAMES[name]) for name in names)
    return _(verdict_text(transform))


def cluster_name(by: str, example: WatchMatch) -> str:
    """What all matches of a cluster share, in words."""
    if by == "original":
        return str(example.original)
    if by == "shop":
        return example.shop_name or _("shop not in feed")
    return transform_words(example.transform)


def describe_match(row: WatchMatch, copies: dict[str, int]) -> dict[str, Any]:
    """Context of match_view.html. copies: how many matches of each shop were called copies."""
    listing = row.listing_image.listing
    contained = _("fills %(percent)d %% of the listing's picture")
    return {
        "match": row,
        "listing": listing,
        "listing_url": plain_url(listing.url),
        "words": _(verdict_text(row.verdict)),
        "meaning": _meaning(row.verdict),
        "edits": edit_words(row.evidence.get("edits", {}), contained),
        "drawing": draw_evidence(row.listing_image.image, row.original.image, row.evidence),
        "map_url": reverse("compliance:match_agreement", args=[row.number]),
        "shop_copies": copies.get(row.shop_key, 0),
        "state_name": state_name(row.state),
        "was_listed_before": was_listed_before(row.original, listing),
    }


def _meaning(verdict: str) -> str:
    if verdict == Verdict.IDENTICAL_FILE:
        return _("The file is the same, byte for byte.")
    if verdict == Verdict.SAME_PICTURE:
        return _("The same picture, saved again.")
    return _("From 85 on, 99.9 % of the best answers were copies when measured.")
