"""What was done to a picture, in words of the language at hand: the same on the page, in the receipt and the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

# Of the query's own content; below that the rest is other pictures, or the frame of a page (copy_score.CONTAINED_BELOW).
CONTAINED_BELOW = 0.6


def edit_words(edits: Mapping[str, Any], contained: str = "") -> list[str]:
    """One short phrase per edit, from what `edits_json` kept; empty for a picture that was only saved again.

    contained: how to say which share of the edited picture is the other one, with %(percent)d, where it is no query.
    """
    if not edits:
        return []
    words = [_WORDS[name](edits) for name in edits["names"] if name in _WORDS]
    if edits["fills"] < CONTAINED_BELOW:
        share = {"percent": round(edits["fills"] * 100)}
        words.append((contained or gettext("fills %(percent)d %% of the query")) % share)
    return words


def _turned(edits: Mapping[str, Any]) -> str:
    degrees = edits["turned"]
    text = gettext("turned %(degrees)s° clockwise") if degrees > 0 else gettext("turned %(degrees)s° counter-clockwise")
    return text % {"degrees": f"{abs(degrees):.0f}"}


def _added(edits: Mapping[str, Any]) -> str:
    count = len(edits["added"])
    return ngettext("something added in %(count)d place", "something added in %(count)d places", count) % {
        "count": count
    }


def _relit(edits: Mapping[str, Any]) -> str:
    values = {"brightness": round(edits["brightness"] * 100), "contrast": round(edits["contrast"] * 100)}
    return gettext("brightness %(brightness)d %%, contrast %(contrast)d %%") % values


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "mirrored": lambda edits: gettext("mirrored"),
    "inverted": lambda edits: gettext("colours inverted"),
    "turned": _turned,
    "stretched": lambda edits: gettext("stretched by %(percent)d %%") % {"percent": round(edits["stretched"] * 100)},
    "perspective": lambda edits: gettext("slanted"),
    "cropped": lambda edits: gettext("cropped to %(percent)d %%") % {"percent": round(edits["kept"] * 100)},
    "relit": _relit,
    "recoloured": lambda edits: gettext("recoloured"),
    "added": _added,
}
