"""Erasures in words: what goes, and what had left the site before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from ledger.models import Erasure

LOST_NAMES = {
    "originals": _("originals"),
    "pictures": _("picture files, with their previews and fingerprints"),
    "statements": _("log entries whose documents are erased"),
    "certificates": _("stored certificates and receipts"),
    "derivatives": _("files made from it"),
    "set_files": _("files in evidence sets; the sets lose their documents"),
    "checks": _("hidden-image checks"),
    "searches": _("searches with this picture"),
    "found_by_searches": _("search results that showed it; those searches lose their receipts"),
    "packs": _("compliance packs"),
    "captures": _("captures of pages that show it"),
    "packets_built": _("complaint packets that hold it"),
    "matches": _("matches that the watch found, with what was decided about them"),
    "papers": _("verification documents"),
    "memberships": _("memberships"),
    "identities": _("log entries that no longer say who acted"),
    "invitations": _("invitations"),
}
HANDOUT_NAMES = {
    "certificate": _("Certificate PDF"),
    "receipt": _("Receipt PDF"),
    "bundle": _("Evidence ZIP"),
    "bundle_with_files": _("Evidence ZIP with files"),
    "file": _("The file itself"),
    "packet": _("Compliance pack"),
    "case_packet": _("Complaint packet"),
}


def describe_lost(lost: Mapping[str, int]) -> list[tuple[int, Any]]:
    """(count, what) for people."""
    return [(count, LOST_NAMES.get(kind, kind)) for kind, count in lost.items() if count]


def describe_handouts(erasure: Erasure) -> list[dict[str, Any]]:
    return handout_rows(erasure.handed_out)


def handout_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What left the site, with times as times."""
    return [
        {**row, "name": HANDOUT_NAMES.get(row["kind"], row["kind"]), "at": datetime.fromisoformat(row["at"])}
        for row in rows
    ]
