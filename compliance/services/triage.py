"""Deciding about matches: one key each or a whole cluster at once, with a reason, a history and a way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.utils import timezone

from compliance.models import MatchDecision, MatchState, RuleKind, WatchMatch
from ledger.accounts.models import Seller, User
from ledger.accounts.numbers import new_number
from ledger.accounts.permissions import Permission, require_permission

DECISIONS = tuple(state for state in MatchState if state != MatchState.OPEN)
WAITING = (MatchState.OPEN, MatchState.LATER)
# What matches can be gathered by: name in the address -> field of the match.
CLUSTERS = {"original": "original__number", "shop": "shop_key", "transform": "transform"}
MOST_AT_ONCE = 5000  # matches that one bulk decision may be about
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Decided:
    """batch: what takes all of it back. count: how many matches changed."""

    batch: str
    count: int


def waiting_matches(seller: Seller) -> QuerySet[WatchMatch]:
    """What somebody has to look at: open, and not of an allowed shop."""
    return WatchMatch.objects.of(seller).filter(state=MatchState.OPEN).exclude(rule=RuleKind.ALLOW)


def decide(
    *, actor: User | None, seller: Seller, matches: QuerySet[WatchMatch], state: str, reason: str = ""
) -> Decided:
    """Set the state of these matches of one seller, all or none; those that have it already stay as they are.

    ValueError for what is no decision.
    """
    require_permission(actor, seller, Permission.TRIAGE)
    if state not in DECISIONS:
        raise ValueError(f"no such decision: {state!r}")
    batch, reason, now = new_number(), reason.strip()[:LONGEST_REASON], timezone.now()
    with transaction.atomic():
        locked = WatchMatch.objects.select_for_update().of(seller)
        chosen = list(matches.filter(seller=seller).order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])
        rows = list(locked.filter(pk__in=chosen).exclude(state=state, reason=reason).defer("evidence").order_by("pk"))
        MatchDecision.objects.bulk_create(
            MatchDecision(
                seller=seller,
                match=row,
                batch=batch,
                state_before=row.state,
                state_after=state,
                reason_before=row.reason,
                reason=reason,
                actor=actor,
                at=now,
            )
            for row in rows
        )
        changed = WatchMatch.objects.of(seller).filter(pk__in=[row.pk for row in rows])
        changed.update(state=state, reason=reason, decided_by=actor, decided_at=now)
    return Decided(batch, len(rows))


def undo(*, actor: User | None, seller: Seller, batch: str) -> int:
    """Take a decision back, with everything decided by the same key; how many matches changed.

    What was decided anew since stays: only the newest decision about a match can be taken back.
    """
    require_permission(actor, seller, Permission.TRIAGE)
    with transaction.atomic():
        decisions = MatchDecision.objects.select_for_update().of(seller).filter(batch=batch, undone_at=None)
        rows = list(decisions.exclude(actor=None).select_related("match").defer("match__evidence"))
        newest = _newest([row.match_id for row in rows])
        back = [row for row in rows if newest[row.match_id] == row.pk]
        now = timezone.now()
        for row in back:
            match = row.match
            earlier = _standing_before(row)
            match.state, match.reason = row.state_before, row.reason_before
            match.decided_by_id = earlier.actor_id if earlier else None
            match.decided_at = earlier.at if earlier else None
            match.save(update_fields=["state", "reason", "decided_by", "decided_at"])
        ids = [row.pk for row in back]
        MatchDecision.objects.of(seller).filter(pk__in=ids).update(undone_at=now, undone_by=actor)
    return len(back)


def _newest(match_ids: Sequence[int]) -> dict[int, int]:
    rows = MatchDecision.objects.filter(match__in=match_ids, undone_at=None)
    return dict(rows.order_by().values_list("match").annotate(newest=Max("pk")))


def _standing_before(row: MatchDecision) -> MatchDecision | None:
    """The decision that holds again once this one is taken back."""
    rows = MatchDecision.objects.filter(match=row.match_id, undone_at=None, pk__lt=row.pk)
    return rows.order_by("-pk").first()


def last_decision(*, actor: User, seller: Seller) -> MatchDecision | None:
    """What this person can take back with one key."""
    rows = MatchDecision.objects.of(seller).filter(actor=actor, undone_at=None)
    return rows.select_related("match").defer("match__evidence").order_by("-pk").first()


def clusters(seller: Seller, by: str, state: str) -> QuerySet[WatchMatch, Any]:
    """Matches in one state gathered by original, shop or transform, largest first: key, n, best, newest (pk)."""
    field = CLUSTERS[by]
    rows = WatchMatch.objects.of(seller).filter(state=state)
    if state == MatchState.OPEN:
        rows = rows.exclude(rule=RuleKind.ALLOW)
    found = rows.order_by().values(key=F(field)).annotate(n=Count("pk"), best=Max("score_milli"), newest=Max("pk"))
    return found.order_by("-n", "key")


def cluster_matches(seller: Seller, by: str, key: str, state: str = MatchState.OPEN) -> QuerySet[WatchMatch]:
    """The matches of one cluster."""
    rows = WatchMatch.objects.of(seller).filter(Q(**{CLUSTERS[by]: key}), state=state)
    return rows.exclude(rule=RuleKind.ALLOW) if state == MatchState.OPEN else rows
