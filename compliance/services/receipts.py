"""The receipt of an answered search: a signed PDF in both languages, with the evidence bundle inside.

It says what was searched and what this engine does not find as plainly as what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from compliance.models import Candidate as Row
from compliance.models import Scope, SearchRun
from compliance.search.limits import REACH_TEXTS, Reach, describe_limits
from compliance.search.texts import verdict_text
from compliance.services.bilingual import both_languages
from compliance.services.edit_words import edit_words
from ledger.accounts.models import User
from ledger.accounts.numbers import format_number
from ledger.accounts.permissions import Permission, require_permission
from ledger.categories import category_by_slug
from ledger.models import Certificate
from ledger.pdf.assurance import Bilingual
from ledger.pdf.documents import Attachment, Candidate, Common, QueryReceiptDocument
from ledger.pdf.render import render_query_receipt
from ledger.services.evidence import file_facts, issue
from ledger.services.pictures import thumbnail

THUMBNAIL_PX = 320  # printed 46 mm wide at most


class SearchUnfinishedError(Exception):
    """A search without an answer has no receipt."""

    code = "search.unfinished"


def receipt_of(*, actor: User | None, run: SearchRun) -> Certificate:
    """The receipt of a search, made at the first call and the same bytes ever after. Raises SearchUnfinishedError."""
    require_permission(actor, run.seller, Permission.VIEW)
    if run.statement is None or run.image is None:
        raise SearchUnfinishedError

    def render(common: Common, attachments: Sequence[Attachment]) -> bytes:
        return render_query_receipt(_document(run, common), attachments=attachments)

    return issue(run.statement, render)


def _document(run: SearchRun, common: Common) -> QueryReceiptDocument:
    assert run.image is not None  # noqa: S101 - receipt_of made sure
    rows = list(run.candidates.select_related("image__blob"))
    return QueryReceiptDocument(
        common=common,
        query=file_facts(run.image),
        thumbnail=thumbnail(run.image, THUMBNAIL_PX),
        scope=_in_both_languages(lambda: [searched_text(run)])[0],
        searched_count=run.searched["originals"] + run.searched["listing_images"],
        threshold=run.threshold,
        candidates=tuple(_candidate(row) for row in rows),
        limits=_in_both_languages(_limits),
        category=_category(run.category),
        matches_count=sum(row.score_milli >= run.threshold * 1000 for row in rows),
    )


def searched_text(run: SearchRun) -> str:
    """What a finished search looked through, as one sentence in the language at hand."""
    scope = {
        Scope.ALL: gettext("Everything"),
        Scope.RECENT: gettext("Listed or first seen in the last 90 days"),
        Scope.REGISTERED: gettext("Registered originals"),
    }[Scope(run.scope)]
    originals, listings = run.searched["originals"], run.searched["listing_images"]
    parts = [ngettext("%(count)s original", "%(count)s originals", originals) % {"count": f"{originals:,}"}]
    if run.scope != Scope.REGISTERED:
        parts.append(
            ngettext("%(count)s listing picture", "%(count)s listing pictures", listings) % {"count": f"{listings:,}"}
        )
    if run.searched["newest_import"]:
        newest = datetime.fromisoformat(run.searched["newest_import"]).astimezone(UTC)
        parts.append(gettext("newest import %(time)s") % {"time": newest.strftime("%Y-%m-%d %H:%M UTC")})
    return gettext("%(scope)s: %(parts)s. Not the marketplace's internal gallery.") % {
        "scope": scope,
        "parts": gettext(", ").join(parts),
    }


def _limits() -> list[str]:
    """What the search does not tell, in the language at hand."""
    lines = [
        gettext(
            "A picture that is in none of the seller's catalogues cannot be found here. Nothing found is no proof that "
            "no copy exists."
        )
    ]
    for reach in (Reach.MISSED, Reach.OFTEN_MISSED, Reach.SOMETIMES_MISSED):
        changes = [f"{gettext(c.text)} ({c.found}/{c.tried})" for c in describe_limits() if c.reach is reach]
        if changes:
            words = {"reach": capfirst(gettext(REACH_TEXTS[reach])), "changes": gettext("; ").join(changes)}
            lines.append(gettext("%(reach)s: %(changes)s.") % words)
    lines.append(
        gettext(
            "The figures in brackets say how many of the changed pictures were found at 85 or more when this engine "
            "was measured on product photos; the score is a calibrated measure, not a percentage of anything."
        )
    )
    return lines


def _candidate(row: Row) -> Candidate:
    facts = row.facts
    is_original = facts["kind"] == "original"
    listed_at = facts.get("listed_at") or ""
    return Candidate(
        product_id=format_number(facts["ref"]) if is_original else facts["ref"],
        score=row.score,
        thumbnail=thumbnail(row.image, THUMBNAIL_PX),
        listed_at=datetime.fromisoformat(listed_at).astimezone(UTC) if listed_at else None,
        shop_country=facts.get("shop_country", ""),
        shop_name=facts["title"] if is_original else facts.get("shop_name", ""),
        url=facts.get("url", ""),
        registered=is_original,
        what=_in_both_languages(lambda: [_what(row)])[0],
    )


def _what(row: Row) -> str:
    """The verdict and what was done, in the language at hand."""
    words = edit_words(row.evidence.get("edits", {}))
    return gettext(": ").join([gettext(verdict_text(row.verdict)), *([gettext(", ").join(words)] if words else [])])


def _category(slug: str) -> str:
    if not slug:
        return ""
    category = category_by_slug(slug)
    return f"{category.zh} {category.en}"


def _in_both_languages(make: Callable[[], list[str]]) -> tuple[Bilingual, ...]:
    """Sentences in both languages of every document."""
    english, chinese = both_languages(make)
    return tuple(Bilingual(zh, en) for zh, en in zip(chinese, english, strict=True))
